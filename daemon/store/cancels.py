"""The wish that runs stop, inside a transaction: written once, of those that have not ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from daemon.store import compiled as sql
from daemon.store.codec import plain
from daemon.store.rows import micros

if TYPE_CHECKING:
    from daemon.store.group import Connection


def asking(run_ids: Sequence[str], now: float, reason: str | None) -> Callable[[Connection], list[str]]:
    """What writes it, and gives those of which it is new."""
    rows = [(micros(now), plain(reason), run) for run in run_ids]
    return lambda connection: [row[-1] for row in rows if connection.execute(sql.ASK_CANCEL, row).rowcount]
