"""No text and no data makes the language raise anything of its own choice, or take long."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.errors import DefinitionError, ExpressionError
from flows.expression import compile_expression, to_json
from flows.expression.report import evaluate_report

MOST_S = 5.0  # one second on a quiet machine, and the machine is shared


def nested(depth, wrap):
    value = wrap(None)
    for _ in range(depth):
        value = wrap(value)
    return value


DATA = {
    "deep": nested(5000, lambda value: [value]),
    "deep_object": nested(5000, lambda value: {"a": value}),
    "deep_text": "[" * 5000 + "]" * 5000,
    "big": "x" * 1_000_000,
    "almost": "x" * 999_999 + "y",
    "wide": "é😀" * 200_000,
    "numbers": list(range(100_000)),
    "digits": "1" * 500_000,
    "huge": 10**6000,
    "small": 5e-324,
}


def evaluated(source):
    started = time.process_time()
    report = evaluate_report(source, {"$": DATA})
    assert time.process_time() - started < MOST_S, source
    return report


@pytest.mark.parametrize(
    "source",
    [
        "'a'.repeat(1e9)",
        "'x'.padStart(1e9)",
        "'x'.padEnd(Infinity)",
        "Array.from({length: 1e9})",
        "$.numbers.map(x => $.numbers.map(y => 1))",
        "$.numbers.map(x => $.big === $.almost)",
        "$.numbers.map(x => $.big < $.almost)",
        "$.numbers.map(x => $.wide.length)",
        "$.numbers.map(x => $.wide[399999])",
        "$.numbers.map(x => $.wide.charAt(3))",
        "$.numbers.map(x => `${$.big}`)",
        "$.numbers.map(x => $.small.toString(2))",
        "$.numbers.map(x => Number($.digits))",
        "$.numbers.map(x => JSON.stringify($.deep_object))",
        "$.numbers.map(x => /^x+$/.test($.big))",
        "$.numbers.reduce((a, b) => a + a + 'x', 'y')",
        "$.numbers.reduce((a, b) => [a, a], 1)",
        "String($.numbers.slice(0, 40).reduce((a, b) => [a, a], 1))",
        "[f => f(f)].map(f => f(f))",
        "JSON.parse($.deep_text)",
        "$.big.replace(/(?:x{0,30}.{0,30}){30}!/, '')",
        "$.big.replace(/x/g, '$`')",
    ],
)
def test_work_without_end_is_a_limit_and_not_a_wait(source):
    assert evaluated(source)["code"] == "EXPRESSION_LIMIT"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("/^(a+)+$/.test('a'.repeat(26) + '!')", False),
        ("JSON.stringify($.deep).length", 10_002 + 4),
        ("JSON.stringify($.deep_object).length", 5001 * 6 + 4),
        ("String($.deep)", ""),
        ("$.deep == 1", False),
        ("$.deep == ''", True),
        ("$.deep.flat(Infinity).length", 1),
        ("$.deep_object + ''", "[object Object]"),
        ("$.huge > 1e308", True),
        ("$.big[$.huge]", None),
        ("Number($.digits)", "Infinity"),
        ("parseInt($.digits, 7)", "Infinity"),
        ("$.wide.length", 600_000),
        ("$.wide.split('').length", 600_000),
        ("$.numbers.filter(x => x % 2 === 0).length", 50_000),
        ("$.numbers.sort((a, b) => b - a)[0]", 99_999),
        ("$.big.split('').length", 1_000_000),
    ],
)
def test_large_and_deep_data_is_read_all_the_same(source, expected):
    assert evaluated(source).get("value") == expected


def test_deep_values_come_out_whole():
    assert to_json(DATA["deep"]) is not DATA["deep"]
    assert evaluated("$.deep_object")["ok"] is True


@pytest.mark.parametrize(
    "source",
    [
        "(" * 3000 + "1" + ")" * 3000,
        "!" * 5000 + "1",
        "- -" * 1000 + "1",
        "[" * 3000,
        "{a:" * 2000,
        "$" + ".a()" * 2000,
        "$" + "?.a" * 3000,
        "1" + "**1" * 3000,
        "1" + "?1:1" * 2000,
        "x=>" * 2000 + "1",
        "`${" * 2000,
        "1 in " * 1000 + "1",
        "/" + "(" * 1000 + ")" * 1000 + "/",
        "/" + "a{1000}" * 100 + "/",
        "/" + "(?:a{30}){30}" * 9 + "/",
        "[1].map(x=>" * 95 + "1" + ")" * 95,
        "a" * 10_000,
        "'" * 9999,
    ],
)
def test_no_shape_of_source_is_anything_but_refused_or_evaluated(source):
    evaluated(source)


def test_long_but_flat_sources_are_fine():
    assert evaluated("1" + "+1" * 4000)["value"] == 4001
    assert evaluated("||".join(["$.x === 'a'"] * 700))["value"] is False
    assert evaluated("$.x" + "?.a" * 150)["ok"] is True
    assert evaluated("(" * 90 + "1" + ")" * 90)["value"] == 1


TOKENS = st.sampled_from(
    [
        "$",
        "$.a",
        "$.s",
        ".b",
        "[",
        "]",
        "(",
        ")",
        "{",
        "}",
        "?",
        ":",
        "?.",
        "?.[",
        "?.(",
        "??",
        "||",
        "&&",
        "!",
        "-",
        "+",
        "~",
        "*",
        "/",
        "%",
        "**",
        "<",
        ">",
        "<=",
        "==",
        "===",
        "!=",
        "!==",
        "in",
        "typeof",
        "void",
        "1",
        "0",
        "2.5",
        "1e999",
        "0x1F",
        "'s'",
        "'\\ud83d'",
        "`t`",
        "`a${",
        "}",
        "`",
        ",",
        "=>",
        "x",
        "x=>x",
        "(a,b)=>a+b",
        ".map(",
        ".filter(",
        ".sort()",
        ".length",
        ".split('')",
        ".replace(/a/g,'$&')",
        ".repeat(9)",
        "/re/g",
        "/[/]/",
        "/(?=a)/",
        "null",
        "true",
        "undefined",
        "NaN",
        "Math.max(",
        "JSON.parse(",
        "JSON.stringify(",
        "Object.keys(",
        "contains(",
        "length(",
        "isEmpty(",
        "parseInt(",
        "String(",
        "&",
        "|",
        "^",
        "<<",
        ">>>",
        "//",
        "/*",
        "*/",
        ";",
        "...",
        "=",
        "++",
        "this",
        "new",
        "\\",
        "#",
        "@",
        "\u2028",
        "\ufeff",
        "😀",
        "�",
        "$['a']",
        ".at(-1)",
        ".toFixed(2)",
        ".toString(36)",
        ".flat(9)",
    ]
)
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["\ud83d", "😀", 10**400, -0.0, "length", "1e3"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["a", "s", "b", "length", "constructor", "__proto__", "0"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(st.lists(TOKENS, max_size=12).map(" ".join) | st.text(max_size=30), JSON_VALUES)
def test_any_text_on_any_data_ends_in_a_value_or_a_typed_error(source, document):
    names = {"$": document}
    try:
        expression = compile_expression(source)
    except DefinitionError as error:
        (problem,) = error.problems
        assert problem.code in {"EXPRESSION_SYNTAX", "EXPRESSION_NAME", "EXPRESSION_LIMIT"}
        assert 0 <= problem.offset <= len(source)
        return
    json.dumps(evaluate_report(source, names))
    try:
        answer = expression.test(names)
    except ExpressionError:
        answer = None
    assert expression.explain(names).value is answer


SOURCES = [
    source for source, _ in json.loads((Path(__file__).parent / "expression_vectors.json").read_text(encoding="utf-8"))["cases"]
]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(SOURCES), JSON_VALUES)
def test_the_vectors_on_other_data_end_in_a_value_or_a_typed_error(source, document):
    before = json.dumps(document)
    report = evaluate_report(source, {"$": document})

    json.dumps(report)
    assert json.dumps(document) == before
    if report["ok"]:
        assert compile_expression(source).explain({"$": document}).value is report["condition"]
