"""What is JavaScript and what is not is found without running it."""

import pytest

from flows.script.quickjs import QuickJs


@pytest.mark.parametrize(
    ("form", "source", "offset"),
    [
        ("expression", "x) || (true", 1),
        ("expression", "[1, 2", 5),
        ("expression", "", 0),
        ("expression", "$.a ==", 6),
        ("body", "return 1;\nlet a = ;", 18),
        ("body", "}, async function () {", 1),
        ("body", "} + function () {", 2),
        ("body", "}['x'] = function () {", 1),
        ("body", "}\n[x] = async () => {", 2),
        ("body", "} : 1 ? async () => {", 2),
        ("body", "}); for (;;); (() => {", 1),
        ("body", "a\0b", 1),
        ("body", "'\ud800'", 1),
        ("module", "import x from 'node:fs'; let a; let a", 37),
    ],
)
def test_what_is_no_javascript_is_found_without_running_it(form, source, offset):
    found = QuickJs(1).check(source, form)

    assert found is not None
    assert found.offset is not None
    assert abs(found.offset - offset) <= 1, found


@pytest.mark.parametrize(
    ("form", "source"),
    [
        ("body", "for (;;) {}"),
        ("body", "if (false) { return } else throw 1 // end"),
        ("module", "#!/usr/bin/env node\nimport x from './y.mjs'\nconst $ = JSON.parse(await z)\nexport default 1"),
        ("module", "for (;;) {}"),
        ("expression", "/[/)]/.test(')') // )"),
        ("expression", "({ ...a })"),
    ],
)
def test_what_is_javascript_is_read_and_not_run(form, source):
    assert QuickJs(1).check(source, form) is None


def test_a_deeply_nested_or_endless_text_is_refused_and_not_a_crash():
    for source in (
        "(" * 200_000,
        "[" * 200_000,
        "{" * 200_000,
        "`${" * 60_000,
        "!" * 200_000 + "1",
        "x" * 300_000,
        "1+" * 100_000,
    ):
        assert QuickJs(1).check(source, "expression") is not None, source[:5]
