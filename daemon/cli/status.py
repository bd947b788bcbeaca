"""`camshaft status`: what the daemon of a home does right now."""

from __future__ import annotations

from typing import Any

from daemon.cli.client import Client
from daemon.cli.options import Home, Output, find_home
from daemon.cli.output import clean, show_value, write
from flows.duration import format_duration


def status(*, home: Home = None, output: Output = "table") -> None:
    """Say what the daemon of a home does right now. Exit 5 where none runs."""
    said: dict[str, Any] = Client(find_home(home)).ask("GET", "/v1/status")
    if output == "table":
        _say(said)
    else:
        show_value(said, output)


def _say(said: dict[str, Any]) -> None:
    write(f"camshaft {said['version']}  process {said['pid']}  up {format_duration(said['uptimeS'])}  {said['home']}")
    for name, where in said["listeners"].items():
        write(f"{name.ljust(9)} {where}")
    sources = ", ".join(
        f"{one['source']} {one['triggers']}" + ("" if one["state"] == "open" else " (opening)") for one in said["sources"]
    )
    write(f"triggers  {said['triggers']}: {sources}")
    write(f"flows     {said['flows']}")
    waiting = f", the oldest since {said['oldestQueuedAt']}" if said["oldestQueuedAt"] else ""
    resting = f", {said['atRest']} waiting or paused" if said["atRest"] else ""
    write(f"runs      {said['running']} running, {said['queued']} queued{waiting}{resting}")
    for what in said["paused"]:
        write(f"paused    {'all runs' if what == '*' else clean(what)}")
    for one in said["next"]:
        write(f"next      {one['at']}  {clean(one['trigger'])}")
    if said["lastReload"]:
        write(f"reload    {said['lastReload']['result']} at {said['lastReload']['at']}")
    if said["disk"]:
        write(f"disk      {said['disk']['freeBytes'] / 1024**3:.1f} GiB free at {said['disk']['folder']}")
    for line in said["problems"]:  # warnings too
        write(f"note      {clean(line)}")
    for line in _worries(said):
        write(f"PROBLEM   {clean(line)}")


def _worries(said: dict[str, Any]) -> list[str]:
    worries = []
    if said["storeFailing"]:
        worries.append("nothing can be made durable right now; the log says why")
    if not said["upToDate"]:
        worries.append("what is on disk is refused, and the set before it is in force")
    return worries + [f"the schedule {trigger} is overdue" for trigger in said["overdue"]]
