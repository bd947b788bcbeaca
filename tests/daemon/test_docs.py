"""The documents say what the code does: every setting, log event, verdict, command, code and kind of step stands in them."""

from __future__ import annotations

import ast
import importlib
import json
import re
from dataclasses import replace
from typing import get_args

import pytest
from cyclopts import App
from pydantic import BaseModel

from daemon import ends
from daemon.admin.routes import ROUTES
from daemon.cli.main import COMMANDS
from daemon.config import CONNECTOR_SECTIONS, SOURCE_SECTIONS, STEP_SECTIONS, Address, Config, read_config
from daemon.errors import DaemonError
from daemon.kinds import configured_kinds
from daemon.metrics import result
from daemon.store.rows import Run
from daemon.store.tables import metadata, schema_version
from flows.attempt import Attempt, AttemptStatus
from flows.connectors.destinations import DESTINATIONS, destination_class
from flows.connectors.settings import SETTINGS as CONNECTOR_SETTINGS
from flows.connectors.settings import settings_class
from flows.connectors.sources import CONNECTORS, connector_class
from flows.dialects.steps_spec import LATER_FIELDS, LATER_KINDS, FlowSpec, MetricsSpec, OnErrorSpec, StepSpec, fields_of
from flows.expression.arrays import ARRAYS
from flows.expression.library import GLOBALS
from flows.expression.strings import STRINGS
from flows.inputs import TYPES
from flows.steps import SETTINGS_OF, STEP_KINDS
from flows.template import PIPES
from flows.usage import Usage
from tests.daemon.documents import ROOT, code_words, rows, section, sources_of, text, words
from triggers.sources import SOURCES, source_class

LEVELS = {"exception": "error"}


# -- settings


SETTINGS = {
    **{name: field.annotation for name, field in Config.model_fields.items() if isinstance(field.annotation, type)},
    **{f"sources.{kind.replace('-', '_')}": source_class(kind).Settings for kind in SOURCES},
    **{f"steps.{name.replace('-', '_')}": kind.Settings for name, kind in STEP_KINDS.items() if name not in SETTINGS_OF},
    **{f"connectors.{name}": settings_class(name) for name in CONNECTOR_SETTINGS},
}
SETTINGS = {name: model for name, model in SETTINGS.items() if issubclass(model, BaseModel) and model.model_fields}


def shown(value):
    if value is None:
        return "none"
    if isinstance(value, tuple) and not isinstance(value, Address):
        return json.dumps(list(value))
    if isinstance(value, bool):
        return json.dumps(value)
    return f"{value:.17g}" if isinstance(value, int | float) else str(value)


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_of_a_section_stands_in_the_documents_with_its_default(name):
    said = {
        names[0]: re.findall(r"`([^`]+)`", cells[0])[0]
        for names, cells in rows(section("docs/configuration.md", f"## [{name}]"))
        if names
    }

    assert said == {setting: shown(field.default) for setting, field in SETTINGS[name].model_fields.items()}


def test_no_section_stands_in_the_documents_that_is_not_there():
    assert set(re.findall(r"^## \[(.+)\]$", text("docs/configuration.md"), re.MULTILINE)) == set(SETTINGS)
    sections = {"sources": SOURCE_SECTIONS, "steps": STEP_SECTIONS, "connectors": CONNECTOR_SECTIONS}
    assert {f"{part}.{name}" for part, names in sections.items() for name in names} >= {name for name in SETTINGS if "." in name}


@pytest.mark.parametrize(("variable", "value"), re.findall(r"`(CAMSHAFT_\w+__\w+)=([^`]+)`", text("docs/configuration.md")))
def test_the_variables_that_the_documents_set_are_taken(variable, value, tmp_path, monkeypatch):
    before = read_config(tmp_path).model_dump()
    monkeypatch.setenv(variable, value)

    config = read_config(tmp_path)

    assert config.model_dump() != before
    assert configured_kinds(config)


# -- logs


def log_calls():
    """(event, level) of every line that our code writes."""
    for file, tree in sources_of("daemon", "triggers", "flows"):
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            owner = ast.unparse(node.func.value)
            if owner != "log" and "get_logger" not in owner:
                continue
            level = LEVELS.get(node.func.attr, node.func.attr)
            names = [constant.value for constant in ast.walk(ast.Tuple([*node.args])) if isinstance(constant, ast.Constant)]
            events = [name for name in names if isinstance(name, str) and re.fullmatch(r"[a-z_]+\.[a-z_]+", name)]
            assert events, f"{file}:{node.lineno}: the event's name is not a literal"
            yield from ((event, "any" if level == "log" else level) for event in events)
    yield from (
        (f"run.{status}", "info" if status == "completed" else "warning") for status in ("completed", "failed", "cancelled")
    )
    yield "log.dropped", "warning"  # of the writer of lines itself, which cannot be written by itself


def test_the_table_of_log_events_is_the_code_s():
    said = {names[0]: cells[0] for names, cells in rows(text("docs/logs.md")) if names}

    assert said == dict(log_calls())


def log_keys():
    """event → the keys of its lines, over all places that write it; events whose keys are put together elsewhere are left out."""
    keys: dict[str, set[str]] = {}
    for _, tree in sources_of("daemon", "triggers", "flows"):
        for node in ast.walk(tree):
            if not (
                isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "log"
            ):
                continue
            names = [constant.value for constant in ast.walk(ast.Tuple([*node.args])) if isinstance(constant, ast.Constant)]
            given = {"exception" if keyword.arg == "exc_info" else keyword.arg for keyword in node.keywords}
            given |= {"exception"} if node.func.attr == "exception" else set()
            for event in names:
                if isinstance(event, str) and re.fullmatch(r"[a-z_]+\.[a-z_]+", event) and None not in given:
                    keys.setdefault(event, set()).update(given)
    return keys


@pytest.mark.slow
def test_the_keys_of_every_log_event_are_the_code_s():
    said = {
        names[0]: set(" ".join(re.findall(r"`([^`]+)`", cells[1])).split())
        for names, cells in rows(text("docs/logs.md"))
        if names and "the same" not in cells[1]
    }

    assert {event: keys for event, keys in said.items() if event in log_keys()} == {
        event: keys for event, keys in log_keys().items() if event in said
    }


def test_the_line_of_a_run_has_the_keys_that_the_documents_say(monkeypatch):
    lines = []
    for level in ("info", "warning"):
        monkeypatch.setattr(ends.log, level, lambda event, **keys: lines.append((event, set(keys))), raising=False)
    run = Run("run_a", "f", "0", "completed", {}, 0.0, started_at=0.0, finished_at=1.0)

    ends.tell(run)
    ends.tell(replace(run, status="failed", error="why", code="CODE"))

    said = {
        names[0]: set(" ".join(re.findall(r"`([^`]+)`", cells[1])).split())
        for names, cells in rows(text("docs/logs.md"))
        if names
    }
    assert lines == [("run.completed", said["run.completed"]), ("run.failed", said["run.completed"] | said["run.failed"])]


def test_the_log_events_that_readme_names_are_there():
    named = words(section("README.md", "## Logs"))

    assert named <= {event for event, _ in log_calls()}


# -- flows


@pytest.mark.parametrize("name", STEP_KINDS)
def test_every_kind_of_step_is_described_with_its_fields(name):
    kind = STEP_KINDS[name]
    part = section("docs/flows.md", f"### {name}")

    assert set(fields_of(kind.Spec)) == {word for word in words(part) if word in fields_of(kind.Spec)}
    assert kind.section == name or f"`{kind.section}`" in part


@pytest.mark.parametrize("name", DESTINATIONS)
def test_every_destination_is_described_with_its_fields(name):
    fields = set(fields_of(destination_class(name).Spec)) - set(fields_of(STEP_KINDS["output"].Spec))

    assert fields == {word for word in words(section("docs/connectors.md", f"### To {name}")) if word in fields}


@pytest.mark.parametrize("name", CONNECTORS)
def test_every_source_is_described_with_its_fields(name):
    fields = set(fields_of(connector_class(name).Query))

    assert fields == {word for word in words(section("docs/connectors.md", f"### From {name}")) if word in fields}


def test_every_documented_behaviour_names_a_test_that_is_there():
    tests = {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^ *(?:async )?def (test_\w+)", file.read_text(), re.MULTILINE)
    }
    shown = section("docs/flows.md", "## The One CLI's format, line by line").partition("Where its engine differs")[0]
    lines = [line for line in re.findall(r"^\| (.+) \|$", shown, re.MULTILINE) if "documented |" not in line]

    named = [re.findall(r"`(test_\w+)`", line) for line in lines]

    assert {name for names in named for name in names} <= tests
    assert all(names or line.startswith("**") for line, names in zip(lines, named, strict=True))
    assert len(lines) > 60


def test_every_sentence_of_the_workflow_specification_names_a_test_that_is_there_or_is_for_later():
    tests = {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^ *(?:async )?def (test_\w+)", file.read_text(), re.MULTILINE)
    }
    shown = section("docs/workflows.md", "## The specification, sentence by sentence")
    lines = [line for line in re.findall(r"^\| (.+) \|$", shown, re.MULTILINE) if not line.startswith("sentence |")]

    named = [re.findall(r"`(test_\w+)`", line) for line in lines]

    assert {name for names in named for name in names} <= tests
    assert all(names or line.endswith("| later") for line, names in zip(lines, named, strict=True))
    assert len(lines) > 30


def test_the_fields_of_flows_and_steps_are_named():
    flow = words(section("docs/flows.md", "## The flow"))
    step = words(section("docs/flows.md", "## Every step"))
    named = code_words(text("docs/flows.md"))

    assert set(fields_of(FlowSpec)) <= flow
    assert set(fields_of(StepSpec)) <= step
    assert set(fields_of(OnErrorSpec)) <= step
    assert {*fields_of(MetricsSpec), *TYPES, *LATER_KINDS, *LATER_FIELDS, *get_args(AttemptStatus)} - {
        "running",
        "cancelled",
    } <= named


NO_CODES = frozenset(
    [
        "UTC",
        "GET",
        "HEAD",
        "POST",
        "PUT",
        "PATCH",
        "DELETE",
        "OPTIONS",
        "ONE_SECRET",
        "SMTP_PASSWORD",
        "STARTTLS",
        "PATH",
        "HOME",
        "LANG",
        "TMPDIR",
        "USER",
        "ETIMEDOUT",
        "ECONNRESET",
        "ECONNREFUSED",
        "ENOTFOUND",
        "BEGIN",
        "COMMIT",
        "DEFAULT_SECRET",
        "AIRTABLE_TOKEN",
        "GOOGLE_SERVICE_ACCOUNT",
        "UNFORMATTED_VALUE",
        "FORMATTED_VALUE",
        "FORMULA",
        "FORMATTED_STRING",
        "SERIAL_NUMBER",
        "ROWS",
        "LIST_RECORDS_ITERATOR_NOT_AVAILABLE",
        "PIPES",
        "JSON",
        "URL",
    ]
)
OF_DEFINITIONS = re.compile(
    r"(GRAPH|REFERENCE|SELECTOR|DOCUMENT)_|NOT_IN_THIS_VERSION|TEMPLATE_SYNTAX|SCRIPT_SYNTAX|PYTHON_(SYNTAX|FUNCTION)|EXPRESSION_(SYNTAX|NAME)|DURATION|CAMSHAFT_|SQLITE_"
)


def test_every_code_of_a_failed_step_or_run_is_in_the_table():
    places = (
        "flows/steps",
        "flows/connectors",
        "flows/script",
        "flows/connectors",
        "flows/trial.py",
        "flows/execution.py",
        "flows/results.py",
        "flows/recovery.py",
        "flows/template.py",
        "flows/text.py",
    )
    codes = {
        node.value
        for _, tree in sources_of(
            *places, "daemon/worker.py", "daemon/home/flow_versions.py", "daemon/world.py", "daemon/home/beside.py"
        )
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"[A-Z]{3,}(_[A-Z]+)*", node.value)
    }

    said = set(re.findall(r"`([A-Z]{3,}(?:_[A-Z]+)*)`", section("docs/flows.md", "## Error codes")))

    assert {code for code in codes - NO_CODES if not OF_DEFINITIONS.match(code)} <= said


def test_every_code_in_the_table_is_in_the_code():
    code = "".join(file.read_text() for place in ("flows", "daemon") for file in (ROOT / place).rglob("*.py"))
    said = set(re.findall(r"`([A-Z]{3,}(?:_[A-Z]+)*)`", section("docs/flows.md", "## Error codes")))

    assert {name for name in said if f'"{name}"' not in code} == set()


def test_every_function_of_the_language_and_every_pipe_is_named():
    named = code_words(text("docs/expressions.md"))

    assert {*STRINGS, *ARRAYS, *GLOBALS, *PIPES} <= named


# -- commands, routes, results


def commands():
    for name, place, _ in COMMANDS:
        module, _, attribute = place.partition(":")
        found = getattr(importlib.import_module(module), attribute)
        if isinstance(found, App):
            yield from (f"{name} {inner}" for inner in found if not inner.startswith("-"))
        else:
            yield name


@pytest.mark.parametrize("command", sorted(commands()))
def test_every_command_is_described(command):
    document = text("docs/cli.md")

    assert re.search(rf"(?:`(?:camshaft )?{command}[ `\n])|(?:^## {command}$)", document, re.MULTILINE)


def test_every_option_of_every_command_is_described():
    named = code_words(text("docs/cli.md"))
    missing = set()
    for name, place, _ in COMMANDS:
        module, _, attribute = place.partition(":")
        found = getattr(importlib.import_module(module), attribute)
        apps = [found[inner] for inner in found if not inner.startswith("-")] if isinstance(found, App) else [App(name=name)]
        if not isinstance(found, App):
            apps[0].default(found)
        for app in apps:
            for argument in app.assemble_argument_collection():
                missing |= {option for option in argument.names if option.startswith("-") and option not in named}

    assert missing == set()


def test_every_exit_status_of_our_errors_is_in_the_table():
    said = {int(line) for line in re.findall(r"^\| (\d+) \|", section("docs/cli.md", "## Every command"), re.MULTILINE)}
    readme = {int(line) for line in re.findall(r"^\| (\d+) \|", section("README.md", "## Commands"), re.MULTILINE)}

    assert {kind.exit_status for kind in (DaemonError, *DaemonError.__subclasses__())} | {0, 7, 130} <= said
    assert readme <= said


def test_the_table_of_routes_is_the_admin_api_s():
    said = re.findall(
        r"^\| (GET|POST|PUT|DELETE) \| `([^`]+)` \|", section("docs/operations.md", "## The admin API"), re.MULTILINE
    )

    assert said == [(route.method, route.path) for route in ROUTES]


def test_the_table_of_tables_is_the_store_s():
    said = words(section("docs/operations.md", "## What the store holds").partition("### ")[0])

    assert {name for name in said if name in metadata.tables} == set(metadata.tables) - {schema_version.name}


def test_every_field_of_metrics_is_named():
    usage = Usage(1, 1, 1, ("a",), 1, "envelope")
    attempt = Attempt("a", "a", "bash", 1, "success", 0.0, 1, usage=usage, track=True, cost_label="label")
    run = Run("run_a", "f", "0", "completed", {}, 0.0, started_at=0.0, finished_at=1.0, attempts=(attempt,))
    metrics = result(run)["_metrics"]
    fields = set(metrics) | set(metrics["steps"]["a"])

    assert fields <= words(text("docs/metrics.md"))
    assert fields <= {word.rpartition(".")[2] for word in words(section("README.md", "## Metrics"))} | {"steps"}
