"""Versions: listed, shown by a beginning of their digest, compared; and pinned with their sub-flows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from daemon.advice import Advice
from daemon.errors import BadRequest, NotFound
from daemon.home.definitions import Holder
from daemon.home.versions import keep_versions
from daemon.home.whole import read_home
from daemon.operations import Operations
from daemon.store import open_store
from flows.steps import make_kinds

KINDS = make_kinds()


def flow(text: str) -> dict:
    return {"steps": [{"id": "say", "type": "transform", "transform": {"expression": f"'{text}'"}}]}


CALLER = {"steps": [{"id": "call", "type": "flow", "flow": {"key": "inner"}}]}


def write(home: Path, name: str, definition) -> None:
    (home / name).parent.mkdir(exist_ok=True)
    (home / name).write_text(json.dumps(definition))


@pytest.fixture
async def operations(tmp_path: Path):
    """A home whose inner flow had three versions."""
    write(tmp_path, "flows/outer.json", CALLER)
    async with open_store(tmp_path / "db", token="t") as store:
        definitions = None
        for text in ("one", "two", "three"):
            write(tmp_path, "flows/inner.json", flow(text))
            before, definitions = definitions, read_home(tmp_path, KINDS, previous=definitions)
            await keep_versions(store, definitions, before)
        yield Operations(tmp_path, Holder(definitions), KINDS, Advice(lambda: "http://h"), store=store)


async def test_versions_are_listed_the_newest_first_and_the_one_in_force_is_told(operations):
    listed = await operations.list_versions("flow", "inner")

    assert [one["current"] for one in listed] == [True, False, False]
    assert len({one["digest"] for one in listed}) == 3
    shown = await operations.show_version("flow", "inner", listed[1]["digest"][:10])
    assert shown["definition"] == flow("two")


async def test_a_difference_is_told_between_definitions_by_default_since_the_version_before(operations):
    listed = await operations.list_versions("flow", "inner")

    since_before = await operations.diff_versions("flow", "inner")
    whole = await operations.diff_versions("flow", "inner", listed[2]["digest"][:10], listed[0]["digest"])

    assert (since_before["from"], since_before["to"]) == (listed[1]["digest"], listed[0]["digest"])
    assert [line for line in since_before["diff"].splitlines() if line[:1] in "+-" and "'" in line] == [
        '-        "expression": "\'two\'"',
        '+        "expression": "\'three\'"',
    ]
    assert "'one'" in whole["diff"]


async def test_another_version_of_a_sub_flow_makes_another_version_of_the_flow_that_names_it(operations):
    listed = await operations.list_versions("flow", "outer")
    (shown,) = [await operations.show_version("flow", "outer", one["digest"]) for one in listed if one["current"]]

    assert len(listed) == 3
    assert shown["subflows"] == {"inner": operations.flow("inner").digest}
    assert "subflows" in (await operations.diff_versions("flow", "outer"))["diff"]


async def test_what_is_not_there_or_not_unique_is_told(operations):
    for ask in (operations.list_versions("flow", "none"), operations.show_version("flow", "inner", "xyz")):
        with pytest.raises(NotFound):
            await ask
    with pytest.raises(NotFound):
        await operations.show_version("flow", "inner", "")
    digests = [one["digest"] for one in await operations.list_versions("flow", "inner")]
    shared = next((d[:1] for d in digests if sum(other[:1] == d[:1] for other in digests) > 1), None)
    if shared is not None:
        with pytest.raises(BadRequest):
            await operations.show_version("flow", "inner", shared)


def test_flows_that_did_not_change_are_the_same_objects_after_a_reload(tmp_path):
    write(tmp_path, "flows/outer.json", CALLER)
    write(tmp_path, "flows/inner.json", flow("one"))
    write(tmp_path, "flows/other.json", flow("other"))
    before = read_home(tmp_path, KINDS)
    write(tmp_path, "flows/other.json", flow("changed"))

    after = read_home(tmp_path, KINDS, previous=before)

    assert after.flows["outer"] is before.flows["outer"]
    assert after.flows["outer"].pinned["inner"] is after.flows["inner"]
    assert after.flows["other"] is not before.flows["other"]


async def test_one_version_has_nothing_to_be_compared_with(operations):
    operations.store = None

    for old in (None, ""):
        with pytest.raises(NotFound, match="one version only"):
            await operations.diff_versions("flow", "inner", old)
