"""`camshaft run pause | resume` and `camshaft flow pause | resume`: hold runs back, and let them go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from daemon.cli.client import Client, part
from daemon.cli.options import Home, Output, find_home
from daemon.cli.output import show_value, write
from daemon.errors import BadRequest

if TYPE_CHECKING:
    from pathlib import Path

Reason = Annotated[str | None, Parameter(help="Why; is shown beside it.")]
Every = Annotated[bool, Parameter(name="--all", negative="", help="All flows.")]


def add_to_run(app: App) -> None:
    app.command(pause_run, name="pause")
    app.command(resume_run, name="resume")


def add_to_flow(app: App) -> None:
    app.command(pause_flow, name="pause")
    app.command(resume_flow, name="resume")


def pause_run(run: str, /, *, reason: Reason = None, home: Home = None, output: Output = "table") -> None:
    """Hold a run back: steps under way go on to their ends, and no other begins. Restarts do not end it."""
    _say(_ask(home, f"/v1/runs/{part(run)}/pause", reason), output)


def resume_run(run: str, /, *, home: Home = None, output: Output = "table") -> None:
    """Let a run go on that was paused."""
    _say(_ask(home, f"/v1/runs/{part(run)}/resume"), output)


def pause_flow(
    key: str | None = None, /, *, all_: Every = False, reason: Reason = None, home: Home = None, output: Output = "table"
) -> None:
    """Hold a flow's runs back, or with --all those of all flows. Events are taken in, and their runs queued meanwhile."""
    _say(_ask(home, f"{_place(key, every=all_)}/pause", reason), output)


def resume_flow(key: str | None = None, /, *, all_: Every = False, home: Home = None, output: Output = "table") -> None:
    """Let a flow's runs go on; --all lifts what --all has paused, and nothing else."""
    _say(_ask(home, f"{_place(key, every=all_)}/resume"), output)


def _place(key: str | None, *, every: bool) -> str:
    if (key is None) != every:
        raise BadRequest("a flow's key, or --all" if key is None else "a flow's key, or --all: not both")
    return "/v1" if key is None else f"/v1/flows/{part(key)}"


def _ask(home: Path | None, path: str, reason: str | None = None) -> Any:
    return Client(find_home(home)).ask("POST", path, body=None if reason is None else {"reason": reason})


def _say(told: dict[str, Any], output: Any) -> None:
    if output != "table":
        show_value(told, output)
        return
    what = "all flows" if told["what"] == "all" else f"{told['what']} {told['name']}"
    state = "paused" if told["paused"] else "not paused"
    write(f"{what}: {state}{'' if told['changed'] else ', as before'}")
