"""Compressed bodies: gzip and deflate in all the ways that HTTP allows, damaged ones, and bombs."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import hashlib
import hmac
import threading
import tracemalloc
import zlib
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triggers.bodies.arriving import Held
from triggers.bodies.inflate import MAX_MEMBERS, TooLarge, inflate
from triggers.bodies.refused import Refused
from triggers.bodies.unpack import MAX_ON_LOOP_BYTES, unpack

JSON = b'{"a": [1, 2, 3]}'


def packed(data, level=9):
    return gzip.compress(data, level, mtime=0)  # without the time, for pytest names a test by its bytes


EMPTY_MEMBER = packed(b"")


def raw_deflate(data):
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "raw"),
    [
        ("gzip", packed(JSON)),
        ("x-gzip", packed(JSON)),
        ("GZIP", packed(JSON)),
        ("gzip", packed(JSON[:5]) + packed(JSON[5:])),
        ("gzip", packed(JSON) + EMPTY_MEMBER),
        ("gzip", packed(JSON) + b"\0" * 512),
        ("deflate", zlib.compress(JSON)),
        ("deflate", zlib.compress(JSON, 1)),
        ("deflate", raw_deflate(JSON)),
        ("gzip, deflate", zlib.compress(packed(JSON))),
        ("identity, gzip, ", packed(JSON)),
        ("identity", JSON),
        ("", JSON),
    ],
)
async def test_a_compressed_body_is_read_as_if_it_were_not(listening, encoding, raw):
    world = await listening()

    assert await world.body_of(raw, content_type="application/json", content_encoding=encoding) == ({"a": [1, 2, 3]}, "json")


async def test_codings_in_several_headers_are_undone_in_their_order(listening):
    world = await listening()
    body = zlib.compress(packed(JSON))
    head = b"POST /hooks/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Encoding: gzip\r\nContent-Encoding: deflate\r\n"

    answered = await world.raw(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    assert answered.startswith(b"HTTP/1.1 202 ")


@pytest.mark.parametrize("form", ["text/plain", "application/x-www-form-urlencoded", "application/x-ndjson"])
async def test_every_form_may_be_compressed(listening, form):
    world = await listening()

    plain = await world.body_of(b"1", content_type=form)

    assert await world.body_of(packed(b"1"), content_type=form, content_encoding="gzip") == plain


async def test_what_inflates_to_nothing_is_empty(listening):
    world = await listening()

    assert await world.body_of(EMPTY_MEMBER, content_encoding="gzip") == (None, "empty")
    assert await world.body_of(b"", content_encoding="gzip") == (None, "empty")


@pytest.mark.parametrize(
    ("encoding", "raw", "status", "code"),
    [
        ("br", JSON, 415, "CONTENT_ENCODING"),
        ("zstd", JSON, 415, "CONTENT_ENCODING"),
        ("compress", JSON, 415, "CONTENT_ENCODING"),
        ("gzip, br", JSON, 415, "CONTENT_ENCODING"),
        ("gzip, gzip, gzip, gzip", JSON, 415, "CONTENT_ENCODING"),
        ("gzip", JSON, 400, "BAD_COMPRESSION"),
        ("gzip", packed(JSON)[:-1], 400, "BAD_COMPRESSION"),
        ("gzip", packed(JSON)[:10], 400, "BAD_COMPRESSION"),
        ("gzip", packed(JSON)[:-8] + b"\0" * 8, 400, "BAD_COMPRESSION"),  # the checksum
        ("gzip", packed(JSON) + b"garbage", 400, "BAD_COMPRESSION"),
        ("gzip", zlib.compress(JSON), 400, "BAD_COMPRESSION"),
        ("gzip", EMPTY_MEMBER * (MAX_MEMBERS + 1), 400, "BAD_COMPRESSION"),
        ("gzip", bz2.compress(JSON), 400, "BAD_COMPRESSION"),
        ("deflate", packed(JSON), 400, "BAD_COMPRESSION"),
        ("deflate", zlib.compress(JSON)[:-1], 400, "BAD_COMPRESSION"),
        ("deflate", raw_deflate(JSON) + b"x", 400, "BAD_COMPRESSION"),
        ("deflate", b"x", 400, "BAD_COMPRESSION"),
        ("gzip, gzip", packed(JSON), 400, "BAD_COMPRESSION"),
    ],
)
async def test_damaged_and_unknown_compression_is_refused(listening, encoding, raw, status, code):
    world = await listening()

    assert await world.refused(raw, content_type="application/json", content_encoding=encoding) == (status, code)


@pytest.mark.parametrize(
    "bomb",
    [
        packed(b" " * 300_000_000, 9),
        packed(packed(b" " * 300_000_000, 9), 9),
        packed(b" " * 100_000, 9) * 500,
    ],
    ids=["one", "nested", "members"],
)
async def test_a_bomb_is_answered_413_long_before_it_has_unfolded(listening, bomb):
    world = await listening(max_inflated_bytes=1_000_000)
    encoding = "gzip, gzip" if len(bomb) < 10_000 else "gzip"
    tracemalloc.start()

    status, said, _ = await world.send(bomb, content_encoding=encoding)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (status, said["error"]["code"]) == (413, "BODY_TOO_LARGE")
    assert "1000000 bytes" in said["error"]["message"]
    assert peak < 8_000_000


async def test_the_limit_on_what_is_inflated_is_exact(listening):
    world = await listening(max_inflated_bytes=1000)

    assert (await world.send(packed(b"x" * 1000), content_type="text/plain", content_encoding="gzip"))[0] == 202
    assert await world.refused(packed(b"x" * 1001), content_type="text/plain", content_encoding="gzip") == (
        413,
        "BODY_TOO_LARGE",
    )


async def test_a_signature_is_over_the_bytes_as_they_were_sent(listening):
    world = await listening({"auth": {"type": "hmac", "header": "X-Sig", "secret": {"env": "KEY"}}})
    raw = packed(JSON)

    def signed(data):
        return hmac.new(b"key", data, hashlib.sha256).hexdigest()

    over_sent, _, _ = await world.send(raw, content_encoding="gzip", X_Sig=signed(raw))
    over_plain, _, _ = await world.send(raw, content_encoding="gzip", X_Sig=signed(JSON))

    assert (over_sent, over_plain) == (202, 401)


async def read_where(raw, codings=()):
    threads = []

    def read(data):
        threads.append(threading.current_thread())
        return len(data)

    held = Held(10_000_000)
    size = await unpack(raw, codings, read, max_inflated_bytes=5_000_000, held=held)
    assert held.now_bytes == 0
    return size, threads[0] is threading.main_thread()


async def test_large_bodies_are_read_off_the_loop_however_small_they_came():
    small, large = b"x" * MAX_ON_LOOP_BYTES, b"x" * (MAX_ON_LOOP_BYTES + 1)

    assert await read_where(small) == (len(small), True)
    assert await read_where(large) == (len(large), False)
    assert await read_where(packed(small), ("gzip",)) == (len(small), True)
    assert await read_where(packed(large), ("gzip",)) == (len(large), False)


async def test_what_all_inflated_bodies_hold_together_is_bounded(listening):
    world = await listening(max_held_bytes=1_500_000, max_inflated_bytes=1_000_000)
    raw = packed(b'"' + b"x" * 999_000 + b'"')

    answers = await asyncio.gather(*(world.send(raw, content_encoding="gzip") for _ in range(12)))
    alone, _, _ = await world.send(raw, content_encoding="gzip")

    assert {status for status, _, _ in answers} <= {202, 503}
    assert alone == 202
    assert world.source._receiver._held.now_bytes == 0


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=300),
    st.lists(st.sampled_from(["gzip", "deflate", "x-gzip"]), min_size=1, max_size=3),
    st.integers(1, 1000),
)
def test_whatever_is_inflated_is_bytes_within_the_limit_or_refused(raw, codings, limit):
    with suppress(TooLarge, Refused):
        assert len(inflate(raw, tuple(codings), limit)) <= limit


@settings(max_examples=150, deadline=None)
@given(st.lists(st.binary(max_size=2000), min_size=1, max_size=4), st.integers(0, 9), st.data())
def test_what_was_packed_comes_back_and_a_changed_byte_never_passes_for_it(pieces, level, data):
    plain = b"".join(pieces)
    gzipped = b"".join(packed(piece, level) for piece in pieces)

    assert inflate(gzipped, ("gzip",), 10_000) == plain
    cut = data.draw(st.integers(1, len(gzipped) - 1))
    try:
        found = inflate(gzipped[:cut], ("gzip",), 10_000)
    except Refused:
        return
    assert plain.startswith(found)  # cut between two members: what is there is whole
