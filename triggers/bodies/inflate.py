"""Content-Encoding: gzip and deflate undone, with a cap on what they become."""

from __future__ import annotations

import zlib

from triggers.bodies.refused import Refused
from triggers.http_answer import error_answer

ACCEPTED = "gzip, deflate"
MAX_CODINGS = 3  # stacked; more are nobody's
MAX_MEMBERS = 1000  # of one gzip stream: an empty one takes 20 bytes and a decompressor of its own
_CHUNK_BYTES = 64 * 1024
_GZIP, _ZLIB, _RAW = 31, 15, -15  # zlib's window bits
_WINDOWS = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": _ZLIB}


def codings_of(header: str) -> tuple[str, ...]:
    """What was done to the body, in order. Raises Refused 415 with what may be sent."""
    codings = tuple(name for part in header.lower().split(",") if (name := part.strip()) not in ("", "identity"))
    unknown = next((name for name in codings if name not in _WINDOWS), None)
    if unknown is None and len(codings) <= MAX_CODINGS:
        return codings
    said = f"a body encoded as {unknown[:40]} is not read" if unknown else f"a body encoded {len(codings)} times is not read"
    hint = "send it as it is, or as gzip or deflate"
    raise Refused(error_answer(415, "CONTENT_ENCODING", said, hint, headers=f"\r\nAccept-Encoding: {ACCEPTED}".encode()))


def inflate(raw: bytes, codings: tuple[str, ...], max_bytes: int) -> bytes:
    """The body before the codings, last one first. Raises TooLarge beyond `max_bytes`, Refused 400 where it is damaged.

    Never holds more than twice `max_bytes` beside what was sent.
    """
    for coding in reversed(codings):
        raw = _undone(raw, coding, max_bytes)
    return raw


def _undone(raw: bytes, coding: str, max_bytes: int) -> bytes:
    window = _WINDOWS[coding]
    if coding == "deflate" and not _has_zlib_head(raw):
        window = _RAW  # what some clients take deflate for
    view, parts, at = memoryview(raw), list[bytes](), 0
    room = max_bytes
    for member in range(MAX_MEMBERS + 1):
        if member == MAX_MEMBERS:
            raise _damaged(coding, f"it has more than {MAX_MEMBERS} members")
        at, room = _member(view, at, coding, window, parts, room)
        if not any(view[at:]):  # the end, or zeros that a tape's block was filled with
            return b"".join(parts)
        if window != _GZIP:
            raise _damaged(coding, f"{len(view) - at} bytes follow its end")
    raise AssertionError("unreachable")


def _member(view: memoryview, at: int, coding: str, window: int, parts: list[bytes], room: int) -> tuple[int, int]:
    """Add one member's content to `parts`. Where the next begins, and how much room is left."""
    stream = zlib.decompressobj(window)
    while not stream.eof:
        chunk = view[at : at + _CHUNK_BYTES]
        if not chunk:
            raise _damaged(coding, "it was cut off")
        try:
            part = stream.decompress(chunk, room + 1)
        except zlib.error as error:
            raise _damaged(coding, str(error).rpartition(": ")[2]) from None
        at += len(chunk) - len(stream.unused_data) - len(stream.unconsumed_tail)
        room -= len(part)
        if room < 0:
            raise TooLarge
        parts.append(part)
    return at, room


def _has_zlib_head(raw: bytes) -> bool:
    return len(raw) >= 2 and raw[0] & 15 == 8 and (raw[0] << 8 | raw[1]) % 31 == 0


class TooLarge(Exception):  # noqa: N818 - what it is
    """The body becomes larger than it may: the caller knows which limit that was."""


def _damaged(coding: str, what: str) -> Refused:
    return Refused(error_answer(400, "BAD_COMPRESSION", f"the body is no sound {coding}: {what}"))
