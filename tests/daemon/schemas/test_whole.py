"""The published JSON Schemas take what loads, refuse only what the loader refuses or warns of, and are in step with the models."""

from __future__ import annotations

import re
import tomllib

import pytest

from flows.document import read_document
from tests.daemon.schemas.schemas import ROOT, refusal, wrong
from tests.daemon.schemas.whole import WHOLE


def blocks():
    for file in sorted((ROOT / "docs").glob("*.md")):
        for form, noun, text in re.findall(
            r"^```(json|yaml|toml) (flow|trigger|config)\n(.*?)^```", file.read_text(), re.MULTILINE | re.DOTALL
        ):
            read = tomllib.loads(text) if form == "toml" else read_document(text.encode(), suffix=f".{form}").value
            yield pytest.param(noun, read, id=f"{file.name} {noun}")


def files():
    for file in sorted([*(ROOT / "examples").rglob("*"), *(ROOT / "tests/definitions").glob("*")]):
        named = {"triggers": "trigger", "flows": "flow", "definitions": "trigger"}.get(file.parent.name)
        if file.name == "camshaft.toml":
            yield pytest.param("config", tomllib.loads(file.read_text()), id=str(file.relative_to(ROOT)))
        elif file.suffix in {".json", ".yaml"} and (named or file.name.startswith("flow.")):
            definition = read_document(file.read_bytes(), suffix=file.suffix).value
            noun = "flow" if {"nodes", "steps"} & definition.keys() else named
            yield pytest.param(noun, definition, id=str(file.relative_to(ROOT)))


EVERYTHING = [*blocks(), *files()]


@pytest.mark.parametrize(("noun", "definition"), EVERYTHING)
def test_every_example_and_every_block_of_the_documents_is_valid(noun, definition):
    assert wrong(noun, definition) is None


def test_examples_of_every_noun_were_found():
    assert {parameter.values[0] for parameter in EVERYTHING} == {"trigger", "flow", "config"}
    assert len(EVERYTHING) > 20


@pytest.mark.parametrize(("noun", "definition"), WHOLE)
def test_whatever_a_definition_may_hold_is_valid(noun, definition, folder):
    assert refusal(noun, definition, folder) is None
    assert wrong(noun, definition) is None


@pytest.mark.parametrize(
    ("noun", "definition"),
    [
        ("trigger", {"trigger": {"type": "webhook", "path": "/a", "methods": "post"}, "flow": "f"}),
        ("trigger", {"trigger": {"type": "webhook", "path": "/a", "auth": None}, "flow": "f", "key": None}),
        (
            "trigger",
            {"trigger": {"type": "webhook", "path": "/a", "auth": {"type": "bearer", "secret": {"name": "A"}}}, "flow": "f"},
        ),
        ("trigger", {"trigger": {"type": "schedule", "cron": "@daily", "catchup": "none"}, "flow": "f"}),
        ("trigger", {"trigger": {"type": "file-watch", "paths": ["/a"], "settle": None}, "flow": "f"}),
        ("trigger", {"trigger": {"type": "event", "name": "a"}, "flow": "f"}),
        ("flow", {"steps": [], "inputs": None}),
        ("flow", {"nodes": [{"id": "a", "type": "transform", "config": {"expression": "1"}}]}),
    ],
)
def test_the_short_forms_are_valid_and_load(noun, definition, folder):
    assert refusal(noun, definition, folder) is None
    assert wrong(noun, definition) is None
