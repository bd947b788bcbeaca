"""The stream: told in order and when it is durable, resumed without a gap, and bounded for who does not read."""

from __future__ import annotations

import asyncio
import json

import pytest

from daemon.stream import KINDS, LISTENERS, RING, WAITING, Stream, Wanted
from triggers.source import Unavailable


def messages(raw: bytes) -> list[tuple[str, dict]]:
    """(event, data) of each message."""
    read = []
    for block in raw.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        if fields:
            read.append((fields["event"], json.loads(fields["data"])))
    return read


def last_id(raw: bytes) -> str:
    return raw.decode().rpartition("id: ")[2].partition("\n")[0]


async def test_nothing_is_told_while_nobody_listens():
    stream = Stream(linger_s=0)

    before = stream.tell
    with stream.listening(Wanted()):
        during = stream.tell
    while stream.tell is not None:
        await asyncio.sleep(0)

    assert before is None
    assert during is not None


async def test_a_listener_hears_what_is_told_in_order_and_from_where():
    stream = Stream()
    with stream.listening(Wanted()) as listener:
        stream.tell("event", {"event": "evt_a"})
        stream.tell("run", {"run": "run_a"})

        heard = messages(await listener.take(1))

    assert heard == [("open", {"listening": True}), ("event", {"event": "evt_a"}), ("run", {"run": "run_a"})]


EVENT = {"event": "evt_a", "source": "webhook", "chain": "evt_a", "verdicts": {"hook": "dispatched"}, "runs": ["run_a"]}
STEP = {"run": "run_a", "flow": "greet", "trigger": "hook", "chain": "evt_a", "step": "say"}


@pytest.mark.parametrize(
    ("wanted", "kind", "facts", "fits"),
    [
        (Wanted(), "event", EVENT, True),
        (Wanted(("run",)), "event", EVENT, False),
        (Wanted(KINDS, {"trigger": "hook"}), "event", EVENT, True),
        (Wanted(KINDS, {"trigger": "other"}), "event", EVENT, False),
        (Wanted(KINDS, {"run": "run_a"}), "event", EVENT, True),
        (Wanted(KINDS, {"source": "webhook"}), "event", EVENT, True),
        (Wanted(KINDS, {"flow": "greet"}), "event", EVENT, False),
        (Wanted(KINDS, {"run": "run_a", "flow": "greet"}), "step", STEP, True),
        (Wanted(KINDS, {"run": "run_a", "flow": "other"}), "step", STEP, False),
        (Wanted(KINDS, {"chain": "evt_a"}), "step", STEP, True),
    ],
)
def test_a_listener_hears_what_it_asks_for(wanted, kind, facts, fits):
    assert wanted.fits(kind, facts) is fits


async def test_who_comes_back_hears_what_it_missed_and_nothing_twice():
    stream = Stream()
    with stream.listening(Wanted()) as listener:
        stream.tell("run", {"run": "run_1"})
        seen = last_id(await listener.take(1))
    stream.tell("run", {"run": "run_2"})
    stream.tell("step", {"run": "run_2"})

    with stream.listening(Wanted(("run",)), seen) as listener:
        stream.tell("run", {"run": "run_3"})
        heard = messages(await listener.take(1))

    assert heard == [("run", {"run": "run_2"}), ("run", {"run": "run_3"})]


async def test_what_is_not_known_any_more_is_a_gap():
    stream, other = Stream(), Stream()
    with stream.listening(Wanted()) as listener, other.listening(Wanted()) as elsewhere:
        seen = last_id(await listener.take(1))
        of_another_start = last_id(await elsewhere.take(1))
        for _ in range(RING + 1):
            stream.tell("run", {})

        gaps = []
        for last in (
            seen,
            of_another_start,
            "",
            "nonsense",
            f"{seen.partition('-')[0]}-{10**20}",
            seen.partition("-")[0] + "-99999",
        ):
            with stream.listening(Wanted(), last) as back:
                gaps.append(messages(await back.take(1))[0][0])

    assert gaps == ["gap"] * 6


async def test_what_was_not_told_because_nobody_listened_is_a_gap():
    stream = Stream(linger_s=0)
    with stream.listening(Wanted()) as listener:
        seen = last_id(await listener.take(1))
    while stream.tell is not None:
        await asyncio.sleep(0)

    with stream.listening(Wanted()), stream.listening(Wanted(), seen) as back:
        heard = messages(await back.take(1))

    assert heard == [("gap", {"after": seen})]


async def test_who_does_not_read_is_dropped_and_holds_nothing():
    stream = Stream()
    with stream.listening(Wanted()) as slow, stream.listening(Wanted()) as quick:
        heard = []
        for number in range(WAITING + 10):
            stream.tell("run", {"number": number})
            heard += messages(await quick.take(1))

        left = messages(await slow.take(1))

        assert left == [("end", {"reason": "slow"})]
        assert slow.done
        assert len(heard) == WAITING + 11
        assert not quick.done


async def test_few_and_large_messages_are_bounded_too():
    stream = Stream()
    with stream.listening(Wanted()) as slow:
        for _ in range(20):
            stream.tell("run", {"error": "x" * 100_000})

        assert messages(await slow.take(1)) == [("end", {"reason": "slow"})]


async def test_a_stop_is_told_and_nobody_is_let_in_afterwards():
    stream = Stream()
    with stream.listening(Wanted()) as listener:
        stream.close()
        heard = messages(await listener.take(1))

    assert heard[-1] == ("end", {"reason": "stopping"})
    assert stream.tell is None
    with pytest.raises(Unavailable), stream.listening(Wanted()):
        pass


async def test_there_are_so_many_listeners_and_no_more():
    stream = Stream()
    opened = [stream.listening(Wanted()) for _ in range(LISTENERS)]
    for each in opened:
        each.__enter__()

    with pytest.raises(Unavailable), stream.listening(Wanted()):
        pass

    for each in opened:
        each.__exit__(None, None, None)
    with stream.listening(Wanted()):
        assert stream.listeners == 1


async def test_who_has_gone_keeps_nobody_out():
    stream = Stream()
    gone = [stream.listening(Wanted(), gone=lambda: True) for _ in range(LISTENERS)]
    for each in gone:
        each.__enter__()

    with stream.listening(Wanted()) as listener:
        stream.tell("run", {"run": "run_1"})
        heard = messages(await listener.take(1))
        counted = stream.listeners
    for each in gone:
        each.__exit__(None, None, None)

    assert [kind for kind, _ in heard] == ["open", "run"]
    assert counted == 1


async def test_text_that_is_half_a_character_is_told_all_the_same():
    stream = Stream()
    with stream.listening(Wanted()) as listener:
        stream.tell("run", {"error": "\ud800"})

        assert messages(await listener.take(1))[1] == ("run", {"error": "?"})
