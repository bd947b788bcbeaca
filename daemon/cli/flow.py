"""`camshaft flow`: list, show and execute flows."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from daemon.cli.client import Client, NoDaemon, part
from daemon.cli.home_access import ask
from daemon.cli.options import Home, Inputs, Output, find_home
from daemon.cli.output import show_rows, show_value, write
from daemon.cli.run_text import show_run
from daemon.errors import BadRequest, Unreachable

if TYPE_CHECKING:
    from daemon.operations import Operations

app = App(name="flow", help="List, show and execute flows.")

RESULT = ("run", "status", "steps", "inputs", "output", "error", "_metrics")
ENDED = frozenset({"completed", "failed", "cancelled"})
WAIT_S = 30  # of one question; then the run is asked for again
RUN_FAILED, INTERRUPTED = 7, 130
SUFFIXES = (".json", ".yaml", ".yml")


@app.command(name="list")
def list_(*, home: Home = None, output: Output = "table") -> None:
    """All flows that load, the inputs they declare, and the triggers that start them."""

    async def alone(operations: Operations) -> Any:
        return operations.list_flows()

    show_rows(ask(home, "GET", "/v1/flows", alone), ("key", "name", "inputs", "triggers"), output)


@app.command
def show(key: str, /, *, home: Home = None, output: Output = "table") -> None:
    """One flow, with its definition."""

    async def alone(operations: Operations) -> Any:
        return operations.show_flow(key)

    show_value(ask(home, "GET", f"/v1/flows/{part(key)}", alone), output)


@app.command
def execute(
    flow: Annotated[str, Parameter(help="A flow's key, or the file of a definition (its sub-flows are looked up beside it).")],
    /,
    *,
    inputs: Inputs = (),
    input_file: Annotated[
        str | None,
        Parameter(name="--input", allow_leading_hyphen=True, help="A JSON or YAML file with the inputs; - reads standard input."),
    ] = None,
    metrics: Annotated[bool, Parameter(negative="", help="Also give _stepTimings: each step's milliseconds.")] = False,
    detach: Annotated[bool, Parameter(negative="", help="Do not wait: print the run's id. Needs a running daemon.")] = False,
    home: Home = None,
    output: Output = "table",
) -> int:
    """Run a flow and print its result. Exit 0 when it completed, 7 when it failed, 130 when Ctrl-C stopped it.

    A key is run by the daemon where one serves the home, else in this process. A file is always run in this process.
    """
    from daemon.cli.documents import read_inputs  # the reader of places: not for `flow list`

    values = read_inputs(input_file, inputs)
    file = is_file(flow)
    if file and detach:
        raise BadRequest("--detach needs a key: a file is run in this process")
    if not file:
        client = Client(find_home(home))
        try:
            run, interrupted = _by_daemon(client, flow, values, wait=not detach)
        except NoDaemon as error:
            if detach:
                raise Unreachable("no daemon runs for this home, and --detach needs one", "camshaft serve") from error
        else:
            return _told(run, metrics=metrics, output=output, interrupted=interrupted, detached=detach)
    from daemon.cli.execution import run_file, run_key  # the executor: a second of imports, which a running daemon spares

    run, interrupted = run_file(Path(flow), home, values) if file else run_key(find_home(home), flow, values)
    return _told(run, metrics=metrics, output=output, interrupted=interrupted)


def is_file(text: str) -> bool:
    """A flow's file rather than a key: it is one, or it is written as one."""
    return "/" in text or text.endswith(SUFFIXES) or Path(text).is_file()


def _by_daemon(client: Client, key: str, inputs: dict[str, Any], *, wait: bool) -> tuple[dict[str, Any], bool]:
    """The run, and whether Ctrl-C stopped it: then it is cancelled, and what it did so far is shown."""
    interrupt = {signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, interrupt)  # until the run's id is known: who stops us now means to stop the run
    try:
        run = client.ask("POST", f"/v1/flows/{part(key)}/execute", body={"inputs": inputs})
    except BaseException:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, interrupt)
        raise
    interrupted = False
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, interrupt)
        while wait and run["status"] not in ENDED:
            run = client.ask("GET", f"/v1/runs/{run['run']}", {"wait": WAIT_S})
    except KeyboardInterrupt:
        interrupted = True
        client.ask("POST", f"/v1/runs/{run['run']}/cancel")
        run = client.ask("GET", f"/v1/runs/{run['run']}", {"wait": WAIT_S})
    return run, interrupted


def _told(run: dict[str, Any], *, metrics: bool, output: Any, interrupted: bool, detached: bool = False) -> int:
    if detached and output == "table":
        write(run["run"])
    elif output == "table":
        show_run(run)
        if metrics:
            show_value({"_stepTimings": run["_stepTimings"]}, "table")
    else:
        shown = {name: run[name] for name in RESULT}
        show_value(shown | ({"_stepTimings": run["_stepTimings"]} if metrics else {}), output)
    if interrupted:
        return INTERRUPTED
    return 0 if run["status"] == "completed" or detached else RUN_FAILED
