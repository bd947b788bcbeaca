"""PostgreSQL behind the store: one session in a thread writes whole groups, and holds the lock that a daemon serves it under."""
