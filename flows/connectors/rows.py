"""Rows in the one form that all connectors give: an object for each, its fields by names that are all different."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

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
