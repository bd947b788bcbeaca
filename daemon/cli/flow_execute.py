"""`camshaft flow execute`: run a flow and tell how it came out; or rehearse it, and tell what it would have done."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from daemon.cli.agent import AgentLines
from daemon.cli.client import ENDED, Client, NoDaemon, part
from daemon.cli.exits import INTERRUPTED, RUN_FAILED
from daemon.cli.options import Home, Inputs, Output, find_home
from daemon.cli.output import clean, compact, pretty, say, show_value, write
from daemon.cli.run_text import show_run
from daemon.errors import BadRequest
from flows.duration import parse_duration
from flows.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daemon.cli.listen import Message
    from flows.rehearsal import Plan

RESULT = ("run", "status", "steps", "inputs", "output", "error", "_metrics")
SUFFIXES = (".json", ".yaml", ".yml")


@Parameter(name="*")
@dataclass(frozen=True)
class Instead:
    """Options for what is not a real run."""

    dry_run: Annotated[
        bool, Parameter(negative="", help="Run nothing: say of every reference whether it is resolved, deferred or missing.")
    ] = False
    mock: Annotated[
        list[Path] | None,
        Parameter(
            negative="",
            consume_multiple=True,
            help="Do not touch the world: such steps give an example or their section. With FILE: its outputs, by step id.",
        ),
    ] = None
    stop_after: Annotated[
        str | None, Parameter(help="The id of the step that is the last; with --dry-run it is looked at and not run.")
    ] = None

    @property
    def of_a_run(self) -> bool:
        """Whether anything of it was asked for."""
        return self.dry_run or self.mock is not None or self.stop_after is not None


@Parameter(name="*")
@dataclass(frozen=True)
class Telling:
    """Options for how the result is told."""

    metrics: Annotated[bool, Parameter(negative="", help="Also give _stepTimings: each step's milliseconds.")] = False
    output_file: Annotated[Path | None, Parameter(help="Write the whole result there, and print only where it is.")] = None
    agent: Annotated[bool, Parameter(negative="", help="One line of JSON for each thing that happens.")] = False
    output: Output = "table"

    @cached_property
    def lines(self) -> AgentLines | None:
        return AgentLines() if self.agent else None


def execute(
    flow: Annotated[str, Parameter(help="A flow's key, or the file of a definition (its sub-flows are looked up beside it).")],
    /,
    *,
    inputs: Inputs = (),
    input_file: Annotated[
        str | None,
        Parameter(name="--input", allow_leading_hyphen=True, help="A JSON or YAML file with the inputs; - reads standard input."),
    ] = None,
    timeout: Annotated[
        str | None, Parameter(help="How long it may take, e.g. 30m; then it fails with RUN_TIMEOUT and its handlers run.")
    ] = None,
    detach: Annotated[bool, Parameter(negative="", help="Do not wait: print the run's id. Needs a running daemon.")] = False,
    home: Home = None,
    instead: Instead = Instead(),
    telling: Telling = Telling(),
) -> int:
    """Run a flow and print its result. Exit 0 when it completed, 7 when it failed, 130 when Ctrl-C stopped it.

    A key is run by the daemon where one serves the home, else in this process. A file is always run in this process, and so is
    what is not a real run (--dry-run, --mock, --stop-after), which is kept nowhere.
    """
    from daemon.cli.documents import read_inputs  # the reader of places: not for `flow list`

    values = read_inputs(input_file, inputs)
    if telling.output_file is not None:
        _check_place(telling.output_file)
    within = None if timeout is None else _duration(timeout)
    if within is not None and instead.of_a_run:
        raise BadRequest("--timeout needs a real run")
    if detach and (is_file(flow) or instead.of_a_run):
        raise BadRequest("--detach needs a key, and a real run: all else is done in this process")
    if instead.of_a_run:
        return _rehearsed(flow, home, values, instead, telling)
    if not is_file(flow):
        try:
            run, interrupted = _by_daemon(
                Client(find_home(home)), flow, {"inputs": values, "timeout": timeout}, wait=not detach, lines=telling.lines
            )
        except NoDaemon:
            if detach:
                raise
        else:
            return _told(run, telling, interrupted=interrupted, detached=detach)
    from daemon.cli.execution import Wanted, run_file, run_key  # the executor: a second of imports, which a running daemon spares

    wanted = Wanted(values, telling.lines, within)
    run, interrupted = run_file(Path(flow), home, wanted) if is_file(flow) else run_key(find_home(home), flow, wanted)
    return _told(run, telling, interrupted=interrupted)


def is_file(text: str) -> bool:
    """A flow's file rather than a key: it is one, or it is written as one."""
    return "/" in text or text.endswith(SUFFIXES) or Path(text).is_file()


def _duration(text: str) -> float:
    try:
        seconds = parse_duration(text)
    except DefinitionError as error:
        problem = error.problems[0]
        raise BadRequest(f"--timeout: {problem.problem}", problem.hint or "write 30s, 30m or 2h") from error
    if seconds <= 0:
        raise BadRequest("--timeout is no time", "write 30s, 30m or 2h")
    return seconds


def _by_daemon(
    client: Client, key: str, body: dict[str, Any], *, wait: bool, lines: AgentLines | None
) -> tuple[dict[str, Any], bool]:
    """The run, and whether Ctrl-C stopped it: then it is cancelled, and what it did so far is shown."""
    heard = _listening(client, key) if wait and lines is not None else None
    interrupt = {signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, interrupt)  # until the run's id is known: who stops us now means to stop the run
    try:
        run = client.ask("POST", f"/v1/flows/{part(key)}/execute", body=body)
    except BaseException:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, interrupt)
        raise
    interrupted = told = False
    if lines is not None:
        lines.begun(key)
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, interrupt)
        if heard is not None and lines is not None:
            from daemon.cli.listen import followed  # as above

            run = followed(heard, client, run["run"], step=lines.step, so_far=lambda shown: lines.so_far(shown["steps"]))
        while wait and run["status"] not in ENDED:
            run = client.run_later(run["run"])
            if run["status"] == "waiting" and not told:
                told = True
                say(f"{run['run']} waits (camshaft run show {run['run']}); Ctrl-C cancels it")
    except KeyboardInterrupt:
        interrupted = True
        client.ask("POST", f"/v1/runs/{run['run']}/cancel")
        run = client.run_later(run["run"])
    if lines is not None:
        lines.so_far(run["steps"])
    return run, interrupted


def _listening(client: Client, key: str) -> Iterator[Message]:
    """The stream of a flow's runs, open: what the run that is asked for next does from its first step on will be heard."""
    from daemon.cli.listen import listen  # not for a run that is only waited for

    messages = listen(client, {"flow": key, "kinds": "run,step"})
    next(messages)
    return messages


def _plan(instead: Instead) -> Plan:
    """With a mock a dry run does run, as the One CLI has it: nothing is touched."""
    from daemon.cli.documents import read_answers  # see execute()
    from flows.rehearsal import Plan

    answers: dict[str, Any] = {}
    for file in instead.mock or ():
        answers |= read_answers(file)
    mocked = instead.mock is not None
    mock_effects = mocked and (instead.dry_run or not instead.mock)
    return Plan(answers, mock_effects=mock_effects, stop_after=instead.stop_after, dry=instead.dry_run and not mocked)


def _rehearsed(flow: str, home: Path | None, inputs: dict[str, Any], instead: Instead, telling: Telling) -> int:
    from daemon.cli.rehearsing import dry_run, rehearse_flow  # see execute()

    plan, place = _plan(instead), Path(flow) if is_file(flow) else find_home(home)
    if plan.dry and plan.stop_after is None:
        _show_looked_at(dry_run(place, home, flow, inputs), telling)
        return 0
    run, interrupted = rehearse_flow(place, home, flow, inputs, plan, telling.lines)
    return _told(run, telling, interrupted=interrupted)


def _show_looked_at(looked: dict[str, Any], telling: Telling) -> None:
    if telling.lines is not None:
        telling.lines.looked_at(looked)
    elif telling.output == "table":
        _show_resolved(looked["steps"])
    else:
        show_value(looked, telling.output)


def _show_resolved(steps: list[dict[str, Any]]) -> None:
    for step in steps:
        write(f"{step['stepId']}  {step['type']}")
        for each in step["references"]:
            value = f"  {clean(compact(each['value']))[:100]}" if each["status"] == "resolved" else ""
            write(f"  {each['status']:<8}  {each['selector']}{value}")
        if "error" in step:
            write(f"  error     {clean(step['error'])}")


def _told(run: dict[str, Any], telling: Telling, *, interrupted: bool, detached: bool = False) -> int:
    names = (*RESULT, *(name for name in ("stoppedAfter", "resolved") if name in run))
    whole = {name: run[name] for name in names} | ({"_stepTimings": run["_stepTimings"]} if telling.metrics else {})
    file, output = telling.output_file, telling.output
    if file is not None:
        _write_whole(file, pretty(whole))
    if telling.lines is not None:
        telling.lines.ended(run, file)
    elif detached and output == "table":
        write(run["run"])
    elif file is not None:
        show_value(
            {"run": run["run"], "status": run["status"], "error": run["error"], "outputFile": str(file.absolute())}, output
        )
    elif output == "table":
        _show_ended(run, metrics=telling.metrics)
    else:
        show_value(whole, output)
    if interrupted:
        return INTERRUPTED
    return 0 if run["status"] in {"completed", "stopped"} or detached else RUN_FAILED


def _show_ended(run: dict[str, Any], *, metrics: bool) -> None:
    show_run(run)
    if run.get("resolved"):
        write("")
        _show_resolved([run["resolved"]])
    if metrics:
        show_value({"_stepTimings": run["_stepTimings"]}, "table")


def _check_place(file: Path) -> None:
    """Before anything runs: a result that nobody can write would be lost. Raises BadRequest."""
    place = file if file.exists() else file.resolve().parent
    if file.is_dir() or not place.exists():
        raise BadRequest(f"--output-file {file}: {'it is a folder' if file.is_dir() else f'there is no folder {place}'}")
    if not os.access(place, os.W_OK):
        raise BadRequest(f"--output-file {file}: this user may not write there")


def _write_whole(file: Path, text: str) -> None:
    """A reader sees the old file or the new one; what is no file, as /dev/stdout, is written to."""
    if file.exists() and not file.is_file():
        with file.open("w", encoding="utf-8") as opened:
            opened.write(f"{text}\n")
        return
    place = file.resolve()  # a link stays one
    beside = place.with_name(f"{place.name}.new")
    beside.write_text(f"{text}\n", encoding="utf-8")
    beside.replace(place)
