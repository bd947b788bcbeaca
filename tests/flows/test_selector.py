"""Paths: what they find, in which order, how fast, and what is refused with which place."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.errors import DefinitionError
from flows.selector import MISSING, compile_selector

EVENT = {
    "body": {
        "company": "Acme",
        "none": None,
        "a b": 1,
        "items": [{"id": 1, "tags": ["x"]}, {"id": 2, "tags": []}, {"tags": ["y", "z"]}],
        "naïve": "ü",
        "x-y": 2,
    },
    "headers": {"x-delivery-id": "d1"},
}

SINGLE = [
    ("$", EVENT),
    ("$.body.company", "Acme"),
    ("$['body']['company']", "Acme"),
    ('$["body"].company', "Acme"),
    ("$.body['a b']", 1),
    ("$.body.none", None),
    ("$.body.items[0].id", 1),
    ("$.body.items[-1].tags[1]", "z"),
    ("$.body.naïve", "ü"),
    ("$.body.x-y", 2),
    ("$.headers.x-delivery-id", "d1"),
    ("$ ['body'] .company", "Acme"),
    ("$.body[ 'company' ]", "Acme"),
    (r"$.body['\u0063ompany']", "Acme"),
    ("$.body.missing", MISSING),
    ("$.body.company.x", MISSING),
    ("$.body.company[0]", MISSING),
    ("$.body.none.x", MISSING),
    ("$.body.items[3]", MISSING),
    ("$.body.items[-4]", MISSING),
    ("$.body.items.length", MISSING),
    ("$.body.items['0']", MISSING),
    ("$.body[0]", MISSING),
    ("$.body.items.__class__", MISSING),
]


@pytest.mark.parametrize(("path", "expected"), SINGLE)
def test_a_plain_path_gives_the_value_or_says_that_it_is_missing(path, expected):
    selector = compile_selector(path)

    assert selector.single
    assert selector.get(EVENT) == expected
    assert selector.find(EVENT) == ([] if expected is MISSING else [expected])


LETTERS = ["a", "b", "c", "d", "e", "f", "g"]
MANY = [
    ("$.*", {"b": 1, "a": [2]}, [1, [2]]),
    ("$[*]", ["a", 1], ["a", 1]),
    ("$[*]", "text", []),
    ("$.a[*].b", {"a": [{"b": 1}, {}, {"b": None}]}, [1, None]),
    ("$[1:3]", LETTERS, ["b", "c"]),
    ("$[5:]", LETTERS, ["f", "g"]),
    ("$[1:5:2]", LETTERS, ["b", "d"]),
    ("$[5:1:-2]", LETTERS, ["f", "d"]),
    ("$[::-1]", LETTERS, LETTERS[::-1]),
    ("$[-2:]", LETTERS, ["f", "g"]),
    ("$[::0]", LETTERS, []),
    ("$[1:3]", "abcdef", []),
    ("$[0,3]", LETTERS, ["a", "d"]),
    ("$[0,0]", LETTERS, ["a", "a"]),
    ("$[0:2,5]", LETTERS, ["a", "b", "f"]),
    ("$['b','a']", {"a": 1, "b": 2}, [2, 1]),
    ("$['a',1]", ["x", "y"], ["y"]),
    ("$..j", {"o": {"j": 1, "k": 2}, "a": [5, 3, [{"j": 4}, {"k": 6}]]}, [1, 4]),
    ("$..*", {"a": [1, {"b": 2}], "c": 3}, [[1, {"b": 2}], 3, 1, {"b": 2}, 2]),
    ("$..[0]", [[1, 2], [3]], [[1, 2], 1, 3]),
    ("$..a", {"a": {"a": 1}}, [{"a": 1}, 1]),
    ("$.a..b", {"a": {"b": 1, "c": {"b": 2}}, "b": 3}, [1, 2]),
]


@pytest.mark.parametrize(("path", "data", "expected"), MANY)
def test_a_path_that_can_match_many_gives_a_list_in_the_order_of_the_standard(path, data, expected):
    selector = compile_selector(path)

    assert not selector.single
    assert selector.get(data) == expected
    assert selector.find(data) == expected


def row(number, **fields):
    return {"n": number, **fields}


ROWS = [row(0), row(1, x=None), row(2, x=1), row(3, x="1"), row(4, x=True), row(5, x=1.0), row(6, x=[1]), row(7, x={"a": 1})]
FILTERS = [
    ("@.x", [1, 2, 3, 4, 5, 6, 7]),
    ("!@.x", [0]),
    ("@.x == 1", [2, 5]),
    ("(@.x == 1)", [2, 5]),
    ("@.x == '1'", [3]),
    ('@["x"] == "1"', [3]),
    ("@.x == true", [4]),
    ("@.x == null", [1]),
    ("@.x != null", [0, 2, 3, 4, 5, 6, 7]),
    ("@.x == @.missing", [0]),
    ("@.x < 2", [2, 5]),
    ("@.x <= null", [1]),
    ("@.x > '0'", [3]),
    ("1 == @.x", [2, 5]),
    ("@.x >= true", [4]),
    ("@.x == $[2].x", [2, 5]),
    ("@.x == $[6].x", [6]),
    ("@.x.a == 1", [7]),
    ("@.x[0]", [6]),
    ("@.x == 1 || @.x == '1'", [2, 3, 5]),
    ("@.x && @.n > 5", [6, 7]),
    ("@.n == 0 || @.x && @.n > 6", [0, 7]),
    ("!(@.x && @.n > 2) && @.n != 0", [1, 2]),
    ("!(@.x == 1)", [0, 1, 3, 4, 6, 7]),
    ("length(@.x) == 1", [3, 6, 7]),
    ("count(@.*) == 1", [0]),
    ("value(@..a) == 1", [7]),
    ("match(@.x, '[0-9]')", [3]),
    ("match(@.x, '')", []),
    ("!search(@.x, '1') && @.n < 4", [0, 1, 2]),
    ("@.x[?@ == 1]", [6, 7]),
    ("$[?@.x == '1']", list(range(8))),
    ("1 == 1", list(range(8))),
    ("@.n == 1e0", [1]),
    ("@.n == -0", [0]),
]


@pytest.mark.parametrize(("test", "numbers"), FILTERS)
def test_filters_compare_as_the_standard_says(test, numbers):
    found = compile_selector(f"$[?{test}]").find(ROWS)

    assert numbers == [each["n"] for each in found]


def test_filters_go_over_the_members_of_objects_too():
    assert compile_selector("$.users[?@.age > 30].name").find({"users": {"a": {"age": 31, "name": "A"}, "b": {"age": 2}}}) == [
        "A"
    ]


def test_a_pattern_ends_at_the_end_and_a_dot_is_no_line_end():
    data = ["ab", "ab\n", "a\rb", "xab"]

    assert compile_selector("$[?match(@, 'a.')]").find(data) == ["ab"]
    assert compile_selector("$[?search(@, 'a.b')]").find(data) == []
    assert compile_selector("$[?search(@, 'a[.]?b')]").find(data) == ["ab", "ab\n", "xab"]


def test_a_pattern_from_the_data_can_be_anything():
    data = [{"p": pattern, "t": "aaaa"} for pattern in ("(", "a{99999}", "\\", "[", "\ud800", "a" * 5000, None, "a+")]

    assert compile_selector("$[?match(@.t, @.p)].p").find(data) == ["a+"]


def test_a_pattern_that_explodes_elsewhere_takes_no_time_here():
    began = time.process_time()

    found = compile_selector("$[?match(@, '(a+)+$')]").find(["a" * 50_000 + "b"])

    assert found == []
    assert time.process_time() - began < 5


REFUSED = [
    ("", 0),
    ("body.company", 0),
    ("@.a", 0),
    (" $.body", 0),
    ("$.body ", 6),
    ("$.body\n", 6),
    ("$.", 2),
    ("$..", 3),
    ("$...a", 3),
    ("$.a.", 4),
    ("$.a..", 5),
    ("$a", 1),
    ("$$", 1),
    ("$.body.0", 7),
    ("$.body.0a", 7),
    ("$.body[company]", 7),
    ("$.body['a", 7),
    ("$.body['a'", 6),
    ("$.body[0", 6),
    ("$.body[]", 7),
    ("$.body['a'']", 10),
    ("$.body['\\x']", 8),
    ("$.body['\\ud800']", 8),
    ("$.body['a\nb']", 9),
    ("$.body.'a'", 7),
    ("$.body[01]", 7),
    ("$.body[-0]", 7),
    ("$.body[1.5]", 8),
    ("$.body[9007199254740992]", 7),
    ("$.body[-]", 7),
    ("$.body[1:2:3:4]", 12),
    ("$.body[0,]", 9),
    ("$.body[(@.length-1)]", 7),
    ("$.total-10", 7),
    ("$.total - 10", 8),
    ("$.a-", 3),
    ("$.a+1", 3),
    ("$.a * 2", 4),
    ("$.a == 1", 4),
    ("$.a | b", 4),
    ("$.a]", 3),
    ("$.a\u00a0", 3),
    ("$.a\u200b", 3),
    ("$.\ud800", 2),
    ("$.a\x00", 3),
    ("$.a[?]", 5),
    ("$.a[?@.x = 1]", 9),
    ("$.a[?@.x === 1]", 9),
    ("$.a[?@.x =~ 'a']", 9),
    ("$.a[?@.x & @.y]", 9),
    ("$.a[?@.x and @.y]", 9),
    ("$.a[?@.x == foo]", 12),
    ("$.a[?@.x-y == 1]", 8),
    ("$.a[?@..x == 1]", 5),
    ("$.a[?1]", 5),
    ("$.a[?!@.x == 1]", 6),
    ("$.a[?length(@.x)]", 5),
    ("$.a[?match(@.x, 'a') == true]", 5),
    ("$.a[?match(@.x)]", 5),
    ("$.a[?nope(@.x)]", 5),
    ("$.a[?count(1) == 1]", 11),
    ("$.a[?(@.x]", 9),
    ("$.a[?(@.x", 5),
    ("$.a[?@.x == 01]", 12),
    ("$.a.length()", 10),
]


@pytest.mark.parametrize(("path", "offset"), REFUSED)
def test_what_is_no_path_is_refused_where_it_goes_wrong(path, offset):
    with pytest.raises(DefinitionError) as caught:
        compile_selector(path)

    (problem,) = caught.value.problems
    assert (problem.code, problem.path) == ("SELECTOR_SYNTAX", ())
    assert problem.offset == offset


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("body.company", "write $.body.company"),
        ("$.body.0", "write [0], or ['0'] for a key"),
        ("$.body[company]", "write ['company'] or .company"),
        ("$a", "write $.a"),
        ("$.a[?@.x = 1]", "write =="),
        ("$.a[?@.x & @.y]", "write && for and"),
    ],
)
def test_a_refusal_says_what_to_write(path, hint):
    with pytest.raises(DefinitionError) as caught:
        compile_selector(path)

    assert caught.value.problems[0].hint == hint


@pytest.mark.parametrize(
    "path",
    [
        "$" + ".a" * 1000,
        "$" + "[0]" * 1000,
        "$" + "..a" * 300,
        "$.a[?" + "(" * 1000 + "@.a" + ")" * 1000 + "]",
        "$" + "[?@" * 200 + "]" * 200,
        "$[?" + "length(" * 200,
        "$['" + "a" * 5000 + "']",
    ],
)
def test_paths_without_end_are_refused_and_not_followed(path):
    with pytest.raises(DefinitionError):
        compile_selector(path)


def test_the_longest_path_that_loads_also_runs():
    names = "$" + ".a" * 256
    wild = "$" + ".*" * 256
    nested = "$" + "[?@" * 20 + "]" * 20
    data = 1
    for _ in range(256):
        data = {"a": data}

    assert compile_selector(names).get(data) == 1
    assert compile_selector(wild).get(data) == [1]
    assert compile_selector(f"$[?@{'.a' * 255}]").find(data) != []
    assert compile_selector(nested).find(data) != []


def test_something_that_is_no_text_is_no_path():
    with pytest.raises(DefinitionError):
        compile_selector(5)


def test_a_selector_knows_how_it_begins():
    assert compile_selector("$.steps.load.output[0]").segments == ("steps", "load", "output", 0)
    assert compile_selector("$.steps.load[*].x").segments == ("steps", "load")
    assert compile_selector("$..x").segments == ()


@given(st.lists(st.sampled_from(("headers", "X_Id", "Body", "_", "a1", "length")), min_size=1, max_size=18), st.booleans())
def test_a_path_of_plain_names_means_what_it_means_in_brackets(names, fold):
    dotted = compile_selector("".join(("$", *(f".{name}" for name in names))), fold_headers=fold)
    quoted = compile_selector("".join(("$", *(f"['{name}']" for name in names))), fold_headers=fold)
    data: object = 7
    for name in reversed(quoted.segments):
        data = {name: data}

    assert (dotted.segments, dotted.single) == (quoted.segments, quoted.single)
    assert dotted.get(data) == quoted.get(data) == 7
    assert dotted.find(data) == [7]


def test_header_names_are_looked_up_in_lower_case_where_the_root_is_an_event():
    for path in ("$.headers['X-Delivery-Id']", "$.headers.X-Delivery-Id", "$.headers['x-delivery-id']"):
        assert compile_selector(path, fold_headers=True).get(EVENT) == "d1"
    assert compile_selector("$.headers['X-None','X-Delivery-ID']", fold_headers=True).get(EVENT) == ["d1"]
    assert compile_selector("$.body.Company", fold_headers=True).get(EVENT) is MISSING
    assert compile_selector("$.headers['X-Delivery-Id']").get(EVENT) is MISSING
