"""The store: events, verdicts, runs and attempts, durable in SQLite (and, with a later release, PostgreSQL)."""

from daemon.store.store import Store, open_store

__all__ = ["Store", "open_store"]
