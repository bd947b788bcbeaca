"""A step's child process: the environment it is given, and what becomes of how it ended."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from typing import Any

from flows.errors import StepError
from flows.step import Scope
from flows.steps.json_text import BLANKS
from flows.steps.process import Finished

KEPT_BYTES = 64 * 1024  # of each stream of a failed attempt: for people to read, not for steps to use
SHOWN_BYTES = 600  # of stderr in an error message


def environment(allowed: Iterable[str], scope: Scope) -> dict[str, str]:
    """Only what is named: the daemon's own environment holds its secrets."""
    env = {name: os.environ[name] for name in allowed if name in os.environ}
    env["CAMSHAFT_RUN_ID"] = scope.run
    env["CAMSHAFT_STEP"] = scope.path
    env["CAMSHAFT_ATTEMPT"] = str(scope.attempt)
    env["CAMSHAFT_IDEMPOTENCY_KEY"] = scope.idempotency_key
    return env


def raise_if_failed(finished: Finished, timeout_s: float, max_output_bytes: int, *, what: str) -> None:
    """Raises StepError where the child did not end by itself with status 0. `what` it was, in words."""
    said: str | None = None
    code = ""
    if finished.end == "timeout":
        said, code = f"{what} did not end within {timeout_s:g} s and was killed", "TIMEOUT"
    elif finished.end == "output_limit":
        said, code = f"{what} wrote more than max_output_bytes ({max_output_bytes}) and was killed", "OUTPUT_LIMIT"
    elif finished.status < 0:
        said, code = f"{what} was killed by {_signal_name(-finished.status)}", "KILLED"
    elif finished.status > 0:
        said, code = f"exit status {finished.status}", "EXIT_STATUS"
    if said is None:
        return
    last = _last_lines(finished.stderr) or _last_lines(finished.stdout)
    raise StepError(f"{said}: {last}" if last else said, code=code, output=kept(finished))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _last_lines(data: bytes) -> str:
    return data[-SHOWN_BYTES:].decode("utf-8", "replace").strip(BLANKS)


def kept(finished: Finished) -> dict[str, Any]:
    """What people see of a failed attempt: the end of both streams."""
    return {
        "stdout": finished.stdout[-KEPT_BYTES:].decode("utf-8", "replace").strip(BLANKS),
        "stderr": finished.stderr[-KEPT_BYTES:].decode("utf-8", "replace").strip(BLANKS),
        "exitCode": finished.status,
    }
