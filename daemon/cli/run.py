"""`camshaft run`: list, show, watch and cancel runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from daemon.cli.client import part
from daemon.cli.home_access import ask, rows
from daemon.cli.options import All, Before, Chain, Fields, Home, Limit, Output, Since, Until
from daemon.cli.output import show_rows, show_value, write
from daemon.cli.run_answer import add_to as add_answers
from daemon.cli.run_text import show_run

if TYPE_CHECKING:
    from daemon.operations import Operations

app = App(name="run", help="List, show, watch, answer and cancel runs.")
add_answers(app)

Status = Literal["queued", "running", "waiting", "paused", "completed", "failed", "cancelled"]


@app.command(name="list")
def list_(  # noqa: PLR0913 - each is an option
    *,
    flow: str | None = None,
    status: Annotated[tuple[Status, ...], Parameter(negative="", help="Several times: in one of these states.")] = (),
    trigger: str | None = None,
    event: str | None = None,
    chain: Chain = None,
    since: Since = None,
    until: Until = None,
    before: Before = None,
    limit: Limit = 50,
    all_: All = False,
    home: Home = None,
    fields: Fields = None,
    output: Output = "table",
) -> None:
    """Runs, the newest first."""
    which = {"flow": flow, "status": status, "trigger": trigger, "event": event, "chain": chain}
    which |= {"since": since, "until": until, "before": before}
    found = rows(home, "/v1/runs", lambda here, asked: here.list_runs(**asked), which, most=None if all_ else limit)
    show_rows(found, ("run", "flow", "status", "trigger", "createdAt", "error"), output, fields)


@app.command
def show(run: str, /, *, home: Home = None, fields: Fields = None, output: Output = "table") -> None:
    """One run, by its id or the beginning of it: its steps, what they gave, and their durations."""

    async def alone(operations: Operations) -> Any:
        return await operations.show_waiting(run)

    shown = ask(home, "GET", f"/v1/runs/{part(run)}", alone)
    if output == "table" and fields is None:
        show_run(shown)
    else:
        show_value(shown, output, fields)


@app.command
def logs(
    run: str,
    /,
    *,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], negative="", help="Go on until the run has ended.")] = False,
    home: Home = None,
    output: Output = "table",
) -> None:
    """The story of a run: what began and ended, what commands printed, what went wrong. A command's lines appear when it has ended."""
    from daemon.cli.run_watch import tell_story  # the stream: not for `run list`

    tell_story(home, run, follow=follow, output=output)


@app.command
def watch(
    run: str,
    /,
    *,
    exit_status: Annotated[
        bool, Parameter(name="--exit-status", negative="", help="Exit with 7 where the run does not complete.")
    ] = False,
    home: Home = None,
    output: Output = "table",
) -> int:
    """Follow a run to its end: each step as it begins and ends, and then the run as `run show` has it. Ctrl-C stops watching."""
    from daemon.cli.run_watch import RUN_FAILED, watch_run  # as above

    status = watch_run(home, run, output=output)
    return RUN_FAILED if exit_status and status != "completed" else 0


@app.command
def cancel(
    run: str,
    /,
    *,
    wait: Annotated[bool, Parameter(negative="", help="Return when it has ended.")] = False,
    home: Home = None,
    output: Output = "table",
) -> None:
    """Stop a run: its commands are ended, and it is recorded as cancelled."""
    from daemon.cli.run_watch import cancel_run  # as above

    told = cancel_run(home, run, wait=wait)
    if output != "table":
        show_value(told, output)
    elif told["cancelled"]:
        write(f"{told['run']} {'is' if wait else 'is being'} cancelled")
    else:
        write(f"{told['run']} was not stopped: it is {told['status']}")
