"""One question to a home: its daemon answers where one runs, and this process where none does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.cli.client import Client, NoDaemon
from daemon.cli.options import find_home

if TYPE_CHECKING:
    from daemon.operations import Operations


def ask(
    home: Path | None,
    method: str,
    path: str,
    alone: Callable[[Operations], Awaitable[Any]],
    *,
    query: Mapping[str, Any] | None = None,
    body: Any = None,
) -> Any:
    """The answer of the daemon, or of `alone` with the home opened here."""
    folder = find_home(home)
    try:
        return Client(folder).ask(method, path, query, body)
    except NoDaemon:
        from daemon.cli.local import work  # a second of imports, which a running daemon spares

        return work(folder, alone)
