"""What a definition may say, and what is said of one that may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.errors import DefinitionError
from triggers.files.spec import DEFAULT_EXCLUDE
from triggers.sources.file_watch import FileWatchSource


def problems(section):
    with pytest.raises(DefinitionError) as caught:
        FileWatchSource.prepare(section, key="inbox")
    return [(problem.path, problem.problem, problem.hint) for problem in caught.value.problems]


def test_the_sample_of_the_design_loads():
    spec = FileWatchSource.prepare(
        {
            "paths": ["/srv/in"],
            "include": ["**/*.pdf"],
            "exclude": ["**/.*"],
            "events": ["created", "modified", "deleted", "moved"],
            "settle": "2s",
            "initial": "emit",
            "poll": "auto",
        },
        key="inbox",
    )

    assert (spec.paths, spec.include, spec.exclude, spec.settle_s) == (("/srv/in",), ("**/*.pdf",), ("**/.*",), 2.0)
    assert spec.events == {"created", "modified", "deleted", "moved"}
    assert FileWatchSource.addresses("inbox", spec) == ("inbox",)
    assert hash(spec)


def test_one_path_and_one_pattern_may_stand_without_a_list():
    spec = FileWatchSource.prepare({"path": "~/in", "include": "*.pdf", "events": "created"}, key="inbox")

    assert spec.paths == (str(Path.home() / "in"),)
    assert (spec.include, spec.exclude, spec.events) == (("*.pdf",), DEFAULT_EXCLUDE, {"created"})
    assert (spec.initial, spec.poll, spec.recursive, spec.settle_s) == ("ignore", "auto", True, None)


@pytest.mark.parametrize(
    ("section", "path", "said"),
    [
        ({}, ("paths",), "missing"),
        ({"paths": []}, ("paths",), "empty"),
        ({"paths": [""]}, ("paths", 0), "empty"),
        ({"paths": ["/srv/*"]}, ("paths", 0), "pattern"),
        ({"path": "/srv/*"}, ("path",), "pattern"),
        ({"path": ["/a", "/b?"]}, ("path", 1), "pattern"),
        ({"paths": ["a\0b"]}, ("paths", 0), "character"),
        ({"paths": ["\ud800"]}, ("paths", 0), "character"),
        ({"paths": ["~nobody-of-this-name/x"]}, ("paths", 0), "no such user"),
        ({"paths": [3]}, ("paths", 0), "text"),
        ({"paths": 3}, ("paths",), "list"),
        ({"paths": "/a", "include": ["[a"]}, ("include", 0), "not closed"),
        ({"paths": "/a", "exclude": "!a"}, ("exclude",), "negated"),
        ({"paths": "/a", "settle": 2}, ("settle",), "2"),
        ({"paths": "/a", "settle": "soon"}, ("settle",), "no duration"),
        ({"paths": "/a", "events": ["create"]}, ("events", 0), "create"),
        ({"paths": "/a", "events": []}, ("events",), "empty"),
        ({"paths": "/a", "poll": True}, ("poll",), "true"),
        ({"paths": "/a", "recursive": "yes"}, ("recursive",), "true or false"),
        ({"paths": "/a", "patterns": []}, ("patterns",), "not known"),
        ({"paths": "/a", "path": "/b"}, ("path",), "not known"),
    ],
)
def test_what_is_wrong_is_told_at_its_place(section, path, said):
    found = problems(section)

    assert [place for place, _, _ in found] == [path]
    assert said in found[0][1]


def test_all_that_is_wrong_is_told_at_once_with_hints():
    found = problems({"pathes": ["/a"], "include": ["[a", "a\\"], "settle": "5", "initial": "emitt"})

    assert {place for place, _, _ in found} == {
        ("pathes",),
        ("paths",),
        ("include", 0),
        ("include", 1),
        ("settle",),
        ("initial",),
    }
    hints = {place: hint for place, _, hint in found}
    assert "paths" in hints["pathes",]
    assert "emit" in hints["initial",]
