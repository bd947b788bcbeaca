"""Rows in the one form that all connectors give: an object for each, its fields by names that are all different."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flows.errors import StepError
from flows.steps.key_path import keys_of, value_at
from flows.suggest import shown
from flows.text import as_text

Row = dict[str, Any]


def names_of(headings: Iterable[Any]) -> list[str]:
    """The names of columns. One without a heading is `column_3`; the second of a name is `name_2`: nothing is lost."""
    names: list[str] = []
    taken: set[str] = set()
    for number, heading in enumerate(headings, start=1):
        plain = as_text(heading).strip() or f"column_{number}"
        name, count = plain, 1
        while name in taken:
            count += 1
            name = f"{plain}_{count}"
        taken.add(name)
        names.append(name)
    return names


def list_at(value: Any, path: str | None, what: str) -> list[Any]:
    """The rows in an answer, which are the whole of it where no path says where. Raises StepError SOURCE_ROWS."""
    found = value if path is None else value_at(value, keys_of(path))
    if isinstance(found, list):
        return found
    said = f"{what} is {shown(value)}, not a list of rows" if path is None else f"{what} has no list of rows at {path}"
    near = [name for name, each in value.items() if isinstance(each, list)] if isinstance(value, dict) else []
    hint = f'; lists stand at {", ".join(str(name)[:40] for name in near[:5])}: "items" says which' if near else ""
    raise StepError(said + hint, code="SOURCE_ROWS", retryable=False)
