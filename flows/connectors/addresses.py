"""Where a database is: an SQLite file, or a PostgreSQL server by an address that is told to nobody."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from flows.errors import StepError

DEFAULT_SECRET = "DATABASE_URL"  # noqa: S105 - the name of a secret: what steps that name none ask for
FORMS = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE or sqlite:///FILE"
_REFUSED = re.compile(r"[\x00-\x20\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class SqliteFile:
    """The file of an SQLite database."""

    path: Path  # absolute

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True)
class PostgresqlServer:
    """A PostgreSQL database. As text it is what messages may say: host, port and name, no user, no password, no options."""

    url: str = field(repr=False)

    def __str__(self) -> str:
        parts = urlsplit(self.url)
        return f"postgresql://{parts.netloc.rpartition('@')[2]}{parts.path}"


Address = SqliteFile | PostgresqlServer


def address_of(url: str, folder: Path) -> Address:
    """What a secret holds. A file's relative path starts in `folder`. Raises StepError DATABASE_URL, which does not repeat it.

    `sqlite:///rows.db` is a relative path, `sqlite:////srv/rows.db` an absolute one.
    """
    text = url.strip()
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise _no_address() from None
    if _REFUSED.search(text):
        raise _no_address()
    if parts.scheme in ("postgresql", "postgres"):
        return PostgresqlServer(text)
    if parts.scheme == "sqlite" and not parts.netloc and len(parts.path) > 1 and not parts.query:
        return SqliteFile(folder.absolute() / unquote(parts.path[1:]))
    raise _no_address()


def _no_address() -> StepError:
    return StepError(f"the secret that names the database is no address of one: {FORMS}", code="DATABASE_URL", retryable=False)
