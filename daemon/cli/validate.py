"""`camshaft validate`: check definitions without running anything."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from daemon.cli.exits import REFUSED
from daemon.cli.options import Home, Output, find_home
from daemon.cli.output import clean, say, show_value, write
from daemon.shapes import problem_shown
from daemon.validate import validate_paths


def validate(
    *paths: Annotated[Path, Parameter(help="Files, folders or homes; the home, where none is given.")],
    strict: Annotated[bool, Parameter(negative="", help="Take warnings as problems.")] = False,
    home: Home = None,
    output: Output = "table",
) -> int:
    """Check definitions and configuration without running anything. Exit 3 when something is refused.

    A trigger inside a home is checked against the home's flows. Warnings are told on standard error.
    """
    found = validate_paths(paths or (find_home(home),))
    problems = [problem for problem in found if strict or not problem.warning]
    for warning in found:
        if warning not in problems:
            say(f"warning: {warning}")
    if output == "table":
        for problem in problems:
            write(clean(str(problem)))
        if not problems:
            write("everything loads")
    elif output == "jsonl":
        for problem in problems:
            show_value(problem_shown(problem), output)
    else:
        show_value([problem_shown(problem) for problem in problems], output)
    return REFUSED if problems else 0
