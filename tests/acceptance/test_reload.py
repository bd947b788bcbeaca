"""Definitions live: whatever is done to a home's files, what is in force is whole and good, and what was good stays until then."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

from tests.acceptance.asking import PATIENCE_S, deal, eventually, hook


def in_place(file: Path, text: str) -> None:
    file.write_text(text)


def by_rename(file: Path, text: str) -> None:
    part = file.with_name(f".{file.name}.swp")
    part.write_text(text)
    part.replace(file)


def with_a_backup(file: Path, text: str) -> None:
    file.rename(file.with_name(file.name + "~"))
    file.write_text(text)


def unlink_and_create(file: Path, text: str) -> None:
    file.unlink()
    file.write_text(text)


def by_rename_from_elsewhere(file: Path, text: str) -> None:
    part = file.parent.parent.parent / "elsewhere.json"
    part.write_text(text)
    part.replace(file)


async def test_an_edit_is_in_force_however_it_is_written(asking):
    file = asking.daemon.home / "triggers/auto-process-deal.json"

    for write in (in_place, by_rename, with_a_backup, unlink_and_create, by_rename_from_elsewhere):
        write(file, deal(asking.daemon.home, description=write.__name__))
        await asking.described(write.__name__)

    assert await asking.keys() == ["auto-process-deal"]


async def test_what_comes_goes_and_moves_in_a_home_is_followed(asking, write):
    home = asking.daemon.home

    write(home, "flows/enrich/flow.json", {"steps": [{"id": "a", "type": "transform", "transform": {"expression": "1"}}]})
    write(home, "triggers/second.json", hook("second", "/second", flow="enrich", inputMapping={}))
    await eventually(lambda: asking.trigger("second"))
    assert await asking.post("/second") == 202

    (home / "triggers/second.json").rename(home / "triggers/renamed.json")
    shutil.move(home / "flows/enrich", home / "flows/moved")
    write(
        home,
        "flows/moved/flow.json",
        {"key": "enrich", "steps": [{"id": "a", "type": "transform", "transform": {"expression": "2"}}]},
    )

    async def is_moved():
        found = await asking.trigger("second")
        flow = (await asking.get("/v1/flows/enrich"))[1]
        return found and found["file"].endswith("renamed.json") and flow.get("folder", "").endswith("moved")

    await eventually(is_moved)
    (home / "triggers/renamed.json").unlink()

    async def is_gone():
        return await asking.trigger("second") is None

    await eventually(is_gone)
    assert await asking.post("/second") == 404


async def test_a_folder_that_is_removed_takes_its_triggers_along_and_brings_them_back(asking):
    home = asking.daemon.home
    shutil.copytree(home / "triggers", home.parent / "backup")

    shutil.rmtree(home / "triggers")

    async def is_empty():
        return await asking.keys() == []

    await eventually(is_empty)
    shutil.copytree(home.parent / "backup", home / "triggers")
    await eventually(lambda: asking.trigger("auto-process-deal"))
    assert await asking.post("/deal-created") == 202


async def test_a_broken_home_leaves_the_last_good_set_and_tells_until_it_is_mended(asking, run):
    home = asking.daemon.home
    good = (home / "triggers/auto-process-deal.json").read_text()
    (home / "triggers/auto-process-deal.json").write_text(good[: len(good) // 2])
    (home / "triggers/new.json").write_text(json.dumps(hook("new", "/new")))

    await asking.logged("definitions.kept")
    refused = run("reload", home=home)
    status = await asking.status()

    assert (refused.returncode, refused.stdout) == (3, "")
    assert "triggers/auto-process-deal.json:1:" in refused.stderr
    assert (status["upToDate"], len(await asking.problems())) == (False, 1)
    assert (await asking.post("/deal-created"), await asking.post("/new")) == (202, 404)

    (home / "triggers/auto-process-deal.json").write_text(good)
    await eventually(lambda: asking.trigger("new"))
    assert await asking.post("/new") == 202
    assert (await asking.status())["upToDate"] is True
    assert len(await asking.logged("definition.refused")) == 1


async def test_with_keep_going_each_file_s_last_good_version_stays_and_the_others_change(home, started, write, run_json):
    write(home, "flows/outer.json", {"steps": [{"id": "in", "type": "flow", "flow": {"key": "deal-process"}}]})
    write(home, "triggers/other.json", hook("other", "/other"))
    asking = await started(home, "--keep-going")

    (home / "triggers/auto-process-deal.json").write_text("{")
    (home / "flows/deal-process.json").write_text("[]")
    (home / "triggers/other.json").write_text(json.dumps(hook("other", "/changed")))
    (home / "triggers/never.json").write_text("{")

    async def is_changed():
        return await asking.post("/changed") == 202

    await eventually(is_changed)
    assert await asking.post("/deal-created") == 202
    assert await asking.post("/other") == 404
    assert await asking.keys() == ["auto-process-deal", "other"]
    assert (await asking.get("/v1/flows/outer"))[0] == 200
    assert len(await asking.problems()) == 3

    (home / "triggers/auto-process-deal.json").unlink()

    async def is_gone():
        return await asking.keys() == ["other"]

    await eventually(is_gone)


async def test_half_a_file_is_never_in_force_while_its_writer_is_at_work(asking, write):
    """The first half is a good definition by itself: one that fires for every event."""
    home = asking.daemon.home
    first = "key: halves\ntrigger:\n  type: webhook\n  path: /halves\nflow: deal-process\ninputMapping: {companyName: $.body.company}\n"
    with (home / "triggers/halves.yaml").open("w") as writing:
        writing.write(first)
        writing.flush()
        write(home, "triggers/beside.json", hook("beside", "/beside"))
        await asyncio.sleep(1.0)  # the writer's pause: four times as long as a change takes to settle
        writing.write("enabled: false\n")

    await eventually(lambda: asking.trigger("halves"))

    assert (await asking.trigger("halves"))["enabled"] is False
    versions = asking.daemon.rows("SELECT definition FROM definitions WHERE key = 'halves'")
    assert [json.loads(text)["enabled"] for (text,) in versions] == [False]


async def test_a_file_that_was_held_open_is_in_force_a_moment_after_it_is_closed(asking):
    file = asking.daemon.home / "triggers/auto-process-deal.json"
    text = deal(asking.daemon.home, description="edited")
    with file.open("w") as writing:
        writing.write(text[:40])
        writing.flush()
        await asyncio.sleep(0.6)  # the writer's pause: the daemon has begun to wait for it
        writing.write(text[40:])
    closed_at = asyncio.get_running_loop().time()

    await asking.described("edited")

    assert asyncio.get_running_loop().time() - closed_at < 3.0  # not the five seconds that a writer may pause


async def test_what_a_link_leads_to_is_followed_and_so_is_the_link(home, started, write):
    """Also as a Kubernetes volume does it: files are links through a folder that is itself a link, and is swapped."""
    outside = home.parent / "outside"
    write(outside, "linked.json", hook("linked", "/linked"))
    for version in ("one", "two"):
        write(home.parent, f"volume/..{version}/mounted.json", hook("mounted", "/mounted", description=version))
    (home.parent / "volume/..data").symlink_to("..one")
    (home / "triggers/linked.json").symlink_to(outside / "linked.json")
    (home / "triggers/mounted.json").symlink_to(home.parent / "volume/..data/mounted.json")
    asking = await started(home)

    (outside / "linked.json").write_text(json.dumps(hook("linked", "/linked", description="edited")))
    await asking.described("edited", "linked")

    shutil.move(home / "flows", home.parent / "real-flows")
    (home / "flows").symlink_to(home.parent / "real-flows")
    write(
        home.parent / "real-flows", "later.json", {"steps": [{"id": "a", "type": "transform", "transform": {"expression": "1"}}]}
    )

    async def has_later():
        return (await asking.get("/v1/flows/later"))[0] == 200

    await eventually(has_later)


async def test_what_is_no_file_or_leads_nowhere_is_a_mistake_that_is_told(asking):
    triggers = asking.daemon.home / "triggers"
    file = triggers / "auto-process-deal.json"
    good = file.read_text()

    for make, said in (
        (lambda: file.mkdir(), "it is no file"),
        (lambda: file.symlink_to("nowhere.json"), "it is not there"),
        (lambda: file.symlink_to(file.name), "it is not there"),
        (lambda: os.mkfifo(file), "it is no file"),
        (lambda: file.write_bytes(b"\xff\xfe{}"), "UTF-8"),
    ):
        file.unlink()
        make()

        async def is_told(said=said):
            problems = await asking.problems()
            return len(problems) == 1 and said in problems[0]

        await eventually(is_told)
        assert await asking.post("/deal-created") == 202
        file.rmdir() if file.is_dir() else file.unlink()
        file.write_text(good)

        async def is_well():
            return await asking.problems() == []

        await eventually(is_well)


async def test_a_home_that_is_away_for_a_moment_loses_nothing(asking):
    home, away = asking.daemon.home, asking.daemon.home.parent / "away"

    home.rename(away)
    home.mkdir()  # a mount point without its file system
    await asking.logged("definitions.not_reloaded")
    home.rmdir()
    away.rename(home)
    (home / "triggers/auto-process-deal.json").write_text(deal(home, description="back"))

    await asking.described("back")
    async with asyncio.timeout(PATIENCE_S):
        while await asking.post("/deal-created") != 202:  # 503 while the database is not where it was, and a moment longer
            await asyncio.sleep(0.05)


async def test_a_path_that_stays_is_always_there_while_git_writes_a_thousand_files_anew(home, started, write):
    def git(*arguments):
        identity = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
        subprocess.run(["git", *arguments], cwd=home, check=True, capture_output=True, env=os.environ | identity)

    def commit(branch: str, description: str):
        for number in range(1000):
            write(home, f"triggers/t{number:04}.json", hook(f"t{number}", f"/t/{number}", description=description))
        git("checkout", "-q", "-b", branch)
        git("add", ".")
        git("commit", "-q", "-m", branch)

    git("init", "-q")
    (home / ".gitignore").write_text("state/\n")
    commit("first", "first")
    commit("second", "second")
    git("checkout", "-q", "first")
    asking = await started(home)
    statuses = set()

    async def load():
        while True:
            statuses.update(await asyncio.gather(*(asking.post("/t/7") for _ in range(8))))

    loading = asyncio.create_task(load())
    git("checkout", "-q", "second")
    await asking.described("second", "t999")
    git("checkout", "-q", "first")
    await asking.described("first", "t999")
    (home / "triggers/t0007.json").write_text(json.dumps(hook("t7", "/t/7", description="mine")))
    await asking.described("mine", "t7")
    git("stash")
    await asking.described("first", "t7")
    git("stash", "pop")
    await asking.described("mine", "t7")
    loading.cancel()
    await asyncio.wait((loading,))

    assert statuses == {202}
    assert {line["removed"] for line in await asking.logged("definitions.reloaded", 5)} == {0}


async def test_sighup_and_the_command_reload_at_once_where_nothing_is_watched(home, started, write, run, run_json):
    write(home, "camshaft.toml", '[reload]\nwatch = "off"\n')
    asking = await started(home)

    (home / "triggers/auto-process-deal.json").write_text(deal(home, description="by signal"))
    asking.daemon.process.send_signal(signal.SIGHUP)
    await asking.described("by signal")
    write(home, "triggers/new.json", hook("new", "/new"))
    (home / "triggers/auto-process-deal.json").write_text(deal(home, description="by command"))
    told = run_json("reload", home=home)
    again = run("reload", home=home)

    assert told["triggers"] == {"added": ["new"], "changed": ["auto-process-deal"], "removed": []}
    assert told["flows"] == {"added": [], "changed": [], "removed": []}
    assert (told["problems"], again.stdout) == ([], "nothing has changed\n")
    assert await asking.post("/new") == 202


async def test_where_inotify_is_not_used_changes_are_found_by_looking(home, started, write):
    write(home, "camshaft.toml", '[reload]\nwatch = "poll"\npoll_s = 0.1\n')
    asking = await started(home)

    (home / "triggers/auto-process-deal.json").write_text(deal(home, description="found"))

    await asking.described("found")


async def test_a_changed_configuration_is_told_and_not_applied(asking, run):
    file = asking.daemon.home / "camshaft.toml"

    file.write_text("[worker]\nconcurrency = 1\n")
    (told,) = await asking.logged("config.changed")

    assert "restart" in told["hint"]
    file.write_text("")
    assert run("reload", home=asking.daemon.home).returncode == 0
    assert len(await asking.logged("config.changed")) == 1


def test_without_a_daemon_there_is_nothing_to_reload(home, run):
    done = run("reload", home=home)

    assert (done.returncode, done.stdout) == (5, "")
    assert "camshaft serve" in done.stderr
