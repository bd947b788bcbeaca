"""Globs, against a matcher that is written without any thought of speed."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triggers.files.patterns import PatternError, Patterns, check


def naive(pattern, path):
    """gitignore's meaning of one pattern, by trying everything."""
    parts = pattern.split("/") if "/" in pattern else ["**", pattern]
    return naive_parts([part for part in parts if part], path.split("/"))


def naive_parts(parts, names):
    if not parts:
        return not names
    if parts == ["**"]:
        return bool(names)
    if parts[0] == "**":
        return any(naive_parts(parts[1:], names[skip:]) for skip in range(len(names) + 1))
    return bool(names) and naive_name(parts[0], names[0]) and naive_parts(parts[1:], names[1:])


def naive_name(glob, name):
    if not glob:
        return not name
    if glob[0] == "*":
        return any(naive_name(glob[1:], name[skip:]) for skip in range(len(name) + 1))
    if not name:
        return False
    if glob[0] == "[":
        end = glob.index("]", 2)
        inside, negated = glob[1:end], glob[1] == "!"
        members = inside[1:] if negated else inside
        hit = members[0] <= name[0] <= members[2] if members[1:2] == "-" else name[0] in members
        return hit != negated and naive_name(glob[end + 1 :], name[1:])
    return glob[0] in ("?", name[0]) and naive_name(glob[1:], name[1:])


NAMES = st.text("ab.é😀\n-", min_size=1, max_size=5)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
PIECES = st.sampled_from(["*", "?", "a", "b", ".", "é", "[ab]", "[!a]", "[a-b]", "[!+-z]", "-"])
PARTS = st.one_of(st.just("**"), st.lists(PIECES, min_size=1, max_size=4).map("".join))
GLOBS = st.builds(lambda parts, lead: lead + "/".join(parts), st.lists(PARTS, min_size=1, max_size=4), st.sampled_from(["", "/"]))


@settings(max_examples=200)
@given(GLOBS, PATHS)
def test_a_glob_means_what_the_naive_matcher_says(glob, path):
    if "." in [part for part in glob.split("/") if part] or ".." in glob.split("/"):
        return  # `.` is the folder itself, `..` is refused

    found = Patterns([glob], []).wants(path)

    assert found == naive(glob, path)


@settings(max_examples=100)
@given(GLOBS, PATHS)
def test_what_is_excluded_is_excluded_with_all_that_is_in_it(glob, path):
    if ".." in glob.split("/") or "." in glob.split("/"):
        return
    ancestors = [path.rsplit("/", cut)[0] for cut in range(path.count("/") + 1)]

    patterns = Patterns([], [glob])

    assert patterns.wants(path) == (not any(naive(glob, each) for each in ancestors))
    assert patterns.prunes(path) == (not patterns.wants(path))


@settings(max_examples=200)
@given(st.text(max_size=30), st.text(max_size=30))
def test_any_text_is_a_pattern_or_is_refused_with_a_hint(pattern, path):
    refused = None
    try:
        check(pattern)
    except PatternError as error:
        refused = error

    assert refused.hint if refused else Patterns([pattern], [pattern]).wants(path) is False


@pytest.mark.parametrize(
    ("include", "path", "expected"),
    [
        ("*.pdf", "a/b.pdf", True),
        ("**/*.pdf", "b.pdf", True),
        ("/*.pdf", "a/b.pdf", False),
        ("in/*", "in/a/b", False),
        ("in/**", "in/a/b", True),
        ("in/**", "in", False),
        ("in/", "in/a/b", True),
        ("in/", "x/in/a", True),
        ("in/", "in", False),
        ("./in/*.txt", "in/a.txt", True),
        ("*.{pdf,t[xy]t,{a,b}c}", "x.bc", True),
        ("*.{pdf,t[xy]t}", "x.tyt", True),
        ("{a}", "{a}", True),
        (r"\{a,b\}", "{a,b}", True),
        (r"\*", "*", True),
        (r"\*", "a", False),
        ("[]]", "]", True),
        ("[!]]", "]", False),
        ("[^a]", "b", True),
        ("[+-9]", "/", False),
        ("a[+-9]b", "a.b", True),
        ("[[]", "[", True),
        ("[a-]", "-", True),
        ("A", "a", False),
        ("a**b", "axxb", True),
        ("a**b", "ax/xb", False),
        ("?", "\udc80", True),
        ("caf?", "caf\udce9", True),
        ("😀?", "😀😀", True),
        ("*", "a\nb", True),
    ],
)
def test_what_patterns_mean(include, path, expected):
    assert Patterns([include], []).wants(path) is expected


@pytest.mark.parametrize(
    "pattern",
    ["", "/", "!a", "[a", "[", "[!", "[]", "[z-a]", "a\\", "../x", "a/../b", "\ud800", "a\0b", "[[:alpha:]]", "{a,b}" * 9, "[/]"],
)
def test_what_cannot_be_meant_is_refused(pattern):
    with pytest.raises(PatternError):
        check(pattern)


def test_a_hostile_name_does_not_cost_more_than_its_length():
    patterns = Patterns(["*a" * 30 + "b"], ["**/" * 30 + "x"])
    name = "/".join(["a" * 250] * 15)
    began = time.process_time()

    patterns.wants(name)

    assert time.process_time() - began < 5
