"""`camshaft run`: list and show runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from daemon.cli.client import part
from daemon.cli.home_access import ask
from daemon.cli.options import Home, Output
from daemon.cli.output import show_rows, show_value
from daemon.cli.run_text import show_run

if TYPE_CHECKING:
    from daemon.operations import Operations

app = App(name="run", help="List and show runs.")

Limit = Annotated[int, Parameter(name=["--limit", "-n"], help="How many, at most 1000; the newest first.")]
Status = Literal["queued", "running", "waiting", "paused", "completed", "failed", "cancelled"]


@app.command(name="list")
def list_(
    *,
    flow: str | None = None,
    status: Status | None = None,
    trigger: str | None = None,
    event: str | None = None,
    before: Annotated[str | None, Parameter(help="Only runs older than this one: the next page.")] = None,
    limit: Limit = 50,
    home: Home = None,
    output: Output = "table",
) -> None:
    """Runs, the newest first."""
    which = {"flow": flow, "status": status, "trigger": trigger, "event": event, "before": before, "limit": limit}

    async def alone(operations: Operations) -> Any:
        return await operations.list_runs(**which)

    runs = ask(home, "GET", "/v1/runs", alone, query=which)
    show_rows(runs, ("run", "flow", "status", "trigger", "createdAt", "error"), output)


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
