"""The options that commands share, and where a home is found."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from daemon.errors import HomeError

Format = Literal["table", "json", "yaml", "jsonl"]
Home = Annotated[
    Path | None,
    Parameter(
        name="--home", help="The home's folder; else CAMSHAFT_HOME, the current folder if it holds camshaft.toml, ~/.camshaft."
    ),
]
Output = Annotated[Format, Parameter(name=["--output", "-o"], help="table for people; json, yaml or jsonl for tools.")]
Fields = Annotated[
    str | None, Parameter(name="--fields", help="Only these fields, in this order, e.g. key,enabled or steps.greet.output.")
]
Inputs = Annotated[
    tuple[str, ...],
    Parameter(
        name=["-i", "--set"],
        negative="",
        show_default=False,
        allow_leading_hyphen=True,
        help="An input, or a field of a form: name=text, or name:=JSON. May be given several times.",
    ),
]

Limit = Annotated[int, Parameter(name=["--limit", "-n"], help="How many; the newest first.")]
All = Annotated[bool, Parameter(name="--all", negative="", help="All there are.")]
Since = Annotated[str | None, Parameter(help="Only those that came in since: an instant, or so long ago, e.g. 2h.")]
Until = Annotated[str | None, Parameter(help="Only those that came in before: an instant, or so long ago.")]
Chain = Annotated[str | None, Parameter(help="Only what is of this chain: the id of the event, or the run, that began it.")]
Before = Annotated[str | None, Parameter(help="Only those older than this id.")]


def find_home(given: Path | None) -> Path:
    """The folder of the home. Raises HomeError where there is none."""
    home = likely_home(given)
    if not home.is_dir():
        raise HomeError(f"there is no home at {home}", f"make one: camshaft init {home}")
    return home


def likely_home(given: Path | None) -> Path:
    """Where the home would be, there or not: --home, CAMSHAFT_HOME, the current folder, ~/.camshaft."""
    if given is not None:
        return given.expanduser().absolute()
    if named := os.environ.get("CAMSHAFT_HOME"):
        return Path(named).expanduser().absolute()
    here = Path.cwd()
    return here if (here / "camshaft.toml").is_file() else Path("~/.camshaft").expanduser()


def home_around(file: Path) -> Path | None:
    """The home that a definition's file stands in: the folder above its `triggers` or `flows`. None: it is in no home."""
    for folder in file.absolute().parents[:3]:
        if folder.name in {"triggers", "flows"}:
            return folder.parent
    return None
