"""What a service manager hears, over real sockets; and when the watchdog says that the process is alive."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time

import pytest

from daemon.notify import Notifier, extended
from daemon.watchdog import Asked, Progress, keep_watch


@pytest.fixture(params=["a path", "an abstract name"])
def manager(request, tmp_path):
    """(address as systemd gives it, the socket that listens there)."""
    name = str(tmp_path / "notify") if request.param == "a path" else f"@camshaft-test-{os.getpid()}-{time.monotonic_ns()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(name.replace("@", "\0"))
        listening.settimeout(30)
        yield name, listening


def heard(listening):
    return dict(line.split("=", 1) for line in listening.recv(4096).decode().split("\n"))


def test_a_manager_hears_that_all_is_ready_and_that_it_ends(manager):
    address, listening = manager
    notifier = Notifier(address)

    notifier.ready(lambda: "3 triggers")
    notifier.stopping("stopping")
    notifier.alive()
    notifier.close()

    assert heard(listening) == {"READY": "1", "STATUS": "3 triggers"}
    assert heard(listening) == {"STOPPING": "1", "STATUS": "stopping"}
    assert heard(listening) == {"WATCHDOG": "1"}


def test_a_reload_is_told_at_its_beginning_with_the_monotonic_time_and_at_its_end_also_where_it_fails(manager):
    address, listening = manager
    notifier = Notifier(address)
    statuses = iter(("3 triggers", "4 triggers"))
    notifier.ready(lambda: next(statuses))
    heard(listening)
    before_us = time.monotonic_ns() // 1000

    with pytest.raises(ZeroDivisionError), notifier.reloading():
        _ = 1 / 0
    notifier.close()

    begun = heard(listening)
    assert begun.keys() == {"RELOADING", "MONOTONIC_USEC", "STATUS"}
    assert before_us <= int(begun["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    assert heard(listening) == {"READY": "1", "STATUS": "4 triggers"}


def test_a_status_of_several_lines_cannot_say_anything_else(manager):
    address, listening = manager

    notifier = Notifier(address)
    notifier.status("a\nREADY=1\nMAINPID=1 " + "x" * 5000)
    notifier.close()

    assert heard(listening).keys() == {"STATUS"}


async def test_a_stop_that_takes_long_asks_for_more_time_before_the_unit_s_limit_ends_it(manager):
    address, listening = manager
    notifier = Notifier(address)

    async with extended(notifier):
        more = await asyncio.to_thread(heard, listening)
    notifier.close()

    assert more == {"EXTEND_TIMEOUT_USEC": "15000000"}


def test_the_variables_are_taken_out_of_the_environment_so_that_no_child_speaks_for_us():
    environment = {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "2500000", "WATCHDOG_PID": str(os.getpid()), "HOME": "/"}

    notifier = Notifier.from_environment(environment)

    assert environment == {"HOME": "/"}
    assert notifier.watchdog_s == 2.5


@pytest.mark.parametrize(
    "environment",
    [{}, {"WATCHDOG_USEC": "5000000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "soon"}],
)
def test_who_is_not_watched_has_no_limit(environment):
    assert Notifier.from_environment(environment).watchdog_s is None


@pytest.mark.parametrize("address", [None, "/nowhere/notify", "vsock:2:1234"])
def test_a_manager_that_cannot_be_reached_hinders_nothing(address):
    notifier = Notifier.from_environment({} if address is None else {"NOTIFY_SOCKET": address})

    notifier.ready(lambda: "ready")
    notifier.alive()
    notifier.close()


async def watched(parts, *, limit_s=0.2):
    """A watch over parts, and what it has said so far."""
    said = []
    return asyncio.create_task(keep_watch(parts, lambda: said.append(1), limit_s=limit_s)), said


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


async def test_it_says_alive_while_every_part_answers():
    asked = Asked(lambda: asyncio.sleep(0))
    watch, said = await watched({"writer": asked})

    await until(lambda: len(said) >= 5)
    watch.cancel()
    asked.close()


async def test_it_says_nothing_while_one_part_does_not_answer_and_goes_on_when_it_does():
    gate = threading.Event()
    gate.set()
    asked = Asked(lambda: asyncio.to_thread(gate.wait))
    watch, said = await watched({"writer": asked, "other": lambda: 0.0})
    await until(lambda: len(said) >= 2)

    gate.clear()
    await until(lambda: asked() >= 0.2)
    silent = len(said)
    await until(lambda: asked() >= 0.6)
    still_silent = len(said)
    gate.set()
    await until(lambda: len(said) > silent)
    watch.cancel()

    assert still_silent == silent


async def test_a_process_that_stood_still_owes_nothing_for_that_time():
    """Stopped by a signal, or without a processor: when it goes on it says alive at its first look, or it would be killed for it."""
    loop = asyncio.get_running_loop()
    moved_at = [loop.time()]
    watch, said = await watched({"schedules": lambda: loop.time() - moved_at[0]})
    await until(lambda: said)
    moved_at[0], silent = loop.time(), len(said)

    time.sleep(0.3)  # one and a half limits
    await until(lambda: len(said) > silent)
    heard_after_s = loop.time() - moved_at[0]
    watch.cancel()

    assert heard_after_s < 0.3 + 0.1  # at the first look, which is a quarter of the limit away


async def test_a_refusal_is_an_answer():
    async def refuses():
        raise OSError("the disk is full")

    watch, said = await watched({"writer": Asked(refuses)})

    await until(lambda: len(said) >= 5)
    watch.cancel()


async def test_progress_is_owed_only_while_there_is_work_and_none_is_done():
    done: list[int | None] = [None]
    progress = Progress(lambda: done[0])
    loop = asyncio.get_running_loop()

    nothing_to_do = progress()
    done[0] = 5
    begun, began = progress(), loop.time()
    await until(lambda: loop.time() > began + 0.05)
    stalled = progress()
    done[0] = 6
    went_on = progress()

    assert (nothing_to_do, begun, went_on) == (0.0, 0.0, 0.0)
    assert stalled >= 0.05
