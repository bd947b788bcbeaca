"""What programs count on of `eval` and `schedule`: line by line, in order, each answered."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

CAMSHAFT = Path(sys.executable).parent / "camshaft"

ZONES_AND_TEXTS = [
    # expr, zone, start, the next slots
    ("0 9 * * 1-5", "UTC", "2026-11-20T09:00:00Z", ["2026-11-23T09:00:00Z", "2026-11-24T09:00:00Z"]),
    ("0 9 * * 7", "UTC", "2026-11-23T00:00:00Z", ["2026-11-29T09:00:00Z", "2026-12-06T09:00:00Z"]),
    ("0 0 13 * 5", "UTC", "2026-11-01T00:00:00Z", ["2026-11-06T00:00:00Z", "2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z"]),
    ("0 0 * * *", "America/New_York", "2026-03-08T00:00:00Z", ["2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"]),
    ("30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", ["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"]),
    ("30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", ["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"]),
    (
        "*/30 * * * *",
        "America/New_York",
        "2026-11-01T05:15:00Z",
        ["2026-11-01T05:30:00Z", "2026-11-01T06:00:00Z", "2026-11-01T06:30:00Z", "2026-11-01T07:00:00Z"],
    ),
    ("@daily", "Europe/Berlin", "2026-03-28T12:00:00Z", ["2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"]),
    ("0 9 * * *", "UTC", "2026-11-23T09:00:00Z", ["2026-11-24T09:00:00Z"]),
    ("0 9 * * *", "UTC", "2026-11-23T09:00:00.000001Z", ["2026-11-24T09:00:00Z"]),
    ("0 9 * * *", "UTC", "2026-11-23T10:00:00+02:00", ["2026-11-23T09:00:00Z"]),
    ("0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", ["2104-02-29T00:00:00Z"]),
]
NEVER = [
    "* * * * * *",
    "",
    "0 0 30 2 *",
    "@reboot",
    "60 * * * *",
    "*/0 * * * *",
    "5-1 * * * *",
    "a b c d e",
    "0 0 * *",
    "0 0 32 1 *",
]

EXPRESSIONS = [
    # expr, `$`, what the answer holds
    ("$.a", {"a": 1.0}, {"type": "number", "value": 1, "condition": True}),
    ("1 / 0", {}, {"type": "number", "value": "Infinity", "condition": True}),
    ("-1 / 0", {}, {"type": "number", "value": "-Infinity", "condition": True}),
    ("-0", {}, {"type": "number", "value": "-0", "condition": False}),
    ("0 / 0", {}, {"type": "number", "value": "NaN", "condition": False}),
    ("undefined", {}, {"type": "undefined", "condition": False}),
    ("$.nope", {}, {"type": "undefined", "condition": False}),
    ("null", {}, {"type": "null", "value": None, "condition": False}),
    ("!$.a", {"a": 0}, {"type": "boolean", "value": True, "condition": True}),
    ("'5' + 2", {}, {"type": "string", "value": "52", "condition": True}),
    ("''", {}, {"type": "string", "value": "", "condition": False}),
    ("'\U0001f600'[0]", {}, {"type": "string", "value": "\ud83d", "condition": True}),
    ("$.a", {"a": "\udc00"}, {"type": "string", "value": "\udc00", "condition": True}),
    ("[]", {}, {"type": "array", "value": [], "condition": True}),
    ("[1, undefined, 0 / 0, -0]", {}, {"type": "array", "value": [1, None, "NaN", "-0"], "condition": True}),
    ("$", {"constructor": 1}, {"type": "object", "value": {"constructor": 1}, "condition": True}),
    ("x => x", {}, {"type": "function", "condition": True}),
]
REFUSED_EXPRESSIONS = [
    ("1 +", "EXPRESSION_SYNTAX", 4),
    ("", "EXPRESSION_SYNTAX", 1),
    ("a ?? b || c", "EXPRESSION_SYNTAX", None),
    ("-2 ** 2", "EXPRESSION_SYNTAX", None),
    ("x) || (true", "EXPRESSION_SYNTAX", None),
    ("$.a === 1 && body.b", "EXPRESSION_NAME", 14),
    ("'a'.repeat(1e9)", "EXPRESSION_LIMIT", None),
    ("(" * 3000 + "1" + ")" * 3000, "EXPRESSION_LIMIT", None),
    ("$.a.b.c", "EXPRESSION_TYPE", None),
]


def batch(run, command, lines):
    """Raw lines in, answers out."""
    done = run(*command, "--batch", stdin="\n".join(lines) + "\n")
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_eval_batch_answers_expressions_of_every_type_in_order(run):
    ids = [0, "text", None, [1], {"a": 1}, True, 1.5]
    lines = [
        json.dumps({"id": ids[number % len(ids)], "expr": expr, "names": {"$": data}})
        for number, (expr, data, _) in enumerate(EXPRESSIONS)
    ]

    answers = batch(run, ["eval"], lines)

    for number, (answer, (_, _, expected)) in enumerate(zip(answers, EXPRESSIONS, strict=True)):
        assert answer == {"id": ids[number % len(ids)], "ok": True, **expected}


def test_eval_batch_tells_code_and_column_of_what_it_refuses_and_a_walk_into_nothing_is_false(run):
    lines = [json.dumps({"id": 1, "expr": expr, "names": {"$": {}}}) for expr, _, _ in REFUSED_EXPRESSIONS]

    answers = batch(run, ["eval"], lines)

    for answer, (expr, code, column) in zip(answers, REFUSED_EXPRESSIONS, strict=True):
        assert (answer["ok"], answer["code"]) == (False, code), expr
        assert answer["error"]
        assert isinstance(answer["column"], int)
        assert column in (None, answer["column"])
        assert answer.get("condition") is (False if code == "EXPRESSION_TYPE" else None)
        assert "value" not in answer


def test_eval_batch_binds_exactly_the_names_that_a_line_gives(run):
    lines = [
        '{"id": 1, "expr": "data.x + output[0]", "names": {"data": {"x": 1}, "output": [2]}, "later": "ignored"}',
        '{"id": 2, "expr": "inptu", "names": {"data": {}}}',
        '{"id": 3, "expr": "1"}',
    ]

    first, second, third = batch(run, ["eval"], lines)

    assert first["value"] == 3
    assert second["code"] == "EXPRESSION_NAME"
    assert third["value"] == 1


def test_eval_batch_answers_paths_and_templates(run):
    data = {"a": [{"b": 1}, {"b": None}], "name": "N", "n": 0, "f": False, "e": []}
    asked = [
        {"id": 1, "path": "$.a[*].b", "data": data},
        {"id": 2, "path": "$.a[1].b", "data": data},
        {"id": 3, "path": "$.nope", "data": data},
        {"id": 4, "path": "$.e", "data": data},
        {"id": 5, "path": "$..b", "data": data},
        {"id": 6, "path": "body.a", "data": data},
        {"id": 7, "path": " $.a", "data": data},
        {"id": 8, "path": "$" + ".a" * 1000, "data": {}},
        {"id": 9, "template": "{{name}} {{a[0].b}} {{$.n}} {{f}} {{a | json}}", "data": data},
        {"id": 10, "template": "{{name | nope}}", "data": data},
        {"id": 11, "template": "{{v}}", "data": {"v": "{{name}} $.name \\1 \\g<0>", "name": "N"}},
    ]

    answers = batch(run, ["eval"], [json.dumps(line) for line in asked])

    assert answers[:5] == [
        {"id": 1, "ok": True, "single": False, "values": [1, None]},
        {"id": 2, "ok": True, "single": True, "values": [None]},
        {"id": 3, "ok": True, "single": True, "values": []},
        {"id": 4, "ok": True, "single": True, "values": [[]]},
        {"id": 5, "ok": True, "single": False, "values": [1, None]},
    ]
    assert [answer["ok"] for answer in answers[5:7]] == [False, False]
    assert all({"code", "error", "column"} <= answer.keys() for answer in answers[5:7])
    assert answers[7]["ok"] in {True, False}
    assert answers[8] == {"id": 9, "ok": True, "value": 'N 1 0 false [{"b":1},{"b":null}]'}
    assert answers[9]["ok"] is False
    assert answers[10]["value"] == "{{name}} $.name \\1 \\g<0>"


def test_eval_batch_answers_every_line_that_is_not_blank_whatever_is_in_it():
    lines = [
        b"not json",
        b"[1]",
        b"",
        b"   \t\r",
        b'{"id": 1}',
        b'{"id": 2, "expr": "1", "path": "$"}',
        b'{"id": 3, "expr": 5}',
        b'{"id": 4, "expr": "$", "names": []}',
        b"\x00\xff\xfe",
        b'{"id": 5, "expr": "$", "names": {"$": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
        b'{"id": 6, "expr": "$.x", "names": {"$": {"x": ' + b"9" * 5000 + b"}}}",
        b'{"id": 7, "expr": "$.length", "names": {"$": "' + b"x" * 10_000_000 + b'"}}',
        b'{"id": 8, "expr": "$.a", "names": {"$": {"a": "\\ud83d"}}}\r',
        b'{"id": 9, "expr": "1"}',  # and no line end
    ]

    done = subprocess.run([CAMSHAFT, "eval", "--batch"], input=b"\n".join(lines), capture_output=True, timeout=30, check=False)

    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr) == (0, b"")
    assert [answer["ok"] for answer in answers] == [False] * 8 + [answers[8]["ok"], True, True, True]
    assert [answer["id"] for answer in answers if answer["id"] is not None][:4] == [1, 2, 3, 4]
    assert answers[9] == {"id": 7, "ok": True, "type": "number", "value": 10_000_000, "condition": True}
    assert answers[10]["value"] == "\ud83d"
    assert answers[11]["id"] == 9
    assert all(answer["ok"] or {"id", "code", "error"} <= answer.keys() for answer in answers)


async def test_eval_batch_answers_each_line_at_once():
    """A tool may hold the command open and ask line by line."""
    with subprocess.Popen([CAMSHAFT, "eval", "--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as asked:
        for number in range(3):
            asked.stdin.write(b'{"id": %d, "expr": "1"}\n' % number)
            asked.stdin.flush()
            assert json.loads(asked.stdout.readline())["id"] == number
        asked.stdin.close()

        assert asked.wait(timeout=10) == 0


def test_eval_prints_one_value_as_json(run, tmp_path):
    file = tmp_path / "data.json"
    file.write_text('{"a": {"b": [1, 2]}}')

    from_file = run("eval", "$.a.b", "--data", file)
    from_stdin = run("eval", "data.a.b.length === 2", "--data", "-", stdin=file.read_text())
    refused = run("eval", "$.a ===", "--data", file)

    assert (from_file.returncode, json.loads(from_file.stdout)) == (0, [1, 2])
    assert (from_stdin.returncode, from_stdin.stdout) == (0, "true\n")
    assert (refused.returncode, refused.stdout) == (3, "")
    assert "8" in refused.stderr


def test_schedule_batch_answers_crontab_s_meaning_in_real_time_zones(run):
    lines = [
        json.dumps({"id": number, "expr": expr, "tz": zone, "start": start, "n": len(times)})
        for number, (expr, zone, start, times) in enumerate(ZONES_AND_TEXTS)
    ]
    never = [json.dumps({"id": expr, "expr": expr, "tz": "UTC", "start": "2026-11-23T00:00:00Z", "n": 1}) for expr in NEVER]
    odd = [
        "no json",
        "[]",
        '{"id": 1}',
        '{"id": 2, "expr": "* * * * *", "tz": "Mars/X", "start": "2026-11-23T00:00:00Z", "n": 1}',
    ]

    answers = batch(run, ["schedule", "next"], [*lines, "", *never, *odd])

    good, bad = answers[: len(lines)], answers[len(lines) :]
    assert good == [{"id": number, "ok": True, "times": times} for number, (_, _, _, times) in enumerate(ZONES_AND_TEXTS)]
    assert [answer["ok"] for answer in bad] == [False] * len([*never, *odd])
    assert all(answer["error"] for answer in bad)


def test_schedule_next_prints_the_times_as_a_json_list(run, run_json):
    asked = ["schedule", "next", "0 9 * * 1-5", "--timezone", "Europe/Berlin", "--from", "2026-11-20T09:00:00Z", "-n", "2"]

    assert run_json(*asked) == ["2026-11-23T08:00:00Z", "2026-11-24T08:00:00Z"]
    assert run("schedule", "next", "0 0 30 2 *").returncode == 3
    assert run("schedule", "next", "* * * * *", "--timezone", "Mars/X").returncode == 3
