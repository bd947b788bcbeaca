"""A section inside a section: read as its Spec, with unknown fields told as those of steps are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from flows.errors import DefinitionError, Problem
from flows.suggest import did_you_mean, nearest, shown, validation_problems

Spec = TypeVar("Spec", bound=BaseModel)
Warn = Callable[[tuple[str | int, ...], str, str | None], None]


def read_section(written: Any, spec: type[Spec], path: tuple[str | int, ...], warn: Warn) -> Spec:
    """Raises DefinitionError with all that is wrong, under `path`. A field that is far from every known one is a warning."""
    if not isinstance(written, dict):
        raise DefinitionError.at(path, f"{path[-1] if path else 'this'} is {shown(written)}, and must be an object")
    known = [field.alias or name for name, field in spec.model_fields.items()]
    understood = {name: value for name, value in written.items() if name in known}
    problems: list[Problem] = []
    for name in written.keys() - understood.keys():
        if nearest(name, known):
            problems.append(Problem((*path, name), f"{name} is not known here", did_you_mean(name, known), of_key=True))
        else:
            warn((*path, name), f"{name} is not known here, and does nothing", f"known are {', '.join(sorted(known))}")
    try:
        found = spec.model_validate(understood)
    except ValidationError as error:
        problems += [problem.under(*path) for problem in validation_problems(error, known, document=understood)]
    else:
        if not problems:
            return found
    raise DefinitionError(*problems)
