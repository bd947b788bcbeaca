"""Why a condition answered as it did, in sentences."""

import pytest

from flows.expression import compile_expression

DOCUMENT = {
    "body": {
        "source": "web",
        "n": 3,
        "tags": ["a", "b"],
        "flag": False,
        "items": [{"x": 1}, {"x": 5}],
        "text": "Hello",
        "nothing": None,
        "long": "x" * 500,
    }
}


def explained(source, **options):
    return compile_expression(source).explain({"$": DOCUMENT}, **options)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("$.body.source === 'email'", "`$.body.source === 'email'` was false because `$.body.source` was `\"web\"`"),
        (
            "$.body.n > 2 && $.body.source === 'email'",
            "`$.body.source === 'email'` was false because `$.body.source` was `\"web\"`",
        ),
        ("$.body.n > 2 && $.body.n < 9", "`$.body.n > 2 && $.body.n < 9` was true because `$.body.n` was `3`"),
        (
            "$.body.source === 'a' || $.body.n === 4",
            "`$.body.source === 'a' || $.body.n === 4` was false because `$.body.source` was `\"web\"` and `$.body.n` was `3`",
        ),
        ("$.body.n === 4 || $.body.source === 'web'", "`$.body.source === 'web'` was true because `$.body.source` was `\"web\"`"),
        ("!$.body.source", '`!$.body.source` was false because `$.body.source` was `"web"`'),
        ("$.body.flag", "`$.body.flag` was false"),
        ("$.body.none", "`$.body.none` was false because it is missing"),
        ("$.body.a.b === 1", "`$.body.a.b === 1` was false because `$.body.a` is missing"),
        ("$.body.n === 3 && $.body.a.b === 1", "`$.body.a.b === 1` was false because `$.body.a` is missing"),
        ("$.body.nothing.b", "`$.body.nothing.b` was false because `$.body.nothing` is null"),
        ("$.body.tags.includes('vip')", '`$.body.tags.includes(\'vip\')` was false because `$.body.tags` was `["a","b"]`'),
        ("/x/.test($.body.text)", '`/x/.test($.body.text)` was false because `$.body.text` was `"Hello"`'),
        (
            "$.body.items.every(i => i.x > 3)",
            '`$.body.items.every(i => i.x > 3)` was false because `$.body.items[0]` was `{"x":1}`',
        ),
        (
            "$.body.items.some(i => i.x > 9)",
            '`$.body.items.some(i => i.x > 9)` was false because no item of `$.body.items` matched, which was `[{"x":1},{"x":5}]`',
        ),
        ("1 === 2", "`1 === 2` is always false"),
        ("$.body.n.nope()", "`$.body.n.nope()` could not be evaluated: `$.body.n.nope` is not a function"),
    ],
)
def test_the_sentence_names_what_decided_and_what_it_saw(source, sentence):
    assert explained(source).sentence == sentence


def test_the_parts_of_an_explanation_are_for_tools():
    explanation = explained("$.body.n > 2 && $.body.source === 'email'")

    assert explanation.value is False
    assert explanation.deciding == "$.body.source === 'email'"
    assert explanation.values == {"$.body.source": "web"}
    assert explanation.missing is None
    assert explained("$.body.a.b").missing == "$.body.a"
    assert explained("$.body.n.nope()").value is None


def test_values_are_capped_and_redacted():
    long = explained("$.body.long === 'y'").sentence
    hidden = explained("$.body.source === 'email'", redact=lambda path, _value: f"<{path}>")

    assert "…" in long
    assert len(long) < 250
    assert hidden.sentence.endswith('was `"<$.body.source>"`')
    assert hidden.values == {"$.body.source": "<$.body.source>"}
