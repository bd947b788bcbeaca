"""`camshaft run`: list and show runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from daemon.cli.client import part
from daemon.cli.home_access import ask, rows
from daemon.cli.options import All, Before, Chain, Home, Limit, Output, Since, Until
from daemon.cli.output import show_rows, show_value
from daemon.cli.run_text import show_run

if TYPE_CHECKING:
    from daemon.operations import Operations

app = App(name="run", help="List and show runs.")

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
    output: Output = "table",
) -> None:
    """Runs, the newest first."""
    which = {"flow": flow, "status": status, "trigger": trigger, "event": event, "chain": chain}
    which |= {"since": since, "until": until, "before": before}
    found = rows(home, "/v1/runs", lambda here, asked: here.list_runs(**asked), which, most=None if all_ else limit)
    show_rows(found, ("run", "flow", "status", "trigger", "createdAt", "error"), output)


@app.command
def show(run: str, /, *, home: Home = None, output: Output = "table") -> None:
    """One run, by its id or the beginning of it: its steps, what they gave, and their durations."""

    async def alone(operations: Operations) -> Any:
        return await operations.show_run(run)

    shown = ask(home, "GET", f"/v1/runs/{part(run)}", alone)
    if output == "table":
        show_run(shown)
    else:
        show_value(shown, output)
