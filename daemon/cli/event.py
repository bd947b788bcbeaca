"""`camshaft event`: list, show, explain and send events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from daemon.cli import trial
from daemon.cli.client import part
from daemon.cli.home_access import ask, rows
from daemon.cli.options import All, Before, Chain, Fields, Home, Limit, Output, Since, Until
from daemon.cli.output import aligned, clean, show_rows, show_value, write

if TYPE_CHECKING:
    from daemon.operations import Operations

app = App(name="event", help="List, show, explain and send events.")
app.command(trial.send)


@app.command(name="list")
def list_(  # noqa: PLR0913 - each is an option
    *,
    source: Annotated[str | None, Parameter(help="webhook, schedule, file-watch, flow or manual.")] = None,
    address: Annotated[str | None, Parameter(help="Only events that came in here: a hook's path, a trigger's key.")] = None,
    subject: Annotated[str | None, Parameter(help="Only events about this: a file's path, a slot.")] = None,
    trigger: Annotated[str | None, Parameter(help="Only events for which this trigger was a candidate.")] = None,
    verdict: Annotated[
        tuple[str, ...],
        Parameter(negative="", help="Only events with this verdict, e.g. filter_false. Several times: one of them."),
    ] = (),
    chain: Chain = None,
    since: Since = None,
    until: Until = None,
    before: Before = None,
    limit: Limit = 50,
    all_: All = False,
    follow: Annotated[
        bool, Parameter(name=["--follow", "-f"], negative="", help="The newest last, and then those that come. Needs a daemon.")
    ] = False,
    home: Home = None,
    fields: Fields = None,
    output: Output = "table",
) -> None:
    """Events, the newest first."""
    which = {"source": source, "address": address, "subject": subject, "trigger": trigger, "verdict": verdict, "chain": chain}
    which |= {"since": since, "until": until, "before": before}
    if follow:
        from daemon.cli.event_follow import follow_events  # the stream: not for the other commands here

        follow_events(home, which, most=None if all_ else limit, fields=fields, output=output)
        return
    found = rows(home, "/v1/events", lambda here, asked: here.list_events(**asked), which, most=None if all_ else limit)
    show_rows(found, ("event", "source", "address", "time", "subject"), output, fields)


@app.command
def show(event: str, /, *, home: Home = None, fields: Fields = None, output: Output = "table") -> None:
    """One event, by its id or the beginning of it: its document, and a verdict for each candidate trigger."""

    async def alone(operations: Operations) -> Any:
        return await operations.show_event(event)

    show_value(ask(home, "GET", f"/v1/events/{part(event)}", alone), output, fields)


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
    for wait in explained["waits"]:
        write(f"ended the wait of {wait['run']} at {clean(wait['step'])}")
    if not lines and not explained["waits"]:
        write("no trigger was a candidate")
