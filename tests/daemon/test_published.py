"""The published JSON Schemas take what loads, refuse only what the loader refuses or warns of, and are in step with the models."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from daemon.cli.main import main
from daemon.config import Config, read_config
from daemon.kinds import ELSEWHERE, configured_kinds
from daemon.published import MADE, published
from flows.connectors.settings import SETTINGS, settings_class
from flows.dialects import load_flow
from flows.dialects.nodes_spec import EdgeSpec, NodeSpec, RetryPolicySpec, SettingsSpec, WorkflowSpec
from flows.dialects.steps_spec import KIND_ALIASES, FlowSpec, StepSpec, fields_of
from flows.document import read_document
from flows.errors import DefinitionError
from flows.steps import SETTINGS_OF, STEP_KINDS, make_kinds
from triggers.load import ALIASES, SECTION_ALIASES, TYPE_ALIASES, load_trigger
from triggers.signatures import SIGNATURES
from triggers.sources import SOURCES, source_class
from triggers.spec import TriggerSpec

ROOT = Path(__file__).parents[2]
KINDS = make_kinds()
VALIDATORS = {name: Draft202012Validator(published(name)) for name in MADE}


def wrong(name, definition):
    """What the schema says is wrong; None: nothing."""
    error = next(VALIDATORS[name].iter_errors(definition), None)
    return None if error is None else f"{list(error.absolute_path)}: {error.message[:200]}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A flow's folder, with a module of Python."""
    made = tmp_path_factory.mktemp("flow")
    (made / "score.py").write_text("def run(value):\n    return value\n")
    return made


def refusal(name, definition, folder):
    """What the loader says, also where it only warns of a field that does nothing; None: all of it has a meaning."""
    try:
        if name == "trigger":
            load_trigger(definition, key="some-key", file=None)
            return None
        warnings = load_flow(definition, key="some-key", folder=folder, kinds=KINDS).warnings
        return next((warning for warning in warnings if "not known here" in warning.problem), None)
    except DefinitionError as error:
        return error.problems[0]


# -- what there is loads and is valid


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


STEPS = {
    "$schema": "./flow.schema.json",
    "key": "all",
    "name": "All kinds",
    "version": 1,
    "inputs": {
        "who": {"type": "string", "required": False, "default": "x", "enum": ["x", "y"], "description": "d", "connection": {}}
    },
    "defaultOnError": {"strategy": "continue", "retryOn": [429, "ECONNRESET"]},
    "timeoutMs": 60000,
    "maxConcurrency": 4,
    "output": {"a": "$.steps.make.output"},
    "steps": [
        {
            "id": "make",
            "type": "transform",
            "name": "Make",
            "if": "$.input.who !== 'y'",
            "unless": "false",
            "requires": ["$.input.who"],
            "timeoutMs": 5.5,
            "onInterrupted": "retry",
            "outputSchema": {"a": "string"},
            "metrics": {"track": True, "costLabel": "c"},
            "onError": {
                "strategy": "fallback",
                "fallbackStepId": "other",
                "retries": 2,
                "retryDelayMs": 10,
                "backoff": "exponential-jitter",
                "maxDelayMs": 100,
                "failFastOn": ["a"],
            },
            "transform": {"expression": "({a: '1'})"},
        },
        {"id": "other", "type": "transform", "transform": {"expression": "1"}},
        {
            "id": "sh",
            "type": "bash",
            "bash": {"command": "true", "timeout": 10, "env": {"A": {"json": "$.input"}}, "parseJson": True},
        },
        {
            "id": "web",
            "type": "http",
            "http": {
                "url": "http://a/",
                "method": "POST",
                "headers": {"A": None},
                "body": {"a": 1},
                "expect": [204, "2xx"],
                "auth": {"type": "basic", "secret": {"env": "S"}, "username": "u"},
                "maxBytes": 10,
                "followRedirects": True,
            },
        },
        {
            "id": "if",
            "type": "condition",
            "condition": {
                "expression": "true",
                "then": [{"id": "p", "type": "parallel", "parallel": {"steps": [], "maxConcurrency": 2}}],
                "else": [{"id": "f", "type": "flow", "flow": {"key": "{{$.input.who}}", "inputs": {"a": 1}}}],
            },
        },
        {
            "id": "each",
            "type": "loop",
            "loop": {"over": [1, 2], "as": "one", "indexAs": "n", "maxIterations": 5, "maxConcurrency": 2, "steps": []},
        },
        {"id": "again", "type": "while", "while": {"condition": "false", "maxIterations": 3, "steps": []}},
        {"id": "in", "type": "file-read", "fileRead": {"path": "a.json", "parseJson": True}},
        {"id": "out", "type": "file-write", "fileWrite": {"path": "b.txt", "content": "c", "append": True}},
        {"id": "say", "type": "emit", "emit": {"event": "a.b", "data": {"x": 1}}},
        {"id": "js", "type": "code", "code": {"source": "return 1"}},
        {"id": "py", "type": "python", "python": {"module": "score.py", "args": [1]}},
        {
            "id": "ask",
            "type": "action",
            "action": {"platform": "p", "actionId": "a", "connection": {"platform": "p", "tag": "t"}, "data": {}},
        },
    ],
}
NODES = {
    "$schema": "../flow.schema.json",
    "key": "nodes",
    "version": "1.0",
    "nodes": [
        {"id": "rows", "type": "transform", "label": "Rows", "config": {"expression": "[1]"}, "position": {"x": 1, "y": 2.5}},
        {"id": "some", "type": "transform", "config": {"filter": "item > 0", "map": {"n": "item"}, "limit": 5}},
        {
            "id": "any",
            "type": "condition",
            "config": {"condition": "length(data) > 0", "trueBranch": "keep", "falseBranch": "no"},
            "retryPolicy": {"maxAttempts": 2, "backoff": "linear"},
        },
        {
            "id": "keep",
            "type": "file-write",
            "config": {"path": "x", "content": "{{input | json}}"},
            "fallbackNode": "spare",
            "onInterrupted": "fail",
        },
        {"id": "spare", "type": "transform", "config": {"expression": "1"}},
        {"id": "no", "type": "condition", "config": {"expression": "true", "then": [], "else": []}},
        {"id": "ask", "type": "prompt", "config": {"promptTemplate": "Hi", "model": "m", "temperature": 0.5, "maxTokens": 10}},
        {"id": "back", "type": "loop", "config": {"targetNode": "no", "maxIterations": 3, "condition": "data"}},
    ],
    "edges": [
        {"id": "e1", "source": "rows", "target": "some", "label": "all"},
        {"source": "some", "target": "any"},
        {"source": "no", "target": "ask", "condition": True},
        {"source": "ask", "target": "back"},
    ],
    "settings": {
        "maxConcurrentNodes": 2,
        "timeout": 10,
        "errorHandling": "fallback",
        "executionMode": "manual",
        "retryPolicy": {
            "maxAttempts": 3,
            "initialDelay": 1,
            "maxDelay": 5,
            "rateLimit": {"maxAttempts": 5, "backoff": "constant"},
        },
    },
}
HOOK = {
    "$schema": "./trigger.schema.json",
    "key": "hook",
    "description": "d",
    "enabled": False,
    "priority": 1,
    "trigger": {
        "type": "webhook",
        "path": "/a/{b}",
        "methods": ["POST", "put"],
        "auth": {
            "type": "hmac",
            "secret": [{"env": "A"}, {"file": "/b"}],
            "header": "X-Sign",
            "algorithm": "sha512",
            "encoding": "base64",
            "prefix": "v1=",
            "timestamp": {"header": "x-t", "tolerance": "5m"},
            "signed": "{timestamp}.{body}",
        },
        "filter": "$.body.a === 1",
    },
    "flow": "f",
    "inputMapping": {"a": {"path": "$.body.a", "default": 1}},
    "idempotency": {"key": "$.body.id", "ttl": "1h30m"},
    "tests": [
        {"name": "t", "event": {"body": {}}, "expect": {"fires": True, "verdict": "dispatched", "inputs": {}, "reason": "r"}}
    ],
}
DAILY = {
    "id": "daily",
    "trigger": {
        "type": "cron",
        "cron": "0 9 * * *",
        "tz": "Europe/Berlin",
        "jitter": "2m",
        "catchup": {"policy": "all", "window": "2h"},
    },
    "flow": "f",
    "when": "true",
    "inputs": {},
}
WATCH = {
    "name": "watch",
    "trigger": {
        "type": "file",
        "path": "/in",
        "include": "*.pdf",
        "events": ["created", "moved"],
        "settle": "2s",
        "poll": "auto",
    },
    "flow": "f",
}
FOLLOW = {"trigger": {"type": "flow", "flow": "a", "on": ["failed"], "if": "true"}, "flow": "f"}
HEAR = {"trigger": {"type": "event", "name": ["a.b", "c"]}, "flow": "f", "tests": None, "filter": None}
WHOLE = [("flow", STEPS), ("flow", NODES), *(("trigger", each) for each in (HOOK, DAILY, WATCH, FOLLOW, HEAR))]


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


# -- what it refuses


BROKEN = [
    ("trigger", {}),
    ("trigger", []),
    ("trigger", HOOK | {"flow": None}),
    ("trigger", HOOK | {"flow": ""}),
    ("trigger", HOOK | {"key": "Upper"}),
    ("trigger", HOOK | {"priority": 11}),
    ("trigger", HOOK | {"priority": "5"}),
    ("trigger", HOOK | {"enabled": "yes"}),
    ("trigger", HOOK | {"inputMaping": {}}),
    ("trigger", HOOK | {"path": "/a"}),
    ("trigger", HOOK | {"filter": 5}),
    ("trigger", HOOK | {"tests": [{"event": {}}]}),
    ("trigger", HOOK | {"idempotency": {"ttl": "1h"}}),
    ("trigger", HOOK | {"idempotency": {"key": "$.a", "ttl": 3600}}),
    ("trigger", HOOK | {"trigger": {"type": "webhok", "path": "/a"}}),
    ("trigger", HOOK | {"trigger": {"path": "/a"}}),
    ("trigger", HOOK | {"trigger": {"type": "webhook"}}),
    ("trigger", HOOK | {"trigger": {"type": "webhook", "path": "/a", "methods": ["BREW"]}}),
    ("trigger", HOOK | {"trigger": {"type": "webhook", "path": "/a", "auth": {"type": "bearer"}}}),
    ("trigger", HOOK | {"trigger": {"type": "webhook", "path": "/a", "auth": {"type": "bearer", "secret": "s3cret"}}}),
    (
        "trigger",
        HOOK | {"trigger": {"type": "webhook", "path": "/a", "auth": {"type": "bearer", "secret": {"env": "A", "name": "B"}}}},
    ),
    ("trigger", HOOK | {"trigger": {"type": "schedule"}}),
    ("trigger", HOOK | {"trigger": {"type": "schedule", "cron": "0 9 * * *", "overlap": "never"}}),
    ("trigger", HOOK | {"trigger": {"type": "schedule", "cron": "0 9 * * *", "jitter": "soon"}}),
    ("trigger", HOOK | {"trigger": {"type": "file-watch", "include": "*"}}),
    ("trigger", HOOK | {"trigger": {"type": "flow", "flow": "a", "on": "started"}}),
    ("trigger", HOOK | {"trigger": {"type": "event", "name": "not a name"}}),
    ("flow", {}),
    ("flow", {"steps": [], "nodes": []}),
    ("flow", {"steps": {}}),
    ("flow", {"steps": [], "key": "no spaces"}),
    ("flow", {"steps": [], "maxConcurency": 2}),
    ("flow", {"steps": [], "inputs": {"a": {"type": "text"}}}),
    ("flow", {"steps": [], "inputs": {"a": "string"}}),
    ("flow", {"steps": [{"id": "a"}]}),
    ("flow", {"steps": [{"id": "a", "type": "bash"}]}),
    ("flow", {"steps": [{"id": "a", "type": "bsh", "bash": {"command": "x"}}]}),
    ("flow", {"steps": [{"id": "a.b", "type": "bash", "bash": {"command": "x"}}]}),
    ("flow", {"steps": [{"id": "a", "type": "bash", "bash": {"comand": "x"}}]}),
    ("flow", {"steps": [{"id": "a", "type": "bash", "bash": "x"}]}),
    ("flow", {"steps": [{"id": "a", "type": "wait_for_event_of_later", "bash": {}}]}),
    ("flow", {"steps": [{"id": "a", "type": "transform", "transform": {"expression": "1"}, "onError": {"strategy": "ignore"}}]}),
    ("flow", {"steps": [{"id": "a", "type": "parallel", "parallel": {"steps": [{"id": "b", "type": "loop", "loop": {}}]}}]}),
    ("flow", {"nodes": [{"id": "a", "type": "condition", "config": {"trueBranch": "b"}}]}),
    ("flow", {"nodes": [{"id": "a", "type": "transform", "config": {"limit": 0}}]}),
    ("flow", {"nodes": [], "edges": [{"source": "a"}]}),
    ("flow", {"nodes": [{"id": "a", "type": "loop", "config": {"targetNode": "a", "maxIterations": 0}}]}),
    ("flow", {"nodes": [], "settings": {"errorHandling": "panic"}}),
    ("flow", {"nodes": [], "settings": {"retryPolicy": {"maxAttempts": 0}}}),
]


@pytest.mark.parametrize(("noun", "definition"), BROKEN, ids=lambda each: json.dumps(each)[:90])
def test_what_the_schema_refuses_the_loader_refuses_too(noun, definition, folder):
    assert wrong(noun, definition)
    assert refusal(noun, definition, folder)


SCRAPS = st.sampled_from(
    [None, True, 0, -1, 1, 1.5, "", "a", "5m", [], [1], ["a"], {}, {"a": 1}, {"type": "flow"}, "x" * 300]
).map(copy.deepcopy)


def places(value, path=()):
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inner:
        yield from places(each, (*path, name))


@st.composite
def edits(draw):
    """A definition with one to three small changes, as a hand makes them."""
    noun, whole = draw(st.sampled_from(WHOLE))
    edited = copy.deepcopy(whole)
    for _ in range(draw(st.integers(1, 3))):
        there = [place for place in places(edited) if place]
        if not there:
            break
        *path, last = draw(st.sampled_from(there))
        here = edited
        for part in path:
            here = here[part]
        change = draw(st.sampled_from(["replace", "remove", "rename", "add"]))
        if change == "replace":
            here[last] = draw(SCRAPS)
        elif change == "remove":
            del here[last]
        elif isinstance(here, dict):
            value = here.pop(last) if change == "rename" else draw(SCRAPS)
            here[draw(st.sampled_from([f"{last}s", str(last)[1:], "type", "config", "zzz"]))] = value
    return noun, edited


@given(edits())
@example(("trigger", HOOK))
def test_whatever_loads_without_a_word_is_valid(folder, edited):
    noun, definition = edited

    said = wrong(noun, definition)

    assert said is None or refusal(noun, definition, folder), said


# -- in step with the models


def specs_of(kind):
    """A kind's Spec, or those that one of its fields chooses from."""
    return kind.specs()[1].values() if hasattr(kind, "specs") else [kind.Spec]


@pytest.mark.parametrize("name", MADE)
def test_a_schema_is_one_and_stands_alone(name):
    schema = published(name)
    Draft202012Validator.check_schema(schema)
    named = set(re.findall(r'"\$ref": "#/\$defs/([^"]+)"', json.dumps(schema)))

    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert named == set(schema["$defs"])
    assert "camshaft:refers" not in json.dumps(schema)


def fields(schema, name):
    return set(schema["$defs"][name]["properties"])


@pytest.mark.parametrize(
    "spec",
    [
        FlowSpec,
        WorkflowSpec,
        EdgeSpec,
        SettingsSpec,
        RetryPolicySpec,
        *(spec for kind in KINDS.values() for spec in specs_of(kind)),
    ],
)
def test_every_field_of_a_flows_models_stands_in_the_schema_and_no_other(spec):
    assert fields(published("flow"), spec.__name__) == set(fields_of(spec))


def test_steps_and_nodes_have_every_kind():
    schema = published("flow")
    step, node = (schema["$defs"][name]["properties"] for name in ("Step", "Node"))

    assert set(step["type"]["enum"]) == set(node["type"]["enum"]) == {*STEP_KINDS, *KIND_ALIASES}
    assert set(step) == {*fields_of(StepSpec), *(kind.section for kind in KINDS.values())}
    assert set(node) == set(fields_of(NodeSpec))
    for name in ("Step", "Node"):
        arms = [arm["if"]["properties"]["type"]["enum"] for arm in schema["$defs"][name]["allOf"]]
        assert sorted(word for arm in arms for word in arm) == sorted([*STEP_KINDS, *KIND_ALIASES])


def test_triggers_have_every_source_signature_and_word():
    schema = published("trigger")
    own = {field.alias or name for name, field in TriggerSpec.model_fields.items()}

    assert set(schema["properties"]) == own | {"key", "trigger", "filter"} | set(ALIASES)
    assert set(schema["$defs"]["Section"]["properties"]["type"]["enum"]) == {*SOURCES, *TYPE_ALIASES}
    assert set(schema["$defs"]["Auth"]["properties"]["type"]["enum"]) == set(SIGNATURES)
    for kind in SOURCES:
        spec = source_class(kind).Spec
        beside = {"type", "filter", "if", "when"} | {
            word for word, meant in SECTION_ALIASES.items() if meant in spec.model_fields
        }
        beside |= {"path"} if kind == "file-watch" else set()
        assert fields(schema, f"{kind}-section") == {*spec.model_fields, *beside}


def test_the_settings_have_every_section_and_setting():
    schema = published("config")
    parts = {
        **{f"sources.{kind.replace('-', '_')}": source_class(kind).Settings for kind in SOURCES},
        **{f"steps.{name.replace('-', '_')}": kind.Settings for name, kind in STEP_KINDS.items() if name not in SETTINGS_OF},
        **{f"connectors.{name}": settings_class(name) for name in SETTINGS},
        **{name: field.annotation for name, field in Config.model_fields.items() if isinstance(field.annotation, type)},
    }
    for name, model in parts.items():
        if not issubclass(model, BaseModel):
            continue
        *outer, last = name.split(".")
        place = schema["properties"][outer[0]]["properties"][last] if outer else schema["properties"][last]
        elsewhere = {setting for kind, setting in ELSEWHERE if outer == ["sources"] and kind == last}
        assert fields(schema, place["$ref"].rpartition("/")[2]) == set(model.model_fields) - elsewhere
    assert set(schema["properties"]) == set(Config.model_fields) - {"home"}


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("", True),
        ('[http]\nlisten = "127.0.0.1:0"\nadmin = 8701\n[env]\nallow = "A, B"\n', True),
        ('[store]\nspill_bytes = "none"\n[retention]\nage_days = 1.5\nrows = "None"\n', True),
        ('[store]\nurl = "postgresql://u:p@h/d"\n[steps.bash]\nenv = ["PATH"]\n', True),
        ("[http]\nlisten = true\n", False),
        ("[htp]\n", False),
        ("[retention]\nage_days = 0\n", False),
        ("[sources.webhok]\n", False),
        ("[sources.webhook]\nlisten = '127.0.0.1:1'\n", False),
        ("[steps.bash]\ninterpolation = 'never'\n", False),
        ("home = '/x'\n", False),
    ],
)
def test_settings_are_taken_by_the_schema_as_by_the_daemon(tmp_path, text, taken):
    (tmp_path / "camshaft.toml").write_text(text)
    said = wrong("config", tomllib.loads(text))

    if taken:
        configured_kinds(read_config(tmp_path))
    else:
        with pytest.raises(DefinitionError):
            configured_kinds(read_config(tmp_path))
    assert (said is None) == taken, said


# -- where they are handed out


@pytest.mark.parametrize("name", MADE)
def test_the_command_prints_the_schema(capsys, name):
    status = main(["schema", name])

    assert (status, json.loads(capsys.readouterr().out)) == (0, published(name))


def test_a_name_that_is_no_schema_s_is_told_the_near_one(capsys):
    status = main(["schema", "flows"])

    assert (status, capsys.readouterr().err) == (4, "camshaft: there is no schema «flows» (did you mean «flow»?)\n")


def test_the_schema_that_a_definition_names_is_kept(tmp_path):
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows/f.json").write_text(json.dumps({"$schema": "../flow.schema.json", "steps": []}))
    given = tmp_path / "given.json"
    given.write_text(json.dumps({"$schema": "../t.json", "key": "a", "trigger": {"type": "webhook", "path": "/a"}, "flow": "f"}))

    added = main(["trigger", "add", str(given), "--home", str(tmp_path)])
    disabled = main(["trigger", "disable", "a", "--home", str(tmp_path)])
    kept = json.loads((tmp_path / "triggers/a.json").read_text())

    assert (added, disabled) == (0, 0)
    assert (kept["$schema"], kept["enabled"]) == ("../t.json", False)
