"""The bash step: real commands, their ends, and what they leave behind."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import uvloop

from flows.errors import DefinitionError, StepError
from flows.step import Load, Output, Scope
from flows.steps.bash import Bash, BashSettings, BashSpec


def make_load(folder: Path, warnings: list[Any] | None = None) -> Load:
    def warn(path: Any, problem: str, hint: str | None) -> None:
        if warnings is not None:
            warnings.append((path, problem, hint))

    return Load(folder, lambda _steps, _path: pytest.fail("no body"), frozenset({"$"}), warn)


def make_scope(folder: Path, dollar: Any = None, *, attempt: int = 1) -> Scope:
    names = {"$": dollar or {}, "data": None, "input": (dollar or {}).get("input", {})}
    unused: Any = None
    return Scope(names, "run_1", "step", attempt, "key-1", folder, unused, unused, unused)


@pytest.fixture
def bash(tmp_path):
    async def run(section: dict[str, Any] | str, dollar: Any = None, **settings: Any) -> Output:
        kind = Bash(BashSettings(**{"grace_s": 0.2, **settings}))
        spec = BashSpec.model_validate({"command": section} if isinstance(section, str) else section)
        prepared = kind.prepare(spec, make_load(tmp_path))
        return await kind.run(prepared, make_scope(tmp_path, dollar))

    return run


async def failure(awaited: Any) -> StepError:
    with pytest.raises(StepError) as raised:
        await awaited
    return raised.value


async def gone(pid: int) -> bool:
    """Whether the process has ended, a zombie that nobody reaps included; waits for it through its pidfd."""
    try:
        number = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        ended = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().add_reader(number, lambda: ended.done() or ended.set_result(None))
        done, _ = await asyncio.wait((ended,), timeout=5)
        return bool(done)
    finally:
        asyncio.get_running_loop().remove_reader(number)
        os.close(number)


class Told:
    """A FIFO that a command writes its process ids to, so that a test can wait for it to have started."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "told"
        os.mkfifo(self.path)
        self.number = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)

    async def line(self) -> str:
        loop = asyncio.get_running_loop()
        said = b""
        while not said.endswith(b"\n"):
            readable = loop.create_future()
            loop.add_reader(self.number, lambda waiter=readable: waiter.done() or waiter.set_result(None))
            await asyncio.wait_for(readable, 5)
            loop.remove_reader(self.number)
            said += os.read(self.number, 1000)
        return said.decode().strip()


@pytest_asyncio.fixture
async def told(tmp_path):
    fifo = Told(tmp_path)
    yield fifo
    os.close(fifo.number)


async def test_the_output_is_stdout_without_blanks_around_it(bash):
    output = await bash("echo '  hi  '; echo talk >&2")

    assert output.value == "hi"
    assert output.response == {"stdout": "hi", "stderr": "talk", "exitCode": 0}


async def test_stdout_may_be_json_in_a_code_fence(bash):
    output = await bash({"command": "printf '```json\\n{\"a\": [1, 2.5, null]}\\n```\\n'", "parseJson": True})

    assert output.value == {"a": [1, 2.5, None]}


@pytest.mark.parametrize("printed", ["", "nope", "{", "NaN", '{"a": "\\ud800"}', "[" * 5000])
async def test_stdout_that_is_no_json_fails_and_is_kept(bash, printed):
    error = await failure(bash({"command": "printf %s {{$.text | shell}}", "parseJson": True}, {"text": printed}))

    assert error.code == "BAD_JSON"
    assert error.output["stdout"] == printed


async def test_an_envelope_gives_its_inner_json_and_its_tokens(bash):
    envelope = {
        "type": "result",
        "result": 'Here it is:\n```json\n{"score": 7}\n```\nBye!',
        "total_cost_usd": 0.0125,
        "usage": {"input_tokens": 3, "cache_read_input_tokens": 40, "cache_creation_input_tokens": 7, "output_tokens": 11},
        "modelUsage": {"claude-x": {}},
    }

    output = await bash({"command": "cat $E", "parseEnvelope": True, "env": {"E": {"json": "$.e"}}}, {"e": envelope})

    assert output.value == {"score": 7}
    assert output.usage is not None
    assert (
        output.usage.input_tokens,
        output.usage.output_tokens,
        output.usage.cost_nano_usd,
        output.usage.models,
        output.usage.source,
    ) == (50, 11, 12_500_000, ("claude-x",), "envelope")


@pytest.mark.parametrize(
    ("printed", "value"),
    [
        ('{"type": "result", "result": "[1]"}', [1]),
        ('{"bare": true}', {"bare": True}),
        ('talk {"a": 1} talk', {"a": 1}),
        ('"[1, 2]"', [1, 2]),
    ],
)
async def test_an_envelope_is_taken_in_every_shape_that_models_answer_in(bash, printed, value):
    output = await bash({"command": "printf %s {{$.t | shell}}", "parseEnvelope": True}, {"t": printed})

    assert output.value == value


@pytest.mark.parametrize(
    ("printed", "code"),
    [
        ('{"type": "result", "result": "sorry"}', "BAD_JSON"),
        ('{"type": "result", "is_error": true, "result": "overloaded"}', "ENVELOPE_ERROR"),
    ],
)
async def test_an_envelope_without_an_answer_fails(bash, printed, code):
    error = await failure(bash({"command": "printf %s {{$.t | shell}}", "parseEnvelope": True}, {"t": printed}))

    assert error.code == code


async def test_an_exit_status_fails_with_the_last_lines_of_stderr_and_keeps_the_output(bash):
    error = await failure(bash("echo partial; echo 'no such deal' >&2; exit 3"))

    assert (error.code, str(error)) == ("EXIT_STATUS", "exit status 3: no such deal")
    assert error.output == {"stdout": "partial", "stderr": "no such deal", "exitCode": 3}


async def test_a_long_stderr_is_cut_in_the_message(bash):
    error = await failure(bash("head -c 100000 /dev/zero | tr '\\0' x >&2; echo END >&2; exit 1"))

    assert str(error).endswith("xEND")
    assert len(str(error)) < 1000


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


@pytest.mark.parametrize("stream", ["", ">&2"])
async def test_output_without_end_is_cut_off(bash, stream):
    error = await failure(bash(f"yes {stream}", max_output_bytes=100_000))

    assert error.code == "OUTPUT_LIMIT"
    assert error.output["exitCode"] == -9


async def test_output_of_exactly_the_limit_passes(bash):
    output = await bash("head -c 100000 /dev/zero | tr '\\0' x", max_output_bytes=100_000)

    assert len(output.value) == 100_000


async def test_ten_megabytes_arrive_whole(bash):
    output = await bash("head -c 10000000 /dev/zero | tr '\\0' x")

    assert len(output.value) == 10_000_000


async def test_output_that_is_not_utf8_fails_with_its_place(bash):
    error = await failure(bash("printf 'a\\xff'"))

    assert error.code == "OUTPUT_ENCODING"
    assert "byte 1 is 0xff" in str(error)


async def test_stderr_that_is_not_utf8_does_not_matter(bash):
    output = await bash("printf 'a\\xff' >&2; echo ok")

    assert (output.value, output.response["stderr"]) == ("ok", "a\ufffd")


async def test_stdin_is_empty(bash):
    output = await bash("cat; echo end")

    assert output.value == "end"


async def test_closed_pipes_are_no_end(bash):
    error = await failure(bash("exec >&- 2>&-; sleep 0.1; exit 4"))

    assert (error.code, error.output["exitCode"]) == ("EXIT_STATUS", 4)


async def test_a_missing_shell_is_named(bash):
    error = await failure(bash("true", shell="no-such-shell"))

    assert (error.code, error.retryable) == ("BINARY_MISSING", False)
    assert "no-such-shell" in str(error)


async def test_a_shell_can_be_another_one(bash):
    output = await bash("echo $0", shell="sh")

    assert output.value.endswith("sh")


async def test_a_command_that_is_not_found_says_so(bash):
    error = await failure(bash("no-such-command"))

    assert error.code == "EXIT_STATUS"
    assert "no-such-command" in str(error)


async def test_a_command_that_begins_with_a_dash_is_no_option_of_the_shell(bash):
    error = await failure(bash("-x"))

    assert "-x" in str(error)
    assert error.output["exitCode"] == 127


async def test_only_the_named_environment_reaches_the_command(bash, monkeypatch):
    monkeypatch.setenv("DEAL_SECRET", "hunter2")
    monkeypatch.setenv("ALLOWED", "yes")

    output = await bash("env", env=("PATH", "ALLOWED"))

    names = {line.partition("=")[0] for line in output.value.splitlines()}
    ours = {"CAMSHAFT_RUN_ID", "CAMSHAFT_STEP", "CAMSHAFT_ATTEMPT", "CAMSHAFT_IDEMPOTENCY_KEY"}
    assert names - {"PWD", "SHLVL", "_"} == {"PATH", "ALLOWED", *ours}


async def test_the_attempt_is_named_in_the_environment(bash):
    output = await bash("echo $CAMSHAFT_RUN_ID $CAMSHAFT_STEP $CAMSHAFT_ATTEMPT $CAMSHAFT_IDEMPOTENCY_KEY")

    assert output.value == "run_1 step 1 key-1"


async def test_the_folder_is_the_flows_and_cwd_goes_on_from_it(bash, tmp_path):
    (tmp_path / "inner").mkdir()

    here = await bash("pwd")
    inner = await bash({"command": "pwd", "cwd": "./{{$.name}}"}, {"name": "inner"})

    assert (here.value, inner.value) == (str(tmp_path), str(tmp_path / "inner"))


async def test_a_folder_that_is_missing_is_named(bash):
    error = await failure(bash({"command": "pwd", "cwd": "nowhere"}))

    assert error.code == "CWD_NOT_FOUND"
    assert "nowhere" in str(error)


async def test_json_in_the_environment_is_a_file_that_is_gone_afterwards(bash, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    section = {"command": "echo $F; stat -c %a $F; cat $F", "env": {"F": {"json": {"deal": "$.deal", "n": 1}}}}

    output = await bash(section, {"deal": {"name": "Å'\"$(id)"}})

    path, mode, text = output.value.split("\n", 2)
    assert (mode, json.loads(text)) == ("600", {"deal": {"name": "Å'\"$(id)"}, "n": 1})
    assert not Path(path).exists()
    assert [each.name for each in tmp_path.glob("camshaft-*")] == []


async def test_the_file_is_gone_also_when_the_command_fails(bash, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    await failure(bash({"command": "exit 1", "env": {"F": {"json": "$.x"}}}, {"x": 1}))

    assert list(tmp_path.glob("camshaft-*")) == []


async def test_values_in_the_environment_are_text_as_javascript_prints_it(bash):
    values = {"text": "a b", "number": 7, "yes": True, "nothing": None, "list": [1, "x"]}
    section = {
        "command": 'printf "%s|" "$A" "$B" "$C" "$D" "$E"',
        "env": {n: f"$.{k}" for n, k in zip("ABCDE", values, strict=True)},
    }

    output = await bash(section, values)

    assert output.value == 'a b|7|true||[1,"x"]|'


async def test_a_variable_of_the_step_is_stronger_than_the_daemons(bash, monkeypatch):
    monkeypatch.setenv("LANG", "C.UTF-8")

    output = await bash({"command": "echo $LANG", "env": {"LANG": "de_DE"}})

    assert output.value == "de_DE"


async def test_a_variable_that_is_null_is_not_set(bash):
    output = await bash({"command": "echo ${A-unset}", "env": {"A": None}})

    assert output.value == "unset"


@pytest.mark.parametrize("name", ["A B", "A=B", "", "1A", "A\0", "BASH_FUNC_x%%"])
def test_a_name_that_no_variable_can_have_is_refused_at_load(tmp_path, name):
    spec = BashSpec.model_validate({"command": "true", "env": {name: "x"}})

    with pytest.raises(DefinitionError) as raised:
        Bash(BashSettings()).prepare(spec, make_load(tmp_path))

    assert raised.value.problems[0].path == ("env", name)


def test_all_that_is_wrong_is_told_at_once(tmp_path):
    spec = BashSpec.model_validate({"command": "echo {{$.x | shel}}", "cwd": "{{", "env": {"A": {"json": "$.a["}}})

    with pytest.raises(DefinitionError) as raised:
        Bash(BashSettings()).prepare(spec, make_load(tmp_path))

    assert [problem.path for problem in raised.value.problems] == [("command",), ("cwd",), ("env", "A", "json")]


def test_the_paths_it_reads_are_known_at_load(tmp_path):
    section = {"command": "echo {{$.steps.a.output | shell}}", "cwd": "$.input.d", "env": {"A": {"json": "$.steps.b.output.c"}}}

    prepared = Bash(BashSettings()).prepare(BashSpec.model_validate(section), make_load(tmp_path))

    assert set(prepared.references) == {("$", "steps", "a", "output"), ("$", "input", "d"), ("$", "steps", "b", "output", "c")}


@pytest.mark.parametrize(
    ("section", "dollar", "code"),
    [
        ({"command": "echo $A", "env": {"A": "$.x"}}, {"x": "a\0b"}, "NUL_CHARACTER"),
        ({"command": "echo $A", "env": {"A": "$.x"}}, {"x": "\ud800"}, "TEXT_ENCODING"),
        ({"command": "echo {{$.x | shell}}"}, {"x": "\ud800"}, "TEXT_ENCODING"),
        ({"command": "echo {{$.x | shell}}"}, {"x": "y" * 200_000}, "COMMAND_TOO_LONG"),
        ({"command": "echo $A", "env": {"A": "$.x"}}, {"x": "y" * 200_000}, "COMMAND_TOO_LONG"),
        ({"command": "$.x"}, {"x": {"a": 1}}, "VALUE_TYPE"),
        ({"command": "$.y"}, {"x": 1}, "TEMPLATE_MISSING"),
    ],
)
async def test_what_no_command_can_be_given_fails_with_a_code(bash, section, dollar, code):
    error = await failure(bash(section, dollar))

    assert error.code == code


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
