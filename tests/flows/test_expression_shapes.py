"""Expressions of one shape are read once: each is as if it had been read alone."""

import inspect
import json
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flows.errors import DefinitionError, ExpressionError
from flows.expression import to_json
from flows.expression.evaluation import Expression
from flows.expression.shapes import LITERAL, MAX_SHAPES, Seen, Shapes, read_alone

ROOTS = frozenset({"$"})
VECTORS = json.loads((Path(__file__).parent / "expression_vectors.json").read_text(encoding="utf-8"))
DOCUMENTS = (VECTORS["data"], {"a": {"b": "it"}, "n": 5}, {"a": "x", "n": None}, {})


def relative(source, text, number):
    """The same with other literals behind its comparisons."""
    pieces = LITERAL.split(source)
    pieces[1::3] = [each and (f"{each[0]}{text}{each[0]}" if each[0] in "'\"" else str(number)) for each in pieces[1::3]]
    return "".join(piece or "" for piece in pieces)


def told(source, read):
    """All that an expression says of itself and of documents, or why it is refused."""
    try:
        expression = Expression(source, ROOTS, read(source, ROOTS))
    except DefinitionError as error:
        return error.problems
    return expression.references, expression.equality, [answer(expression, document) for document in DOCUMENTS]


def answer(expression, document):
    answers = []
    for ask in (expression.evaluate, expression.test):
        try:
            answers.append(repr(to_json(ask({"$": document}))))
        except ExpressionError as error:
            answers.append((type(error), error.code, error.offset, str(error)))
    return answers


def after_relatives(source):
    shapes = Shapes()
    for text, number in (("", 0), ("longer than before", 1234567)):
        told(relative(source, text, number), shapes.read)
    return told(source, shapes.read)


@pytest.mark.parametrize(
    "source",
    [
        "$.body.ref === 'refs/heads/main' && $.headers['x-event'] === \"push\" && $.n > 5",
        "$.a === 'x' || $.a.b.c === 'y'",
        "'it' === $.a.b",
        "$.a === '😀' && $.n.b.c > 1",
        "$.a['b'] === 'it' && $.n !== 5 ? 'yes' : 'no'",
        "$.n >= 5 && $.n <= 5 && $.n < 6 && $.n == '5' && $.n != 4",
        "$.s.split(' ').some(word => word === 'World')",
        "$.a === 'b'.length",
        "$.a === 'it'.b.c",
        "('x' === $.a) in $.a.b",
        "$.n > 5 && 'b' in $.a",
        "!($.a === 'x') && -$.n < 5",
        "$.a === 'b' + 'c'",
        "$.a === 'x' === true",
        "$.s === 'a' && /=== 'a'/.test($.s)",
        "$.s === 'a' && `=== 'b' ${$.s}` === 'c'",
        "$.s === 'it\\'s' && $.a === 'b'",
        "$.s === 'a' // === 'b",
        "$.n > 5 && unknown === 'a'",
    ],
)
def test_an_expression_is_what_it_is_when_read_alone(source):
    alone = told(source, read_alone)

    assert after_relatives(source) == alone


def test_every_expression_that_javascript_was_asked_is_what_it_is_when_read_alone():
    sources = [f"({source}) === 'a' && {source} > 5" for source, _ in VECTORS["cases"]]

    different = [source for source in sources if after_relatives(source) != told(source, read_alone)]

    assert different == []


TOKENS = st.sampled_from(
    [
        *"=<>!?:.,()[]{}+-/`\\'\"05x$é\n\u2028",
        *("===", "==", "!=", "!==", "<=", ">=", "=>", "&&", "||", "??", "//", "/*", "*/", "${", "typeof", "in", "true", "null"),
        *("'a'", '"b"', "''", "'/'", '"\'"', r"'\n'", "'`'", "1.5", "5n", "1e3", "0x1f"),
        *("$.a", "$.n", "$.a.b", "$['a']", ".length", ".b", "a.b"),
    ]
)


@settings(max_examples=1_000, deadline=None)
@given(st.lists(st.tuples(TOKENS, st.sampled_from(["", " ", "  ", "\t"])), max_size=14))
@example([("$.a", " "), ("===", " "), ("'", ""), ("/", ""), ("'", ""), ("/", "")])
def test_whatever_is_written_is_what_it_is_when_read_alone(tokens):
    source = "".join(f"{token}{blank}" for token, blank in tokens)

    alone = told(source, read_alone)

    assert after_relatives(source) == alone


def test_filters_of_one_shape_share_what_they_read():
    shapes = Shapes()

    first, second, third, fourth = (shapes.read(f"$.a.b === 'b{n}' && $.n > {n}", ROOTS) for n in range(4))

    assert first.references is not second.references
    assert third.references is fourth.references
    assert [dict(read.equality) for read in (third, fourth)] == [{("$", "a", "b"): "b2"}, {("$", "a", "b"): "b3"}]


def test_a_known_shape_that_is_first_asked_where_the_stack_has_run_out_says_so_as_any_expression_does():
    chain = "$.x === '{}'"
    for number in range(40):
        chain = f"({chain}) {'&&' if number % 2 else '||'} $.y{number} === '{{}}'"
    shapes = Shapes()
    *_, known = (Expression("", ROOTS, shapes.read(chain.replace("{}", text), ROOTS)) for text in "abc")
    left = 60  # frames: enough to ask, and too few to compile

    def deep(frames):
        return deep(frames - 1) if frames else known.test({"$": {}})

    with pytest.raises(ExpressionError) as refused:
        deep(sys.getrecursionlimit() - len(inspect.stack()) - left)

    assert refused.value.code == "EXPRESSION_LIMIT"
    assert known.test({"$": {}}) is False


def test_shapes_are_forgotten_before_they_are_too_many():
    shapes = Shapes()

    for number in range(MAX_SHAPES + 10):
        shapes.read(f"$.a{number} === 'x'", ROOTS)

    assert len(shapes._seen) == 10
    assert set(shapes._seen.values()) == {Seen.ONCE}
