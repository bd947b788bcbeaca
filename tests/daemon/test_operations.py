"""What can be asked of a home: answers, changes that are whole or not at all, and advice that works."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from daemon.advice import Advice, sample_body
from daemon.errors import BadRequest, Conflict, NotFound, Unreachable
from daemon.home.definitions import Holder
from daemon.home.whole import read_home
from daemon.operations import Operations
from flows.errors import DefinitionError
from flows.steps import make_kinds
from triggers.load import load_trigger

KINDS = make_kinds()
FLOW = {"inputs": {"who": {"type": "string"}}, "steps": [{"id": "say", "type": "transform", "transform": {"expression": "1"}}]}
HOOK = {"key": "hook", "trigger": {"type": "webhook", "path": "/a"}, "flow": "greet", "inputMapping": {"who": "$.body.who"}}


@pytest.fixture
def operations(tmp_path: Path) -> Operations:
    (tmp_path / "flows").mkdir()
    (tmp_path / "triggers").mkdir()
    (tmp_path / "flows/greet.json").write_text(json.dumps(FLOW))
    return Operations(tmp_path, Holder(read_home(tmp_path, KINDS)), KINDS, Advice(lambda: "http://127.0.0.1:8700"))


def files(operations: Operations) -> list[str]:
    return sorted(file.name for file in (operations.home / "triggers").iterdir())


async def test_a_trigger_is_added_with_its_file_and_is_in_force(operations):
    added = await operations.add_trigger(HOOK)

    assert (added["key"], added["url"]) == ("hook", "http://127.0.0.1:8700/hooks/a")
    assert added["curl"] == """curl -sS http://127.0.0.1:8700/hooks/a -H 'content-type: application/json' -d '{"who": "a who"}'"""
    assert [trigger["key"] for trigger in operations.list_triggers()] == ["hook"]
    assert files(operations) == ["hook.json"]


async def test_a_schedule_is_told_with_its_next_three_times(operations):
    definition = {
        "trigger": {"type": "schedule", "cron": "0 9 * * *", "timezone": "Europe/Berlin"},
        "flow": "greet",
        "inputMapping": {"who": "x"},
    }

    added = await operations.add_trigger(definition, key="daily")

    assert len(added["next"]) == 3
    assert all(time.endswith(":00:00Z") for time in added["next"])
    assert operations.list_triggers()[0]["next"] == added["next"]


async def test_a_disabled_schedule_has_no_next_times(operations):
    await operations.add_trigger(
        {
            "key": "k",
            "trigger": {"type": "schedule", "cron": "@daily"},
            "flow": "greet",
            "enabled": False,
            "inputMapping": {"who": "x"},
        }
    )

    (listed,) = operations.list_triggers()
    assert (listed["enabled"], listed["state"], listed["next"]) == (False, "disabled", [])


@pytest.mark.parametrize(
    "definition",
    [
        HOOK | {"flow": "gret"},
        HOOK | {"inputMapping": {}},
        HOOK | {"trigger": {"type": "webhook"}},
        HOOK | {"key": "Not A Key"},
        HOOK | {"flows": "greet"},
        [],
        None,
    ],
)
async def test_what_is_refused_leaves_nothing_behind(operations, definition):
    before = operations.definitions.current

    with pytest.raises(DefinitionError):
        await operations.add_trigger(definition)

    assert operations.definitions.current is before
    assert files(operations) == []


async def test_a_trigger_that_is_there_is_replaced_only_when_asked(operations):
    await operations.add_trigger(HOOK)

    with pytest.raises(Conflict):
        await operations.add_trigger(HOOK | {"enabled": False})
    await operations.add_trigger(HOOK | {"enabled": False}, overwrite=True)

    assert operations.show_trigger("hook")["enabled"] is False
    assert files(operations) == ["hook.json"]


async def test_a_replacement_that_is_refused_leaves_the_old_one(operations):
    await operations.add_trigger(HOOK)

    with pytest.raises(DefinitionError):
        await operations.add_trigger(HOOK | {"flow": "gret"}, overwrite=True)

    assert json.loads((operations.home / "triggers/hook.json").read_text())["flow"] == "greet"
    assert operations.show_trigger("hook")["flow"] == "greet"


async def test_a_trigger_that_stands_in_another_file_is_not_replaced_beside_it(operations):
    file = operations.home / "triggers/hook.yaml"
    file.write_text(json.dumps(HOOK))

    with pytest.raises(Conflict, match=r"hook\.yaml"):
        await operations.add_trigger(HOOK, overwrite=True)

    assert files(operations) == ["hook.yaml"]
    assert json.loads(file.read_text()) == HOOK


async def test_a_flow_that_was_written_meanwhile_is_seen(operations):
    (operations.home / "flows/later.json").write_text(json.dumps(FLOW))

    await operations.add_trigger(HOOK | {"flow": "later"})

    assert [flow["key"] for flow in operations.list_flows()] == ["greet", "later"]


async def test_a_home_that_broke_meanwhile_stays_as_it_is_in_force(operations):
    (operations.home / "flows/greet.json").write_text("{")

    with pytest.raises(DefinitionError):
        await operations.add_trigger(HOOK)

    assert [flow["key"] for flow in operations.list_flows()] == ["greet"]
    assert files(operations) == []


async def test_a_broken_file_elsewhere_does_not_matter_when_that_is_wanted(operations):
    (operations.home / "flows/other.json").write_text("{")
    operations.keep_going = True

    await operations.add_trigger(HOOK)

    assert files(operations) == ["hook.json"]


async def test_a_change_is_told_before_it_is_in_force(operations):
    seen = []

    async def on_change(after):
        seen.append((len(operations.definitions.current.triggers), len(after.triggers)))

    operations.on_change = on_change
    await operations.add_trigger(HOOK)
    await operations.remove_trigger("hook")

    assert seen == [(0, 1), (1, 0)]


async def test_triggers_added_at_once_are_all_in_force(operations):
    import asyncio

    await asyncio.gather(*(operations.add_trigger(HOOK | {"key": f"k{number}"}) for number in range(10)))

    assert len(operations.list_triggers()) == len(files(operations)) == 10


async def test_a_removed_trigger_is_gone(operations):
    await operations.add_trigger(HOOK)

    await operations.remove_trigger("hook")

    assert (operations.list_triggers(), files(operations)) == ([], [])
    with pytest.raises(NotFound):
        await operations.remove_trigger("hook")


async def test_removing_a_trigger_leaves_the_others_in_force_also_where_a_file_of_theirs_broke_meanwhile(operations):
    await operations.add_trigger(HOOK)
    await operations.add_trigger(HOOK | {"key": "other"})
    (operations.home / "triggers/other.json").write_text("{broken")

    await operations.remove_trigger(HOOK["key"])

    assert [trigger["key"] for trigger in operations.list_triggers()] == ["other"]


async def test_what_is_not_there_is_told_with_what_was_meant(operations):
    await operations.add_trigger(HOOK)

    with pytest.raises(NotFound, match="«hook»"):
        operations.show_trigger("hok")
    with pytest.raises(NotFound, match="«greet»"):
        operations.show_flow("gret")
    with pytest.raises(NotFound):
        await operations.show_run("run_1")
    with pytest.raises(NotFound):
        await operations.show_event("evt_1")


async def test_a_flow_names_the_triggers_that_start_it(operations):
    await operations.add_trigger(HOOK)

    shown = operations.show_flow("greet")

    assert (shown["triggers"], shown["inputs"], shown["definition"]) == (["hook"], ["who"], FLOW)


async def test_without_a_daemon_nothing_can_be_started(operations):
    with pytest.raises(Unreachable, match="camshaft serve"):
        await operations.execute_flow("greet", {})


@pytest.mark.parametrize("limit", [0, -1, 1001, True, "5"])
async def test_a_list_has_a_limit(operations, limit):
    with pytest.raises(BadRequest, match="limit"):
        await operations.list_runs(limit=limit)


def test_a_sample_body_has_what_the_filter_asks_for_and_the_types_the_flow_declares():
    definition = {
        "trigger": {"filter": "$.body.source === 'email' && $.body.deal.size == 5 && $.query.x === 'y'"},
        "inputMapping": {
            "company": "$.body.deal.company",
            "founderEmail": "$.body.email",
            "parts": {"path": "$.body.parts", "default": []},
        },
    }

    body = sample_body(definition, {"parts": "array"})

    assert body == {
        "deal": {"company": "a company", "size": 5},
        "email": "ada@example.com",
        "parts": [{"a": 1}],
        "source": "email",
    }


@pytest.mark.parametrize(("algorithm", "encoding"), [("sha256", "hex"), ("sha1", "hex"), ("sha512", "base64")])
def test_the_curl_line_of_a_signed_hook_signs_its_body(algorithm, encoding, monkeypatch):
    auth = {
        "type": "hmac",
        "header": "X-Sig",
        "algorithm": algorithm,
        "encoding": encoding,
        "prefix": "v=",
        "secret": {"env": "HOOK_SECRET"},
    }
    definition = {
        "key": "k",
        "trigger": {"type": "webhook", "path": "/a", "auth": auth},
        "flow": "f",
        "inputMapping": {"a": "$.body.it's"},
    }
    definition["inputMapping"] = {"a": "$.body.name"}
    monkeypatch.setenv("HOOK_SECRET", "s3 cret")
    line = Advice(lambda: "http://h").of(load_trigger(definition, key=None, file=None))["curl"]

    sent = subprocess.run(
        ["sh", "-c", line.replace("curl", "printf '%s\\n'")], capture_output=True, text=True, check=True
    ).stdout.splitlines()

    import base64
    import hashlib
    import hmac

    digest = hmac.digest(b"s3 cret", sent[-1].encode(), getattr(hashlib, algorithm))
    expected = digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()
    assert f"X-Sig: v={expected}" in sent
    assert json.loads(sent[-1]) == {"name": "a name"}


def test_the_curl_line_of_a_bearer_hook_names_the_variable_and_holds_no_secret(monkeypatch):
    monkeypatch.setenv("HOOK_TOKEN", "s3cret")
    definition = {
        "key": "k",
        "trigger": {"type": "webhook", "path": "/a", "auth": {"type": "bearer", "secret": {"env": "HOOK_TOKEN"}}},
        "flow": "f",
    }

    line = Advice(lambda: "http://h/").of(load_trigger(definition, key=None, file=None))["curl"]

    assert (
        line == """curl -sS http://h/hooks/a -H 'content-type: application/json' -H "authorization: Bearer $HOOK_TOKEN" -d '{}'"""
    )


async def test_a_change_of_one_trigger_leaves_those_whose_files_are_written_anew_at_this_moment(operations):
    for name in ("one", "two", "three"):
        await operations.add_trigger(HOOK | {"key": name, "trigger": {"type": "webhook", "path": f"/{name}"}})
    (operations.home / "triggers/one.json").unlink()  # as git does it, before it writes the file again

    await operations.disable_trigger("two")
    await operations.add_trigger(HOOK)
    await operations.remove_trigger("three")
    keys = [trigger["key"] for trigger in operations.list_triggers()]

    assert keys == ["hook", "one", "two"]
    assert operations.missing() == {operations.home / "triggers/one.json"}


async def test_a_trigger_whose_file_was_just_removed_is_added_anew_also_to_another_file(operations):
    (operations.home / "triggers/elsewhere.json").write_text(json.dumps(HOOK))
    operations.definitions.current = read_home(operations.home, KINDS)
    (operations.home / "triggers/elsewhere.json").unlink()

    added = await operations.add_trigger(HOOK | {"description": "anew"})

    assert (added["file"], added["description"]) == (str(operations.home / "triggers/hook.json"), "anew")
    assert operations.missing() == frozenset()


async def test_a_trigger_whose_file_is_not_there_at_this_moment_is_asked_for_again(operations):
    await operations.add_trigger(HOOK)
    (operations.home / "triggers/hook.json").unlink()

    with pytest.raises(Conflict, match="not there at this moment"):
        await operations.disable_trigger("hook")

    assert [trigger["key"] for trigger in operations.list_triggers()] == ["hook"]
