"""Triggers switched on and off: by the smallest edit of their file, and by an operator's switch in the store."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from daemon.advice import Advice
from daemon.errors import BadRequest, Conflict, NotFound
from daemon.home.definitions import Holder
from daemon.home.switch_text import switched
from daemon.home.whole import read_home
from daemon.operations import Operations
from daemon.operations.switches import keep_lifting, read_suspensions
from flows.document import read_document
from flows.errors import DefinitionError
from flows.steps import make_kinds
from triggers.event import Event
from triggers.match import match
from triggers.source import Unavailable

KINDS = make_kinds()
FLOW = {"steps": [{"id": "say", "type": "transform", "transform": {"expression": "1"}}]}
HOOK = '{\n    "key": "hook",\n    "trigger": {"type": "webhook", "path": "/a"},\n    "flow": "greet"\n}\n'


class Kept(dict):
    """A memory."""

    async def load(self):
        return dict(self)

    async def save(self, changes):
        for key, value in changes.items():
            self.pop(key, None) if value is None else self.update({key: value})


@pytest.fixture
def operations(tmp_path: Path) -> Operations:
    (tmp_path / "flows").mkdir()
    (tmp_path / "triggers").mkdir()
    (tmp_path / "flows/greet.json").write_text(json.dumps(FLOW))
    (tmp_path / "triggers/hook.json").write_text(HOOK)
    return Operations(tmp_path, Holder(read_home(tmp_path, KINDS)), KINDS, Advice(lambda: "http://h"), memory=Kept())


def verdicts(operations: Operations) -> dict[str, str]:
    event = Event("evt_1", "webhook", "/a", 0.0, {"body": {}})
    return {one.verdict.trigger: one.verdict.verdict for one in match(operations.definitions.current.set, event)}


@pytest.mark.parametrize(
    ("suffix", "before", "after"),
    [
        (".json", '{"key": "a", "enabled": true}', '{"key": "a", "enabled": false}'),
        (".json", '{\r\n\t"enabled" : true ,\r\n\t"key": "a"}', '{\r\n\t"enabled" : false ,\r\n\t"key": "a"}'),
        (".json", '{"key": "a"}', '{"enabled": false, "key": "a"}'),
        (".json", '{\n  "key": "a"\n}\n', '{\n  "enabled": false,\n  "key": "a"\n}\n'),
        (".json", '\ufeff{"enabled":true}', '\ufeff{"enabled":false}'),
        (".yaml", "# ours\nkey: a\nenabled: true  # for now\n", "# ours\nkey: a\nenabled: false  # for now\n"),
        (".yaml", "# ours\n\nkey: a # the key\n", "# ours\n\nenabled: false\nkey: a # the key\n"),
        (".yaml", "  key: a\n  flow: b\n", "  enabled: false\n  key: a\n  flow: b\n"),
        (".yaml", "key: a\r\nflow: b\r\n", "enabled: false\r\nkey: a\r\nflow: b\r\n"),
        (".yml", "{key: a, flow: b}\n", "{enabled: false, key: a, flow: b}\n"),
        (".yaml", "---\nkey: a\n", "---\nenabled: false\nkey: a\n"),
        (".yaml", "key: a\nnote: |\n  enabled: true\n", "enabled: false\nkey: a\nnote: |\n  enabled: true\n"),
    ],
)
def test_only_what_switches_is_edited(suffix, before, after):
    assert switched(before, suffix, on=False) == after
    assert switched(after, suffix, on=False) == after
    assert read_document(switched(after, suffix, on=True), suffix=suffix).value["enabled"] is True


def test_what_is_on_already_is_left_alone():
    assert switched('{"key":"a"}', ".json", on=True) == '{"key":"a"}'


def test_an_edit_that_would_change_something_else_is_refused():
    """What is merged stands in another place, which others may share."""
    with pytest.raises(Conflict, match="by hand"):
        switched("base: &b {enabled: true}\n<<: *b\nkey: k\n", ".yaml", on=False)


def test_an_alias_is_replaced_and_what_it_stood_for_stays():
    assert switched("a: &on true\nenabled: *on\nkey: k\n", ".yaml", on=False) == "a: &on true\nenabled: false\nkey: k\n"


JSON = some.recursive(
    some.none() | some.booleans() | some.integers(-9, 9) | some.text(max_size=5),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(
    some.dictionaries(some.text(max_size=6), JSON, min_size=1, max_size=5), some.booleans(), some.sampled_from([None, 1, 2, "\t"])
)
def test_any_json_object_is_switched_and_nothing_else_in_it_changes(value, on, indent):
    value = {name: inner for name, inner in value.items() if name != "enabled"} | ({"enabled": not on} if on else {})

    edited = switched(json.dumps(value, indent=indent, ensure_ascii=False) if value else '{"k": 1}', ".json", on=on)

    assert json.loads(edited) == (value or {"k": 1}) | {"enabled": on}


async def test_a_trigger_is_disabled_and_enabled_in_its_file(operations):
    file = operations.home / "triggers/hook.json"
    file.chmod(0o640)

    told = await operations.disable_trigger("hook")

    assert (told["enabled"], told["state"], verdicts(operations)) == (False, "disabled", {"hook": "disabled"})
    assert file.read_text() == HOOK.replace('    "key"', '    "enabled": false,\n    "key"')
    assert file.stat().st_mode & 0o777 == 0o640
    assert (await operations.enable_trigger("hook"))["state"] == "enabled"
    assert verdicts(operations) == {"hook": "dispatched"}
    assert os.listdir(file.parent) == ["hook.json"]


async def test_a_link_stays_a_link(operations, tmp_path):
    file = operations.home / "triggers/hook.json"
    real = tmp_path / "elsewhere.json"
    file.rename(real)
    file.symlink_to(real)

    await operations.disable_trigger("hook")

    assert file.is_symlink()
    assert json.loads(real.read_text())["enabled"] is False


async def test_a_trigger_can_be_switched_off_while_another_file_is_broken(operations):
    (operations.home / "triggers/other.json").write_text("{")

    await operations.disable_trigger("hook")

    assert verdicts(operations) == {"hook": "disabled"}
    assert [trigger["key"] for trigger in operations.list_triggers()] == ["hook"]


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (HOOK.replace('"path"', '"pth"'), "trigger.path: path is missing"),
        (HOOK.replace('"greet"', '"gret"'), "flow: there is no flow «gret» (did you mean «greet»?)"),
        (HOOK.replace('"hook"', '"hooked"'), "key: the key was «hook» and is «hooked» now"),
        (HOOK.replace(":", "", 1), "2:11: a colon is missing"),
    ],
    ids=["a field", "a flow", "a key", "no JSON"],
)
async def test_a_trigger_whose_own_file_is_broken_is_not_switched_and_its_file_not_touched(operations, broken, said):
    file = operations.home / "triggers/hook.json"
    file.write_text(broken)

    with pytest.raises(DefinitionError) as refused:
        await operations.disable_trigger("hook")
    suspended = await operations.suspend_trigger("hook")

    assert said in str(refused.value)
    assert str(refused.value.problems[0]).startswith(f"{file}:")
    assert (file.read_text(), verdicts(operations)) == (broken, {"hook": "suspended"})
    assert suspended["state"] == "suspended"


async def test_a_suspended_trigger_records_events_with_the_reason_and_fires_nothing(operations):
    told = await operations.suspend_trigger("hook", duration="2h", reason="the CRM is down")

    assert told["state"].startswith("suspended until ")
    assert told["state"].endswith(" (the CRM is down)")
    assert told["suspended"]["reason"] == "the CRM is down"
    assert verdicts(operations) == {"hook": "suspended"}
    assert (operations.home / "triggers/hook.json").read_text() == HOOK
    assert (await operations.enable_trigger("hook"))["suspended"] is None
    assert (verdicts(operations), await operations.memory.load()) == ({"hook": "dispatched"}, {})


async def test_a_suspension_outlives_changes_of_the_definition_and_restarts_and_ends_by_itself(operations):
    await operations.suspend_trigger("hook", duration="1h")
    await operations.add_trigger(json.loads(HOOK) | {"description": "new"}, overwrite=True)

    assert verdicts(operations) == {"hook": "suspended"}
    (kept,) = read_suspensions(await operations.memory.load(), 0.0).values()
    assert kept.until is not None
    assert await operations.lift_expired(kept.until - 10) == pytest.approx(10)
    assert verdicts(operations) == {"hook": "suspended"}
    await operations.lift_expired(kept.until)
    assert verdicts(operations) == {"hook": "dispatched"}


async def test_a_removed_trigger_takes_its_suspension_along(operations):
    await operations.suspend_trigger("hook")
    await operations.remove_trigger("hook")

    assert await operations.memory.load() == {}


@pytest.mark.parametrize(
    "change",
    [
        lambda operations: operations.disable_trigger("hook"),
        lambda operations: operations.remove_trigger("hook"),
        lambda operations: operations.add_trigger(json.loads(HOOK) | {"key": "other"}),
        lambda operations: operations.add_trigger(json.loads(HOOK) | {"description": "new"}, overwrite=True),
    ],
    ids=["disable", "remove", "add", "replace"],
)
async def test_what_could_not_come_in_force_is_not_written_into_the_home(operations, change):
    async def nothing_is_written():
        return False

    operations.writes = nothing_is_written
    before = {file.name: file.read_text() for file in (operations.home / "triggers").iterdir()}

    with pytest.raises(Unavailable, match="nothing was changed"):
        await change(operations)

    assert {file.name: file.read_text() for file in (operations.home / "triggers").iterdir()} == before
    assert verdicts(operations) == {"hook": "dispatched"}


@pytest.mark.parametrize("duration", ["", "2", "soon", "-1h", "0s"])
async def test_a_length_that_is_none_is_refused(operations, duration):
    with pytest.raises(BadRequest):
        await operations.suspend_trigger("hook", duration=duration)
    assert verdicts(operations) == {"hook": "dispatched"}


async def test_what_is_not_there_cannot_be_switched(operations):
    for switch in (operations.enable_trigger, operations.disable_trigger, operations.suspend_trigger, operations.trigger_source):
        with pytest.raises(NotFound, match="«hook»"):
            await switch("hok")


async def test_an_edited_text_replaces_the_one_it_was_made_from_or_nothing(operations):
    source = await operations.trigger_source("hook")
    edited = source["text"].replace('"/a"', '"/b"  ')

    told = await operations.replace_source("hook", edited, source["sha256"])

    assert told["url"] == "http://h/hooks/b"
    assert (operations.home / "triggers/hook.json").read_text() == edited
    with pytest.raises(Conflict, match="changed meanwhile"):
        await operations.replace_source("hook", HOOK, source["sha256"])
    now = (await operations.trigger_source("hook"))["sha256"]
    for text, line in (("{", 1), (edited.replace("greet", "gret"), 4), (edited.replace('"hook"', '"other"'), 2)):
        with pytest.raises(DefinitionError) as refused:
            await operations.replace_source("hook", text, now)
        assert refused.value.problems[0].line == line
    assert (operations.home / "triggers/hook.json").read_text() == edited


@pytest.mark.parametrize("turns", range(6))
async def test_a_cancel_that_comes_just_after_a_suspension_ends_the_lifting(operations, turns):
    lifting = asyncio.create_task(keep_lifting(operations))
    while not lifting_waits(operations):
        await asyncio.sleep(0)
    operations.suspended.set()
    for _ in range(turns):
        await asyncio.sleep(0)

    lifting.cancel()
    done, _ = await asyncio.wait([lifting], timeout=5)

    assert done == {lifting}


def lifting_waits(operations) -> bool:
    return bool(operations.suspended._waiters)
