"""`camshaft flow graph` with and without a daemon: the flow as it is, and a run as it was."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

pytestmark = pytest.mark.long

LOOP = {
    "key": "count",
    "nodes": [
        {"id": "n", "type": "transform", "config": {"expression": "0"}},
        {"id": "add", "type": "transform", "label": "Add <one>", "config": {"expression": "data + 1"}},
        {"id": "again", "type": "loop", "config": {"targetNode": "add", "condition": "data < 3"}},
        {"id": "big", "type": "condition", "config": {"condition": "data > 9", "trueBranch": "yes", "falseBranch": "no"}},
        {"id": "yes", "type": "transform", "config": {"expression": "1"}},
        {"id": "no", "type": "transform", "config": {"expression": "2"}},
    ],
    "edges": [
        {"source": "n", "target": "add"},
        {"source": "add", "target": "again"},
        {"source": "again", "target": "big"},
    ],
}


@pytest.fixture
def counting(home, write):
    write(home, "flows/count.json", LOOP)
    return home


def test_a_flow_is_drawn_without_a_daemon(counting, run):
    text = run("flow", "graph", "count", home=counting)
    svg = run("flow", "graph", "count", "-o", "svg", home=counting)
    mermaid = run("flow", "graph", "count", "-o", "mermaid", home=counting)
    none = run("flow", "graph", "coun", home=counting)

    assert text.stdout.splitlines()[:4] == [
        "count",
        "n [transform]                    → again",
        "again [loop] at most 100 rounds  → big",
        "  Add <one> [transform]          → again",
    ]
    assert ET.fromstring(svg.stdout).tag == "{http://www.w3.org/2000/svg}svg"
    assert mermaid.stdout.startswith("flowchart TD\n")
    assert (none.returncode, "did you mean «count»" in none.stderr) == (4, True)


async def test_a_run_is_drawn_with_the_version_that_it_pins_also_when_that_is_changed_since(
    counting, daemon_of, run, run_json, write
):
    await daemon_of(counting)
    ended = run_json("flow", "execute", "count", home=counting)
    write(counting, "flows/count.json", LOOP | {"nodes": LOOP["nodes"][:1], "edges": []})
    run_json("reload", home=counting)

    now = run("flow", "graph", "count", home=counting)
    then = run("flow", "graph", "count", "--run", ended["run"], home=counting)
    svg = run("flow", "graph", "count", "--run", ended["run"], "-o", "svg", home=counting)
    other = run("flow", "graph", "deal-process", "--run", ended["run"], home=counting)

    states = {line.split("[")[0].strip(): line.split("]")[1].split("→")[0].strip() for line in then.stdout.splitlines()[1:]}
    assert len(now.stdout.splitlines()) == 2
    assert f"({ended['run']} completed)" in then.stdout
    assert set(states) == {"✓ n", "✓ again", "✓ Add <one>", "✓ big", "✓ no", "– yes"}
    assert states["✓ Add <one>"].endswith("×3")
    assert "Add &lt;one&gt;" in svg.stdout
    assert (other.returncode, "is one of «count»" in other.stderr) == (4, True)


async def test_a_run_under_way_shows_what_runs_waits_and_was_not_reached(home, write, daemon_of, run, run_json):
    write(
        home,
        "flows/slow.json",
        {
            "steps": [
                {"id": "first", "type": "transform", "transform": {"expression": "1"}},
                {"id": "rest", "type": "wait", "wait": {"for": "1h"}},
                {"id": "last", "type": "transform", "transform": {"expression": "2"}},
            ]
        },
    )
    daemon = await daemon_of(home)
    started = run_json("flow", "execute", "slow", "--detach", home=home)
    await daemon.until("SELECT 1 FROM runs WHERE status = 'waiting'")

    drawn = run("flow", "graph", "slow", "--run", started["run"], home=home)

    assert [line.split(" → ")[0].split()[0] for line in drawn.stdout.splitlines()[1:]] == ["✓", "◷", "·"]
