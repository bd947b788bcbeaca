"""The schemas are in step with the models, and are handed out by the command and to editors."""

from __future__ import annotations

import json
import re
import tomllib

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from daemon.cli.main import main
from daemon.config import Config, read_config
from daemon.kinds import ELSEWHERE, configured_kinds
from daemon.published import MADE, published
from flows.connectors.settings import SETTINGS, settings_class
from flows.dialects.nodes_spec import EdgeSpec, NodeSpec, RetryPolicySpec, SettingsSpec, WorkflowSpec
from flows.dialects.steps_spec import KIND_ALIASES, FlowSpec, StepSpec, fields_of
from flows.errors import DefinitionError
from flows.steps import SETTINGS_OF, STEP_KINDS
from tests.daemon.schemas.schemas import KINDS, wrong
from triggers.load import ALIASES, SECTION_ALIASES, TYPE_ALIASES
from triggers.signatures import SIGNATURES
from triggers.sources import SOURCES, source_class
from triggers.spec import TriggerSpec


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
