"""How commands end: by themselves, by their time, by a cancel, with all that they have started."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from typing import Any

import pytest
import uvloop

from tests.flows.step_bash.commands import Told, failure, gone


async def test_a_command_killed_by_a_signal_names_it(bash):
    error = await failure(bash("kill -SEGV $$"))

    assert error.code == "KILLED"
    assert "SIGSEGV" in str(error)


async def test_its_own_timeout_fails_and_does_not_time_out(bash):
    error = await failure(bash({"command": "echo begun; sleep 60", "timeout": 100}))

    assert (error.code, error.timed_out) == ("TIMEOUT", False)
    assert error.output["stdout"] == "begun"


async def test_a_command_without_a_timeout_has_that_of_the_settings(bash):
    error = await failure(bash({"command": "sleep 60", "timeout": 0}, timeout_s=0.1))

    assert error.code == "TIMEOUT"


async def test_who_ignores_sigterm_is_killed_with_its_children(bash, told, tmp_path):
    command = f"trap '' TERM; sleep 60 & echo $$ $! > {told.path}; wait; sleep 60"
    error, line = await asyncio.gather(failure(bash({"command": command, "timeout": 200})), told.line())

    assert error.code == "TIMEOUT"
    assert all([await gone(int(pid)) for pid in line.split()])


async def test_sigterm_comes_first_so_that_a_command_can_tidy_up(bash, told, tmp_path):
    command = f"trap 'echo tidied > tidied; exit' TERM; echo ready > {told.path}; sleep 60 & wait"
    step = asyncio.create_task(bash(command, grace_s=5))
    await told.line()

    step.cancel()
    await asyncio.wait((step,))

    assert step.cancelled()
    assert (tmp_path / "tidied").read_text() == "tidied\n"


async def test_cancelling_ends_the_whole_group_before_it_returns(bash, told):
    step = asyncio.create_task(bash(f"(trap '' TERM; sleep 60) & trap '' TERM; echo $$ $! > {told.path}; sleep 60; sleep 60"))
    line = await told.line()

    step.cancel()
    await asyncio.wait((step,))

    assert step.cancelled()
    assert all([await gone(int(pid)) for pid in line.split()])


async def test_a_cancel_while_the_command_is_being_started_leaves_nothing(bash, told):
    step = asyncio.create_task(bash(f"echo $$ > {told.path}; sleep 60; sleep 60"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    step.cancel()
    await asyncio.wait((step,))

    assert step.cancelled()
    with pytest.raises((BlockingIOError, AssertionError)):  # it had no time to say its number, or is gone
        assert not await gone(int(os.read(told.number, 100)))


async def test_a_second_cancel_cuts_the_grace_short(bash, told):
    step = asyncio.create_task(bash(f"trap '' TERM; echo $$ > {told.path}; sleep 60; sleep 60", grace_s=60))
    line = await told.line()
    step.cancel()
    await asyncio.sleep(0)

    step.cancel()
    await asyncio.wait((step,), timeout=5)

    assert step.cancelled()
    assert await gone(int(line))


async def test_a_grandchild_that_keeps_stdout_does_not_hold_the_step(bash, told):
    output, line = await asyncio.gather(bash(f"sleep 60 & echo $! > {told.path}; echo done"), told.line())

    assert output.value == "done"
    assert output.response["leftovers"] is True
    assert await gone(int(line))


async def test_what_a_step_starts_ends_with_the_step_also_when_it_let_go_of_its_output(bash, told):
    _, line = await asyncio.gather(bash(f"sleep 60 >/dev/null 2>&1 & echo $! > {told.path}"), told.line())

    assert await gone(int(line))


async def test_a_program_that_leaves_the_group_outlives_the_step_and_does_not_hold_it(bash, told):
    _, line = await asyncio.gather(bash(f"setsid sh -c 'echo $$ > {told.path}; exec sleep 60' & wait $!& sleep 0.1"), told.line())

    os.kill(int(line), signal.SIGKILL)


async def test_closed_pipes_are_no_end(bash):
    error = await failure(bash("exec >&- 2>&-; sleep 0.1; exit 4"))

    assert (error.code, error.output["exitCode"]) == ("EXIT_STATUS", 4)


async def test_twenty_commands_run_side_by_side(bash):
    outputs = await asyncio.gather(*(bash(f"echo {number}") for number in range(20)))

    assert [output.value for output in outputs] == [str(number) for number in range(20)]


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_commands_end_the_same_way_on_both_loops(tmp_path, bash, loop_factory):
    async def scenario() -> list[Any]:
        fifo = Told(tmp_path)
        ends: list[Any] = [(await bash("printf a; printf b >&2")).response]
        ends += [
            (await failure(bash(command, timeout_s=0.2, max_output_bytes=100_000))).code
            for command in ("exit 2", "yes", "kill -9 $$")
        ]
        ends += [(await failure(bash(f"trap '' TERM; sleep 60 & echo $! > {fifo.path}; sleep 60; wait", timeout_s=0.2))).code]
        ends += [await gone(int(await fifo.line()))]
        ends += [
            (await failure(bash({"command": "true", "env": {"A": "y" * 200_000}}))).code,
            (await bash("sleep 60 & echo é")).value,
        ]
        step = asyncio.create_task(bash(f"trap '' TERM; sleep 60 & echo $! > {fifo.path}; wait; sleep 60"))
        pid = int(await fifo.line())
        step.cancel()
        await asyncio.wait((step,))
        os.close(fifo.number)
        return [*ends, step.cancelled(), await gone(pid)]

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        ended = runner.run(scenario())

    response = {"stdout": "a", "stderr": "b", "exitCode": 0}
    assert ended == [response, "EXIT_STATUS", "OUTPUT_LIMIT", "KILLED", "TIMEOUT", True, "COMMAND_TOO_LONG", "é", True, True]


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_command_finds_pipes_that_have_names_and_no_other_descriptors_on_both_loops(bash, loop_factory):
    async def scenario() -> list[Any]:
        named = await bash("echo a > /dev/stdout; echo b | tee /dev/stderr")
        inherited = await bash("cd /proc/self/fd; echo [0-9]*")
        background = await bash("sleep 60 >/dev/null 2>&1 </dev/null & echo done")
        return [named.response, inherited.value, "leftovers" in background.response]

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        named, inherited, leftovers = runner.run(scenario())

    assert named == {"stdout": "a\nb", "stderr": "b", "exitCode": 0}
    assert set(inherited.split()) <= {"0", "1", "2", "3", "255"}  # 3 and 255 are bash's own
    assert leftovers is False


async def test_a_command_s_end_is_heard_also_where_the_system_has_no_pidfd(bash, monkeypatch):
    def refused(_pid: int) -> int:
        raise OSError(errno.ENOSYS, "not here")

    monkeypatch.setattr(os, "pidfd_open", refused)

    output = await bash("sleep 0.05; echo done")
    error = await failure(bash("sleep 60", timeout_s=0.1))

    assert output.value == "done"
    assert error.code == "TIMEOUT"
