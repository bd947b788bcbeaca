"""`camshaft run`: list, show, watch, cancel and retry runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from daemon.cli.client import part
from daemon.cli.exits import RUN_FAILED
from daemon.cli.home_access import ask, rows
from daemon.cli.options import All, Before, Chain, Fields, Home, Inputs, Limit, Output, Since, Until
from daemon.cli.output import show_rows, show_value
from daemon.cli.pausing import add_to_run as add_pausing
from daemon.cli.run_answer import add_to as add_answers
from daemon.cli.run_text import show_run
from daemon.errors import BadRequest

if TYPE_CHECKING:
    from daemon.operations import Operations

app = App(name="run", help="List, show, watch, answer, pause and cancel runs.")
add_answers(app)
add_pausing(app)

Status = Literal["queued", "running", "waiting", "paused", "completed", "failed", "cancelled"]


@app.command(name="list")
def list_(  # noqa: PLR0913 - each is an option
    *,
    flow: str | None = None,
    status: Annotated[tuple[Status, ...], Parameter(negative="", help="Several times: in one of these states.")] = (),
    trigger: str | None = None,
    event: str | None = None,
    chain: Chain = None,
    retry_of: Annotated[str | None, Parameter(name="--retry-of", help="Only runs that do this one again.")] = None,
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
    which = {"flow": flow, "status": status, "trigger": trigger, "event": event, "chain": chain, "retry_of": retry_of}
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
    from daemon.cli.run_watch import watch_run  # as above

    status = watch_run(home, run, output=output)
    return RUN_FAILED if exit_status and status != "completed" else 0


@Parameter(name="*")
@dataclass(frozen=True)
class Which:
    """Which runs are to stop, where it is not one."""

    flow: Annotated[str | None, Parameter(help="All runs of this flow that have not ended.")] = None
    trigger: Annotated[str | None, Parameter(help="All that this trigger started.")] = None
    all_: Annotated[bool, Parameter(name="--all", negative="", help="All that have not ended; with --yes.")] = False
    yes: Annotated[bool, Parameter(name="--yes", negative="", help="Yes, all of them.")] = False

    @property
    def said(self) -> bool:
        return self.flow is not None or self.trigger is not None or self.all_


@app.command
def cancel(
    run: str | None = None,
    /,
    *,
    which: Which = Which(),
    reason: Annotated[str | None, Parameter(help="Why; kept and shown with the run.")] = None,
    wait: Annotated[bool, Parameter(negative="", help="Return when it has ended.")] = False,
    home: Home = None,
    output: Output = "table",
) -> None:
    """Stop a run, or several: commands are ended, handlers run, and it is recorded as cancelled. Also if the daemon dies now."""
    from daemon.cli.run_control import cancel_one, cancel_several  # as above

    if (run is None) is not which.said:
        raise BadRequest("name one run, or say which ones by --flow, --trigger or --all")
    if run is not None:
        cancel_one(home, run, reason=reason, wait=wait, output=output)
    else:
        asked = {"flow": which.flow, "trigger": which.trigger, "all": which.all_, "reason": reason}
        cancel_several(home, asked, sure=which.yes, output=output)


@Parameter(name="*")
@dataclass(frozen=True)
class Again:
    """How a run is done again."""

    from_: Annotated[
        str | None, Parameter(name="--from", help="start, failed, or a step's id; failed where it did not complete, else start.")
    ] = None
    definition: Annotated[
        Literal["pinned", "current"] | None,
        Parameter(help="The flow as it was then, or as it is now; now from the start, then from a step."),
    ] = None
    inputs: Inputs = ()
    inputs_json: Annotated[str | None, Parameter(name="--inputs", help="Inputs as a JSON object; -i is stronger.")] = None

    def body(self) -> dict[str, Any]:
        from daemon.cli.documents import read_inputs, read_object

        inputs = (read_object(self.inputs_json) if self.inputs_json else {}) | read_inputs(None, self.inputs)
        said = {"from": self.from_, "definition": self.definition}
        return {name: value for name, value in said.items() if value is not None} | {"inputs": inputs}


@Parameter(name="*")
@dataclass(frozen=True)
class Several:
    """Which runs are done again, where it is not one."""

    flow: Annotated[str | None, Parameter(help="Runs of this flow.")] = None
    trigger: Annotated[str | None, Parameter(help="Runs that this trigger started.")] = None
    status: Annotated[
        tuple[Literal["completed", "failed", "cancelled"], ...], Parameter(negative="", help="Those that ended so; failed ones.")
    ] = ("failed",)
    since: Since = None
    until: Until = None
    limit: Annotated[int, Parameter(name=["--limit", "-n"], help="At most so many, the newest.")] = 100
    yes: Annotated[bool, Parameter(name="--yes", negative="", help="Yes, all of them; else only how many is said.")] = False

    def body(self) -> dict[str, Any]:
        said = {"flow": self.flow, "trigger": self.trigger, "status": list(self.status), "since": self.since, "until": self.until}
        return {name: value for name, value in said.items() if value is not None} | {"limit": self.limit}


@app.command
def retry(
    run: str | None = None,
    /,
    *,
    again: Again = Again(),
    several: Several = Several(),
    wait: Annotated[
        bool, Parameter(negative="", help="Return when the new run has ended; exit 7 where it did not complete.")
    ] = False,
    home: Home = None,
    output: Output = "table",
) -> int:
    """Do a run again that has ended, as a new run: from the start, from where it failed, or from a step on."""
    from daemon.cli.run_control import retry_one, retry_several  # as above

    if (run is None) is (several.flow is several.trigger is None):
        raise BadRequest("name one run, or say which ones by --flow or --trigger")
    if run is not None:
        return retry_one(home, run, again.body(), wait=wait, output=output)
    return retry_several(home, several.body() | again.body(), sure=several.yes, output=output)
