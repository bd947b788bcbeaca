"""Braces that stand as they are, and look as if a value was meant: `validate` warns of them."""

import time
from pathlib import Path

import pytest

from flows.dialects import load_flow
from flows.steps import make_kinds
from flows.template import compile_template


def warnings(command):
    step = {"id": "a", "type": "bash", "bash": {"command": "true", "env": {"X": [command]}}}
    flow = load_flow({"key": "k", "steps": [step]}, key=None, folder=Path(), kinds=make_kinds())
    return [(problem.path, problem.offset, problem.problem) for problem in flow.warnings]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("say {{two words}}", "{{two words}}"),
        ("say {{ input.name ?? 'x' }}", "{{ input.name ?? 'x' }}"),
        ("say {{steps.a.output + 1}}", "{{steps.a.output + 1}}"),
    ],
)
def test_braces_that_may_be_meant_as_a_value_are_warned_of_at_their_place(text, shown):
    told = warnings(text)

    assert told == [(("steps", 0, "bash", "env", "X", 0), 4, f"{shown} is no path, and stands as it is")]


@pytest.mark.parametrize(
    "text",
    [
        *("{{.Names}}", "{{range .Items}} {{.Name}} {{end}}", "{{#each people}}", "{{/each}}", "{{json .}}", "{{if eq .A 1}}"),
        *("{{ }}", "{{- .Values.x -}}", "{{else if x}}", "{{{ two }}}"),
    ],
)
def test_braces_of_other_programs_are_not(text):
    step = {"id": "a", "type": "bash", "bash": {"command": f"echo '{text.replace('{{ }}', '').replace('{{end}}', '')}'"}}

    flow = load_flow({"key": "k", "steps": [step]}, key=None, folder=Path(), kinds=make_kinds())

    assert [problem for problem in flow.warnings if problem.code == "TEMPLATE_TEXT"] == []


def test_many_braces_that_are_never_closed_are_read_in_time():
    text = "{{a[" * 50_000
    before = time.process_time()

    compile_template(text, lenient=True)

    assert time.process_time() - before < 5
