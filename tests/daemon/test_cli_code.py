"""Code in a flow, as people meet it on the command line."""

import io
import json
import os

import pytest

from daemon.cli import main

FLOW = {
    "key": "score",
    "inputs": {"names": {"type": "array"}, "unused": {"required": False}},
    "steps": [
        {"id": "plain", "type": "transform", "transform": {"expression": "$.input.names.length"}},
        {"id": "spread", "type": "transform", "transform": {"expression": "[...$.input.names].sort()"}},
        {
            "id": "inline",
            "type": "code",
            "code": {
                "source": "const { createHash } = require('crypto')\nreturn $.steps.spread.output.map(name => ({ name, id: createHash('md5').update(name).digest('hex').slice(0, 4) }))"
            },
        },
        {
            "id": "scored",
            "type": "python",
            "python": {"module": "lib/score.py", "function": "score", "input": "$.steps.inline.output"},
        },
    ],
}
SCORE = "import statistics\n\ndef score(people):\n    print('scoring', len(people))\n    return {'mean': statistics.mean(len(one['name']) for one in people), 'first': people[0]}\n"


@pytest.fixture
def camshaft(capfd, monkeypatch, tmp_path):
    """One command in this process: what it printed and what it said."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("CAMSHAFT_")]:
        monkeypatch.delenv(name)

    def command(*arguments, status=0):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b""), encoding="utf-8"))
        done = main([str(one) for one in arguments])
        told = capfd.readouterr()
        assert done == status, told.out + told.err
        return told

    return command


def written(folder, flow=FLOW, **lib):
    place = folder / "home" / "flows" / "score"
    (place / "lib").mkdir(parents=True)
    (place / "flow.json").write_text(json.dumps(flow, indent=1))
    for name, text in {"score_py": SCORE, **lib}.items():
        (place / "lib" / name.replace("_", ".")).write_text(text)
    return folder / "home"


def test_a_flow_runs_its_code_each_in_its_own_place(camshaft, tmp_path):
    home = written(tmp_path)

    run = json.loads(camshaft("flow", "execute", "score", "-i", 'names=["bo", "amy"]', "--home", home, "-o", "json").out)

    assert (run["status"], run["output"]) == ("completed", {"mean": 2.5, "first": {"name": "amy", "id": "7771"}})


def test_flow_show_tells_what_runs_the_code_of_each_step(camshaft, tmp_path):
    shown = json.loads(camshaft("flow", "show", "score", "--home", written(tmp_path), "-o", "json").out)

    assert shown["engines"] == {"plain": "expression", "spread": "javascript", "inline": "javascript", "scored": "python"}
    assert (shown["needs"]["node"], shown["needs"]["python"]) == (False, True)


def test_validate_finds_mistakes_and_references_inside_code_with_their_lines(camshaft, tmp_path):
    steps = [
        {"id": "a", "type": "code", "code": {"source": "const x = 1\nreturn $.steps.later.output"}},
        {"id": "later", "type": "code", "code": {"source": "let a = 1\nlet a = 2"}},
        {"id": "module", "type": "code", "code": {"module": "lib/it.mjs"}},
        {"id": "python", "type": "python", "python": {"module": "lib/broken.py"}},
    ]
    home = written(
        tmp_path, {**FLOW, "steps": steps}, it_mjs="const $ = JSON.parse(x)\nconst b = ;\n", broken_py="def run(x):\n  return )\n"
    )

    said = camshaft("validate", home, status=3).out

    assert "flow.json:" in said
    assert "steps[0].code.source: step «later» has not run when «a» starts" in said
    assert "steps[1].code.source: invalid redefinition" in said
    assert "steps[2].code.module: lib/it.mjs:2:11: " in said
    assert "steps[3].python.module: lib/broken.py:2:10: " in said


def test_an_input_that_only_code_reads_is_not_called_unused(camshaft, tmp_path):
    told = camshaft("flow", "validate", "score", "--home", written(tmp_path)).err

    assert "inputs.unused: nothing reads this input" in told
    assert "inputs.names" not in told


def test_a_dry_run_runs_no_code_and_tells_what_it_refers_to(camshaft, tmp_path):
    done = camshaft("flow", "execute", "score", "--dry-run", "-i", 'names=["bo"]', "--home", written(tmp_path), "-o", "json")
    steps = {step["stepId"]: step for step in json.loads(done.out)["steps"]}

    assert steps["plain"]["resolved"] == 1
    assert [each["status"] for each in steps["spread"]["references"]] == ["resolved"]
    assert [each["status"] for each in steps["inline"]["references"]] == ["deferred"]
