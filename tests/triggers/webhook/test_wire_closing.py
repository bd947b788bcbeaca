"""The ends of connections: of idle ones, of those whose client ends its side first, and of all when the listener closes."""

import asyncio
import socket

import pytest

from tests.triggers.webhook.wire import GOOD, HEAD, one_answer, wired


async def test_an_idle_connection_outlives_the_time_for_a_head():
    async with wired(header_timeout_s=0.05) as wire:
        reader, writer = await wire.connect()
        writer.write(GOOD)
        first = (await one_answer(reader))[0]
        await asyncio.sleep(0.2)  # past several sweeps: what is shown is that nothing happens
        writer.write(GOOD)
        second = (await one_answer(reader))[0]
        writer.close()

        assert (first, second) == (202, 202)


async def test_an_idle_connection_is_let_go_in_the_end():
    async with wired(keepalive_timeout_s=0.05) as wire:
        assert (await wire.tell(GOOD))[0] == 202


async def test_a_client_that_asks_on_and_on_and_never_reads_is_let_go():
    with socket.create_server(("127.0.0.1", 0)) as small:
        small.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # who connects has it too
        async with wired(small, keepalive_timeout_s=0.3, header_timeout_s=0.2) as wire:
            server = wire.source._listener._server
            with socket.socket() as deaf:
                deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                deaf.setblocking(False)
                loop = asyncio.get_running_loop()
                await loop.sock_connect(deaf, small.getsockname())
                with pytest.raises((ConnectionResetError, BrokenPipeError)):
                    await asyncio.wait_for(loop.sock_sendall(deaf, GOOD * 100_000), 10)

            await server.emptied(5)
            assert list(server.connections) == []
            assert len(wire.events) > 10


async def test_a_client_that_ends_its_side_first_has_its_answer_and_then_the_end():
    async with wired() as wire:
        status, head, rest = await ended_before_the_answer(wire, GOOD)

        assert (status, rest) == (202, b"")
        assert b"Connection: close" in head


async def test_a_client_that_ends_its_side_with_its_last_byte_has_an_answer_to_all_it_asked():
    async with wired() as wire:
        reader, writer = await wire.connect()
        writer.write(GOOD * 300)  # more than the parser keeps at a time
        writer.write_eof()
        answered = await asyncio.wait_for(reader.read(), 20)
        writer.close()

        assert len(wire.events) == answered.count(b"HTTP/1.1 202 ") == 300
        assert answered.count(b"Connection: close") <= 1  # none where all had been answered when the end came


@pytest.mark.parametrize("sent", [b"", GOOD[:20], GOOD[:-1], HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"])
async def test_a_client_that_ends_its_side_within_a_request_is_let_go_at_once(sent):
    async with wired(keepalive_timeout_s=60, body_timeout_s=60) as wire:
        reader, writer = await wire.connect()
        writer.write(sent)
        writer.write_eof()
        answered = await asyncio.wait_for(reader.read(), 10)
        writer.close()

        assert (answered, wire.events) == (b"", [])


async def test_what_comes_whole_before_a_part_of_another_request_is_answered_where_the_client_ends_its_side():
    async with wired(keepalive_timeout_s=60) as wire:
        status, _, rest = await ended_before_the_answer(wire, GOOD + GOOD[:20])

        assert (status, rest, len(wire.events)) == (202, b"", 1)


async def ended_before_the_answer(wire, sent):
    """Send, end our side while the first request is being answered, and read the answer. Its status and head, and what follows it."""
    wire.gate.clear()
    reader, writer = await wire.connect()
    writer.write(sent)
    await wire.arrived.wait()
    writer.write_eof()
    await until_ended(wire)
    wire.gate.set()
    status, head, _ = await one_answer(reader)
    rest = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return status, head, rest


async def until_ended(wire):
    """Until the listener has heard of the end."""
    connections = wire.source._listener._server.connections
    while not connections[0].ended:
        await asyncio.sleep(0.001)


async def test_closing_answers_what_is_in_flight_and_takes_nothing_new():
    async with wired() as wire:
        url = wire.source.url
        wire.gate.clear()
        idle = await wire.connect()
        idle[1].write(GOOD.replace(b"/hooks/a", b"/nope"))
        await one_answer(idle[0])
        reader, writer = await wire.connect()
        writer.write(GOOD)
        await wire.arrived.wait()
        asyncio.get_running_loop().call_later(0.2, wire.gate.set)
    # closed: what was in flight has its answer, and its connection is gone
    answered = await one_answer(reader)
    rest = await reader.read()
    host, port = url.removeprefix("http://").removesuffix("/hooks").split(":")

    assert answered[0] == 202
    assert b"Connection: close" in answered[1]
    assert rest == b""
    assert await idle[0].read() == b""
    with pytest.raises(OSError, match=r"."):
        await asyncio.open_connection(host, int(port))
    writer.close()
    idle[1].close()


async def test_a_client_that_kept_its_connection_and_asks_once_more_while_the_listener_closes_is_answered_and_told():
    async with wired() as wire:
        reader, writer = await wire.connect()
        writer.write(GOOD)
        await one_answer(reader)
        asyncio.get_running_loop().call_later(0.02, writer.write, GOOD)  # within the last call
    status, head, _ = await one_answer(reader)
    rest = await reader.read()
    writer.close()

    assert (status, len(wire.events), rest) == (202, 2, b"")
    assert b"Connection: close" in head


async def test_who_is_idle_when_the_listener_closes_is_told_by_an_end_of_stream_and_may_still_send_without_a_reset():
    async with wired() as wire:
        reader, writer = await wire.connect()
        writer.write(GOOD)
        await one_answer(reader)
        closing = asyncio.create_task(_end_of(reader, writer))
    status = await closing
    writer.close()

    assert status == b""  # an end, not a ConnectionResetError
    assert len(wire.events) == 1


async def _end_of(reader, writer):
    """Wait for the end of the stream, then send a request that crossed it on its way."""
    ended = await reader.read()
    writer.write(GOOD)
    await writer.drain()
    return ended + await reader.read()


async def test_a_head_that_has_begun_to_come_while_the_listener_closes_is_waited_for():
    async with wired() as wire:
        reader, writer = await wire.connect()
        writer.write(GOOD[:20])
        await asyncio.sleep(0.05)  # it has arrived
        asyncio.get_running_loop().call_later(0.3, writer.write, GOOD[20:])  # after the last call
    status, _, _ = await one_answer(reader)
    writer.close()

    assert (status, len(wire.events)) == (202, 1)


async def test_a_connection_that_was_idle_for_too_long_ends_without_a_reset():
    async with wired(keepalive_timeout_s=0.1) as wire:
        reader, writer = await wire.connect()
        writer.write(GOOD)
        await one_answer(reader)

        ended = await asyncio.wait_for(reader.read(), 10)
        writer.write(GOOD)  # it crossed the end on its way
        await writer.drain()
        writer.close()

        assert ended == b""
        assert len(wire.events) == 1


async def test_a_body_that_is_coming_in_while_the_listener_closes_is_still_taken():
    async with wired() as wire:
        reader, writer = await wire.connect()
        writer.write(HEAD + b"Content-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        asyncio.get_running_loop().call_later(0.1, writer.write, b"{}")
    status, _, _ = await one_answer(reader)
    writer.close()

    assert (status, len(wire.events)) == (202, 1)


async def test_closing_does_not_wait_longer_than_its_deadline():
    async with wired(drain_s=0.1) as wire:
        wire.gate.clear()
        _, writer = await wire.connect()
        writer.write(GOOD)
        await wire.arrived.wait()
        began = asyncio.get_running_loop().time()
    took = asyncio.get_running_loop().time() - began
    writer.close()

    assert took < 2


async def test_of_pipelined_requests_the_one_in_flight_is_answered_when_the_listener_closes():
    async with wired() as wire:
        wire.gate.clear()
        reader, writer = await wire.connect()
        writer.write(GOOD + GOOD)
        await wire.arrived.wait()
        asyncio.get_running_loop().call_later(0.1, wire.gate.set)
    first = await one_answer(reader)
    writer.close()

    assert first[0] == 202
    assert len(wire.events) == 1
