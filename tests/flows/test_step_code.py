"""`code`: inline source in the engine, modules in node."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from flows.dialects import load_flow
from flows.errors import DefinitionError
from flows.executor import World, execute
from flows.steps import make_kinds
from flows.steps.code_ import Code, CodeSettings

MODULE = "it.mjs"
READ = "const $ = JSON.parse(await new Response(process.stdin).text());\n"
HOSTILE = ["'", '"', "`", "${$.input}", "</script>", "\u2028", "\0", "\\", "$(id)", "{{x}}", "\n", "😀", "\ud800"]
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not on PATH, and modules run in it")


@pytest.fixture(scope="module")
def kinds():
    made = make_kinds()
    yield made
    for kind in made.values():
        asyncio.run(kind.close())


@pytest.fixture
def flow(kinds, tmp_path):
    def load(*steps, using=None, **fields):
        listed = [
            step if "id" in step else {"id": f"s{number}", "type": "code", "code": step} for number, step in enumerate(steps)
        ]
        return load_flow({"key": "t", "steps": listed, **fields}, key=None, folder=tmp_path, kinds=using or kinds)

    return load


@pytest.fixture
def run(flow, kinds):
    async def go(*steps, inputs=None, using=None, env=None):
        world = World(kinds=using or kinds, find_flow=lambda _key: None, secret=lambda _name: "", env=env or {})
        return await execute(flow(*steps, using=using), inputs or {}, run_id="run_1", world=world, record=lambda _attempt: None)

    return go


def problems(flow, *steps, **fields):
    with pytest.raises(DefinitionError) as caught:
        flow(*steps, **fields)
    return caught.value.problems


# -- source


async def test_a_source_is_the_body_of_an_async_function_of_the_context(run):
    source = "const customers = $.input.list;\nconst n = await Promise.resolve(1000);\nreturn customers.map(c => ({...c, tier: c.spend > n ? 'gold' : 'silver'}));"

    ended = await run({"source": source}, inputs={"list": [{"spend": 5}, {"spend": 5000}]})

    assert ended.output == [{"spend": 5, "tier": "silver"}, {"spend": 5000, "tier": "gold"}]
    assert ended.steps["s0"]["response"] == ended.output


async def test_a_source_may_require_the_four_documented_modules_and_no_other(run):
    ended = await run(
        {
            "source": "return [typeof require('crypto').createHash, typeof (await require('node:buffer')).Buffer, require('path').basename('/a/b'), new (require('url').URL)('https://a.b/c').host]"
        }
    )
    blocked = await run({"source": "return require('node:fs')"})

    assert ended.output == ["function", "function", "b", "a.b"]
    assert (blocked.code, "fs" in blocked.error) == ("SCRIPT_ERROR", True)


async def test_a_source_that_throws_names_the_line_and_shows_it(run):
    ended = await run({"source": "const a = 1;\n\n  const c = $.input.data.score;\nreturn c"})

    assert ended.code == "SCRIPT_ERROR"
    assert "line 3:" in ended.error
    assert ended.error.endswith("const c = $.input.data.score;")


def test_a_source_with_a_mistake_is_refused_at_its_place(flow):
    (problem,) = problems(flow, {"source": "const a = 1;\nlet b = ;\nreturn a"})

    assert (problem.code, problem.path) == ("SCRIPT_SYNTAX", ("steps", 0, "code", "source"))
    assert abs(problem.offset - 21) <= 1


@pytest.mark.parametrize("section", [{}, {"source": "return 1", "module": "lib/it.mjs"}])
def test_a_step_has_a_source_or_a_module(flow, section):
    (problem,) = problems(flow, section)

    assert "one of source and module" in str(problem)


def test_a_source_that_names_what_only_node_has_is_warned_of(flow):
    warnings = flow(
        {"source": "const fetch2 = 1; return await fetch('https://x') + process.env.HOME + typeof setTimeout"}
    ).warnings

    assert [warning.problem for warning in warnings] == [
        "`fetch` is not there in inline code",
        "`process` is not there in inline code",
    ]


def test_references_in_a_source_are_checked_and_those_in_texts_are_not(flow):
    found = problems(
        flow,
        {"source": "// $.steps.nope\nreturn '$.steps.nope' + $.steps.s1.output"},
        {"source": "return $.input.company + $.input.compnay + $.steps.gone.output"},
        inputs={"company": {"type": "string"}},
    )

    assert [problem.code for problem in found] == ["REFERENCE_ORDER", "REFERENCE_INPUT", "REFERENCE_STEP"]
    assert [(problem.path[1:], problem.offset) for problem in found] == [
        ((0, "code", "source"), 40),
        ((1, "code", "source"), 25),
        ((1, "code", "source"), 43),
    ]


@pytest.mark.parametrize("value", HOSTILE)
async def test_values_reach_a_source_as_data(run, value):
    ended = await run({"source": "return [$.input.v, $.input.v.length]"}, inputs={"v": value})

    assert ended.output[0] == value


# -- module


@needs_node
async def test_a_module_is_given_the_context_and_prints_its_result(run, lib):
    module = lib(
        READ
        + "process.stdout.write(JSON.stringify({ items: $.steps.s0.output.filter(i => i.ok), i: $.input.n, r: $.env.REGION }))"
    )

    ended = await run(
        {"source": "return [{ ok: true }, { ok: false }]"}, {"module": module}, inputs={"n": 2}, env={"REGION": "eu"}
    )

    assert ended.output == {"items": [{"ok": True}], "i": 2, "r": "eu"}
    assert ended.steps["s1"]["response"] == ended.output


@needs_node
@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("process.stdout.write('no json')", "BAD_JSON", "no json"),
        ("throw new Error('from inside')", "EXIT_STATUS", "from inside"),
        ("process.exit(3)", "EXIT_STATUS", "exit status 3"),
        ("process.kill(process.pid, 'SIGKILL'); await new Promise(() => setTimeout(() => {}, 1e6))", "KILLED", "SIGKILL"),
        ("process.stdout.write(Buffer.from([255, 254]))", "OUTPUT_ENCODING", "UTF-8"),
        ("import fs from 'node:fs'; for (;;) fs.writeSync(1, 'x'.repeat(65536))", "OUTPUT_LIMIT", "max_output_bytes"),
        ("process.on('SIGTERM', () => {}); for (;;) {}", "TIMEOUT", "did not end within"),
    ],
)
async def test_a_module_that_fails_ends_as_an_attempt_with_its_code(run, lib, body, code, said):
    using = {**make_kinds(), "code": Code(CodeSettings(module_timeout_s=3, grace_s=0.1, max_output_bytes=1_000_000))}

    ended = await run({"module": lib(body)}, using=using)

    assert (ended.status, ended.code) == ("failed", code)
    assert said in ended.error


@needs_node
async def test_a_module_that_prints_nothing_gives_null_and_fences_are_taken_off(run, lib):
    silent = await run({"module": lib("")})
    fenced = await run({"module": lib("console.log('```json\\n[1]\\n```')")})

    assert (silent.status, silent.output) == ("completed", None)
    assert fenced.output == [1]


@needs_node
async def test_a_module_that_does_not_read_its_input_is_no_broken_pipe(run, lib):
    ended = await run({"module": lib("process.stdout.write('1')")}, inputs={"large": "x" * 5_000_000})

    assert ended.output == 1


@needs_node
@pytest.mark.parametrize("value", HOSTILE)
async def test_values_reach_a_module_as_data(run, lib, value):
    ended = await run({"module": lib(READ + "process.stdout.write(JSON.stringify([$.input.v]))")}, inputs={"v": value})

    assert ended.output == [value]


@needs_node
async def test_a_module_sees_only_the_environment_that_is_allowed(run, lib, monkeypatch):
    monkeypatch.setenv("CAMSHAFT_TEST_SECRET", "hush")

    ended = await run({"module": lib("process.stdout.write(JSON.stringify(process.env))")})

    assert "hush" not in json.dumps(ended.output)
    assert {"PATH", "CAMSHAFT_RUN_ID", "CAMSHAFT_STEP", "CAMSHAFT_ATTEMPT", "CAMSHAFT_IDEMPOTENCY_KEY"} <= set(ended.output)


@needs_node
async def test_a_cancelled_module_takes_what_it_started_along(run, lib, tmp_path):
    mark = tmp_path / "pid"
    module = lib(
        f"import {{ spawn }} from 'node:child_process'; import fs from 'node:fs'; const c = spawn('sleep', ['600']); fs.writeFileSync({str(mark)!r}, String(c.pid)); await new Promise(() => setTimeout(() => {{}}, 1e6))"
    )
    task = asyncio.create_task(run({"module": module}))
    while not (mark.exists() and mark.read_text()):
        await asyncio.sleep(0.01)

    task.cancel()
    await asyncio.wait({task})

    state = Path(f"/proc/{mark.read_text()}/stat")
    while state.exists() and state.read_text().rpartition(")")[2].split()[0] not in "ZX":  # whoever reaps it takes a moment
        await asyncio.sleep(0.01)
    assert task.cancelled()


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("/etc/passwd.mjs", "leads out"),
        ("../x.mjs", "leads out"),
        ("lib/../../x.mjs", "leads out"),
        ("lib/none.mjs", "is not there"),
        ("lib/it.py", "is no file that this step runs"),
        ("lib", "is no file that this step runs"),
    ],
)
def test_a_module_that_is_none_of_the_flows_own_is_refused(flow, module, said):
    (problem,) = problems(flow, {"module": module})

    assert problem.path == ("steps", 0, "code", "module")
    assert said in problem.problem


def test_a_link_that_leads_out_of_the_folder_is_refused(flow, tmp_path, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "x.mjs"
    outside.write_text("1")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "x.mjs").symlink_to(outside)

    (problem,) = problems(flow, {"module": "lib/x.mjs"})

    assert "is a link that leads out" in problem.problem


def test_a_mistake_in_a_module_is_told_with_its_line(flow, lib):
    (problem,) = problems(flow, {"module": lib("const a = 1\nconst b = ;\n")})

    assert problem.code == "SCRIPT_SYNTAX"
    assert problem.problem.startswith("lib/it.mjs:2:11: ")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("it.mjs", "#!/usr/bin/env node\nimport fs from 'node:fs'\nexport const x = await 1\nfor (;;) {}"),
        ("it.cjs", "const fs = require('fs'); if (!fs) return; with ({}) {}"),
        ("it.js", "const fs = require('fs'); return"),
        ("it.js", "import fs from 'fs'"),
        ("it.mjs", "\ufeffexport default 1"),
    ],
)
def test_a_module_is_read_as_its_name_says_and_not_run(flow, lib, name, text):
    assert flow({"module": lib(text, name)}).graph.steps[0].prepared.written == f"lib/{name}"


@needs_node
def test_where_the_engine_and_node_disagree_node_has_the_last_word(flow, lib):
    text = "import data from './x.json' with { type: 'json' };\nconst { a, ...b } = data;\nhtml: <!-- not a comment in a module"

    (problem,) = problems(flow, {"module": lib(text)})

    assert problem.problem.startswith("lib/it.mjs:3:")


def test_a_machine_without_node_is_warned_of_and_the_attempt_says_so(flow, lib):
    using = {**make_kinds(), "code": Code(CodeSettings(node="no-such-node"))}

    (warning,) = flow({"module": lib("1")}, using=using).warnings

    assert "no-such-node is not on PATH" in warning.problem


async def test_a_module_fails_with_a_code_where_node_is_missing(run, lib):
    using = {**make_kinds(), "code": Code(CodeSettings(node="no-such-node"))}

    ended = await run({"module": lib("1")}, using=using)

    assert ended.code == "BINARY_MISSING"


async def test_a_module_that_was_taken_away_fails_with_a_code(run, lib, flow, kinds, tmp_path):
    loaded = flow({"module": lib("1")})
    (tmp_path / "lib" / "it.mjs").unlink()
    world = World(kinds=kinds, find_flow=lambda _key: None, secret=lambda _name: "")

    ended = await execute(loaded, {}, run_id="run_1", world=world, record=lambda _attempt: None)

    assert ended.code == "MODULE_NOT_FOUND"


def test_references_in_a_module_are_checked(flow, lib):
    found = problems(flow, {"module": lib(READ + "console.log($.steps.gone.output, $.input.nope, '$.steps.text')")}, inputs={})

    assert [problem.code for problem in found] == ["REFERENCE_STEP", "REFERENCE_INPUT"]
    assert [problem.problem for problem in found] == [
        "lib/it.mjs:2:13: there is no step «gone»",
        "lib/it.mjs:2:34: the flow has no input «nope»",
    ]


# -- both


async def test_other_branches_keep_their_results_when_a_script_does_not_end(run):
    endless = {"id": "endless", "type": "code", "timeoutMs": 300, "code": {"source": "for (;;) {}"}}
    large = {"id": "large", "type": "code", "code": {"source": "const a = []; for (;;) a.push(new Array(1000).fill(1))"}}
    other = {"id": "other", "type": "code", "code": {"source": "return 'kept'"}}

    ended = await run({"id": "all", "type": "parallel", "parallel": {"steps": [endless, large, other]}})

    assert ended.status == "failed"
    assert (ended.steps["endless"]["status"], ended.steps["endless"]["errorCode"]) == ("timeout", "TIMEOUT")
    assert (ended.steps["large"]["status"], ended.steps["large"]["errorCode"]) == ("failed", "SCRIPT_MEMORY")
    assert ended.steps["other"]["output"] == "kept"


async def test_a_script_that_fails_is_not_tried_again_unless_asked(run):
    step = {
        "id": "s",
        "type": "code",
        "code": {"source": "throw new Error('busy')"},
        "onError": {"strategy": "retry", "retries": 2, "retryDelayMs": 1},
    }

    once = await run(step)
    asked = await run({**step, "onError": {**step["onError"], "retryOn": ["SCRIPT_ERROR"]}})

    assert (once.steps["s"]["attempts"], asked.steps["s"]["attempts"]) == (1, 3)
