"""`camshaft run cancel` and `run retry`: one run, or several."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from daemon.cli.client import ENDED, Client, part
from daemon.cli.exits import REFUSED, RUN_FAILED
from daemon.cli.options import Format, find_home
from daemon.cli.output import clean, show_value, write
from daemon.errors import BadRequest


def cancel_one(home: Path | None, run: str, *, reason: str | None, wait: bool, output: Format) -> None:
    """Raises Unreachable where no daemon runs."""
    client = Client(find_home(home))
    told: dict[str, Any] = client.ask("POST", f"/v1/runs/{part(run)}/cancel", body={"reason": reason})
    if wait and told["cancelled"]:
        told["status"] = client.run_ended(told["run"])["status"]
    if output != "table":
        show_value(told, output)
    elif not told["cancelled"]:
        write(f"{told['run']} was not stopped: it is {told['status']}")
    elif told["already"] and not wait:
        write(f"{told['run']} was to stop since {told['askedAt']}{_why(told['reason'])}")
    else:
        write(f"{told['run']} is {told['status'] if told['status'] in ENDED else 'being cancelled'}")


def cancel_several(home: Path | None, which: dict[str, Any], *, sure: bool, output: Format) -> None:
    """Raises BadRequest where all are meant and nobody said --yes."""
    if which["all"] and not sure:
        raise BadRequest("this stops every run of the home", "say --yes as well")
    told = Client(find_home(home)).ask("POST", "/v1/runs/cancel", body=which)
    if output != "table":
        show_value(told, output)
        return
    before = told["found"] - told["cancelled"]
    write(f"{told['cancelled']} runs are being cancelled" + (f", {before} were to stop before" if before else ""))


def retry_one(home: Path | None, run: str, wanted: dict[str, Any], *, wait: bool, output: Format) -> int:
    """Exit status 7 where the new run was waited for and did not complete."""
    client = Client(find_home(home))
    told: dict[str, Any] = client.ask("POST", f"/v1/runs/{part(run)}/retry", body=wanted)
    status = client.run_ended(told["run"])["status"] if wait else None
    if status is not None:
        told["status"] = status
    if output != "table":
        show_value(told, output)
    else:
        with_ = "the flow as it was" if told["definition"] == "pinned" else "the flow as it is now"
        kept = f", {told['copied']} steps taken over" if told["copied"] else ""
        write(f"{told['run']} does {told['retryOf']} again from {clean(told['from'])}, with {with_}{kept}")
        if status is not None:
            write(f"{told['run']} {status}")
    return 0 if status in {None, "completed"} else RUN_FAILED


def retry_several(home: Path | None, which: dict[str, Any], *, sure: bool, output: Format) -> int:
    """Exit status 3 where some were refused. Raises BadRequest where nobody said --yes."""
    told = Client(find_home(home)).ask("POST", "/v1/runs/retry", body=which | {"dryRun": not sure})
    if not sure:
        raise BadRequest(f"{len(told['found'])} runs would be done again", "say --yes as well")
    if output != "table":
        show_value(told, output)
    else:
        write(f"{len(told['retried'])} runs are done again")
        for one in told["refused"]:
            write(f"{one['run']} is not: {clean(one['problem'])}")
    return REFUSED if told["refused"] else 0


def _why(reason: str | None) -> str:
    return f": {clean(reason)}" if reason else ""
