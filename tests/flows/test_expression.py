"""The expression language: the API that others build on, and the traps of TRAPS.md 9–15."""

import math

import pytest

from flows.errors import DefinitionError, ExpressionError, MissingPath
from flows.expression import UNDEFINED, compile_expression, same, to_json, to_text, truthy, type_of
from flows.expression.report import evaluate_report


def value(source, document=None, **names):
    return compile_expression(source, roots=("$", *names)).evaluate({"$": document, **names})


def refusal(source, roots=("$",)):
    with pytest.raises(DefinitionError) as caught:
        compile_expression(source, roots=roots)
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("true === 1", False),
        ("null === undefined", False),
        ("1 === 1.0", True),
        ("[] ? 1 : 0", 1),
        ("({}) ? 1 : 0", 1),
        ("'0' ? 1 : 0", 1),
        ("'false' ? 1 : 0", 1),
        ("[1, 2][-1]", UNDEFINED),
        ("'vip' in ['vip']", False),
        ("0 in ['vip']", True),
        ("3 > 2 > 1", False),
        ("-7 % 3", -1),
        ("1 / 0", math.inf),
        ("'5' - 2", 3),
        ("'5' + 2", "52"),
        ("null >= 0", True),
        ("undefined >= 0", False),
        ("0 || 'x'", "x"),
        ("'a' && 'b'", "b"),
        ("'😀'.length", 2),
        ("'😀' < '\\uff5e'", True),
        ("String(1.0)", "1"),
        ("String(1e21)", "1e+21"),
        ("String(1e-7)", "1e-7"),
        ("/^\\d$/.test('\\u0663')", False),
        ("/^\\w$/.test('é')", False),
        ("/a$/.test('a\\n')", False),
        ("/(?<n>b)/.exec('abc').groups.n", "b"),
        ("2 ** 1e9", math.inf),
        ("9 ** 9 ** 9", math.inf),
        ("1 << 1e9", 1),
    ],
)
def test_javascript_is_not_python(source, expected):
    seen = value(source)

    assert type(seen) is type(expected) or not isinstance(expected, bool)
    assert seen == expected


@pytest.mark.parametrize(
    ("document", "source", "expected"),
    [
        ({"n": True}, "$.n === 1", False),
        ({"n": 1}, "$.n === true", False),
        ({"n": 1.0}, "$.n === 1", True),
        ({"n": "1"}, "$.n === 1", False),
        ({"n": 9007199254740993}, "$.n === 9007199254740992", True),
        ({"n": None}, "$.n === null", True),
        ({}, "$.n === null", False),
        ({}, "$.n === undefined", True),
        ({"n": 10**400}, "$.n === Infinity", True),
        ({"n": False}, "$.n === 0", False),
        ([5], "$[0] === 5", True),
        ({"0": 5}, "$[0] === 5", True),
        ("text", "$.length === 4", True),
    ],
)
def test_a_path_compared_with_a_literal_is_compared_by_type_and_value(document, source, expected):
    assert compile_expression(source).test({"$": document}) is expected


@pytest.mark.parametrize(
    "name", ["constructor", "__proto__", "__class__", "__dict__", "items", "get", "keys", "toString", "append"]
)
def test_only_own_keys_are_reachable_and_those_always(name):
    inherited = [
        value(f"{thing}.{name}", {"o": {}}) for thing in ("$.o", "[1]", "'text'", "(1)", "true", "Math", "/a/", "(x => x)")
    ]
    own = value(f"$.{name}", {name: "own"})

    assert inherited == [UNDEFINED] * 8
    assert own == "own"


@pytest.mark.parametrize(
    "source", ["$.o.items()", "$.o.get('a')", "$.o.constructor('return 1')", "'a'.encode()", "'a'.format(1)", "[].append(1)"]
)
def test_calling_what_is_not_there_is_a_type_error(source):
    with pytest.raises(ExpressionError) as caught:
        value(source, {"o": {"a": 1}})

    assert caught.value.code == "EXPRESSION_TYPE"
    assert not isinstance(caught.value, MissingPath)
    assert "is not a function" in str(caught.value)


def test_walking_on_from_nothing_is_a_missing_path_and_makes_a_condition_false():
    expression = compile_expression("$.body.a.b.c === 1 || true")

    assert expression.test({"$": {"body": {}}}) is False
    with pytest.raises(MissingPath) as caught:
        expression.evaluate({"$": {"body": {}}})
    assert caught.value.path == "$.body.a"
    assert compile_expression("$.body.a?.b.c === undefined").test({"$": {"body": {}}}) is True
    assert compile_expression("$").evaluate({}) is UNDEFINED


@pytest.mark.parametrize(
    ("source", "code", "offset"),
    [
        ("", "EXPRESSION_SYNTAX", 0),
        ("a ?? b || c", "EXPRESSION_SYNTAX", 7),
        ("-2 ** 2", "EXPRESSION_SYNTAX", 0),
        ("x) || (true", "EXPRESSION_SYNTAX", 1),
        ("$.a = 1", "EXPRESSION_SYNTAX", 4),
        ("$.a === 'x", "EXPRESSION_SYNTAX", 8),
        ("bodx.a", "EXPRESSION_NAME", 0),
        ("$.a && foo", "EXPRESSION_NAME", 7),
        ("$.x.map(y => z)", "EXPRESSION_NAME", 13),
        ("/(?=a)/.test($.a)", "EXPRESSION_SYNTAX", 1),
        ("/a(?<!b)/", "EXPRESSION_SYNTAX", 2),
        ("/(a)\\1/", "EXPRESSION_SYNTAX", 4),
        ("/a{1001}/", "EXPRESSION_LIMIT", 2),
        ("(" * 2000 + "1" + ")" * 2000, "EXPRESSION_LIMIT", 100),
        ("1" * 10_001, "EXPRESSION_LIMIT", 10_000),
    ],
)
def test_what_is_wrong_is_refused_at_load_with_its_place(source, code, offset):
    problem = refusal(source)

    assert (problem.code, problem.offset, problem.path) == (code, offset, ())


def test_a_wrong_name_is_answered_with_the_right_one():
    assert refusal("dta.x", roots=("$", "data")).hint == "did you mean `data`"
    assert "$.body" in refusal("body.x").hint
    assert "&&" in refusal("$.a and $.b").hint
    assert "===" in refusal("$.a = 1").hint
    assert "linear" in refusal("/(?=a)b/").hint


def test_references_are_the_static_paths_also_inside_arrow_functions():
    source = "$.a.b === data.x[0] && $.items.some(i => i.id === $.want && $.m[i.k].z) && $.q?.r.includes('x') && length($)"
    expression = compile_expression(source, roots=("$", "data"))

    assert expression.references == (
        ("$", "a", "b"),
        ("data", "x", 0),
        ("$", "items"),
        ("$", "want"),
        ("$", "m"),
        ("$", "q", "r"),
        ("$",),
    )


def test_equality_lists_the_comparisons_that_must_all_hold():
    expression = compile_expression(
        "$.a === 'x' && (-1 === $.b && $.c?.d === null) && $.e == 1 && ($.f === 1 || $.g === 2) && $.h[0] === true"
    )

    assert expression.equality == (
        (("$", "a"), "x"),
        (("$", "b"), -1),
        (("$", "c", "d"), None),
        (("$", "h", 0), True),
    )


def test_the_helpers_of_the_specification():
    assert value("contains('abc', 'b')") is True
    assert value("contains([1, 2], 2)") is True
    assert value("contains($.none, 'x')", {}) is False
    assert value("length($.none)", {}) == 0
    assert value("[length('a😀'), length([1]), length({a: 1})]") == [3, 1, 1]
    assert value("[isEmpty(''), isEmpty([]), isEmpty({}), isEmpty(null), isEmpty($.none), isEmpty(0), isEmpty('a')]", {}) == [
        *[True] * 5,
        False,
        False,
    ]


def test_arrow_parameters_hide_names_and_the_names_come_back():
    assert value("[1, 2].map($ => $ + 1).concat($.a)", {"a": 9}) == [2, 3, 9]
    assert value("[1].map((length) => length + 1)") == [2]
    assert value("[[1, 2], [3]].map(a => a.map(b => a.length * b))") == [[2, 4], [3]]


def test_nothing_changes_the_event():
    document = {"a": [3, 1, 2], "o": {"k": [1]}}

    value("[$.a.sort(), $.a.reverse(), $.a.concat([4]), $.a.toSpliced(0, 1), $.o]", document)

    assert document == {"a": [3, 1, 2], "o": {"k": [1]}}


def test_a_value_on_its_way_out_is_json():
    made = {
        "u": UNDEFINED,
        "l": [UNDEFINED, math.nan, math.inf, -0.0, 1.0, 2.5, 2**60],
        "f": value("x => x"),
        "r": value("/a/"),
        "b": True,
    }

    assert to_json(made) == {"l": [None, None, None, 0, 1, 2.5, float(2**60)], "r": {}, "b": True}
    assert [type(item) for item in to_json([1.0, -0.0, True])] == [int, int, bool]
    assert to_json(UNDEFINED) is None


def test_types_texts_and_truth():
    values = [UNDEFINED, None, True, 0, math.nan, "", [], {}, value("Math.max")]

    assert [type_of(each) for each in values] == [
        "undefined",
        "null",
        "boolean",
        "number",
        "number",
        "string",
        "array",
        "object",
        "function",
    ]
    assert [truthy(each) for each in values] == [False, False, True, False, False, False, True, True, True]
    assert [to_text(each) for each in values[:8]] == ["undefined", "null", "true", "0", "NaN", "", "", "[object Object]"]
    assert [same(1, 1.0), same(True, 1), same([], []), same(math.nan, math.nan), same(None, UNDEFINED)] == [
        True,
        False,
        False,
        False,
        False,
    ]
    assert not UNDEFINED
    assert repr(UNDEFINED) == "undefined"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("$.a", {"ok": True, "type": "number", "value": 1, "condition": True}),
        ("$.none", {"ok": True, "type": "undefined", "condition": False}),
        ("-0", {"ok": True, "type": "number", "value": "-0", "condition": False}),
        ("[NaN, 1/0, -1/0]", {"ok": True, "type": "array", "value": ["NaN", "Infinity", "-Infinity"], "condition": True}),
        ("12345678901234567890", {"ok": True, "type": "number", "value": 12345678901234567000, "condition": True}),
        ("1e21", {"ok": True, "type": "number", "value": 1e21, "condition": True}),
        ("null", {"ok": True, "type": "null", "value": None, "condition": False}),
        ("({a: undefined, b: 1})", {"ok": True, "type": "object", "value": {"b": 1}, "condition": True}),
        ("x => x", {"ok": True, "type": "function", "condition": True}),
        ("data.x", {"ok": True, "type": "number", "value": 7, "condition": True}),
        ("$.none.x", {"ok": False, "code": "EXPRESSION_TYPE", "error": "`$.none` is missing", "column": 7, "condition": False}),
        ("'a'.repeat(1e9)", {"ok": False, "code": "EXPRESSION_LIMIT", "column": 1}),
        ("$.a +", {"ok": False, "code": "EXPRESSION_SYNTAX", "column": 6}),
        ("nope", {"ok": False, "code": "EXPRESSION_NAME", "column": 1}),
    ],
)
def test_a_report_is_the_contract_of_eval(source, expected):
    report = evaluate_report(source, {"$": {"a": 1}, "data": {"x": 7}})

    assert report | expected == report
    assert set(report) - set(expected) <= {"error"}


def test_a_pattern_over_lines_knows_carriage_returns():
    assert value("'a\\r\\nb'.match(/^.$/gm)") == ["a", "b"]
    assert value("/a$/m.test('a\\r\\nb')") is True


def test_one_text_is_compiled_once_for_all_who_use_it_and_anew_for_other_names():
    used = compile_expression("$.shared.by === 'many'")

    assert compile_expression("$.shared.by === 'many'") is used
    assert compile_expression("$.shared.by === 'many'", roots=("$", "data")) is not used
