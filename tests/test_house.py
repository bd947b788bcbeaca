"""The house: imports point one way, names do not shadow, plug-ins are where they belong."""

from __future__ import annotations

import ast
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("daemon", "triggers", "flows")
MODULES = {
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
    for name in PACKAGES
    for file in sorted((ROOT / name).rglob("*.py"))
    if "migrations" not in file.parts
}

SHARED_LANGUAGE = (
    "errors",
    "expression",
    "selector",
    "template",
    "document",
    "duration",
    "suggest",
    "emission",
    "written",
    "depth",
    "published",
)
"""What triggers may use of flows: the small language of definitions, and how their mistakes are told."""

LAZY = {
    # module → what it imports inside functions, because loading it costs time or memory that most uses do not need
    "daemon.store.sqlite.schema": {"daemon.store.sqlite.migration"},  # Alembic: only when a database's version differs
    "daemon.store.postgresql.schema": {"daemon.store.postgresql.migration"},
    "daemon.store.database": {"daemon.store.postgresql.database"},  # psycopg: only where [store] url names a server
    "daemon.store.reading": {"daemon.store.postgresql.readable"},
    "daemon.doctor.place": {"daemon.store.postgresql.looking"},
    "triggers.sources.webhook": {"triggers.http_listener"},  # aiohttp: only who listens pays for it
}


@cache
def imports_of(file: Path):
    """(module, is it inside a function, is it for types alone, line) of every import."""
    return list(read_imports(file))


def read_imports(file: Path):
    tree = ast.parse(file.read_text())
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    inside = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: imports name the whole path"
            names = [
                f"{node.module}.{alias.name}" if f"{node.module}.{alias.name}" in MODULES else str(node.module)
                for alias in node.names
            ]
        else:
            continue
        for name in names:
            yield name, id(node) in inside, id(node) in typing_only, node.lineno


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_one_way(module):
    """daemon → triggers → flows → nothing of ours; of flows, triggers use only the small language."""
    package = module.split(".")[0]
    for name, _, _, line in imports_of(MODULES[module]):
        parts = name.split(".")
        if parts[0] not in PACKAGES or parts[0] == package:
            continue
        place = f"{module}:{line} imports {name}"
        assert PACKAGES.index(package) < PACKAGES.index(parts[0]), place
        if package == "triggers":
            assert parts[1] in SHARED_LANGUAGE, place


@pytest.mark.parametrize("module", MODULES)
def test_no_module_of_ours_is_imported_inside_a_function(module):
    """Except where loading it is the cost, and then it is named in LAZY."""
    found = {name for name, inside, _, _ in imports_of(MODULES[module]) if inside and name.split(".")[0] in PACKAGES}
    commands = module.startswith("daemon.cli")  # a command loads what it needs and nothing else: that is the cli's whole design

    assert commands or found <= LAZY.get(module, set())


def test_there_are_no_cycles_at_run_time():
    edges = {
        module: {name for name, inside, typing_only, _ in imports_of(file) if name in MODULES and not inside and not typing_only}
        for module, file in MODULES.items()
    }
    done: set[str] = set()

    def visit(module, path):
        assert module not in path, " → ".join((*path[path.index(module) :], module))
        if module not in done:
            for name in sorted(edges[module]):
                if name != module:
                    visit(name, (*path, module))
            done.add(module)

    for module in MODULES:
        visit(module, ())


@pytest.mark.parametrize("module", MODULES)
def test_no_module_has_the_name_of_one_of_the_standard_library(module):
    assert module.split(".")[-1] not in sys.stdlib_module_names


@pytest.mark.parametrize("module", MODULES)
def test_every_module_begins_with_one_sentence(module):
    said = ast.get_docstring(ast.parse(MODULES[module].read_text()))

    assert said
    assert said.split("\n")[0].rstrip().endswith((".", "!", "?", "…")), said.split("\n")[0]


@pytest.mark.parametrize("module", MODULES)
def test_no_file_is_longer_than_one_would_like_to_inherit(module):
    assert len(MODULES[module].read_text().splitlines()) <= 400


def test_only_the_schedule_source_knows_apscheduler_and_only_the_selector_knows_jsonpath_ng():
    users = {
        library: {
            module for module, file in MODULES.items() if any(name.split(".")[0] == library for name, *_ in imports_of(file))
        }
        for library in ("apscheduler", "jsonpath_ng", "cronsim", "sqlalchemy", "alembic", "psycopg")
    }

    assert users["apscheduler"] == {"triggers.sources.schedule"}
    assert all(module.startswith("flows.selector") for module in users["jsonpath_ng"])
    assert users["cronsim"] == {"triggers.cron"}
    assert all(module.startswith("daemon.store") for module in users["sqlalchemy"] | users["alembic"])
    assert all(module.startswith(("daemon.store.postgresql", "flows.connectors.postgresql")) for module in users["psycopg"])


def test_the_systemd_folder_is_no_package():
    assert not list((ROOT / "systemd").glob("*.py"))  # it would shadow the bindings of that name
