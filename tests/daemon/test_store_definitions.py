"""Versions of definitions in the store: kept once, found by digest and by key. On both databases."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest

from daemon.store import open_store
from tests.daemon.store_rows import an_event


@pytest.fixture
async def store(location):
    async with open_store(location, token="daemon-1") as opened:
        yield opened


@dataclass
class AVersion:
    key: str
    digest: str
    definition: object


async def test_versions_of_definitions_are_kept_by_their_digest(store):
    await store.save_definitions("flow", [(AVersion("deal-process", "d" * 64, {"steps": []}), Path("/srv/flows"))])
    await store.save_definitions("flow", [(AVersion("deal-process", "d" * 64, {"steps": []}), Path("/srv/flows"))])

    kept = await store.definition("d" * 64)
    assert (kept.noun, kept.key, kept.definition, kept.folder) == ("flow", "deal-process", {"steps": []}, "/srv/flows")
    assert kept.subflows is None
    assert await store.definition("e" * 64) is None


async def test_the_versions_of_a_key_are_told_newest_first_and_pin_their_sub_flows(store):
    pinned = {"b": {"enrich": "d" * 64}}
    for digest in ("a", "b"):
        await store.save_definitions("flow", [(AVersion("deal", digest, {"n": digest}), None)], pinned)
    await store.save_definitions("flow", [(AVersion("other", "c", {}), None)])
    await store.save_definitions("trigger", [(AVersion("deal", "d", {}), None)])

    versions = await store.versions("flow", "deal")

    assert [digest for digest, _ in versions] == ["b", "a"]
    assert versions[0][1] >= versions[1][1] > 1_700_000_000
    assert (await store.definition("b")).subflows == {"enrich": "d" * 64}
    assert await store.versions("flow", "unknown") == []


async def test_ten_thousand_definitions_are_saved_with_turns_for_events_between_them_and_only_once(store):
    versions = [(AVersion(f"flow-{number}", f"{number:064x}", {"steps": []}), None) for number in range(2_600)]
    saving = asyncio.ensure_future(store.save_definitions("flow", versions))
    while store.tally()[0] == 0:
        await asyncio.sleep(0)

    await store.accept(an_event(), [])
    early = saving.done()
    await saving
    before = store.tally()[0]
    await store.save_definitions("flow", versions)

    assert not early
    assert store.tally()[0] == before
    assert await store.definition(versions[-1][0].digest) is not None
