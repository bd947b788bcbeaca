"""`camshaft config`: the settings of a home, each with its value and where it came from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from daemon.cli.options import Fields, Home, Output, find_home
from daemon.cli.output import cell, show_rows, show_value, write
from daemon.errors import NotFound
from flows.suggest import did_you_mean

app = App(name="config", help="Show the settings of a home, and where each came from.")


@app.command
def show(
    *,
    origin: Annotated[
        bool, Parameter(negative="", help="Show in the table where each value came from, and its default.")
    ] = False,
    home: Home = None,
    fields: Fields = None,
    output: Output = "table",
) -> None:
    """All settings as a daemon that starts now would have them. Passwords in addresses are left out."""
    columns = ("key", "value", "origin", "default") if origin else ("key", "value")
    show_rows(_settings(home), columns, output, fields)


@app.command
def get(key: str, /, *, home: Home = None, output: Output = "table") -> None:
    """The value of one setting, e.g. http.listen."""
    settings = {row["key"]: row for row in _settings(home)}
    if key not in settings:
        raise NotFound(f"there is no setting «{key}»", did_you_mean(key, list(settings)) or "camshaft config show")
    if output == "table":
        write(cell(settings[key]["value"]))
    else:
        show_value(settings[key]["value"], output)


def _settings(home: Path | None) -> list[dict[str, Any]]:
    from daemon.config import read_config  # with all kinds of steps and sources: half a second, and not for `--help`
    from daemon.settings import all_settings

    return all_settings(read_config(find_home(home)))
