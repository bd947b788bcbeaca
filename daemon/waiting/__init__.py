"""What runs wait for: kept in the store, timed and indexed in memory, and resolved once."""

from daemon.waiting.waits import Waits

__all__ = ["Waits"]
