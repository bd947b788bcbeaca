"""Mark and sweep: files of large outputs that no row refers to any more are removed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from daemon.store import compiled as sql
from daemon.store.database import Database
from daemon.store.errors import StoreError
from daemon.store.outputs import Outputs
from triggers.source import Unavailable


async def sweep(outputs: Outputs, database: Database, settled: Callable[[], Awaitable[None]], now: float) -> int:
    """Returns how many files went. `settled` returns when what was submitted before has been committed.

    Files are looked at first, then what waits is settled, then rows are asked: so a file that is old because its row had to wait
    for a disk has its row by then. Raises Unavailable where that cannot be known now.
    """
    candidates = await asyncio.to_thread(outputs.candidates, now)
    if not candidates:
        return 0
    await settled()
    try:
        referred = frozenset(row[0] for row in await asyncio.to_thread(database.fetch, sql.SPILLED_DIGESTS))
        return await asyncio.to_thread(outputs.sweep, candidates, referred, now)
    except (StoreError, OSError) as error:
        raise Unavailable(f"large outputs are not swept: {error}") from error
