"""One question to a home: its daemon answers where one runs, and this process where none does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any

from daemon.cli.client import Client, NoDaemon, Silent
from daemon.cli.options import find_home
from daemon.errors import BadRequest, Unreachable
from daemon.moment import read_moment

if TYPE_CHECKING:
    from daemon.operations import Listed, Operations

PAGE = 1000  # the most that one question answers


def ask(
    home: Path | None,
    method: str,
    path: str,
    alone: Callable[[Operations], Awaitable[Any]],
    *,
    query: Mapping[str, Any] | None = None,
    body: Any = None,
) -> Any:
    """The answer of the daemon, or of `alone` with the home opened here.

    What is written can be read while a daemon starts or stops; who would change something waits for one that starts.
    """
    folder = find_home(home)
    try:
        return (_reader(folder) if method == "GET" else Client(folder)).ask(method, path, query, body)
    except (NoDaemon, Silent) as error:
        if isinstance(error, Silent) and method != "GET":
            raise
        from daemon.cli.local import work  # a second of imports, which a running daemon spares

        return work(folder, alone)


def rows(
    home: Path | None,
    path: str,
    alone: Callable[[Operations, dict[str, Any]], Awaitable[Listed]],
    which: Mapping[str, Any],
    *,
    most: int | None,
) -> Iterator[dict[str, Any]]:
    """The newest `most` of a list (None: all of it), page after page: one page may hold less than there is."""
    folder = find_home(home)
    if most is not None and most < 1:
        raise BadRequest(f"--limit {most}: at least 1")
    asked = {name: value for name, value in which.items() if value not in (None, ())}
    client = _reader(folder)
    left, first = most, True
    while True:
        try:
            found, following = client.page(path, asked | {"limit": PAGE if left is None else min(left, PAGE)})
        except (NoDaemon, Silent):
            if not first:
                raise Unreachable(f"the daemon for {folder} is gone; what was listed is not all") from None
            yield from _rows_alone(folder, alone, asked, most)
            return
        yield from found
        first, left = False, None if left is None else left - len(found)
        if following is None or left == 0:
            return
        asked["before"] = following


def _reader(folder: Path) -> Client:
    return Client(folder, patience_s=0)


def _rows_alone(
    folder: Path, alone: Callable[[Operations, dict[str, Any]], Awaitable[Listed]], asked: dict[str, Any], most: int | None
) -> list[dict[str, Any]]:
    """The same of the home's files and database, with the home opened here."""
    from daemon.cli.local import work  # as in ask()

    asked |= {name: read_moment(name, asked[name], time()) for name in ("since", "until") if name in asked}

    async def gather(operations: Operations) -> list[dict[str, Any]]:
        gathered: list[dict[str, Any]] = []
        while True:
            left = PAGE if most is None else min(most - len(gathered), PAGE)
            listed = await alone(operations, asked | {"limit": left})
            gathered += listed.rows
            if listed.next is None or len(gathered) == most:
                return gathered
            asked["before"] = listed.next

    return work(folder, gather)
