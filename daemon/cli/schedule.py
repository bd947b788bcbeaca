"""`camshaft schedule`: when a cron text fires."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from daemon.cli.batch import answer_lines
from daemon.cli.options import Home, Output
from daemon.cli.output import show_value, write
from daemon.errors import BadRequest
from flows.errors import DefinitionError
from triggers.cron_report import MAX_TIMES, next_times, report

app = App(name="schedule", help="Show when a cron text fires.")


@app.command(name="next")
def next_(
    cron: Annotated[str | None, Parameter(help="Five fields or @daily and friends, e.g. '0 9 * * 1-5'.")] = None,
    /,
    *,
    timezone: Annotated[
        str | None, Parameter(name=["--timezone", "--tz"], help="Whose clock, e.g. Europe/Berlin; UTC otherwise.")
    ] = None,
    start: Annotated[str | None, Parameter(name="--from", help="The times after this instant (ISO 8601); now otherwise.")] = None,
    count: Annotated[int, Parameter(name=["-n", "--count"], help="How many.")] = 5,
    batch: Annotated[
        bool, Parameter(negative="", help='Answer lines of JSON on standard input: {"id", "expr", "tz", "start", "n"}.')
    ] = False,
    home: Home = None,  # noqa: ARG001 - every command takes it
    output: Output = "table",
) -> None:
    """The next times of a cron text, as UTC instants."""
    if batch:
        answer_lines(report)
        return
    if cron is None:
        raise BadRequest("give a cron text, or --batch")
    if not 1 <= count <= MAX_TIMES:
        raise BadRequest(f"-n {count}: that many times cannot be given", f"1 to {MAX_TIMES}")
    try:
        times = next_times(cron, timezone, start, count)
    except DefinitionError as error:
        problem = error.problems[0]
        if problem.path != ("start",):
            raise
        raise BadRequest(f"--from: {problem.problem}", problem.hint) from error
    if output in {"table", "jsonl"}:
        for time in times:
            write(time if output == "table" else f'"{time}"')
    else:
        show_value(times, output)
