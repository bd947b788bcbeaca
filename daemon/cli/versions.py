"""`versions` and `diff` of `camshaft flow` and `camshaft trigger`, and what `show --version` shows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from daemon.cli.client import part
from daemon.cli.home_access import ask
from daemon.cli.options import Home, Output
from daemon.cli.output import show_rows, show_value, write

if TYPE_CHECKING:
    from daemon.operations import Operations
    from daemon.operations.versions import Noun

Version = Annotated[str | None, Parameter(help="Another version: the beginning of its digest.")]


def show_version(home: Path | None, noun: Noun, key: str, version: str) -> Any:
    """One version, from the daemon or from the database."""

    async def alone(operations: Operations) -> Any:
        return await operations.show_version(noun, key, version)

    return ask(home, "GET", f"/v1/{noun}s/{part(key)}/versions/{part(version)}", alone)


def add_to(app: App, noun: Noun) -> None:
    """Make these commands of `camshaft flow` or `camshaft trigger`."""

    def versions(key: str, /, *, home: Home = None, output: Output = "table") -> None:
        """The versions that were in force, the newest first."""

        async def alone(operations: Operations) -> Any:
            return await operations.list_versions(noun, key)

        found = ask(home, "GET", f"/v1/{noun}s/{part(key)}/versions", alone)
        show_rows(found, ("digest", "savedAt", "current"), output)

    def diff(key: str, old: str | None = None, new: str | None = None, /, *, home: Home = None, output: Output = "table") -> None:
        """What changed between two versions; by default from the one before to the one in force."""

        async def alone(operations: Operations) -> Any:
            return await operations.diff_versions(noun, key, old, new)

        found = ask(home, "GET", f"/v1/{noun}s/{part(key)}/diff", alone, query={"from": old, "to": new})
        if output == "table":
            write(found["diff"].rstrip("\n"))
        else:
            show_value(found, output)

    app.command(versions)
    app.command(diff)
