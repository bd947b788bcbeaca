"""The JavaScript engine: nothing of the host is within reach, every script ends, and scripts know nothing of each other."""

import asyncio
import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.errors import StepError
from flows.expression import compile_expression, to_json
from flows.script.engine import Limits, Script
from flows.script.names import ENGINE, OURS
from flows.script.quickjs import QuickJs
from flows.script.scan import scan

LIMITS = Limits(timeout_s=2, memory_bytes=64 * 1024 * 1024, output_bytes=1024 * 1024)

SHORT = Limits(timeout_s=0.2, memory_bytes=64 * 1024 * 1024, output_bytes=1024 * 1024)

HOSTILE = [
    "'",
    '"',
    "`",
    "${$.input.secret}",
    "</script>",
    "\u2028\u2029",
    "\0",
    "\\",
    "$.input",
    "{{x}}",
    "*/",
    "//",
    "\n",
    "__proto__",
    "\ud800",
    "😀",
    ")",
    "}",
]


@pytest.fixture(scope="module")
def engine():
    """One for all tests here, each of which has a loop of its own."""
    made = QuickJs(2)
    yield made
    asyncio.run(made.close())


@pytest.fixture
async def fresh(engine):
    """For tests that count processes: the other has none meanwhile."""
    await engine.close()
    made = QuickJs(2)
    yield made
    await made.close()


def names(**inputs):
    return {"$": {"input": inputs, "steps": {}, "loop": {}, "env": {}}, "data": None, "output": None}


async def run(engine, source, limits=LIMITS, *, form="body", **inputs):
    assert engine.check(source, form) is None
    return await engine.evaluate(scan(source, form=form), names(**inputs), limits)


async def code_of(engine, source, limits=LIMITS, **inputs):
    with pytest.raises(StepError) as caught:
        await run(engine, source, limits, **inputs)
    return caught.value.code


def children():
    """The ids of this process's children that hold the engine."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and b"child.py" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:  # it has just ended
            continue
    return found


@pytest.mark.parametrize(
    "source",
    [
        "for (;;) {}",
        "await null; for (;;) await 0",
        "return /^(a+)+$/.test('a'.repeat(60) + '!')",
        "return Array.prototype.indexOf.call({length: 2 ** 53 - 1}, 1)",
        "try { for (;;) {} } catch { return 'caught' } finally { for (;;) {} }",
        "return new Proxy({}, { ownKeys() { for (;;) {} } })",
        "return { toJSON() { for (;;) {} } }",
        "let a = []; for (let i = 0; i < 40; i++) a = [a, a]; return a",
        "const again = () => Promise.resolve().then(again); return again()",
    ],
)
async def test_a_script_that_does_not_end_is_ended(engine, source):
    assert await code_of(engine, source, SHORT) == "SCRIPT_TIMEOUT"


async def test_a_loop_that_the_engine_itself_never_leaves_is_ended_with_its_process(fresh):
    assert await run(fresh, "return 1") == 1
    before = children()

    assert await code_of(fresh, "return new Array(4e9).join('x')", SHORT) == "SCRIPT_TIMEOUT"

    assert set(before).isdisjoint(children())
    assert await run(fresh, "return 2") == 2


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("const all = []; for (;;) all.push(new Array(1000).fill(1))", "SCRIPT_MEMORY"),
        ("return 'x'.repeat(2 ** 29)", "SCRIPT_MEMORY"),
        ("let a = []; for (;;) a = [a, a.slice()]", "SCRIPT_MEMORY"),  # no memory even for an error: the engine throws null
        ("const m = new Map(); for (let n = 0; ; n++) m.set(n, { n, next: null })", "SCRIPT_MEMORY"),
        ("let text = 'x'; for (;;) text += text", "SCRIPT_MEMORY"),
        ("return new ArrayBuffer(2 ** 40)", "SCRIPT_ERROR"),
        ("return 'x'.repeat(1024 * 1024)", "SCRIPT_OUTPUT"),
        ("return 'é'.repeat(600 * 1024)", "SCRIPT_OUTPUT"),
        ("return (function deep() { return deep() + 1 })()", "SCRIPT_ERROR"),
        ("return JSON.parse('['.repeat(100000) + ']'.repeat(100000))", "SCRIPT_ERROR"),
        ("return JSON.parse('['.repeat(1200) + ']'.repeat(1200))", "SCRIPT_OUTPUT"),
        ("await new Promise(() => {})", "SCRIPT_ERROR"),
        ("return 10n", "SCRIPT_ERROR"),
    ],
)
async def test_what_goes_beyond_its_bounds_fails_with_a_stable_code(engine, source, code):
    assert await code_of(engine, source, Limits(5, 32 * 1024 * 1024, 1024 * 1024)) == code

    assert await run(engine, "return 'still here'") == "still here"


async def test_others_on_the_loop_go_on_while_a_script_runs(engine):
    turns = 0
    task = asyncio.create_task(code_of(engine, "for (;;) {}", SHORT))
    while not task.done():
        turns += 1
        await asyncio.sleep(0)

    assert task.result() == "SCRIPT_TIMEOUT"
    assert turns > 100  # a handful, were the loop held


async def test_no_name_of_the_host_is_there(engine):
    found = await run(engine, "return Object.getOwnPropertyNames(globalThis)")

    assert set(found) - OURS == ENGINE
    assert not set(found) & {
        "process",
        "require",
        "fetch",
        "setTimeout",
        "std",
        "os",
        "bjson",
        "Worker",
        "print",
        "scriptArgs",
        "__host",
    }


@pytest.mark.parametrize("name", ["fs", "std", "os", "qjs:std", "./prelude.js", "/etc/passwd"])
async def test_nothing_can_be_imported(engine, name):
    assert await code_of(engine, f"return Object.keys(await import({json.dumps(name)}))") == "SCRIPT_ERROR"


async def test_the_child_of_the_engine_can_open_nothing_and_has_no_environment(fresh, monkeypatch):
    monkeypatch.setenv("CAMSHAFT_TEST_SECRET", "hush")
    await run(fresh, "return 1")
    (pid,) = children()

    targets = {os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()}
    limits = Path(f"/proc/{pid}/limits").read_text()

    assert {target.split(":")[0] for target in targets} == {"socket", "/dev/null", f"/proc/{pid}/status"}
    assert re.search(r"Max open files +3 +3 ", limits)
    assert re.search(r"Max file size +0 +0 ", limits)
    assert "hush" not in Path(f"/proc/{pid}/environ").read_text()


async def test_nothing_of_one_script_is_seen_by_the_next(engine):
    await run(
        engine,
        "Object.prototype.bad = 1; Array.prototype.map = null; globalThis.left = 1; JSON.stringify = () => '\"no\"'; Promise.prototype.then = null",
    )

    assert await run(engine, "return [({}).bad ?? 'clean', typeof left, [1].map(x => x + 1)]") == ["clean", "undefined", [2]]


async def test_a_script_that_takes_the_language_apart_spoils_only_its_own_result(engine):
    assert await run(engine, "JSON.stringify = () => 'no JSON'; String = null; Array.isArray = null; return { a: 1 }") == {"a": 1}
    assert await run(engine, "Object.prototype.toJSON = () => 'mine'; return { a: 1 }") == "mine"


async def test_a_script_cannot_change_what_others_see(engine):
    given_names = names(list=[1])

    await engine.evaluate(scan("$.input.list.push(2); return $.input", form="body"), given_names, LIMITS)

    assert given_names["$"]["input"] == {"list": [1]}


@pytest.mark.parametrize(
    ("source", "place", "said"),
    [
        ("const a = 1;\n\n  const c = $.steps.mk.output;\nreturn c", "line 3:", "of undefined: const c = $.steps.mk.output;"),
        ("await 0;\nthrow new RangeError('late')", "line 2:", "RangeError: late"),
        ("function f() {\n  return nope\n}\nreturn f()", "line 2:", "ReferenceError: nope is not defined"),
        ("throw 'only text'", "threw only text", ""),
        ("throw { message: 'an object' }", "an object", ""),
        ("throw null", "threw null", ""),
        ("throw { get message() { throw 1 } }", "", ""),
    ],
)
async def test_an_error_names_its_line_and_says_what_it_is(engine, source, place, said):
    with pytest.raises(StepError) as caught:
        await run(engine, source)

    assert caught.value.code == "SCRIPT_ERROR"
    assert str(caught.value).startswith(place)
    assert said in str(caught.value)
    assert not caught.value.retryable


async def test_what_a_failed_script_told_the_console_is_kept_for_people(engine):
    with pytest.raises(StepError) as caught:
        await run(engine, "console.log('at', { n: 1 }); console.error([2]); throw new Error('x')")

    assert caught.value.output == {"console": ['at {"n":1}', "[2]"]}


@pytest.mark.parametrize("value", HOSTILE)
async def test_values_arrive_as_data_whatever_is_in_them(engine, value):
    assert await run(engine, "return $.input", value=value, **{value: [value]}) == {"value": value, value: [value]}


async def test_a_key_named_proto_is_a_key(engine):
    value = json.loads('{"__proto__": {"admin": true}, "constructor": {"prototype": 1}}')

    assert await run(engine, "return [$.input.value, $.input.value.admin ?? 'no', ({}).admin ?? 'no']", value=value) == [
        value,
        "no",
        "no",
    ]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=8) | st.sampled_from(["__proto__", "length"]), inner, max_size=4)
    ),
    max_leaves=20,
)


def normal(value):
    """As JSON numbers are compared: -0 is 0."""
    return json.loads(json.dumps(value), parse_float=lambda text: float(text) + 0.0)


async def test_any_json_value_comes_through_as_it_is(engine):
    await run(engine, "return 1")
    loop = asyncio.get_running_loop()

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(JSON_VALUES)
    def comes_through(value):
        future = asyncio.run_coroutine_threadsafe(run(engine, "[...''], $.input.value", form="expression", value=value), loop)
        assert normal(future.result(10)) == normal(value)

    await asyncio.to_thread(comes_through)


@pytest.mark.parametrize(
    "source",
    [
        "$.input.value",
        "[$.input.value]",
        "JSON.stringify($.input.value)",
        "Object.keys($.input).length",
        "typeof $.input.value",
        "`${[1].map(x => $.input.value)}`",
        "String($.input.value) === String($.input.value)",
    ],
)
async def test_the_engine_and_our_own_interpreter_agree_on_values(engine, source):
    ours = compile_expression(source)
    values = [
        0,
        -0.0,
        1.5,
        2**53,
        2**53 + 1,
        2**63,
        10**21,
        1e-7,
        True,
        None,
        "",
        "é😀\ud83d",
        [],
        {},
        [None],
        {"b": 1, "2": 2, "1": 3},
    ]

    for value in values:
        given_names = names(value=value)
        assert await engine.evaluate(Script(source, "expression"), given_names, LIMITS) == to_json(ours.evaluate(given_names)), (
            value
        )


async def test_a_value_of_ten_megabytes_goes_in_and_comes_out(engine):
    value = "é" * 5_000_000

    assert await run(engine, "return $.input.value", Limits(10, 256 * 1024 * 1024, 11_000_000), value=value) == value


async def test_data_that_are_too_deep_are_refused(engine):
    value = []
    for _ in range(5_000):
        value = [value]

    assert await code_of(engine, "return $.input", value=value) == "SCRIPT_INPUT"


async def test_a_cancelled_script_is_killed_and_the_next_one_runs(fresh):
    await run(fresh, "return 1")
    before = children()
    task = asyncio.create_task(run(fresh, "for (;;) {}", Limits(60, 64 * 1024 * 1024, 1024)))
    await asyncio.sleep(0)

    task.cancel()
    await asyncio.wait({task})

    assert task.cancelled()
    assert set(before).isdisjoint(children())
    assert await run(fresh, "return 3") == 3


async def test_more_scripts_than_processes_wait_for_their_turn(fresh):
    given_back = await asyncio.gather(*(run(fresh, f"return {number}") for number in range(20)))

    assert given_back == list(range(20))
    assert len(children()) == 2


async def test_a_child_that_was_killed_while_idle_is_replaced(fresh):
    await run(fresh, "return 1")
    (pid,) = children()
    os.kill(pid, 9)

    assert await run(fresh, "return 2") == 2
    assert pid not in children()


async def test_nothing_is_left_when_the_engine_is_closed(engine):
    await engine.close()
    made = QuickJs(2)
    await run(made, "return 1")

    await made.close()

    assert children() == []


def test_an_engine_serves_one_loop_after_another():
    made = QuickJs(1)

    assert asyncio.run(run(made, "return 1")) == 1
    assert asyncio.run(run(made, "return 2")) == 2
    asyncio.run(made.close())
