"""SQLite behind the store: rows go in on the loop, COMMIT runs in a thread."""
