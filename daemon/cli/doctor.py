"""`camshaft doctor`: what keeps a home from being served well."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from daemon.cli.client import Client
from daemon.cli.options import Home, Output, find_home
from daemon.cli.output import clean, compact, show_value, write
from daemon.doctor import examine
from daemon.errors import Unreachable

if TYPE_CHECKING:
    from daemon.doctor import Finding

MARKS = {"ok": "ok     ", "warning": "WARNING", "problem": "PROBLEM"}


def doctor(*, home: Home = None, output: Output = "table") -> int:
    """Look at the home, its daemon and the machine, and say what is or may go wrong. Nothing is changed.

    Exit 0 where there is no problem (warnings there may be), 1 where there is one.
    """
    folder = find_home(home)
    found = []
    for finding in examine(folder, _status(folder)):
        found.append(finding)
        if output == "table":
            _say(finding)
        elif output == "jsonl":
            write(compact(asdict(finding)))
    if output in {"json", "yaml"}:
        show_value([asdict(finding) for finding in found], output)
    return int(any(finding.level == "problem" for finding in found))


def _say(finding: Finding) -> None:
    hint = f" ({finding.hint})" if finding.hint else ""
    write(f"{MARKS[finding.level]}  {clean(finding.what + hint)}")


def _status(folder: Any) -> dict[str, Any] | None:
    try:
        status: dict[str, Any] = Client(folder).ask("GET", "/v1/status", answer_s=10.0)
    except Unreachable:
        return None
    return status
