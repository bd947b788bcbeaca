"""Drawings of flows: everything stands in them once, nothing stands over anything else, and no label is more than text."""

from __future__ import annotations

import math
import re
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.attempt import Attempt
from flows.dialects import load_flow
from flows.drawing import draw
from flows.drawing.form import Box, Group, drawn, keys_of
from flows.drawing.marks import Mark, marks_of
from flows.drawing.plain import columns, plain
from flows.steps import make_kinds
from tests.flows.test_dialect_nodes import ask, calc, edge, flow
from tests.flows.test_nodes_loops import back, row
from tests.flows.test_nodes_loops_agree import programs

KINDS = make_kinds()

SVG = "{http://www.w3.org/2000/svg}"


def load(definition, key="k"):
    return load_flow(definition, key=key, folder=Path("/flows"), kinds=KINDS)


def steps(*given, **more):
    return {"key": "s", "steps": list(given), **more}


def do(name, **more):
    return {"id": name, "type": "transform", "transform": {"expression": "1"}, **more}


# -- reading what was drawn


def rects(svg):
    """data-step or data-group → (x, y, right, bottom)."""
    found = {}
    for group in ET.fromstring(svg).iter(f"{SVG}g"):
        key = group.get("data-step") if group.get("data-step") is not None else group.get("data-group")
        if key is not None:
            rect = group.find(f"{SVG}rect")
            x, y, width, height = (float(rect.get(name)) for name in ("x", "y", "width", "height"))
            assert (group.tag, key) not in found
            found[key] = (x, y, x + width, y + height)
    return found


def lines_of(svg):
    return [
        (group.get("data-from"), group.get("data-to"), group.get("class").removeprefix("line "))
        for group in ET.fromstring(svg).iter(f"{SVG}g")
        if group.get("data-from") is not None
    ]


def over(one, other):
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


LABEL = r"(?:[A-Za-z0-9 .,:_/=+*$'!?\u00a0-\U0010ffff-]|#\d+;)*"

MERMAID = {
    "head": r"flowchart TD",
    "comment": r"%% .*",
    "subgraph": rf' *subgraph (?P<group>g\d+)\["{LABEL}"\]',
    "direction": r" *direction TB",
    "end": r" *end",
    "node": rf' *(?P<node>n\d+)(?:\["{LABEL}<br/>{LABEL}"\]|{{"{LABEL}<br/>{LABEL}"}})',
    "edge": rf' *(?P<source>[gn]\d+) (?P<link>-->|-\.->|==>)(?:\|"{LABEL}"\|)? (?P<target>[gn]\d+)',
    "classDef": r"  classDef (?P<def>\w+) [\w:#,; -]+",
    "class": r"  class n\d+(?:,n\d+)* (?P<class>\w+)",
}


def read_mermaid(text):
    """Every line is one of the forms, groups are closed, and what an edge names was there before. Nodes, groups and edges."""
    nodes, groups, edges, depth, defined = [], [], [], 0, set()
    assert text.endswith("\n")
    for line in text.removesuffix("\n").split("\n"):
        kind, found = next((kind, found) for kind, form in MERMAID.items() if (found := re.fullmatch(form, line)))
        if kind == "subgraph":
            groups.append(found["group"])
            depth += 1
        elif kind == "end":
            depth -= 1
            assert depth >= 0
        elif kind == "node":
            nodes.append(found["node"])
        elif kind == "edge":
            assert {found["source"], found["target"]} <= {*nodes, *groups}
            edges.append((found["source"], found["link"], found["target"]))
        elif kind == "classDef":
            defined.add(found["def"])
        elif kind == "class":
            assert found["class"] in defined
    assert depth == 0
    assert len(set(nodes)) == len(nodes)
    assert len(set(groups)) == len(groups)
    return nodes, groups, edges


def hold(definition, marks=None):
    """What is true of every drawing."""
    loaded = load(definition)
    form = drawn(loaded)
    members = [member for group in form.groups() for member in group.members]
    boxes = [member.key for member in members if isinstance(member, Box)]
    groups = [member.key for member in members if isinstance(member, Group)]
    arrows = [(arrow.source, arrow.target, arrow.form) for group in form.groups() for arrow in group.arrows]

    svg, mermaid, text = (draw(loaded, name, marks) for name in ("svg", "mermaid", "text"))

    placed = rects(svg)
    assert sorted(placed) == sorted([*boxes, *groups, *(handler.key for handler in form.handlers)])
    assert sorted(lines_of(svg)) == sorted(arrows)
    for one, other in combinations(boxes, 2):
        assert not over(placed[one], placed[other]), (one, other)
    for group in form.groups():
        inside = [placed[member.key] for member in group.members]
        assert not any(over(one, other) for one, other in combinations(inside, 2))
        around = placed.get(group.key)
        if around is not None:
            assert all(
                around[0] <= x and around[1] <= y and right <= around[2] and bottom <= around[3] for x, y, right, bottom in inside
            )
    nodes, subgraphs, edges = read_mermaid(mermaid)
    assert (len(nodes), len(subgraphs), len(edges)) == (len(boxes), len(groups) + len(form.handlers), len(arrows))
    assert len(text.splitlines()) == 1 + len(members) + len(form.handlers)
    assert sum(text.count(sign) for sign in "→⇢↺") >= len(arrows)
    return svg, mermaid, text


# -- constructs


async def test_conditions_have_a_label_for_each_answer_and_edges_their_own():
    nodes = (ask("c", "data > 1"), calc("a"), calc("b"))
    svg, mermaid, text = hold(flow(*nodes, edges=[edge("c", "a", "true", label="big"), edge("c", "b", "false")]))

    assert ">true: big<" in svg
    assert 'n0 -->|"true: big"| n1' in mermaid
    assert "→ true: big: a  → false: b" in text


def test_containers_are_groups_and_a_condition_has_one_for_each_branch():
    inner = {"id": "each", "type": "loop", "loop": {"over": "$.input.items", "steps": [do("a"), do("b")]}}
    choice = {"id": "if", "type": "condition", "condition": {"expression": "true", "then": [inner], "else": [do("no")]}}
    beside = {"id": "p", "type": "parallel", "parallel": {"steps": [do("x"), do("y")]}}
    svg, _, text = hold(steps(choice, beside, {"id": "w", "type": "while", "while": {"condition": "false", "steps": [do("i")]}}))

    assert {"if", "if:then", "if:else", "if.each", "if.each.a", "if.no", "p", "p.x", "w.i"} <= set(rects(svg))
    assert "      a [transform]" in text
    assert "each [loop] over $.input.items" in text


def test_an_empty_container_is_a_box():
    svg, _, _ = hold(steps({"id": "each", "type": "loop", "loop": {"over": [], "steps": []}}))

    assert list(rects(svg)) == ["each"]


def test_what_stands_in_is_led_to_by_a_broken_line():
    svg, mermaid, text = hold(steps(do("a", onError={"strategy": "fallback", "fallbackStepId": "b"}), do("b"), do("c")))

    assert sorted(lines_of(svg)) == [("a", "b", "fallback"), ("a", "c", "next")]
    assert '-.->|"on failure"|' in mermaid
    assert "⇢ on failure: b" in text


def test_a_loop_to_a_node_goes_back_inside_its_group_and_says_how_it_is_left():
    nodes = (calc("n"), ask("more", "data < 3"), calc("work"), back("again", "more", condition="data < 5"), calc("done"))
    edges = [*row("n", "more"), edge("more", "work", "true"), *row("work", "again"), edge("more", "done", "false")]
    svg, mermaid, text = hold(flow(*nodes, edges=edges))

    assert ("again.again", "again.more", "back") in lines_of(svg)
    assert '==>|"while data #60; 5"|' in mermaid
    assert "↺ while data < 5: more" in text
    assert "again [loop] at most 100 rounds" in text


def test_a_continuous_workflow_goes_back_by_the_next_run():
    nodes = (ask("check", "go"), calc("work"), back("loop_back", "check"), calc("end"))
    definition = {"nodes": [*nodes[:3]], "settings": {"executionMode": "continuous", "loopDelay": 60000}}
    svg, mermaid, text = hold(definition)
    hold({"nodes": [calc("a")], "settings": {"executionMode": "continuous"}})

    assert ("loop_back", "check", "back") in lines_of(svg)
    assert '==>|"next run"|' in mermaid
    assert "(continuous: where the loop goes back after 60 s)" in text


def test_handlers_stand_below_as_groups_of_their_own():
    definition = steps(do("a"), onFailure=[do("tell")], onCancel=[do("undo")], **{"finally": [do("clean"), do("more")]})
    svg, _, text = hold(definition)
    placed = rects(svg)

    assert {"onFailure", "onCancel", "finally", "finally/clean"} <= set(placed)
    assert all(placed[name][1] > placed["a"][3] for name in ("onFailure", "onCancel", "finally"))
    assert "finally:\n" in text


def test_a_sub_flow_that_is_known_stands_inside_and_one_that_is_not_is_a_box():
    inner = load(steps(do("look"), {"id": "deep", "type": "flow", "flow": {"key": "inner"}}), key="inner")
    definition = steps(
        {"id": "call", "type": "flow", "flow": {"key": "inner"}}, {"id": "any", "type": "flow", "flow": {"key": "{{$.input.k}}"}}
    )
    loaded = load(definition)
    from dataclasses import replace

    known = replace(loaded, pinned={"inner": replace(inner, pinned={"inner": inner})})

    assert set(keys_of(drawn(known))) == {"call", "call/look", "call/deep", "any"}
    assert set(keys_of(drawn(loaded))) == {"call", "any"}


# -- a run


def attempt(path, status="success", number=1, duration_ms=1200):
    return Attempt(path, re.split(r"[./]", path)[-1], "transform", number, status, 100.0 + number, duration_ms=duration_ms)


def test_states_and_durations_are_those_of_the_run_and_what_has_no_record_was_not_reached():
    each = {"id": "each", "type": "loop", "loop": {"over": [1, 2], "steps": [do("a")]}}
    loaded = load(
        steps(do("first"), each, do("skip"), do("late"), {"id": "w", "type": "wait", "wait": {"for": "1h"}}, do("never"))
    )
    members = keys_of(drawn(loaded))
    attempts = [
        attempt("first", "failed", 1, 100),
        attempt("first", "success", 2, 200),
        attempt("each[0].a"),
        attempt("each[1].a", "timeout"),
        attempt("skip", "skipped", 1, 0),
        attempt("late", "running", 1, None),
    ]

    marks = marks_of(attempts, "waiting", members)

    assert marks == {
        "first": Mark("success", 300),
        "each.a": Mark("failed", 2400, 2),
        "each": Mark("waiting"),
        "skip": Mark("skipped", 0),
        "late": Mark("running"),
        "w": Mark("waiting"),
    }
    assert marks_of(attempts, "running", members)["each"] == Mark("running")
    assert "each" not in marks_of(attempts, "failed", members)
    svg, mermaid, text = (draw(loaded, name, marks) for name in ("svg", "mermaid", "text"))
    for state in ("success", "failed", "skipped", "running", "waiting", "not-reached"):
        assert re.search(rf'class="(?:box|group) {state}"', svg)
    assert "transform · 2.4s ×2" in svg
    assert "class n" in mermaid
    assert "not_reached" in mermaid
    assert text.splitlines()[1:4] == [
        "✓ first [transform] 300ms            → each",
        "◷ each [loop] over the list waiting  → skip",
        "  ✗ a [transform] 2.4s ×2",
    ]
    read_mermaid(mermaid)


# -- hostile labels


HOSTILE = [
    'say "hello"',
    "<script>alert(1)</script>",
    "]] --> n0[[",
    "two\nlines\r\nand\ttabs",
    "👩‍🚀 日本語 😀",
    "x" * 300,
    "\x1b[31mred\x1b[0m\x07",
    "\u202eturned\u2066",
    "end",
    "1. list",
    "- list",
    "`code` **bold** #35; &amp; %% note",
    "a\x00b\ud800c\ufffe",
    "]]>",
    "{}|()\\^~",
    "",
]


@pytest.mark.parametrize("label", HOSTILE, ids=lambda label: ascii(label)[:24])
def test_a_label_is_text_in_every_drawing_whatever_it_says(label):
    nodes = (calc("a", label=label), ask("c", "data == 'x'", trueBranch="b") | {"label": label}, calc("b"))
    marks = {"a": Mark("success", 5)}
    svg, mermaid, text = hold(flow(*nodes, edges=[edge("a", "c", label=label)], name=label), marks)

    assert svg.isprintable() or all(mark.isprintable() or mark in "\n\u200d" for mark in svg)
    assert "<script" not in svg
    assert all(mark.isprintable() or mark in "\n\u200d" for mark in mermaid + text)
    assert max(map(columns, text.splitlines())) < 250
    svg.encode()
    mermaid.encode()


IDS = ['a"b', "<b>", "a]b"[:1] + "}", "😀", "y" * 200, "a b", "a--b", "a'b", "&lt;", "a|b", "%%", "end", "n0"]


def test_ids_are_kept_as_they_are_and_are_text_as_well():
    nodes = [calc(name) for name in IDS]
    svg, _, _ = hold(flow(*nodes, edges=row(*IDS)))

    assert sorted(rects(svg)) == sorted(IDS)


@given(st.text(max_size=60), st.integers(2, 40))
def test_a_plain_label_is_one_line_no_wider_than_asked(text, most):
    shown = plain(text, most)

    assert columns(shown) <= most
    assert all(mark.isprintable() or mark == "\u200d" for mark in shown)


# -- random graphs


@st.composite
def graphs(draw, most):
    count = draw(st.integers(1, most))
    random = draw(st.randoms(use_true_random=False))
    nodes, edges = [], []
    for number in range(count):
        name = f"n{number}"
        nodes.append(
            ask(name, "true")
            if random.random() < 0.2
            else calc(name, label=random.choice(["short", "a much longer label of it", name]))
        )
        for source in random.sample(range(number), min(number, random.choice([0, 1, 1, 2, 3]))):
            if nodes[source]["type"] != "condition":
                edges.append(edge(f"n{source}", name, label=random.choice([None, "why"])))
            elif not any(each["source"] == f"n{source}" for each in edges):
                edges.append(edge(f"n{source}", name, "true"))
    random.shuffle(nodes)
    return flow(*nodes, edges=[{name: value for name, value in each.items() if value is not None} for each in edges])


@settings(max_examples=60, deadline=None)
@given(graphs(25))
def test_in_random_graphs_everything_stands_once_and_nothing_over_anything(definition):
    hold(definition)


@settings(max_examples=60, deadline=None)
@given(programs())
def test_in_random_loops_everything_stands_once_and_nothing_over_anything(definition):
    hold(definition)


@settings(max_examples=40, deadline=None)
@given(graphs(25))
def test_lines_pass_by_boxes_and_not_over_them(definition):
    loaded = load(definition)
    svg = draw(loaded, "svg")
    placed = rects(svg)

    for group in ET.fromstring(svg).iter(f"{SVG}g"):
        if group.get("data-from") is None:
            continue
        others = [rect for key, rect in placed.items() if key not in {group.get("data-from"), group.get("data-to")}]
        for x, y in on_the_way(group.find(f"{SVG}path").get("d")):
            assert not any(left < x < right and top < y < bottom for left, top, right, bottom in others)


def on_the_way(path):
    """Points along a line, close to each other."""
    here = None
    for command, numbers in re.findall(r"([MLC])([^MLC]+)", path):
        points = [float(number) for number in numbers.split()]
        if command == "C":
            controls = [here, *zip(points[::2], points[1::2], strict=True)]
            for part in range(21):
                at = part / 20
                weights = [math.comb(3, number) * at**number * (1 - at) ** (3 - number) for number in range(4)]
                yield tuple(sum(weight * point[axis] for weight, point in zip(weights, controls, strict=True)) for axis in (0, 1))
        elif here is not None:
            for part in range(21):
                yield tuple(here[axis] + (points[axis] - here[axis]) * part / 20 for axis in (0, 1))
        here = tuple(points[-2:])
