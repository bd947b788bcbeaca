"""A home: read whole, checked together, written one trigger at a time."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from daemon.errors import Conflict, HomeError, NotFound
from daemon.home.files import remove_trigger, write_trigger
from daemon.home.read import content_of
from daemon.home.whole import BATCH, read_home
from flows.errors import DefinitionError
from flows.steps import make_kinds

KINDS = make_kinds()


def trigger(flow: str = "greet", **more) -> dict:
    return {"trigger": {"type": "webhook", "path": "/a"}, "flow": flow, **more}


def flow(*subflows: str, **more) -> dict:
    steps = [{"id": f"s{number}", "type": "flow", "flow": {"key": key}} for number, key in enumerate(subflows)]
    return {"steps": [*steps, {"id": "say", "type": "transform", "transform": {"expression": "Object.keys($.input)"}}], **more}


@pytest.fixture
def home(tmp_path: Path):
    def make(files: dict[str, object] | None = None) -> Path:
        for name, content in (files or {}).items():
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content if isinstance(content, str) else json.dumps(content, indent=2), encoding="utf-8")
        return tmp_path

    return make


def problems(home: Path) -> list[str]:
    return [str(problem).replace(f"{home}/", "") for problem in read_home(home, KINDS).problems]


def test_every_place_for_definitions_is_read(home):
    path = home(
        {
            "triggers/a.json": trigger("one"),
            "triggers/b.yaml": "trigger: {type: webhook, path: /b}\nflow: two\n",
            "triggers/c.yml": "trigger: {type: webhook, path: /c}\nflow: three\n",
            "flows/one.json": flow(),
            "flows/two.yaml": json.dumps(flow()),
            "flows/three/flow.json": flow(),
            "flows/four/flow.yml": json.dumps(flow()),
            "flows/five.flow.json": flow(),
            "flows/three/lib/data.json": "[]",
            "flows/no-flow/other.json": "[]",
            "triggers/.hidden.json": "{",
            "triggers/notes.txt": "not a definition",
        }
    )

    definitions = read_home(path, KINDS)

    assert definitions.problems == ()
    assert [trigger.key for trigger in definitions.triggers] == ["a", "b", "c"]
    assert sorted(definitions.flows) == ["five", "four", "one", "three", "two"]
    assert definitions.flows["three"].folder == path / "flows/three"


def test_an_empty_home_is_a_home(tmp_path):
    definitions = read_home(tmp_path, KINDS)

    assert (definitions.triggers, dict(definitions.flows), definitions.problems) == ((), {}, ())


def test_what_is_wrong_is_left_out_and_the_rest_is_loaded(home):
    path = home({"triggers/bad.json": "{", "triggers/good.json": trigger(), "flows/greet.json": flow(), "flows/bad.json": "[]"})

    definitions = read_home(path, KINDS)

    assert [trigger.key for trigger in definitions.triggers] == ["good"]
    assert {Path(str(problem.file)).name for problem in definitions.refused} == {"bad.json"}
    assert all(problem.line for problem in definitions.refused)


def test_a_trigger_for_a_flow_that_is_not_there_is_refused_at_its_line(home):
    path = home({"triggers/a.json": trigger("gret"), "flows/greet.json": flow()})

    assert problems(path) == ["triggers/a.json:6:11 flow: there is no flow «gret» (did you mean «greet»?)"]


def test_a_trigger_for_a_flow_that_is_refused_says_so(home):
    path = home({"triggers/a.json": trigger(), "flows/greet.json": {"steps": 5}})

    assert any("triggers/a.json:6:11 flow: the flow «greet» does not load" in said for said in problems(path))


def test_a_required_input_that_is_not_mapped_is_refused(home):
    inputs = {
        "who": {"type": "string"},
        "mood": {"type": "string", "default": "good"},
        "when": {"type": "string", "required": False},
    }
    path = home({"triggers/a.json": trigger(inputMapping={}), "flows/greet.json": flow(inputs=inputs)})

    (said,) = problems(path)

    assert "inputMapping: the flow «greet» requires the input «who», which is not mapped" in said


def test_without_a_mapping_the_bodys_fields_become_inputs_and_nothing_can_be_said(home):
    path = home({"triggers/a.json": trigger(), "flows/greet.json": flow(inputs={"who": {"type": "string"}})})

    assert problems(path) == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"filter": "$.body.a && $.bdy.b"}, "6:26 filter: no event has `$.bdy`: it is missing (did you mean «body»?)"),
        ({"if": "$.stps.a"}, "if: no event has `$.stps`: it is missing (at the top there are id, type,"),
        ({"inputMapping": {"who": {"path": "$.bdy.who"}}}, "inputMapping.who: no event has `$.bdy`"),
        ({"inputs": {"who": "$.filename"}}, "inputs.who: no event has `$.filename`: it is missing"),
        (
            {"inputs": {"who": "{{$.body.a}} {{q $.bdy.who}}"}},
            "inputs.who: no event has `$.bdy`: it is missing (did you mean «body»?)",
        ),
        ({"inputs": {"who": {"all": ["$.body.a", "$.bdy.who"]}}}, "inputs.who: no event has `$.bdy`"),
    ],
)
def test_a_field_that_no_event_has_is_a_warning_where_it_is_read(home, more, said):
    path = home(
        {"triggers/a.json": {"trigger": {"type": "webhook", "path": "/a"}} | more | {"flow": "greet"}, "flows/greet.json": flow()}
    )

    definitions = read_home(path, KINDS)

    (warning,) = definitions.problems
    assert said in str(warning)
    assert (warning.warning, len(definitions.triggers)) == (True, 1)


def test_an_input_that_the_flow_does_not_declare_is_a_warning_with_what_was_meant(home):
    inputs = {"who": {"type": "string", "required": False}}
    path = home({"triggers/a.json": trigger(inputMapping={"whoo": "$.body.who"}), "flows/greet.json": flow(inputs=inputs)})

    definitions = read_home(path, KINDS)

    (warning,) = definitions.problems
    assert (warning.warning, warning.hint, warning.path) == (True, "did you mean «who»?", ("inputMapping", "whoo"))
    assert len(definitions.triggers) == 1


def test_sub_flows_that_call_each_other_are_named(home):
    path = home({"flows/a.json": flow("b"), "flows/b.json": flow("c"), "flows/c.json": flow("a"), "flows/d.json": flow()})

    definitions = read_home(path, KINDS)

    assert list(definitions.flows) == ["d"]
    assert any("a → b → c → a" in problem.problem for problem in definitions.problems)


def test_a_flow_that_calls_itself_is_refused(home):
    path = home({"flows/a.json": flow("a")})

    (said,) = problems(path)

    assert "a → a" in said
    assert said.startswith("flows/a.json:7:")


def test_sub_flows_that_meet_again_are_no_cycle(home):
    path = home({"flows/a.json": flow("b", "c"), "flows/b.json": flow("d"), "flows/c.json": flow("d"), "flows/d.json": flow()})

    assert problems(path) == []


def test_a_flow_whose_sub_flow_is_missing_takes_those_with_it_that_need_it(home):
    path = home({"flows/a.json": flow("b"), "flows/b.json": flow("nowhere"), "triggers/t.json": trigger("a")})

    definitions = read_home(path, KINDS)

    assert (dict(definitions.flows), definitions.triggers) == ({}, ())
    assert [problem.problem for problem in definitions.problems] == [
        "there is no flow «nowhere»",
        "the flow «b» does not load",
        "the flow «a» does not load",
    ]


def test_a_long_chain_of_sub_flows_is_no_deep_recursion(home):
    path = home({f"flows/f{number}.json": flow(f"f{number + 1}") for number in range(1500)} | {"flows/f1500.json": flow()})

    assert problems(path) == []


@pytest.mark.parametrize(
    "files",
    [
        {"triggers/a.json": trigger(key="same"), "triggers/b.json": trigger(key="same")},
        {"flows/same.json": flow(), "flows/same/flow.json": flow()},
        {"flows/a.json": flow(key="same"), "flows/b.json": flow(key="same")},
    ],
)
def test_two_files_for_one_key_are_both_left_out(home, files):
    path = home({"flows/greet.json": flow()} | files)

    definitions = read_home(path, KINDS)

    assert definitions.triggers == ()
    assert list(definitions.flows) == ["greet"]
    assert "two files define" in definitions.problems[0].problem


def test_a_key_need_not_be_its_files_name(home):
    path = home({"flows/a.json": flow(key="other")})

    assert list(read_home(path, KINDS).flows) == ["other"]


def test_a_pipe_in_the_place_of_a_file_is_refused_and_not_waited_for(home):
    path = home({"flows/greet.json": flow()})
    (path / "triggers").mkdir()
    os.mkfifo(path / "triggers/a.json")

    assert problems(path) == ["triggers/a.json: it is no file"]


def test_what_is_no_file_is_refused_and_not_read(home):
    path = home({"flows/greet.json": flow()})
    (path / "triggers/a.json").mkdir(parents=True)
    (path / "triggers/b.json").symlink_to("/dev/zero")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path / "triggers/c.json"))
    (path / "triggers/d.json").symlink_to("d.json")

    found = problems(path)
    listening.close()

    no_file = [f"triggers/{name}.json: it is no file" for name in "abc"]
    assert found == [*no_file, "triggers/d.json: it is not there"]


def test_a_file_that_does_not_tell_its_size_is_read_whole():
    assert content_of(Path("/proc/self/status")).startswith(b"Name:")


def test_a_link_to_nowhere_is_refused(home):
    path = home({"flows/greet.json": flow()})
    (path / "triggers").mkdir()
    (path / "triggers/a.json").symlink_to("gone.json")

    assert problems(path) == ["triggers/a.json: it is not there"]


def test_files_that_were_not_touched_are_not_read_again(home):
    path = home({"triggers/a.json": trigger(), "flows/greet.json": flow()})
    before = read_home(path, KINDS)

    home({"triggers/b.json": trigger()})
    after = read_home(path, KINDS, previous=before)

    assert after.trigger("a") is before.trigger("a")
    assert after.flows["greet"] is before.flows["greet"]
    assert after.trigger("b") is not None


def test_of_many_files_each_gives_what_stands_in_it_changed_empty_or_away(home):
    keys = [f"t{number:03}" for number in range(3 * BATCH)]
    path = home({"flows/greet.json": flow(), **{f"triggers/{key}.json": trigger(description=key) for key in keys}})
    before = read_home(path, KINDS)

    home({f"triggers/t{BATCH + 1:03}.json": trigger(description="changed"), f"triggers/t{BATCH + 2:03}.json": ""})
    (path / f"triggers/t{2 * BATCH:03}.json").unlink()
    (path / f"triggers/t{2 * BATCH:03}.json").symlink_to("nowhere")
    after = read_home(path, KINDS, previous=before)

    assert [one.description for one in before.triggers] == keys
    changed = {f"t{BATCH + 1:03}": "changed", f"t{BATCH + 2:03}": None, f"t{2 * BATCH:03}": None}
    assert [one.description for one in after.triggers] == [said for key in keys if (said := changed.get(key, key)) is not None]
    assert [Path(problem.file or "").stem for problem in after.problems] == [f"t{BATCH + 2:03}", f"t{2 * BATCH:03}"]
    assert all(after.trigger(key) is before.trigger(key) for key in keys if key not in changed)


def test_a_trigger_whose_file_was_touched_and_says_the_same_stays_the_trigger_it_was(home):
    path = home({"triggers/a.json": trigger(), "triggers/b.json": trigger("none"), "flows/greet.json": flow()})
    before = read_home(path, KINDS)

    home({"triggers/a.json": trigger(), "triggers/b.json": trigger("none")})
    os.utime(path / "triggers/a.json", (1, 1))
    os.utime(path / "triggers/b.json", (1, 1))
    after = read_home(path, KINDS, previous=before)

    file = path / "triggers/a.json"
    assert after.trigger("a") is before.trigger("a")
    assert after.files[file].stamp != before.files[file].stamp
    assert after.problems == before.problems != ()


def test_a_file_that_was_changed_is_read_again(home):
    path = home({"triggers/a.json": trigger(), "flows/greet.json": flow()})
    before = read_home(path, KINDS)

    home({"triggers/a.json": trigger(enabled=False)})

    assert read_home(path, KINDS, previous=before).trigger("a").enabled is False


def test_a_trigger_is_written_whole_and_read_back(home):
    path = home({"flows/greet.json": flow()})
    definition = trigger(key="new", description="größer")

    file = write_trigger(path, definition, key="new")

    assert json.loads(file.read_text(encoding="utf-8")) == definition
    assert os.listdir(path / "triggers") == ["new.json"]
    assert read_home(path, KINDS).trigger("new") is not None


def test_a_trigger_that_is_there_is_not_written_over(home):
    path = home({"triggers/new.json": trigger()})

    with pytest.raises(Conflict):
        write_trigger(path, trigger(key="new"), key="new")

    assert os.listdir(path / "triggers") == ["new.json"]


@pytest.mark.parametrize("key", ["../a", "a/b", ".a", "", "a\0b", "a" * 300])
def test_a_key_does_not_lead_out_of_the_folder(home, key):
    with pytest.raises(DefinitionError, match="file's name"):
        write_trigger(home(), trigger(), key=key)


def test_a_home_that_cannot_be_written_says_what_cannot(home):
    path = home({"triggers": "a file in the place of the folder"})

    with pytest.raises(HomeError, match="cannot write to"):
        write_trigger(path, trigger(), key="a")


def test_a_trigger_is_removed_with_its_file_also_when_it_is_refused(home):
    path = home({"triggers/a.json": trigger(key="other"), "triggers/bad.json": "{"})
    definitions = read_home(path, KINDS)

    remove_trigger(definitions, "other")
    remove_trigger(definitions, "bad")

    assert os.listdir(path / "triggers") == []
    with pytest.raises(NotFound):
        remove_trigger(definitions, "other")
