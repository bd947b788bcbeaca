"""Many JSON values in one body: one a line (NDJSON, JSON Lines), or each behind a record separator (RFC 7464)."""

from __future__ import annotations

from typing import Any

from triggers.bodies.charset import decode_text
from triggers.bodies.content import Content
from triggers.bodies.json_body import MARK, parse_json
from triggers.bodies.refused import Limits, Refused

RECORD_SEPARATOR = b"\x1e"
_SPACE = b" \t\r\n"


def read_json_lines(raw: bytes, content: Content, limits: Limits) -> list[Any]:
    """The values in order; empty lines are none. Raises Refused 400 with the number of the line or record."""
    if content.charset not in (None, "utf-8", "ascii"):
        raw = decode_text(raw, content.charset).encode()
    raw = raw.removeprefix(MARK)
    word, separator = ("record", RECORD_SEPARATOR) if raw.lstrip(_SPACE).startswith(RECORD_SEPARATOR) else ("line", b"\n")
    values = []
    for number, piece in enumerate(raw.split(separator), 0 if word == "record" else 1):
        text = piece.strip(_SPACE)
        if not text:
            continue
        try:
            values.append(parse_json(text, max_depth=limits.max_depth))
        except Refused as refused:
            raise refused.said_of(f"{word} {number}") from None
    return values
