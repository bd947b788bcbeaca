"""`python`: a function of the flow's module in a child process."""

import asyncio
import json
import sys

import pytest

from flows.dialects import load_flow
from flows.errors import DefinitionError
from flows.executor import World, execute
from flows.steps import make_kinds
from flows.steps.python import Python, PythonSettings

MODULE = "it.py"
KINDS = make_kinds()
HOSTILE = ["'", '"', "\\", "\n", "\0", "\u2028", "😀", "\ud800", "{{x}}", "$(id)", "__import__('os')", "$.input"]


@pytest.fixture
def flow(tmp_path):
    def load(*sections, kinds=KINDS, **fields):
        steps = [{"id": f"s{number}", "type": "python", "python": section} for number, section in enumerate(sections)]
        return load_flow({"key": "t", "steps": steps, **fields}, key=None, folder=tmp_path, kinds=kinds)

    return load


@pytest.fixture
def run(flow):
    async def go(*sections, inputs=None, **settings):
        kinds = {**KINDS, "python": Python(PythonSettings(**settings))}
        world = World(kinds=kinds, find_flow=lambda _key: None, secret=lambda _name: "", env={"REGION": "eu"})
        return await execute(
            flow(*sections, kinds=kinds), inputs or {}, run_id="run_1", world=world, record=lambda _attempt: None
        )

    return go


def refused(flow, section):
    with pytest.raises(DefinitionError) as caught:
        flow(section)
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize(
    ("function", "section", "output"),
    [
        ("def run(context): return [context['input']['n'], context['env']['REGION']]", {}, [3, "eu"]),
        ("def run(n): return n * 2", {"input": "$.input.n"}, 6),
        ("def run(given): return given", {"input": {"n": "$.input.n", "text": "n={{$.input.n}}"}}, {"n": 3, "text": "n=3"}),
        ("def run(a, b=5): return [a, b]", {"args": ["$.input.n"]}, [3, 5]),
        ("def run(*, a, b): return [a, b]", {"args": {"a": "$.input.n", "b": None}}, [3, None]),
        ("def score(x): return x", {"function": "score", "input": False}, False),
        ("async def run(x):\n    import asyncio\n    await asyncio.sleep(0)\n    return x", {"input": 1}, 1),
        ("class run:\n    def __new__(cls, x): return [x]", {"input": 1}, [1]),
        ("from os.path import basename as run", {"input": "/a/b.txt"}, "b.txt"),
        ("run = lambda x: None", {"input": 1}, None),
        (
            "if True:\n    def run(x): return (x, float('nan'), {'a': float('inf'), 2: -0.0})",
            {"input": 1},
            [1, None, {"a": None, "2": 0.0}],
        ),
        (
            "from dataclasses import dataclass, asdict\n@dataclass\nclass P:\n    x: int\ndef run(x): return asdict(P(x))",
            {"input": 1},
            {"x": 1},
        ),
        ("def run(x): return 2 ** 70", {"input": 1}, 2**70),
    ],
)
async def test_a_function_is_given_its_arguments_and_its_result_is_the_output(run, lib, function, section, output):
    ended = await run({"module": lib(function), **section}, inputs={"n": 3})

    assert (ended.status, ended.output) == ("completed", output), ended.error


async def test_what_is_printed_does_not_touch_the_result(run, lib):
    text = "import os, sys, subprocess\nprint('at import')\ndef run(x):\n    print('{\"no\": 1}', flush=True)\n    os.write(1, b'raw')\n    subprocess.run(['echo', 'child'])\n    return {'yes': 1}"

    ended = await run({"module": lib(text), "input": 1})

    assert ended.output == {"yes": 1}
    assert all(said in ended.steps["s0"]["response"]["printed"] for said in ("at import", "raw", "child"))


async def test_a_module_imports_what_stands_beside_it_and_nothing_of_the_working_folder(run, lib, tmp_path):
    lib("VALUE = 7", "beside.py")
    (tmp_path / "json.py").write_text("raise SystemExit('shadowed')")

    ended = await run({"module": lib("import json, beside\ndef run(x): return json.loads(str(beside.VALUE))"), "input": 1})

    assert ended.output == 7
    assert not list(tmp_path.rglob("__pycache__"))


@pytest.mark.parametrize(
    ("function", "code", "said"),
    [
        ("def run(x):\n    return {}['missing']", "PYTHON_ERROR", "KeyError: 'missing' (line 2, in run)"),
        ("def run(x):\n    raise ValueError('no ' + str(x))", "PYTHON_ERROR", "ValueError: no 1"),
        ("1 / 0\ndef run(x): pass", "PYTHON_ERROR", "ZeroDivisionError"),
        ("import no_such_module\ndef run(x): pass", "PYTHON_ERROR", "no_such_module"),
        ("def run(): pass", "PYTHON_ERROR", "takes 0 positional arguments"),
        ("run = 5", "PYTHON_ERROR", "not callable"),
        ("def run(x): return {1, 2}", "PYTHON_RESULT", "set is not JSON serializable"),
        ("def run(x):\n    a = []\n    a.append(a)\n    return a", "PYTHON_RESULT", ""),
        ("import sys\ndef run(x): sys.exit(3)", "PYTHON_ERROR", "sys.exit(3)"),
        ("import os\ndef run(x): os._exit(4)", "EXIT_STATUS", "exit status 4"),
        ("import os, signal\ndef run(x): os.kill(os.getpid(), signal.SIGKILL)", "KILLED", "SIGKILL"),
        ("def run(x): return 'x' * 2_000_000", "OUTPUT_LIMIT", "max_output_bytes"),
        ("def run(x):\n    while True: print('x' * 1000)", "OUTPUT_LIMIT", "max_output_bytes"),
        (
            "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ndef run(x):\n    while True: pass",
            "TIMEOUT",
            "did not end within 1 s",
        ),
        ("def run(x): return bytearray(10 ** 9)", "PYTHON_ERROR", "MemoryError"),
        ("def run(x): return run(x)", "PYTHON_ERROR", "RecursionError"),
    ],
)
async def test_a_function_that_fails_ends_as_an_attempt_with_its_code(run, lib, function, code, said):
    timeout = {"timeout": 1000} if code == "TIMEOUT" else {}

    ended = await run(
        {"module": lib(function), "input": 1, **timeout}, grace_s=0.1, max_output_bytes=1_000_000, memory_bytes=512 * 1024 * 1024
    )

    assert (ended.status, ended.code) == ("failed", code), ended.error
    assert said in ended.error


async def test_a_failure_keeps_its_traceback_and_what_was_printed_and_no_secret(run, lib, monkeypatch):
    monkeypatch.setenv("CAMSHAFT_TEST_SECRET", "hush")
    text = "import os\nprint('so far')\ndef inner(d):\n    return d['k']\ndef run(x):\n    secret = str(os.environ)\n    return inner({})"

    ended = await run({"module": lib(text), "input": 1})

    kept = ended.steps["s0"]["partial"]
    assert "line 7, in run" in kept["traceback"]
    assert "line 4, in inner" in kept["traceback"]
    assert "python_child" not in kept["traceback"]
    assert kept["stderr"] == "so far"
    assert "hush" not in json.dumps(ended.steps)


@pytest.mark.parametrize("value", HOSTILE)
async def test_values_arrive_as_data_whatever_is_in_them(run, lib, value):
    ended = await run({"module": lib("def run(v): return [v]"), "input": "$.input.v"}, inputs={"v": value})

    assert ended.output == [value]


async def test_a_large_value_goes_in_and_comes_out(run, lib):
    ended = await run({"module": lib("def run(v): return v"), "input": "$.input.v"}, inputs={"v": "é" * 3_000_000})

    assert ended.output == "é" * 3_000_000


async def test_a_cancelled_function_takes_what_it_started_along(run, lib, tmp_path):
    mark = tmp_path / "mark"
    text = f"import subprocess, time\ndef run(x):\n    child = subprocess.Popen(['sleep', '600'])\n    open({str(mark)!r}, 'w').write(str(child.pid))\n    time.sleep(600)"
    task = asyncio.create_task(run({"module": lib(text), "input": 1}, grace_s=0.1))
    while not (mark.exists() and mark.read_text()):
        await asyncio.sleep(0.01)

    task.cancel()
    await asyncio.wait({task})

    state = tmp_path.__class__(f"/proc/{mark.read_text()}/stat")
    while state.exists() and state.read_text().rpartition(")")[2].split()[0] not in "ZX":  # whoever reaps it takes a moment
        await asyncio.sleep(0.01)
    assert task.cancelled()


async def test_another_interpreter_may_be_named(run, lib):
    ended = await run({"module": lib("import sys\ndef run(x): return sys.executable"), "input": 1}, python=sys.executable)
    missing = await run({"module": lib("def run(x): pass"), "input": 1}, python="no-such-python")

    assert ended.output == sys.executable
    assert missing.code == "BINARY_MISSING"


@pytest.mark.parametrize(
    ("text", "section", "code", "path", "said"),
    [
        ("def run(x):\n    return (", {}, "PYTHON_SYNTAX", "module", "lib/it.py:2:12: "),
        ("x = '\0'", {}, "PYTHON_SYNTAX", "module", "lib/it.py"),
        ("(" * 10000, {}, "PYTHON_SYNTAX", "module", "lib/it.py"),
        ("def score(x): pass", {"function": "scor"}, "PYTHON_FUNCTION", "function", "lib/it.py has no «scor»"),
        ("def f():\n    def run(): pass", {}, "PYTHON_FUNCTION", "function", "has no «run»"),
        ("def run(x): pass", {"module": "../it.py"}, "DEFINITION", "module", "leads out"),
        ("def run(x): pass", {"module": "lib/no.py"}, "DEFINITION", "module", "is not there"),
        ("def run(x): pass", {"module": "lib/it.mjs"}, "DEFINITION", "module", "is no file"),
    ],
)
def test_a_mistake_is_refused_at_load_and_nothing_is_imported(flow, lib, tmp_path, text, section, code, path, said):
    module = lib(f"{text}\nopen({str(tmp_path / 'ran')!r}, 'w')")

    problem = refused(flow, {"module": module, **section})

    assert (problem.code, problem.path) == (code, ("steps", 0, "python", path))
    assert said in problem.problem
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("section", "path"),
    [
        ({"input": "$.input["}, ("input",)),
        ({"args": ["$.a", "$.input["]}, ("args", 1)),
        ({"args": {"k": "$.input["}}, ("args", "k")),
    ],
)
def test_a_wrong_path_is_refused_where_it_stands(flow, lib, section, path):
    assert refused(flow, {"module": lib("def run(x): pass"), **section}).path == ("steps", 0, "python", *path)


def test_input_and_args_exclude_each_other(flow, lib):
    assert "one of input and args" in str(refused(flow, {"module": lib("def run(x): pass"), "input": 1, "args": [1]}))


def test_what_its_input_refers_to_is_checked(flow, lib):
    assert refused(flow, {"module": lib("def run(x): pass"), "input": ["$.steps.gone.output"]}).code == "REFERENCE_STEP"


def test_names_that_cannot_be_known_are_let_through(flow, lib):
    assert flow({"module": lib("from os.path import *"), "function": "basename"}).graph.steps[0].kind == "python"
