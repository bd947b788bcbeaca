"""Names of tables and columns: checked, quoted, and never a way to write SQL."""

from __future__ import annotations

import re

from flows.errors import StepError

MAX_BYTES = 63  # PostgreSQL cuts longer names short without a word, and then means another column
_REFUSED = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def why_no_identifier(name: object) -> str | None:
    """Why this cannot be the name of a column, or one part of a table's name. None: it can, however it is written."""
    if not isinstance(name, str) or not name:
        return "a name is text, and not empty"
    if _REFUSED.search(name):
        return f"{ascii(name)[:80]} has characters that no name can have"
    if len(name.encode()) > MAX_BYTES:
        return f"«{name[:40]}…» is longer than {MAX_BYTES} bytes"
    return None


def quoted(name: str) -> str:
    """As both databases read it, whatever is in it: a `"` in it is doubled. Raises StepError DATABASE_NAME."""
    why = why_no_identifier(name)
    if why is not None:
        raise StepError(why, code="DATABASE_NAME", retryable=False)
    return '"' + name.replace('"', '""') + '"'


def quoted_table(name: str) -> str:
    """The same for a table, where `schema.table` names one in a schema."""
    return ".".join(quoted(part) for part in name.split("."))
