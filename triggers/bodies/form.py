"""Forms as browsers send them: application/x-www-form-urlencoded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_to_bytes

from triggers.bodies.charset import UTF_8
from triggers.bodies.content import Content
from triggers.bodies.named import by_name
from triggers.bodies.refused import Limits, Refused, undecodable
from triggers.http_answer import error_answer

SLICE_BYTES = 32 * 1024  # a MiB of percent signs in one piece would hold the interpreter's lock for 100 ms


def read_form(raw: bytes, content: Content, limits: Limits) -> dict[str, Any]:
    """Name → text, or a list of texts where the name repeats. Raises Refused: too many fields, or no text in the charset."""
    if raw.count(b"&") >= limits.max_fields:
        raise Refused(error_answer(413, "TOO_MANY_FIELDS", f"the form has more than {limits.max_fields} fields"))
    codec = content.charset or UTF_8
    fields = (piece.partition(b"=") for piece in raw.split(b"&") if piece)
    return by_name((_text(name, codec, "a field's name"), _text(value, codec, "a field")) for name, _, value in fields)


def _text(piece: bytes, codec: str, what: str) -> str:
    """A percent sign that begins no escape is itself, as in browsers."""
    try:
        return b"".join(unquote_to_bytes(slice_) for slice_ in _slices(piece.replace(b"+", b" "))).decode(codec)
    except UnicodeDecodeError as error:
        raise undecodable(what, codec, error) from None


def _slices(piece: bytes) -> Iterator[bytes]:
    """No longer than what the interpreter's lock may be held for, and no escape cut in two."""
    at = 0
    while at < len(piece):
        end = at + SLICE_BYTES
        cut = piece.rfind(b"%", end - 2, end)
        end = end if cut < 0 or end >= len(piece) else cut
        yield piece[at:end]
        at = end
