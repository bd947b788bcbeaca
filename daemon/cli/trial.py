"""`camshaft trigger test`, `fire` and `explain`: triggers tried out, and what keeps them still."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from daemon.cli.client import Client, part
from daemon.cli.exits import RUN_FAILED, UNMET
from daemon.cli.home_access import ask
from daemon.cli.made import Made, MadeEvent, Request, made_event
from daemon.cli.options import Home, Output, find_home
from daemon.cli.output import aligned, clean, show_value, write
from daemon.cli.run_text import show_run
from daemon.errors import BadRequest
from flows.errors import DefinitionError

if TYPE_CHECKING:
    from pathlib import Path

    from daemon.operations import Operations


def try_out(
    *keys: Annotated[str, Parameter(help="Keys of triggers; none: all that have tests.")],
    made: Made | None = None,
    expect_fires: Annotated[
        bool | None, Parameter(help="With an event: exit with 6 unless it fires, or unless it does not.")
    ] = None,
    home: Home = None,
    output: Output = "table",
) -> int:
    """Run triggers' own tests, or say what would become of one event. Nothing is stored or started, and no daemon is needed.

    Exit 6 when a test, or --expect-fires, is not met.
    """
    if made is None or not made.given:
        if expect_fires is not None:
            raise BadRequest("--expect-fires goes with an event", "--body, --event, --file, --at or --run")
        return _own_tests(home, keys, output)
    if len(keys) != 1:
        raise BadRequest("an event is tried on one trigger: give its KEY")
    tried = _tried(home, keys[0], made_event(home, made))
    if output == "table":
        show_value({name: value for name, value in tried.items() if name != "detail"}, output)
    else:
        show_value(tried, output)
    return UNMET if expect_fires is not None and tried["fires"] != expect_fires else 0


def fire(
    key: str,
    /,
    *,
    made: Made | None = None,
    wait: Annotated[bool, Parameter(negative="", help="Wait for the run's end, and show it.")] = False,
    home: Home = None,
    output: Output = "table",
) -> int:
    """Make an event for one trigger, as its source would: it is recorded with its verdict, and its run is started.

    Exit 6 when no run was started, 7 when --wait saw it fail. Needs a running daemon.
    """
    event = made_event(home, made or Made())
    try:
        return _hand_in(home, f"/v1/triggers/{part(key)}/fire", {"event": event.value}, wait=wait, output=output)
    except DefinitionError as error:
        raise event.located(error) from error


def send(
    path: Annotated[str, Parameter(help="A hook's path, e.g. /deal-created.")],
    /,
    *,
    request: Request | None = None,
    type_: Annotated[str | None, Parameter(name="--type", help="The event's $.type, as a CloudEvent has it.")] = None,
    source: Annotated[str | None, Parameter(help="Its $.source.")] = None,
    subject: Annotated[str | None, Parameter(help="Its $.subject.")] = None,
    follow_run: Annotated[bool, Parameter(negative="", help="Wait for the ends of its runs, and show them.")] = False,
    home: Home = None,
    output: Output = "table",
) -> int:
    """Hand in a request to a hook as the daemon's owner: for all triggers there, and without their auth; the event says so.

    Exit 6 when no run was started, 7 when --follow-run saw one fail. Needs a running daemon.
    """
    sent = {"path": path, "type": type_, "source": source, "subject": subject, **(request or Request()).parts()}
    body = {name: value for name, value in sent.items() if value is not None or name == "body"}
    return _hand_in(home, "/v1/events", body, wait=follow_run, output=output)


def explain(
    key: str,
    /,
    *,
    last: Annotated[int, Parameter(name=["--last", "-n"], help="How many events, at most 100.")] = 10,
    home: Home = None,
    output: Output = "table",
) -> None:
    """Why a trigger fired lately, or did not: its last events, and what is in its way now."""

    async def alone(operations: Operations) -> Any:
        return await operations.explain_trigger(key, last=last)

    explained = ask(home, "GET", f"/v1/triggers/{part(key)}/explain", alone, query={"last": last})
    if output != "table":
        show_value(explained, output)
        return
    for label, lines in (
        ("waits for", [explained["waitsFor"]]),
        ("next", explained["next"]),
        ("in the way", explained["inTheWay"] or ["nothing"]),
    ):
        for line in lines:
            if line:
                write(f"{label.ljust(10)}  {clean(line)}")
    rows = [
        [one["time"], one["event"], one["verdict"], clean(one["explanation"]) + (" (another version)" * one["changedSince"])]
        for one in explained["events"]
    ]
    write("\n".join(["", *aligned(rows)]) if rows else "\nno event was for it lately")


def _hand_in(home: Path | None, route: str, body: dict[str, Any], *, wait: bool, output: Any) -> int:
    """Show what became of an event that a person made; with `wait`, how its runs ended. The exit status."""
    client = Client(find_home(home))
    told = client.ask("POST", route, body=body)
    runs = [client.run_ended(run) for run in told["runs"]] if wait else []
    if output != "table":
        show_value({**told, "ended": runs}, output)
    else:
        write(told["event"])
        for line in aligned([[clean(one["trigger"]), one["verdict"], clean(one["explanation"])] for one in told["verdicts"]]):
            write(line)
        for run in runs:
            write("")
            show_run(run)
    if not told["runs"]:
        return UNMET
    return RUN_FAILED if any(run["status"] != "completed" for run in runs) else 0


def _own_tests(home: Path | None, keys: tuple[str, ...], output: Any) -> int:
    async def alone(operations: Operations) -> Any:
        return await operations.test_triggers(keys)

    tested = ask(home, "POST", "/v1/tests", alone, body={"triggers": list(keys)})
    if output != "table":
        show_value(tested, output)
    else:
        for result in tested["results"]:
            write(f"{'ok  ' if result['passed'] else 'FAIL'}  {result['trigger']}  {clean(result['test'])}")
            for difference in result["differences"]:
                write(f"      {clean(difference)}")
        for key in tested["untested"] if keys else ():
            write(f"none  {key}  it has no tests")
        write(f"{tested['passed']} passed, {tested['failed']} failed")
    return UNMET if tested["failed"] else 0


def _tried(home: Path | None, key: str, event: MadeEvent) -> dict[str, Any]:
    async def alone(operations: Operations) -> Any:
        return await operations.test_trigger(key, event.value)

    try:
        tried: dict[str, Any] = ask(home, "POST", f"/v1/triggers/{part(key)}/test", alone, body={"event": event.value})
    except DefinitionError as error:
        raise event.located(error) from error
    return tried
