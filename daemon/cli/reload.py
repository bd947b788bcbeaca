"""`camshaft reload`: have the daemon read its definitions again."""

from __future__ import annotations

from typing import Any

from daemon.cli.client import Client, problem_from
from daemon.cli.exits import REFUSED
from daemon.cli.options import Home, Output, find_home
from daemon.cli.output import say, show_value, write


def reload(*, home: Home = None, output: Output = "table") -> int:
    """Have the daemon read its definitions again, at once, and say what changed. It also follows the files by itself.

    All of the home is put in force, or nothing: with anything refused the problems are listed, and the exit status is 3.
    """
    done = Client(find_home(home)).ask("POST", "/v1/reload")
    if output != "table":
        show_value(done, output)
    else:
        _say(done)
    for problem in done["problems"]:
        say(str(problem_from(problem)))
    return REFUSED if done["problems"] else 0


def _say(done: dict[str, Any]) -> None:
    lines = [
        f"{word} {noun.removesuffix('s')} {key}"
        for noun in ("triggers", "flows")
        for word in ("added", "changed", "removed")
        for key in done[noun][word]
    ]
    for line in lines or ["nothing has changed"]:
        write(line)
