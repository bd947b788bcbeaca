"""`file-read` with a schema: what keeps it, what breaks it, and what makes no sense as one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flows.errors import DefinitionError
from flows.step import Output
from flows.steps.file_read import FileRead, FileReadSettings, FileReadSpec
from tests.flows.test_step_files import failure, load, scope

SCHEMA = {
    "name": {"type": "string", "required": True},
    "mode": {"type": "string", "required": True, "enum": ["dev", "prod"]},
    "retries": "number",
    "tags": {"type": "array", "items": "string", "minItems": 1, "maxItems": 3},
    "coords": {"type": "array", "length": 2, "items": "number"},
    "owner": {"type": "object", "properties": {"id": "string", "email": {"type": "string", "required": True}}},
    "grid": {"type": "array", "items": {"type": "array", "items": {"type": "number", "enum": [0, 1]}}},
    "any": "unknown",
}

GOOD = {
    "name": "x",
    "mode": "dev",
    "retries": 1.5,
    "tags": ["a"],
    "coords": [1, 2],
    "owner": {"email": "e"},
    "grid": [[0, 1]],
    "any": None,
    "more": 1,
}


@pytest.fixture
def checked(tmp_path):
    async def run(value: Any, schema: Any = SCHEMA) -> Output:
        (tmp_path / "a.json").write_text(json.dumps(value))
        kind = FileRead(FileReadSettings())
        spec = FileReadSpec.model_validate({"path": "a.json", "parseJson": True, "schema": schema})
        return await kind.run(kind.prepare(spec, load()), scope(tmp_path, None))

    return run


async def test_json_that_keeps_the_schema_passes(checked):
    assert (await checked(GOOD)).value == GOOD


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"name": None}, "name"),
        ({"mode": "test"}, "mode"),
        ({"retries": True}, "retries"),
        ({"retries": "1"}, "retries"),
        ({"tags": []}, "tags"),
        ({"tags": ["a", "b", "c", "d"]}, "tags"),
        ({"tags": ["a", 1]}, "tags[1]"),
        ({"coords": [1]}, "coords"),
        ({"owner": {}}, "owner.email"),
        ({"owner": []}, "owner"),
        ({"grid": [[0], [0, 2]]}, "grid[1][1]"),
        ({"grid": [[0], [True]]}, "grid[1][0]"),
    ],
)
async def test_json_that_breaks_the_schema_fails_with_its_place(checked, change, place):
    error = await failure(checked({**GOOD, **change}))

    assert error.code == "SCHEMA_VALIDATION"
    assert f"{place} " in str(error)


async def test_all_violations_stand_in_one_error(checked):
    error = await failure(checked({"retries": "x", "tags": [1, 2], "owner": {}}))

    for place in ("name", "mode", "retries", "tags[0]", "tags[1]", "owner.email"):
        assert f"{place} " in str(error)


@pytest.mark.parametrize(("value", "kind"), [([], "array"), (1, "number"), (None, "null"), ("x", "string"), (True, "boolean")])
async def test_a_root_that_is_no_object_is_a_violation(checked, value, kind):
    error = await failure(checked(value, {"optional": "string"}))

    assert f"expected an object at the root but got {kind}" in str(error)


async def test_a_million_wrong_items_make_a_short_error(checked):
    error = await failure(checked({"a": [1] * 100_000}, {"a": {"type": "array", "items": "string"}}))

    assert len(str(error)) < 10_000


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({"a": "strng"}, ("schema", "a")),
        ({"a": {"type": "text"}}, ("schema", "a", "type")),
        ({"a": 1}, ("schema", "a")),
        ({"a": {"typ": "string"}}, ("schema", "a", "typ")),
        ({"a": {"required": "yes"}}, ("schema", "a", "required")),
        ({"a": {"enum": "x"}}, ("schema", "a", "enum")),
        ({"a": {"enum": [{}]}}, ("schema", "a", "enum")),
        ({"a": {"type": "array", "minItems": -1}}, ("schema", "a", "minItems")),
        ({"a": {"type": "array", "length": 1.5}}, ("schema", "a", "length")),
        ({"a": {"minItems": 1}}, ("schema", "a", "minItems")),
        ({"a": {"type": "string", "items": "string"}}, ("schema", "a", "items")),
        ({"a": {"type": "array", "items": "nope"}}, ("schema", "a", "items")),
        ({"a": {"properties": {}}}, ("schema", "a", "properties")),
        ({"a": {"type": "object", "properties": {"b": "x"}}}, ("schema", "a", "properties", "b")),
    ],
)
def test_a_schema_that_makes_no_sense_is_refused_at_load(schema, path):
    spec = FileReadSpec.model_validate({"path": "a", "parseJson": True, "schema": schema})

    with pytest.raises(DefinitionError) as raised:
        FileRead(FileReadSettings()).prepare(spec, load())

    assert path in [problem.path for problem in raised.value.problems]


def test_a_schema_without_parse_json_is_refused_at_load():
    with pytest.raises(DefinitionError) as raised:
        FileRead(FileReadSettings()).prepare(FileReadSpec.model_validate({"path": "a", "schema": {}}), load())

    assert "parseJson" in str(raised.value)
