"""Definitions behind links: whoever swaps a link anywhere on the way to them is noticed at once, and not by the next look."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.acceptance.asking import deal, eventually


def swap(link: Path, target: str) -> None:
    """As deployments do it: there is no moment without the link."""
    fresh = link.with_name(".fresh")
    fresh.symlink_to(target)
    fresh.replace(link)


def a_release(home: Path) -> tuple[Path, Path]:
    """`triggers` leads through a link that says which release is rolled out."""
    releases = home.parent / "releases"
    releases.mkdir()
    (home / "triggers").symlink_to(releases / "current/triggers")
    return home, releases / "current"


def a_volume(home: Path) -> tuple[Path, Path]:
    """A volume of Kubernetes on the home: its folders lead through `..data`."""
    (home / "triggers").symlink_to("..data/triggers")
    return home, home / "..data"


def a_home_by_a_link(home: Path) -> tuple[Path, Path]:
    """The home is named by a link, and one inside it is swapped."""
    _, link = a_volume(home)
    named = home.parent / "named"
    named.symlink_to(home)
    return named, link


@pytest.mark.parametrize("laid_out", [a_release, a_volume, a_home_by_a_link])
async def test_a_link_that_is_swapped_on_the_way_to_the_definitions_is_followed_at_once(home, started, laid_out):
    texts = {name: deal(home, description=name) for name in ("one", "two", "edited")}
    shutil.rmtree(home / "triggers")
    named, link = laid_out(home)
    for name in ("one", "two"):
        folder = link.parent / f"..{name}" / "triggers"
        folder.mkdir(parents=True)
        (folder / "auto-process-deal.json").write_text(texts[name])
    link.symlink_to("..one")
    asking = await started(named)
    (link.parent / "..one/triggers/auto-process-deal.json").write_text(texts["edited"])
    await asking.described("edited")  # what it looks for at its start is over now

    swap(link, "..two")

    await asking.described("two")
    assert [line for line in map(json.loads, asking.daemon.log.read_text().splitlines()) if line["event"] == "home.polled"] == []


async def test_a_file_whose_link_leads_through_another_link_is_followed(home, started):
    outside = home.parent / "outside"
    for name in ("one", "two"):
        (outside / name).mkdir(parents=True)
        (outside / name / "deal.json").write_text(deal(home, description=name))
    (outside / "current").symlink_to("one")
    file = home / "triggers/auto-process-deal.json"
    file.unlink()
    file.symlink_to(os.path.relpath(outside / "current/deal.json", file.parent))
    asking = await started(home)
    (outside / "one/deal.json").write_text((outside / "one/deal.json").read_text().replace("one", "edited"))
    await asking.described("edited")

    swap(outside / "current", "two")

    await asking.described("two")


async def test_links_in_a_circle_are_a_mistake_that_is_told_and_mended(asking):
    home = asking.daemon.home
    file = home / "triggers/auto-process-deal.json"
    text = file.read_text()
    (home / "a").symlink_to("b")
    (home / "b").symlink_to("a")
    file.unlink()

    file.symlink_to(home / "a/deal.json")

    assert "it is not there" in (await asking.logged("definition.refused"))[0]["problem"]
    (home / "real").mkdir()
    (home / "real/deal.json").write_text(text)
    swap(home / "a", "real")

    async def is_mended():
        return await asking.problems() == []

    await eventually(is_mended)
