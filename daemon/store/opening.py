"""Opening a store: the database behind it, and the store over that."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from daemon.location import Location
from daemon.store.database import open_database
from daemon.store.outputs import Outputs
from daemon.store.store import Store


@asynccontextmanager
async def open_store(
    location: Location, *, token: str, leased: bool = False, synchronous: str = "full", outputs: Outputs | None = None
) -> AsyncIterator[Store]:
    """Open, create or migrate the database. `leased`: this process does not hold the home's lock, so it is no daemon. `outputs`: where
    large outputs go; None: they stay in their rows.

    Raises StoreUnusable with the way out, and HomeInUse where another daemon serves this very database.
    """
    database = open_database(location, synchronous=synchronous, serves=not leased)
    await database.open()
    store = Store(location, database, token, leased=leased, outputs=outputs)
    try:
        yield store
    finally:
        await store.close()
