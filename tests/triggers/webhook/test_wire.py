"""The webhook listener on the wire: malformed, huge, slow, half-sent and pipelined requests."""

import asyncio
import random

import pytest

from tests.triggers.webhook.wire import GOOD, HEAD, answer_of, one_answer, wired


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [
        (b"nonsense\r\n\r\n", 400, "BAD_REQUEST"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 40, 400, "BAD_REQUEST"),
        (b"POST /hooks/a HTTP/1.1\r\n\r\n", 400, "BAD_REQUEST"),
        (HEAD + b"Bad Header: x\r\n\r\n", 400, "BAD_REQUEST"),
        (HEAD + b"Content-Length: -1\r\n\r\n", 400, "BAD_REQUEST"),
        (HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}", 400, "BAD_REQUEST"),
        (HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", 400, "BAD_REQUEST"),
        (HEAD + b"X: \x00\r\n\r\n", 400, "BAD_REQUEST"),
        (HEAD + b"X: " + b"y" * 20_000 + b"\r\n\r\n", 431, "HEADER_TOO_LARGE"),
        (HEAD + b"".join(b"X-%d: y\r\n" % n for n in range(200)) + b"\r\n", 431, "TOO_MANY_HEADERS"),
        (b"POST /hooks/" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, "TARGET_TOO_LONG"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "BAD_REQUEST"),
        (HEAD + b"Expect: miracles\r\nContent-Length: 2\r\n\r\n{}", 417, "EXPECT"),
        (HEAD + b"Content-Length: 99999999999999999999\r\n\r\n", 400, "BAD_REQUEST"),
        (HEAD + b"Content-Length: 1048577\r\n\r\n", 413, "BODY_TOO_LARGE"),
        (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 501, "TRANSFER_ENCODING"),
    ],
)
async def test_what_is_no_good_request_is_answered_as_json_and_the_listener_goes_on(request_bytes, status, code):
    async with wired() as wire:
        got, head, said = await wire.tell(request_bytes)

        assert (got, said["error"]["code"]) == (status, code)
        assert b"Connection: close" in head
        assert b"Server:" not in head
        assert b"Content-Type: application/json" in head
        assert wire.events == []
        assert (await wire.tell(GOOD.replace(b"Host: x", b"Host: x\r\nConnection: close")))[0] == 202


async def test_a_tls_client_is_told_that_this_is_http():
    async with wired() as wire:
        _, _, said = await wire.tell(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 40)

        assert said["error"]["hint"] == "this port speaks HTTP, not HTTPS"


async def test_a_chunked_body_is_put_together():
    async with wired() as wire:
        chunks = b'1\r\n{\r\n7\r\n"a": 1}\r\n0\r\n\r\n'
        status, _, _ = await wire.tell(HEAD + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)

        assert (status, wire.events[0].document["body"]) == (202, {"a": 1})


async def test_a_chunked_body_that_grows_too_large_is_answered_413_while_it_comes():
    async with wired(max_body_bytes=1000) as wire:
        reader, writer = await wire.connect()
        writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + (b"190\r\n" + b" " * 400 + b"\r\n") * 3)

        status, _, said = await one_answer(reader)
        writer.close()

        assert (status, said["error"]["code"], wire.events) == (413, "BODY_TOO_LARGE", [])


@pytest.mark.parametrize("rest", [b"zz\r\na", b"-1\r\n\r\n", b"1\r\nab\r\n0\r\n\r\n", b"0\r\nno trailer\r\n\r\n"])
async def test_a_chunk_that_is_none_is_answered_at_once_also_where_it_comes_later(rest):
    async with wired(body_timeout_s=60) as wire:
        reader, writer = await wire.connect()
        writer.write(HEAD + b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")  # the body is read now
        writer.write(b"1\r\n{\r\n" + rest)

        status, head, said = await one_answer(reader)
        after = await asyncio.wait_for(reader.read(), 10)
        writer.close()

        assert (status, said["error"]["code"], after, wire.events) == (400, "BAD_REQUEST", b"", [])
        assert b"Connection: close" in head


async def test_a_client_that_sends_a_huge_body_reads_the_413_and_not_a_reset():
    async with wired() as wire:
        reader, writer = await wire.connect()
        writer.write(HEAD + b"Content-Length: 8000000\r\n\r\n")
        writer.write(b"x" * 8_000_000)

        status, _, _ = await one_answer(reader)
        writer.close()

        assert status == 413


async def test_a_body_of_exactly_the_limit_is_taken():
    async with wired(max_body_bytes=1000) as wire:
        body = b'"' + b"x" * 998 + b'"'
        status, _, _ = await wire.tell(HEAD + b"Connection: close\r\nContent-Length: 1000\r\n\r\n" + body)

        assert status == 202


async def test_a_client_that_asks_whether_to_go_on_is_told_so_and_only_where_its_body_will_be_taken():
    async with wired() as wire:
        reader, writer = await wire.connect()
        writer.write(HEAD + b"Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        go_on = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        writer.write(b"{}")
        status, _, _ = await one_answer(reader)
        writer.close()
        refused, _, _ = await wire.tell(HEAD + b"Expect: 100-continue\r\nContent-Length: 9000000\r\n\r\n")

        assert (go_on, status, refused) == (b"HTTP/1.1 100 Continue\r\n\r\n", 202, 413)


async def test_a_body_that_does_not_come_is_answered_408():
    async with wired(body_timeout_s=0.1) as wire:
        status, _, said = await wire.tell(HEAD + b"Content-Length: 10\r\n\r\n{")

        assert (status, said["error"]["code"], wire.events) == (408, "TOO_SLOW", [])


async def test_a_body_cut_off_by_its_sender_makes_no_event_and_no_noise():
    async with wired() as wire:
        _, writer = await wire.connect()
        writer.write(HEAD + b'Content-Length: 10\r\n\r\n{"a"')
        await writer.drain()
        writer.close()
        await writer.wait_closed()

        assert (await wire.tell(GOOD.replace(b"Host: x", b"Host: x\r\nConnection: close")))[0] == 202
        assert len(wire.events) == 1


@pytest.mark.parametrize("begun", [b"", b"POST /ho", HEAD, HEAD + b"X: y"])
async def test_a_head_that_does_not_come_ends_the_connection(begun):
    async with wired(header_timeout_s=0.05) as wire:
        status, _, said = await wire.tell(begun)

        assert (status, said["error"]["code"]) == (408, "TOO_SLOW")


async def test_a_head_that_drips_ends_the_connection_all_the_same():
    async with wired(header_timeout_s=0.3) as wire:
        reader, writer = await wire.connect()
        writer.write(HEAD)
        dripping = asyncio.create_task(drip(writer))

        answered = await asyncio.wait_for(reader.read(), 10)
        dripping.cancel()
        writer.close()

        assert answer_of(answered)[0] == 408


async def drip(writer):
    while True:
        writer.write(b"X: y\r\n")
        await asyncio.sleep(0.05)


async def test_pipelined_requests_are_answered_in_order():
    async with wired() as wire:
        reader, writer = await wire.connect()
        writer.write(b"".join(GOOD.replace(b"/hooks/a", path) for path in (b"/hooks/a", b"/nope", b"/hooks/a?n=3")))

        statuses = [(await one_answer(reader))[0] for _ in range(3)]
        writer.close()

        assert statuses == [202, 404, 202]
        assert [event.document["query"] for event in wire.events] == [{}, {"n": "3"}]


@pytest.mark.parametrize("together", [True, False])
async def test_a_body_that_ends_with_the_chunk_that_was_one_too_many_holds_nothing_behind_it_back(together):
    chunks = 16_385  # the library stops the parser behind this one, where nobody reads meanwhile
    body = b"1\r\n{\r\n" + b"1\r\n \r\n" * (chunks - 2) + b"1\r\n}\r\n0\r\n\r\n"
    chunked = HEAD + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + body
    async with wired() as wire:
        reader, writer = await wire.connect()
        writer.write(chunked + GOOD if together else chunked)

        first = await one_answer(reader)
        if not together:
            writer.write(GOOD)
        second = await one_answer(reader)
        writer.close()

        assert (first[0], second[0]) == (202, 202)


@pytest.mark.parametrize("request_bytes", [GOOD, b"GET /nope HTTP/1.1\r\nHost: x\r\n\r\n"])
async def test_a_long_pipeline_behind_a_body_that_came_after_its_head_is_answered_to_the_end(request_bytes):
    async with wired() as wire:
        reader, writer = await wire.connect()
        head, body = GOOD[:-2], GOOD[-2:]
        writer.write(head.replace(b"Host: x", b"Host: x\r\nExpect: 100-continue"))
        await reader.readuntil(b"100 Continue\r\n\r\n")  # now the head has been taken
        writer.write(body)
        first = await one_answer(reader)
        writer.write(request_bytes * 100)  # more than the library keeps at once

        answers = [await one_answer(reader) for _ in range(100)]
        writer.close()

        assert first[0] == 202
        assert [status for status, _, _ in answers] == [202 if request_bytes == GOOD else 404] * 100


async def test_absolute_targets_and_old_clients_are_understood():
    async with wired() as wire:
        absolute = await wire.tell(
            GOOD.replace(b"/hooks/a", b"http://example.org:80/hooks/a").replace(b"Host: x", b"Host: x\r\nConnection: close")
        )
        old = await wire.tell(b"POST /hooks/a HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}")
        reader, writer = await wire.connect()
        writer.write(b"POST /hooks/a HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}")
        kept = await one_answer(reader)
        writer.close()

        assert (absolute[0], old[0], kept[0]) == (202, 202, 202)
        assert b"Connection: keep-alive" in kept[1]


async def test_a_head_request_is_answered_without_a_body():
    async with wired() as wire:
        reader, writer = await wire.connect()
        writer.write(b"HEAD /hooks/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        raw = await asyncio.wait_for(reader.read(), 10)
        writer.close()

        assert raw.startswith(b"HTTP/1.1 405 ")
        assert raw.endswith(b"\r\n\r\n")


async def test_headers_that_are_no_utf8_are_kept_as_text():
    async with wired() as wire:
        await wire.tell(GOOD.replace(b"Host: x", b"Host: x\r\nConnection: close\r\nX-Name: caf\xe9\r\nX-Other: caf\xc3\xa9"))

        headers = wire.events[0].document["headers"]
        assert (headers["x-name"], headers["x-other"]) == ("café", "café")


async def test_more_clients_than_allowed_are_sent_away_with_503():
    async with wired(max_connections=2) as wire:
        pairs = [await wire.connect() for _ in range(2)]
        for reader, writer in pairs:
            writer.write(GOOD)
            await one_answer(reader)

        status, head, said = await wire.tell(b"")
        for _, writer in pairs:
            writer.close()

        assert (status, said["error"]["code"]) == (503, "TOO_MANY_CONNECTIONS")
        assert b"Retry-After: 5" in head


async def test_bodies_that_come_in_slowly_do_not_fill_the_memory():
    async with wired(max_held_bytes=1000) as wire:
        slow = [await wire.connect() for _ in range(2)]
        for _, writer in slow:
            writer.write(HEAD + b"Content-Length: 1000\r\n\r\n")
        slow[0][1].write(b"x" * 900)
        await asyncio.sleep(0.05)  # the first one's bytes are held now
        slow[1][1].write(b"x" * 900)

        status, head, said = await one_answer(slow[1][0])
        slow[0][1].write(b"x" * 100)
        first = await one_answer(slow[0][0])
        for _, writer in slow:
            writer.close()

        assert (status, said["error"]["code"], b"Retry-After" in head) == (503, "BUSY", True)
        assert first[0] == 400  # it came in whole; it is no JSON
        assert (await wire.tell(GOOD.replace(b"Host: x", b"Host: x\r\nConnection: close")))[0] == 202


async def test_a_large_body_does_not_hold_up_the_others():
    body = b"[" + b"1.5," * 250_000 + b"12345678901234567890123]"
    async with wired() as wire:
        large = asyncio.create_task(wire.tell(HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body))
        pauses, loop = [], asyncio.get_running_loop()
        while not large.done():
            began = loop.time()
            await asyncio.sleep(0.001)
            pauses.append(loop.time() - began)

        assert (await large)[0] == 202
        assert wire.events[0].document["body"][-1] == 12345678901234567890123
        assert max(pauses) < 0.5


async def test_whatever_bytes_come_the_listener_answers_no_500_and_goes_on():
    chance = random.Random(7)
    pieces = [
        HEAD,
        GOOD,
        b"\r\n",
        b"\r\n\r\n",
        b"{}",
        b"POST ",
        b"/hooks/a",
        b" HTTP/1.1",
        b"Content-Length: 5\r\n",
        b"\x00\xff",
        b"%",
        b"Transfer-Encoding: chunked\r\n",
    ]
    pieces += [
        b"Content-Type: \xe9; charset=;\r\n",
        b"Expect: 100-continue\r\n",
        b"5\r\n",
        b"GET * HTTP/1.0\r\n\r\n",
        b"Upgrade: websocket\r\nConnection: upgrade\r\n",
    ]
    async with wired(body_timeout_s=0.05, header_timeout_s=0.05) as wire:

        async def throw(data):
            reader, writer = await wire.connect()
            writer.write(data)
            writer.write_eof()
            answered = await asyncio.wait_for(reader.read(), 20)
            writer.close()
            return answered

        batch = [b"".join(chance.choices(pieces, k=chance.randint(1, 8))) for _ in range(150)]
        answers = await asyncio.gather(*(throw(data) for data in batch))

        assert not [answer for answer in answers if b"HTTP/1.1 500" in answer]
        assert (await wire.tell(GOOD.replace(b"Host: x", b"Host: x\r\nConnection: close")))[0] == 202
