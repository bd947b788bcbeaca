"""`camshaft eval` and `schedule next`: one question, or line by line."""

from __future__ import annotations

import json
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.daemon.cli.installed import CAMSHAFT


def test_a_value_is_printed_as_json(run):
    assert run("eval", "$.a.b.map(x => x * 2)", "--data", "-", stdin='{"a": {"b": [1, 2]}}') == (0, "[2,4]\n", "")
    assert run("eval", "-1 + 3") == (0, "2\n", "")
    assert run("eval", "'😀'") == (0, '"😀"\n', "")


def test_an_expression_that_is_wrong_is_refused_with_its_column(run):
    status, told, said = run("eval", "1 +")

    assert (status, told) == (3, "")
    assert "<expression>:1:4" in said


def test_a_condition_is_printed_as_a_filter_would_answer(run):
    assert run("eval", "--condition", "$.a.b.c")[1] == "false\n"
    assert run("eval", "--condition", "'no'")[1] == "true\n"


def test_a_condition_that_a_filter_could_not_answer_is_neither_true_nor_false(run):
    status, told, said = run("eval", "--condition", "$.a.startWith('x')", "--data", "-", stdin='{"a": "xy"}')

    assert (status, told) == (1, "")
    assert "EXPRESSION_TYPE: `$.a.startWith` is not a function (did you mean `startsWith`)" in said


def answers(run, *lines: object) -> list[dict]:
    status, told, said = run(
        "eval", "--batch", stdin="\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines) + "\n"
    )
    assert (status, said) == (0, "")
    return [json.loads(line) for line in told.splitlines()]


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ({"expr": "$.a + 1", "names": {"$": {"a": 2}}}, {"ok": True, "type": "number", "value": 3, "condition": True}),
        ({"expr": "$.a", "names": {"$": {}}}, {"ok": True, "type": "undefined", "condition": False}),
        ({"expr": "0 / 0"}, {"ok": True, "type": "number", "value": "NaN", "condition": False}),
        ({"expr": "-1 / 0"}, {"ok": True, "type": "number", "value": "-Infinity", "condition": True}),
        ({"expr": "-0"}, {"ok": True, "type": "number", "value": "-0", "condition": False}),
        ({"expr": "x => x"}, {"ok": True, "type": "function", "condition": True}),
        ({"expr": "null"}, {"ok": True, "type": "null", "value": None, "condition": False}),
        ({"expr": "'\ud83d'"}, {"ok": True, "type": "string", "value": "\ud83d", "condition": True}),
        ({"path": "$.a[*]", "data": {"a": [1, 2]}}, {"ok": True, "single": False, "values": [1, 2]}),
        ({"path": "$.a", "data": {"a": None}}, {"ok": True, "single": True, "values": [None]}),
        ({"path": "$.b", "data": {"a": None}}, {"ok": True, "single": True, "values": []}),
        ({"template": "{{a.b}}-{{$.a.b}}", "data": {"a": {"b": 0}}}, {"ok": True, "value": "0-0"}),
    ],
)
def test_a_line_of_a_batch_is_answered(run, line, answer):
    (said,) = answers(run, {"id": 7, **line})

    assert said == {"id": 7, **answer}


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ({"expr": "1 +"}, "EXPRESSION_SYNTAX"),
        ({"expr": "nowhere"}, "EXPRESSION_NAME"),
        ({"expr": "'a'.repeat(1e9)"}, "EXPRESSION_LIMIT"),
        ({"path": "body.company"}, "SELECTOR_SYNTAX"),
        ({"template": "{{", "data": {}}, "TEMPLATE_SYNTAX"),
    ],
)
def test_a_line_that_is_refused_says_why_and_where(run, line, code):
    (said,) = answers(run, {"id": "x", **line})

    assert (said["id"], said["ok"], said["code"]) == ("x", False, code)
    assert said["error"]
    assert said["column"] >= 1


def test_a_walk_into_nothing_is_a_false_condition(run):
    (said,) = answers(run, {"id": 1, "expr": "$.a.b.c", "names": {"$": {}}})

    assert (said["ok"], said["code"], said["condition"]) == (False, "EXPRESSION_TYPE", False)


def test_no_line_ends_a_batch_and_every_line_has_its_answer_in_order(run):
    lines = [
        "nonsense",
        "[]",
        "null",
        "5",
        '{"id": 1}',
        '{"id": 2, "expr": 5}',
        '{"id": 3, "expr": "1", "path": "$"}',
        '{"id": 4, "expr": "1", "names": []}',
        "[" * 100_000,
        {"id": 5, "expr": "5"},
    ]

    said = answers(run, *lines)

    assert [(one["id"], one["ok"]) for one in said] == [(None, False)] * 4 + [
        (1, False),
        (2, False),
        (3, False),
        (4, False),
        (None, False),
        (5, True),
    ]


def test_a_line_that_is_no_text_and_one_of_ten_megabytes_are_answered(run):
    big = json.dumps({"id": 2, "expr": "$.length", "names": {"$": "x" * 10_000_000}}).encode()

    status, told, _ = run("eval", "--batch", stdin=b"\xff\xfe\n" + big + b"\n\n" + b'{"id": 3, "expr": "1"}')

    said = [json.loads(line) for line in told.splitlines()]
    assert status == 0
    assert [(one["id"], one["ok"]) for one in said] == [(None, False), (2, True), (3, True)]
    assert said[1]["value"] == 10_000_000


def test_an_answer_comes_before_the_next_line_is_asked():
    with subprocess.Popen([CAMSHAFT, "eval", "--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as asked:
        assert asked.stdin is not None
        assert asked.stdout is not None
        for number in range(3):
            asked.stdin.write(json.dumps({"id": number, "expr": "1"}).encode() + b"\n")
            asked.stdin.flush()

            assert json.loads(asked.stdout.readline())["id"] == number
        asked.stdin.close()

    assert asked.returncode == 0


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
SOURCES = st.text("$.abc[]'\"()=!<>&|?:{}0123456789+-*/% x\\\ud800é", max_size=30)


@settings(max_examples=200, deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "id": VALUES,
            "expr": SOURCES | VALUES,
            "path": SOURCES | VALUES,
            "template": SOURCES | VALUES,
            "data": VALUES,
            "names": st.fixed_dictionaries({"$": VALUES}) | VALUES,
        },
    )
)
def test_every_line_has_an_answer_that_is_json(line):
    from daemon.cli.batch import _answer
    from daemon.cli.evaluate import report

    said = json.loads(_answer(json.dumps(line).encode(), report))

    assert said["ok"] in {True, False}
    assert said["ok"] or (said["code"] and said["error"])


def test_the_next_times_of_a_cron_text_are_instants(run):
    status, told, _ = run(
        "schedule",
        "next",
        "0 9 * * 1-5",
        "--timezone",
        "Europe/Berlin",
        "--from",
        "2026-11-20T12:00:00Z",
        "-n",
        "2",
        "-o",
        "json",
    )

    assert (status, json.loads(told)) == (0, ["2026-11-23T08:00:00Z", "2026-11-24T08:00:00Z"])


def test_a_cron_text_that_never_comes_is_refused(run):
    status, told, said = run("schedule", "next", "0 0 30 2 *")

    assert (status, told) == (3, "")
    assert "never comes" in said


def test_a_batch_of_cron_texts_is_answered_line_by_line(run):
    lines = [{"id": 1, "expr": "@daily", "start": "2026-01-01T00:00:00Z", "n": 1}, {"id": 2, "expr": "* * * * * *"}, "x"]

    status, told, _ = run(
        "schedule", "next", "--batch", stdin="\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    )

    said = [json.loads(line) for line in told.splitlines()]
    assert status == 0
    assert said[0] == {"id": 1, "ok": True, "times": ["2026-01-02T00:00:00Z"]}
    assert [(one["id"], one["ok"]) for one in said[1:]] == [(2, False), (None, False)]


def test_a_start_that_is_no_instant_is_told_by_the_option_s_name(run):
    status, told, said = run("schedule", "next", "0 9 * * *", "--from", "yesterday")

    assert (status, told) == (2, "")
    assert said.startswith("camshaft: --from: 'yesterday' is no instant")
