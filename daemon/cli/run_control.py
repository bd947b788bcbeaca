"""`camshaft run cancel`: one run, or all of a flow, of a trigger, of the home."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from daemon.cli.client import Client, NoDaemon, part
from daemon.cli.options import Format, find_home
from daemon.cli.output import clean, show_value, write
from daemon.errors import BadRequest, Unreachable

ENDED = frozenset({"completed", "failed", "cancelled"})
WAIT_S = 30  # of one question; then it is asked again


def cancel_one(home: Path | None, run: str, *, reason: str | None, wait: bool, output: Format) -> None:
    """Raises Unreachable where no daemon runs."""
    client = Client(find_home(home))
    try:
        told: dict[str, Any] = client.ask("POST", f"/v1/runs/{part(run)}/cancel", body={"reason": reason})
        while wait and told["cancelled"] and told["status"] not in ENDED:
            told["status"] = client.ask("GET", f"/v1/runs/{part(told['run'])}", {"wait": WAIT_S})["status"]
    except NoDaemon:
        raise _unreachable() from None
    if output != "table":
        show_value(told, output)
    elif not told["cancelled"]:
        write(f"{told['run']} was not stopped: it is {told['status']}")
    elif told["already"] and not wait:
        write(f"{told['run']} was to stop since {told['askedAt']}{_why(told['reason'])}")
    else:
        write(f"{told['run']} is {'' if told['status'] in ENDED else 'being '}cancelled")


def cancel_several(home: Path | None, which: dict[str, Any], *, sure: bool, output: Format) -> None:
    """Raises BadRequest where all are meant and nobody said --yes."""
    if which["all"] and not sure:
        raise BadRequest("this stops every run of the home", "say --yes as well")
    try:
        told = Client(find_home(home)).ask("POST", "/v1/runs/cancel", body=which)
    except NoDaemon:
        raise _unreachable() from None
    if output != "table":
        show_value(told, output)
        return
    before = told["found"] - told["cancelled"]
    write(f"{told['cancelled']} runs are being cancelled" + (f", {before} were to stop before" if before else ""))


def _why(reason: str | None) -> str:
    return f": {clean(reason)}" if reason else ""


def _unreachable() -> Unreachable:
    return Unreachable("no daemon runs for this home, so no run goes on that could be stopped", "camshaft serve")
