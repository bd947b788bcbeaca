"""Old versions of definitions are forgotten; what is in force, pinned or among the newest stays. On both databases."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from daemon.store import open_store
from daemon.store.kept_versions import NEWEST
from daemon.store.rows import Candidate, Run
from triggers.event import Event
from triggers.ids import new_id
from triggers.verdict import Verdict


@dataclass(frozen=True)
class Kept:
    """A version, as far as keeping goes."""

    key: str
    digest: str
    definition: Any = None


def digest(number: int, letter: str = "a") -> str:
    return f"{letter}{number:063d}"


async def save(store, *versions: Kept, subflows=None) -> None:
    """Each in a transaction of its own: saved one after the other."""
    for version in versions:
        await store.save_definitions("flow", [(version, Path())], subflows or {})


async def saved_long_ago(location, *versions: Kept, subflows=None) -> None:
    """By an earlier process."""
    async with open_store(location, token="daemon-0") as store:
        await save(store, *versions, subflows=subflows)


async def kept(store, key: str = "deal") -> list[str]:
    return [found for found, _ in await store.versions("flow", key)]


@pytest.fixture
def many() -> list[Kept]:
    return [Kept("deal", digest(number)) for number in range(NEWEST + 5)]


async def test_the_newest_versions_of_each_key_stay_and_older_ones_go(location, many):
    await saved_long_ago(location, *many, Kept("other", digest(0, "b")))

    async with open_store(location, token="daemon-1") as store:
        gone = await store.forget_versions(frozenset)

        assert gone == 5
        assert set(await kept(store)) == {one.digest for one in many[5:]}
        assert await kept(store, "other") == [digest(0, "b")]
        assert await store.forget_versions(frozenset) == 0


async def test_a_version_that_is_in_force_or_that_a_run_pins_stays_however_old(location, many):
    await saved_long_ago(location, *many)

    async with open_store(location, token="daemon-1") as store:
        event = Event(new_id("evt"), "webhook", "/x", 1000.0, {})
        run = Run(new_id("run"), "deal", many[1].digest, "queued", {}, 1000.0, event=event.id, owner=store.token)
        await store.accept(event, [Candidate(Verdict("t", "dispatched"), run=run)])
        await store.forget_versions(lambda: frozenset({many[0].digest}))

        assert set(await kept(store)) == {many[0].digest, many[1].digest, *(one.digest for one in many[5:])}


async def test_sub_flows_of_a_version_that_stays_stay_as_well(location, many):
    outer = Kept("outer", digest(0, "c"))
    await saved_long_ago(location, *many)
    await saved_long_ago(location, outer, subflows={outer.digest: {"deal": many[2].digest}})

    async with open_store(location, token="daemon-1") as store:
        await store.forget_versions(frozenset)

        assert set(await kept(store)) == {many[2].digest, *(one.digest for one in many[5:])}


async def test_a_version_that_is_about_to_be_in_force_again_stays(location, many):
    await saved_long_ago(location, *many)

    async with open_store(location, token="daemon-1") as store:
        await save(store, many[3])  # a reload that has kept its versions and has not put them in force yet
        await store.forget_versions(frozenset)

        assert many[3].digest in await kept(store)
