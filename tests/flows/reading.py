"""What the tests of sources share: one step of the kind `data_source`, made and run as the executor does it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from flows.connectors.settings import ConnectorSettings
from flows.connectors.sources.spec import SourceSpec
from flows.dialects.steps import ROOTS
from flows.errors import DefinitionError, StepError
from flows.step import Load, Scope
from flows.steps.data_source import DataSource


@asynccontextmanager
async def source(**sections):
    """A kind with these sections of the configuration: `data_source`, `file_read`, …"""
    named = {("steps" if name in ("file_read", "http") else "connectors") + f".{name}": each for name, each in sections.items()}
    kind = DataSource(ConnectorSettings(sections=named))
    try:
        yield kind
    finally:
        await kind.close()


def load(folder=Path(), warnings=None):
    said = [] if warnings is None else warnings
    return Load(folder, lambda _steps, _path: pytest.fail("no body"), ROOTS, lambda *warning: said.append(warning))


def prepared(kind, section, folder=Path(), warnings=None):
    return kind.prepare(SourceSpec.model_validate(section), load(folder, warnings))


def scope(folder=Path(), *, secret="s3cret", **given: Any):
    """`secret`: a text for every name, or a function."""
    root = {"input": given, "steps": {}, "loop": {}, "env": {}}
    names = {"$": root, **root, "data": given, "output": given}
    unused: Any = None
    return Scope(names, "run_1", "s", 1, "key-1", folder, unused, unused, secret if callable(secret) else (lambda _name: secret))


async def read(kind, section, folder=Path(), **given):
    return await kind.run(prepared(kind, section, folder), scope(folder, **given))


async def failure(kind, section, folder=Path(), **given):
    with pytest.raises(StepError) as raised:
        await read(kind, section, folder, **given)
    return raised.value


def refused(section, warnings=None, **sections):
    """(place, problem and hint) of all that is refused at load."""
    kind = DataSource(ConnectorSettings(sections={f"connectors.{name}": each for name, each in sections.items()}))
    with pytest.raises(DefinitionError) as raised:
        prepared(kind, section, warnings=warnings)
    return [str(problem) for problem in raised.value.problems]
