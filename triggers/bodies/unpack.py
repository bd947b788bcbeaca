"""From a body as it came to what is read of it: compression undone, and all that takes long off the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from triggers.bodies.arriving import Held, too_large
from triggers.bodies.inflate import TooLarge, inflate
from triggers.bodies.refused import Refused

MAX_ON_LOOP_BYTES = 64 * 1024  # orjson takes 0.1 to 1 ms for so much, zlib 0.2 ms

Made = TypeVar("Made")


async def unpack(
    raw: bytes, codings: tuple[str, ...], read: Callable[[bytes], Made], *, max_inflated_bytes: int, held: Held
) -> Made:
    """What `read` makes of the body. Raises Refused: `read`'s, 400 for damaged compression, 413, 503."""
    if not codings:
        return await _read(raw, read)
    try:
        inflated = await _inflated(raw, codings, max_inflated_bytes)
    except TooLarge:
        raise Refused(too_large(max_inflated_bytes, "the body, inflated,")) from None
    with held.holding(len(inflated)):
        return await _read(inflated, read)


async def _read(raw: bytes, read: Callable[[bytes], Made]) -> Made:
    """Off the loop where it takes long: 1 MiB that orjson leaves to the standard library takes 80 ms."""
    return read(raw) if len(raw) <= MAX_ON_LOOP_BYTES else await asyncio.to_thread(read, raw)


async def _inflated(raw: bytes, codings: tuple[str, ...], max_bytes: int) -> bytes:
    """A small body may be a bomb, so the loop looks no further than it takes large ones for."""
    if len(raw) <= MAX_ON_LOOP_BYTES:
        try:
            return inflate(raw, codings, min(max_bytes, MAX_ON_LOOP_BYTES))
        except TooLarge:
            if max_bytes <= MAX_ON_LOOP_BYTES:
                raise
    return await asyncio.to_thread(inflate, raw, codings, max_bytes)
