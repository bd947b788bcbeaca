"""Definitions' texts: what is read, what is refused with which line and column, and where each value stands."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.document import MAX_TEXT_BYTES, canonical, digest, locate, read_document
from flows.errors import DefinitionError, Problem


def refusal(text, suffix):
    with pytest.raises(DefinitionError) as caught:
        read_document(text, suffix=suffix)
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, 2.5, true, null, "x"]}', {"a": [1, 2.5, True, None, "x"]}),
        ("\ufeff{}", {}),
        (b"\xef\xbb\xbf[]", []),
        ('"\\ud800"', "\ud800"),
        ('{"on": "push"}', {"on": "push"}),
        ('{"__proto__": 1, "": 2}', {"__proto__": 1, "": 2}),
        ("12345678901234567890", 12345678901234567890),
        (" 1 \r\n", 1),
    ],
)
def test_json_is_read(text, value):
    assert read_document(text, suffix=".json").value == value


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("", (1, 1), "the file is empty"),
        ("  \n ", (1, 1), "the file is empty"),
        ('{"a": 1', (1, 8), "the text ends too early"),
        ('{"a": 1,}', (1, 8), "a comma too many"),
        ('{\n  "a": 1\n  "b": 2}', (3, 3), 'a comma is missing before "b"'),
        ("{'a': 1}", (1, 2), "double quotes"),
        ("{a: 1}", (1, 2), "a key must stand here"),
        ('{"a": tru}', (1, 7), "a value must stand here, not tru"),
        ('{"a": 1} // x', (1, 10), "JSON has no comments"),
        ('# x\n{"a": 1}', (1, 1), "JSON has no comments"),
        ('{"a": 1, /* x */ "b": 2}', (1, 10), "JSON has no comments"),
        ('{"a": NaN}', (1, 7), "NaN is no number"),
        ("[1,\n -Infinity]", (2, 2), "-Infinity is no number"),
        ("[1e999]", (1, 2), "1e999 is no number"),
        ("[" + "9" * 5000 + "]", (1, 2), "is no number"),
        ('{"a": 1, "b": {"c": 2,\n"c": 3}}', (2, 1), 'the key "c" stands twice'),
        ('{"a": {"a": 1}, "\\u0061": 3}', (1, 17), "stands twice"),
        ('{"a": "x\ny"}', (1, 9), "inside quotes"),
        ('{"a": "x', (1, 7), "a text is not closed"),
        ('{"a": "\\q"}', (1, 8), "backslash"),
        ("{} {}", (1, 4), "more after the end"),
        ("[" * 100_000, (1, 201), "more than 200 deep"),
        ('{"a":' * 100_000, (1, 1001), "more than 200 deep"),
        (b'{"a": "\n\xff"}', (2, 1), "not UTF-8"),
        (b"\xff\xfe{\x00}\x00", (1, 1), "not UTF-8"),
    ],
)
def test_what_is_no_json_is_refused_where_it_goes_wrong(text, place, said):
    problem = refusal(text, ".json")

    assert said in problem.problem
    assert (problem.line, problem.column) == place


YAML = """\
on: push
answers: [yes, no, off, y, n, true, True, false]
dates: [2026-11-23, 12:30:45, 2026-11-23T09:00:00Z]
numbers: [1, -2, +3, 1.5, .5, 1e3, 0x1F, 0o17]
texts: [0049, 1_000, "5", 'true', 1.2.3, "", 0x, ~/bin]
nothing: [~, null, NULL]
empty:
tagged: [!!str 5, !!int "5", !!float 5]
defaults: &defaults {retries: 2, wait: 5s}
step:
  <<: *defaults
  wait: 9s
again: *defaults
"""


def test_yaml_is_read_with_the_sense_of_its_version_1_2():
    assert read_document(YAML, suffix=".yaml").value == {
        "on": "push",
        "answers": ["yes", "no", "off", "y", "n", True, True, False],
        "dates": ["2026-11-23", "12:30:45", "2026-11-23T09:00:00Z"],
        "numbers": [1, -2, 3, 1.5, 0.5, 1000.0, 31, 15],
        "texts": ["0049", "1_000", "5", "true", "1.2.3", "", "0x", "~/bin"],
        "nothing": [None, None, None],
        "empty": None,
        "tagged": ["5", 5, 5.0],
        "defaults": {"retries": 2, "wait": "5s"},
        "step": {"retries": 2, "wait": "9s"},
        "again": {"retries": 2, "wait": "5s"},
    }


BOMB = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12))]
)


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("", (1, 1), "the file is empty"),
        ("# only a comment", (1, 1), "the file is empty"),
        ("a: 1\nb: {1: x}", (2, 5), "the key 1 is not text"),
        ("true: x", (1, 1), "the key true is not text"),
        ("? [a]\n: b", (1, 3), "is not text"),
        ("a: 1\nb: 2\na: 3", (3, 1), "the key a stands twice"),
        ("a: 1\n---\nb: 2", (2, 1), "a second document"),
        ("a: !!python/object/apply:os.system [ls]", (1, 4), "is not known here"),
        ("a: !secret x", (1, 4), "is not known here"),
        ("a: !!int x", (1, 4), "not what its tag says"),
        ("a: .inf", (1, 4), "no number"),
        ("a: 1e999", (1, 4), "no number"),
        ("a: &x [*x]", (1, 8), "inside what it names"),
        ("a: *x", (1, 4), "no anchor"),
        (BOMB, (5, 55), "more than 100,000 values"),
        ("a:\n\tb: 1", (2, 1), "cannot start any token"),
        ("a: b: c", (1, 5), "mapping values"),
        ("a: [1, 2", (1, 9), "expected"),
        ("a: " + "[" * 100_000, (1, 203), "more than 200 deep"),
        ("- " * 300 + "a", (1, 401), "more than 200 deep"),
        ("a: x\x00", (1, 5), "not allowed"),
        ('a: "x\nb: 1\nc: 2\n', (1, 4), "a text in quotes is not closed"),
    ],
)
def test_what_is_no_yaml_is_refused_where_it_goes_wrong(text, place, said):
    problem = refusal(text, ".yaml")

    assert said in problem.problem
    assert (problem.line, problem.column) == place


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("cron: */5 * * * *", "put the text in quotes: * and & begin an alias and an anchor"),
        ("a: && b", "put the text in quotes: * and & begin an alias and an anchor"),
        ("a: @daily", "put the text in quotes"),
        ("a: {b: $.c ? 1 : 2}", "close the brackets, or put the text in quotes"),
        ("a: [b", "close the brackets, or put the text in quotes"),
        ("a: {{$.body.name}}", "put the text in quotes: {{ }} would be an object"),
        ("a: !$.body.bot", "put the text in quotes: a tag begins with !"),
        ("steps:\n  -id: a\n    type: bash", "write a blank behind the dash"),
        ("a:\n  b: c\n   d: e", "indent it as the line before"),
        ("a: b: c", "put the text in quotes"),
    ],
)
def test_what_yaml_takes_otherwise_than_it_was_meant_has_the_way_out(text, hint):
    assert refusal(text, ".yaml").hint == hint


def test_aliases_that_nest_are_no_way_around_the_depth():
    text = "a0: &a0 [x]\n" + "\n".join(f"a{n}: &a{n} [[[[[*a{n - 1}]]]]]" for n in range(1, 60))

    assert "more than 200 deep" in refusal(text, ".yaml").problem


def test_other_suffixes_and_huge_files_are_refused():
    assert "not definitions" in refusal("{}", ".toml").problem
    assert "more than" in refusal(" " * (MAX_TEXT_BYTES + 1), ".json").problem


JSON_TEXT = '{"trigger": {\n    "filter": "$.a \\"x\\" === \\u0041",\n    "paths": ["a", {"b": null}]\n},\n"key": "k"}'
YAML_TEXT = "trigger:\n  filter: $.a === 1\n  paths:\n    - 'a'\n    - b: null\nkey: \"k\"\ntext: |\n  first\n\n  second\nfolded: >\n  a\n  b\n"


@pytest.mark.parametrize(
    ("text", "suffix", "path", "place"),
    [
        (JSON_TEXT, ".json", (), (1, 1)),
        (JSON_TEXT, ".json", ("trigger",), (1, 13)),
        (JSON_TEXT, ".json", ("trigger", "filter"), (2, 15)),
        (JSON_TEXT, ".json", ("trigger", "paths", 1, "b"), (3, 26)),
        (JSON_TEXT, ".json", ("key",), (5, 8)),
        (JSON_TEXT, ".json", ("trigger", "nothing"), (1, 13)),
        (JSON_TEXT, ".json", ("trigger", "paths", 7, "x"), (3, 14)),
        (YAML_TEXT, ".yaml", ("trigger", "filter"), (2, 11)),
        (YAML_TEXT, ".yaml", ("trigger", "paths", 1, "b"), (5, 10)),
        (YAML_TEXT, ".yaml", ("trigger", "nothing"), (2, 3)),
        (YAML_TEXT, ".yaml", ("key",), (6, 6)),
    ],
)
def test_every_value_knows_its_place(text, suffix, path, place):
    assert read_document(text, suffix=suffix).place(path) == place


@pytest.mark.parametrize(
    ("text", "suffix", "path", "offset", "place"),
    [
        (JSON_TEXT, ".json", ("trigger", "filter"), 0, (2, 16)),
        (JSON_TEXT, ".json", ("trigger", "filter"), 4, (2, 20)),
        (JSON_TEXT, ".json", ("trigger", "filter"), 5, (2, 22)),
        (JSON_TEXT, ".json", ("trigger", "filter"), 13, (2, 36)),
        (YAML_TEXT, ".yaml", ("trigger", "filter"), 4, (2, 15)),
        (YAML_TEXT, ".yaml", ("trigger", "paths", 0), 0, (4, 8)),
        (YAML_TEXT, ".yaml", ("key",), 1, (6, 8)),
        (YAML_TEXT, ".yaml", ("text",), 2, (8, 5)),
        (YAML_TEXT, ".yaml", ("text",), 9, (10, 5)),
        (YAML_TEXT, ".yaml", ("folded",), 2, (11, 9)),
        (YAML_TEXT, ".yaml", ("trigger",), 2, (2, 3)),
    ],
)
def test_a_problem_inside_a_text_is_located_to_its_character(text, suffix, path, offset, place):
    located = locate(Problem(path, "x", offset=offset), read_document(text, suffix=suffix), "f")

    assert (located.file, located.line, located.column) == ("f", *place)


@pytest.mark.parametrize(
    ("text", "suffix", "path", "place"),
    [
        ('{"a": 1,\n "b":\n  2}', ".json", ("b",), (2, 2)),
        ('[{"a": {"b": []}}]', ".json", (0, "a", "b"), (1, 9)),
        ("a:\n  b:\n    c: 1\n", ".yaml", ("a", "b"), (2, 3)),
        ("x: &x {b: 1}\na: *x\n", ".yaml", ("a",), (2, 1)),
        ("- 1\n- 2\n", ".yaml", (1,), (2, 3)),  # an element has no key
        ('{"a": 1}', ".json", ("b",), (1, 1)),  # what is not there has its parent's place
    ],
)
def test_a_problem_of_a_field_s_name_is_located_where_the_name_stands(text, suffix, path, place):
    problem = locate(Problem(path, "not known", of_key=True), read_document(text, suffix=suffix), "file")

    assert (problem.line, problem.column) == place


def test_a_problem_that_has_its_place_keeps_it():
    problem = Problem(("key",), "x", file="other", line=7, column=8)

    assert locate(problem, read_document("{}", suffix=".json"), "f") == problem
    assert locate(Problem((), "x"), None, "f") == Problem((), "x", file="f")


def test_equal_documents_have_one_digest():
    left = read_document('{"a": 1, "b": ["\\u00e9", "\\ud800"]}', suffix=".json").value
    right = read_document('{ "b":["é","\\uD800"],"a":1 }', suffix=".json").value

    assert canonical(left) == canonical(right) == b'{"a":1,"b":["\\u00e9","\\ud800"]}'
    assert digest(left) == digest(right)
    assert digest(left) != digest({"a": 1})


def test_the_specifications_own_files_are_read():
    for file in Path(__file__).parent.parent.joinpath("definitions").glob("*.json"):
        assert read_document(file.read_bytes(), suffix=".json").value == json.loads(file.read_text())


@pytest.mark.parametrize("text", ['["' + '\\"' * 500_000, '"' * 1_000_001, "{" + '"a":1,' * 100_000, "[" + "1," * 500_000])
def test_broken_texts_are_refused_in_linear_time(text):
    began = time.process_time()

    refusal(text, ".json")

    assert time.process_time() - began < 5


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def paths(value, path=()):
    yield path
    if isinstance(value, dict):
        for key, each in value.items():
            yield from paths(each, (*path, key))
    if isinstance(value, list):
        for number, each in enumerate(value):
            yield from paths(each, (*path, number))


@settings(max_examples=100, deadline=None)
@given(VALUES, st.sampled_from([None, 1]))
def test_each_place_in_json_is_where_the_value_begins(value, indent):
    text = json.dumps(value, indent=indent)

    document = read_document(text, suffix=".json")

    assert document.value == value
    lines = text.split("\n")
    for path in paths(value):
        line, column = document.place(path)
        here = value
        for part in path:
            here = here[part]
        assert "\n".join([lines[line - 1][column - 1 :], *lines[line:]]).startswith(json.dumps(here, indent=indent)[:1])


@settings(max_examples=200, deadline=None)
@given(
    st.text(max_size=30)
    | st.lists(
        st.sampled_from(
            [
                "a",
                ":",
                " ",
                "\n",
                "- ",
                "{",
                "}",
                "[",
                "]",
                ",",
                '"',
                "'",
                "&x ",
                "*x",
                "|",
                ">",
                "!!",
                "<<",
                "#",
                "\\u12",
                "1",
                "?",
                "%",
                "\t",
            ]
        ),
        max_size=20,
    ).map("".join),
    st.sampled_from([".json", ".yaml"]),
)
def test_any_text_is_read_or_refused_with_a_place(text, suffix):
    try:
        document = read_document(text, suffix=suffix)
    except DefinitionError as error:
        places = [(problem.line, problem.column) for problem in error.problems]
    else:
        places = [document.place(path) for path in paths(document.value)]

    assert all(line >= 1 and column >= 1 for line, column in places)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=20), st.sampled_from([".json", ".yaml"]))
def test_any_bytes_are_read_or_refused(raw, suffix):
    try:
        read_document(raw, suffix=suffix)
    except DefinitionError as error:
        assert error.problems  # noqa: PT017 - either outcome is right
