"""The configuration: read once from all places, checked, and cut into frozen sections."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from daemon.config.layers import CODE, FILE, PREFIX, Layer, Layers, Origin, Place, read_layers
from daemon.config.model import CONNECTOR_SECTIONS, SOURCE_SECTIONS, STEP_SECTIONS, Address, Config, read_address
from daemon.errors import HomeError
from flows.errors import DefinitionError, Problem
from flows.suggest import did_you_mean, validation_problems

__all__ = [
    "CONNECTOR_SECTIONS",
    "FILE",
    "SOURCE_SECTIONS",
    "STEP_SECTIONS",
    "Address",
    "Config",
    "Layers",
    "Origin",
    "hidden",
    "read_address",
    "read_config",
    "read_section",
]

SECTIONS = tuple(name for name in Config.model_fields if name != "home")
HIDDEN = "***"
_USER_INFO = re.compile(r"(?<=://)([^/?#@\s:]*):([^/?#\s]*)@")
_PASSWORD = re.compile(r"(?i)([?&](?:password|sslpassword|token)=)[^&#\s]*")


def read_config(home: Path, flags: Mapping[str, Any] | None = None) -> Config:
    """Read everything once. `flags` has the shape of the file: {"http": {"listen": "127.0.0.1:0"}}.

    Raises HomeError when there is no home, DefinitionError with every setting that is wrong.
    """
    home = home.expanduser().absolute()
    if not home.is_dir():
        raise HomeError(f"there is no home at {home}", f"make one: camshaft init {home}")
    layers = read_layers(home, flags or {})
    problems = [*_unknown_names(layers), *_misspelt(os.environ)]
    try:
        config = Config(**{**layers.merged(), "home": home})
    except ValidationError as error:
        said = [problem for problem in validation_problems(error, _known(Config), code=CODE) if not _told(problem, problems)]
        problems += [_placed(problem, layers) for problem in said]
    problems += [_placed(problem, layers) for problem in _not_numbers(Config, layers.merged())]
    if problems:
        raise DefinitionError(*dict.fromkeys(problems))
    config._layers = layers  # noqa: SLF001 - its own reader
    return config


SettingsModel = TypeVar("SettingsModel", bound=BaseModel)


def read_section(model: type[SettingsModel], config: Config, *path: str) -> SettingsModel:
    """A part's own section, checked by the part's own model; `path` is `"sources", "webhook"`.

    Raises DefinitionError with every setting that is wrong, at its line in camshaft.toml.
    """
    values: Any = config
    for name in path:
        values = values.get(name, {}) if isinstance(values, Mapping) else getattr(values, name)
    problems = list(_not_numbers(model, values))
    try:
        read = model.model_validate(values)
    except ValidationError as error:
        problems = [*validation_problems(error, _known(model), document=values, code=CODE), *problems]
    if problems:
        raise DefinitionError(*(_placed(problem.under(*path), config.layers) for problem in problems))
    return read


def _not_numbers(model: type[BaseModel], values: Any) -> Iterator[Problem]:
    """A true or false in the place of a number, which pydantic reads as 1 or 0: in TOML it is a slip, and never meant."""
    for name, value in _table(values).items():
        kind = model.model_fields[name].annotation if name in model.model_fields else None
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from (problem.under(name) for problem in _not_numbers(kind, value))
        elif isinstance(value, bool) and {int, float} & {kind, *get_args(kind)} and bool not in get_args(kind):
            yield Problem((name,), f"{name} is {str(value).lower()}, and must be a number", code=CODE)


def hidden(text: str) -> str:
    """A text with the passwords of its addresses taken out."""
    return _PASSWORD.sub(rf"\1{HIDDEN}", _USER_INFO.sub(rf"\1:{HIDDEN}@", text))


def _placed(problem: Problem, layers: Layers) -> Problem:
    """The problem with its line in the file, or with the name of the variable or the credential that set the value."""
    problem = replace(problem, problem=hidden(problem.problem))
    origin = layers.origin(problem.path)
    if origin.kind in {"environment", "credential"}:
        return replace(problem, path=(origin.name,), file=origin.kind)
    if origin.kind == "file":
        return replace(problem, file=origin.name if origin.line else None, line=origin.line)
    return problem


def _known(model: type[BaseModel]) -> dict[Place, list[str]]:
    """The settings of each section, for «did you mean»."""
    known: dict[Place, list[str]] = {(): [name for name in model.model_fields if name != "home"]}
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            known[(name,)] = list(field.annotation.model_fields)
    return known


def _unknown_names(layers: Layers) -> list[Problem]:
    """Refuse [sources.webhok], and a variable or a credential of ours that sets nothing: they would be silently without effect."""
    problems = []
    for layer in layers.layers:
        for section, known in (("sources", SOURCE_SECTIONS), ("steps", STEP_SECTIONS), ("connectors", CONNECTOR_SECTIONS)):
            for name in _table(layer.values.get(section)):
                if name not in known:
                    said = f"there is no section «{section}.{name}»"
                    problem = Problem((section, name), said, did_you_mean(name, known), code=CODE)
                    problems.append(_placed(problem, Layers((layer,))))
        problems += _unknown_sections(layer)
    return problems


def _unknown_sections(layer: Layer) -> list[Problem]:
    if layer.kind == "file":  # the model tells of the others, with all that it knows
        home = Problem(("home",), "the home is not set in its own file", "--home DIR, or CAMSHAFT_HOME", code=CODE)
        return [_placed(home, Layers((layer,)))] if "home" in layer.values else []
    return [
        Problem((name,), f"there is no section «{path[0]}»", did_you_mean(str(path[0]), SECTIONS), code=CODE, file=layer.kind)
        for path, name in layer.names.items()
        if path[0] not in SECTIONS
    ]


def _told(problem: Problem, problems: list[Problem]) -> bool:
    """A section that no model knows, which its variable was named for already."""
    return any(f"there is no section «{problem.path[0]}»" == other.problem for other in problems)


def _misspelt(environment: Mapping[str, str]) -> list[Problem]:
    """CAMSHAFT_HTTP_LISTEN: one underscore too few, and it would set nothing."""
    meant = {
        f"{section}_{setting}": f"{PREFIX}{section}__{setting}".upper()
        for section, field in Config.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        for setting in field.annotation.model_fields
    }
    return [
        Problem((name,), "it sets nothing", f"did you mean «{meant[inner]}»?", code=CODE, file="environment")
        for name in environment
        if name.upper().startswith(PREFIX) and (inner := name[len(PREFIX) :].lower()) in meant
    ]


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
