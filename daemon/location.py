"""Where a store is: the path of an SQLite file, or the address of a PostgreSQL database."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

_URL = re.compile(
    r"(?P<scheme>postgres(?:ql)?)://(?:(?P<user>[^:/?#@]*)(?::(?P<password>[^:/?#@]*))?@)?(?P<rest>[^/?#@]*(?:/[^/?#@]*)?)(?:\?.*)?"
)


@dataclass(frozen=True, slots=True)
class PostgresqlUrl:
    """An address as libpq takes it. As text it is without its password and its options, for messages and logs.

    Raises ValueError, which does not repeat it, where it has another form.
    """

    url: str = field(repr=False)

    def __post_init__(self) -> None:
        if not _URL.fullmatch(self.url):
            raise ValueError(
                "it is no postgresql://USER@HOST:PORT/DATABASE, with or without :PASSWORD (in a user's name and a password : / ? # @ are written %3A %2F %3F %23 %40)"
            )

    def __str__(self) -> str:
        found = _URL.fullmatch(self.url)
        assert found is not None  # it was made of one
        user = f"{found['user']}@" if found["user"] else ""
        return f"postgresql://{user}{found['rest']}"


Location = Path | PostgresqlUrl
