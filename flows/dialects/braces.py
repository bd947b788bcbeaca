"""Braces in the texts of a section that stand as they are, though a value may have been meant: what `validate` warns of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flows.errors import Problem
from flows.template import doubtful_braces

if TYPE_CHECKING:
    from flows.graph import Place

PROGRAMS = frozenset({"code", "condition", "loop", "python", "transform", "while"})  # kinds whose texts are no templates
NESTED = frozenset({"steps", "then", "else", "notify"})  # lists of steps: their sections are looked at one by one


def braces_problems(kind: str, section: Any, place: Place) -> Iterator[Problem]:
    pending: list[tuple[Place, Any]] = [] if kind in PROGRAMS else [(place, section)]
    while pending:
        at, value = pending.pop()
        if isinstance(value, str):
            for offset, shown in doubtful_braces(value):
                said = f"{shown:.60} is no path, and stands as it is"
                hint = "a value is a path, with pipes behind it: {{$.input.name | shell}}"
                yield Problem(at, said, hint, "TEMPLATE_TEXT", offset=offset, warning=True)
        elif isinstance(value, dict):
            pending.extend(((*at, name), each) for name, each in value.items() if name not in NESTED)
        elif isinstance(value, list):
            pending.extend(((*at, number), each) for number, each in enumerate(value))
