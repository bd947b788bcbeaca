"""A hot statement: SQL that is run on the driver, with the order of its values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Hot:
    """One statement, compiled for both databases. Rows are tuples in the order of `names`."""

    rank: int  # within one transaction lower ranks go first: a run is inserted before it is finished
    sqlite: str
    postgresql: bytes  # as psycopg takes it
    names: tuple[str, ...]
    fenced: bool = False  # each row must hit one row; a miss means that another process owns the run
