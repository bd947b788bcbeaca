"""`--agent`: a run as lines of JSON for a program that watches it, under names that stay: those of the One CLI's events."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.cli.output import compact, write

if TYPE_CHECKING:
    from flows.attempt import Attempt

STATUSES = {"completed": "success"}  # how a run came out, in the format's word where it has another one
FAILED = frozenset({"failed", "timeout", "interrupted"})


class AgentLines:
    """Knows which steps it has told of: a step that does not touch the world is heard of when it has ended."""

    def __init__(self) -> None:
        self._flow = ""
        self._begun: set[str] = set()
        self._told: set[tuple[str, int]] = set()  # (path, tries) that have ended
        self._failures: dict[str, int] = {}

    def begun(self, flow: str, total: int | None = None, *, mock: bool = False) -> None:
        """`total`: of the steps in its own list, where that is known."""
        self._flow = flow
        steps = {} if total is None else {"totalSteps": total}
        _say("flow:mock-start" if mock else "flow:start", flowKey=flow, **steps, timestamp=_now())

    def attempt(self, attempt: Attempt) -> None:
        """One record of a run in this process."""
        self._start(attempt.path, attempt.step, attempt.kind)
        if attempt.status == "running" or (attempt.path, attempt.number) in self._told:
            return
        failures = self._failures.setdefault(attempt.path, 0)
        if attempt.status in FAILED:
            self._failures[attempt.path] += 1
            if not attempt.final:
                said = {"attempt": attempt.number, "error": attempt.error, "errorCode": attempt.code}
                _say("step:retry", stepId=attempt.step, path=attempt.path, **said)
                return
        step = {"status": attempt.status, "durationMs": attempt.duration_ms, "error": attempt.error, "errorCode": attempt.code}
        self._end(attempt.path, attempt.step, step, failures)
        self._told.add((attempt.path, attempt.number))

    def step(self, step: Mapping[str, Any]) -> None:
        """One message of the daemon's stream."""
        path, status = step["step"], step["status"]
        name = _name(path)
        self._start(path, name, step["kind"])
        if status == "running" or (path, step["attempt"]) in self._told or (path, 0) in self._told:
            return
        self._told.add((path, step["attempt"] if status in FAILED and not step["final"] else 0))
        failures = self._failures.setdefault(path, 0)
        if status in FAILED and not step["final"]:
            self._failures[path] += 1
            said = {"attempt": step["attempt"], "error": step["error"], "errorCode": step["errorCode"]}
            _say("step:retry", stepId=name, path=path, **said)
        else:
            self._end(path, name, step, failures)

    def so_far(self, steps: Mapping[str, dict[str, Any]]) -> None:
        """The steps of a run elsewhere, as it is shown: what is new is told."""
        for path, step in steps.items():
            name = _name(path)
            self._start(path, name, None)
            if step["status"] != "running" and (path, 0) not in self._told:
                self._told.add((path, 0))
                self._end(path, name, step, max(0, step["attempts"] - 1))

    def looked_at(self, looked: Mapping[str, Any]) -> None:
        """What a dry run has to say."""
        _say("flow:dry-run", flowKey=looked["flow"], resolvedInputs=looked["inputs"], steps=looked["steps"], timestamp=_now())
        _say("workflow:result", runId=None, status="success", dryRun=True, steps={})

    def ended(self, run: Mapping[str, Any], file: Path | None) -> None:
        """The last lines. `file` holds the whole result, where it is not on the line."""
        counts = [step["status"] for step in run["steps"].values()]
        said: dict[str, Any] = {
            "flowKey": self._flow,
            "status": STATUSES.get(run["status"], run["status"]),
            "durationMs": run["_metrics"]["totalDurationMs"],
            "stepsCompleted": counts.count("success"),
            "stepsFailed": sum(status in FAILED for status in counts),
            "stepsSkipped": counts.count("skipped"),
        }
        resolved, stopped = run.get("resolved"), run.get("stoppedAfter")
        if resolved is not None:
            _say("step:dry-resolve", **resolved, timestamp=_now())
        if run["status"] == "stopped":
            _say("flow:stopped", **said, stoppedAfter=stopped, dryRun=resolved is not None, timestamp=_now())
        elif run["status"] == "completed":
            _say("flow:complete", **said)
        else:
            _say("flow:error", **said, error=run["error"], errorCode=run.get("errorCode"))
        result = {"runId": run["run"], "status": said["status"], "error": run["error"], "output": run["output"]}
        whole = {"steps": run["steps"]} if file is None else {"outputFile": str(file.absolute())}
        if file is not None:
            del result["output"]
        more = ({"stoppedAfter": stopped} if stopped else {}) | ({"dryRun": True} if resolved is not None else {})
        _say("workflow:result", **result, **whole, **more)

    def _start(self, path: str, step: str, kind: str | None) -> None:
        if path not in self._begun:
            self._begun.add(path)
            _say("step:start", stepId=step, path=path, **({"type": kind} if kind else {}), timestamp=_now())

    def _end(self, path: str, name: str, step: Mapping[str, Any], failures: int) -> None:
        if step["status"] in FAILED:
            said = {"error": step["error"], "errorCode": step["errorCode"], "status": step["status"]}
            _say("step:error", stepId=name, path=path, **said, durationMs=step["durationMs"], retries=failures)
            return
        if step["status"] == "success" and failures:
            _say("step:retry-success", stepId=name, path=path, retries=failures)
        _say("step:complete", stepId=name, path=path, status=step["status"], durationMs=step["durationMs"], retries=failures)


def _name(path: str) -> str:
    """The id of the step at a path of a run."""
    return path.replace("/", ".").rpartition(".")[2]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _say(event: str, **said: Any) -> None:
    """One line, at once: who watches does not wait for a buffer."""
    write(compact({"event": event, **said}))
    sys.stdout.flush()
