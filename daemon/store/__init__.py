"""The store: events, verdicts, runs and attempts, durable in SQLite or PostgreSQL."""

from daemon.store.opening import open_store
from daemon.store.store import Store

__all__ = ["Store", "open_store"]
