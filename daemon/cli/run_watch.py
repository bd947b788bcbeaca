"""A run followed to its end, by its daemon's stream: what was missed is read again, so that a restart of the daemon is no end."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.cli.client import ENDED, Client, part
from daemon.cli.home_access import ask
from daemon.cli.listen import PATIENCE_S, followed, listen
from daemon.cli.options import Format, find_home
from daemon.cli.output import clean, compact, show_value, write
from daemon.cli.run_text import show_run, took
from daemon.errors import Unreachable

if TYPE_CHECKING:
    from daemon.operations import Operations

STEP = ("run", "step", "attempt", "status", "durationMs", "error", "errorCode")
LOOK_S = 0.5  # between two looks at a run's lines


def watch_run(home: Path | None, run: str, *, output: Format) -> str:
    """Tell the steps as they come, then the run; its last status."""
    shown = _shown(home, run)
    steps = _Steps(output)
    if shown["status"] not in ENDED:
        client = Client(find_home(home))
        heard = listen(client, {"run": shown["run"], "kinds": "run,step"})
        shown = followed(heard, client, shown["run"], step=steps.tell, so_far=steps.tell_all)
    if output == "table":
        steps.close()
        show_run(shown)
    else:
        show_value(shown, output)
    return str(shown["status"])


def tell_story(home: Path | None, run: str, *, follow: bool, output: Format) -> None:
    """The lines so far, and with `follow` those that come."""

    async def alone(operations: Operations) -> Any:
        return await operations.run_story(run)

    place = f"/v1/runs/{part(run)}/logs"
    told = ask(home, "GET", place, alone)
    if not follow and output in {"json", "yaml"}:
        show_value(told["lines"], output)
        return
    known: set[str] = set()
    _tell_lines(told, known, output)
    client = Client(find_home(home))
    reached_at: float | None = None  # None: it never was
    while follow and told["status"] not in ENDED:
        try:
            told, reached_at = client.ask("GET", place), time.monotonic()
        except Unreachable:
            if reached_at is None or time.monotonic() - reached_at > PATIENCE_S:
                raise
        _tell_lines(told, known, output)
        time.sleep(LOOK_S)


class _Steps:
    """Each step's beginning and end, told once."""

    def __init__(self, output: Format) -> None:
        self._output = output
        self._known: set[tuple[Any, ...]] = set()

    def tell(self, step: dict[str, Any]) -> None:
        mark = (step["step"], step["attempt"], step["status"])
        if mark in self._known:
            return
        self._known.add(mark)
        if self._output == "jsonl":
            write(compact({name: step[name] for name in STEP}))
        elif self._output == "table":
            said = [step["step"], step["status"], took(step["durationMs"])]
            if step["error"]:
                said.append(clean(str(step["error"]).replace("\n", " ")))
            write("  ".join(part for part in said if part))
        sys.stdout.flush()

    def tell_all(self, shown: dict[str, Any]) -> None:
        """What the run says of its steps: those that were missed."""
        for path, step in shown.get("steps", {}).items():
            self.tell({"run": shown["run"], "step": path, "attempt": step["attempts"], **step})

    def close(self) -> None:
        if self._known:
            write("")


def _tell_lines(told: dict[str, Any], known: set[str], output: Format) -> None:
    for line in told["lines"]:
        mark = compact(line)
        if mark in known:
            continue
        known.add(mark)
        write(mark if output != "table" else _text(line))
    sys.stdout.flush()


def _text(line: dict[str, Any]) -> str:
    said = [line["time"], line.get("step") or "", line["what"].removeprefix("step.")]
    if "text" in line:
        said.append(line["text"])
    else:
        said += [took(line.get("durationMs")), line.get("errorCode") or "", line.get("error") or ""]
    return "  ".join(clean(part.replace("\n", " ")) for part in said if part)


def _shown(home: Path | None, run: str) -> dict[str, Any]:
    async def alone(operations: Operations) -> Any:
        return await operations.show_run(run)

    shown: dict[str, Any] = ask(home, "GET", f"/v1/runs/{part(run)}", alone)
    return shown
