"""`camshaft event`: list, show and explain events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from daemon.cli.client import part
from daemon.cli.home_access import ask
from daemon.cli.options import Home, Output
from daemon.cli.output import aligned, clean, show_rows, show_value, write

if TYPE_CHECKING:
    from daemon.operations import Operations

app = App(name="event", help="List, show and explain events.")


@app.command(name="list")
def list_(
    *,
    source: Annotated[str | None, Parameter(help="webhook, schedule, file-watch, flow or manual.")] = None,
    trigger: Annotated[str | None, Parameter(help="Only events for which this trigger was a candidate.")] = None,
    verdict: Annotated[str | None, Parameter(help="Only events with this verdict, e.g. filter_false.")] = None,
    before: Annotated[str | None, Parameter(help="Only events older than this one: the next page.")] = None,
    limit: Annotated[int, Parameter(name=["--limit", "-n"], help="How many, at most 1000; the newest first.")] = 50,
    home: Home = None,
    output: Output = "table",
) -> None:
    """Events, the newest first."""
    which = {"source": source, "trigger": trigger, "verdict": verdict, "before": before, "limit": limit}

    async def alone(operations: Operations) -> Any:
        return await operations.list_events(**which)

    events = ask(home, "GET", "/v1/events", alone, query=which)
    show_rows(events, ("event", "source", "address", "time", "subject"), output)


@app.command
def show(event: str, /, *, home: Home = None, output: Output = "table") -> None:
    """One event, by its id or the beginning of it: its document, and a verdict for each candidate trigger."""

    async def alone(operations: Operations) -> Any:
        return await operations.show_event(event)

    show_value(ask(home, "GET", f"/v1/events/{part(event)}", alone), output)


@app.command
def explain(event: str, /, *, home: Home = None, output: Output = "table") -> None:
    """Why each candidate trigger fired, or why it did not."""

    async def alone(operations: Operations) -> Any:
        return await operations.explain_event(event)

    explained = ask(home, "GET", f"/v1/events/{part(event)}/explain", alone)
    if output != "table":
        show_value(explained, output)
        return
    write(f"{explained['event']}  {explained['source']}  {clean(explained['address'])}  {explained['time']}")
    lines = [[clean(one["trigger"]), one["verdict"], clean(one["explanation"])] for one in explained["explanations"]]
    for line in aligned(lines):
        write(line)
    if not lines:
        write("no trigger was a candidate")
