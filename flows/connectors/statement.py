"""SQL with `:name` for its parameters, read once: which names it has, and how each driver writes them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

MAX_CHARACTERS = 100_000

Batch = tuple[str, Sequence[Mapping[str, Any]]]
"""A statement, and what is bound in it: once for each row."""

# What is passed over whole: texts, names and comments, in which a colon means nothing.
_OPAQUE = re.compile(
    r"""
      (?P<escaped>(?<![\w$])[eE]'(?:[^'\\]|\\.|'')*(?:'|\Z))
    | (?P<text>'(?:[^']|'')*(?:'|\Z))
    | (?P<name>"(?:[^"]|"")*(?:"|\Z)|`(?:[^`]|``)*(?:`|\Z))
    | (?P<line>--[^\n]*)
    | (?P<comment>/\*.*?(?:\*/|\Z))
    | (?P<dollar>(?<![\w$])\$(?P<tag>[A-Za-z_]\w*|)\$.*?(?:\$(?P=tag)\$|\Z))
    """,
    re.VERBOSE | re.DOTALL,
)
_PARAMETER = re.compile(r"(?<![:\w]):([A-Za-z_][A-Za-z0-9_]*)", re.ASCII)
_FOREIGN = re.compile(r"(?<![\w$])\$\d+|(?<![\w@])@[A-Za-z_]\w*|(?<!\w)%\([A-Za-z_]\w*\)s", re.ASCII)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. `names` in the order in which they come, each once."""

    source: str
    parts: tuple[tuple[str, bool], ...]  # text, and whether it is SQL: not a literal, a quoted name or a comment
    names: tuple[str, ...]

    @property
    def postgresql(self) -> str:
        """As psycopg reads it: `%(name)s`, and each % doubled."""
        return "".join(
            _PARAMETER.sub(r"%(\1)s", text.replace("%", "%%")) if is_sql else text.replace("%", "%%")
            for text, is_sql in self.parts
        )

    @property
    def question_mark(self) -> bool:
        """Whether it has a `?`: a placeholder to SQLite, an operator to PostgreSQL."""
        return any("?" in text for text, is_sql in self.parts if is_sql)

    @property
    def foreign(self) -> str | None:
        """The first placeholder of another style: `$1`, `@name`, `%(name)s`. None: there is none."""
        found = (_FOREIGN.search(text) for text, is_sql in self.parts if is_sql)
        return next((each[0] for each in found if each is not None), None)


@lru_cache(maxsize=256)
def read_statement(source: str) -> Statement:
    parts: list[tuple[str, bool]] = []
    at = 0
    for opaque in _OPAQUE.finditer(source):
        parts += [(source[at : opaque.start()], True), (opaque[0], False)]
        at = opaque.end()
    parts.append((source[at:], True))
    names = dict.fromkeys(name for text, is_sql in parts if is_sql for name in _PARAMETER.findall(text))
    return Statement(source, tuple(part for part in parts if part[0]), tuple(names))
