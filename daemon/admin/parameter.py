"""A parameter of a route: what it may be stands here once, for the document and for reading it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import time
from typing import Any, Protocol

from daemon.admin.schema import Schema
from daemon.errors import BadRequest
from daemon.moment import read_moment
from daemon.operations import MAX_LISTED
from flows.suggest import did_you_mean

MAX_TEXT = 4000  # characters of one parameter: longer than any key, id or path that is kept


class Kind(Protocol):
    """How a parameter's text is read, and what the document says of it."""

    def schema(self) -> Schema: ...

    def read(self, name: str, text: str) -> Any:
        """Its value. Raises BadRequest."""
        ...


@dataclass(frozen=True, slots=True)
class Text:
    """Any text without NUL, which no database keeps."""

    def schema(self) -> Schema:
        return {"type": "string", "maxLength": MAX_TEXT, "pattern": "^[^\\u0000]*$"}

    def read(self, name: str, text: str) -> str:
        if len(text) > MAX_TEXT:
            raise BadRequest(f"{name} is longer than {MAX_TEXT} characters")
        if "\0" in text:
            raise BadRequest(f"{name} holds a NUL, which nothing that is kept does")
        return text


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a header: visible characters of ASCII."""

    most: int

    def schema(self) -> Schema:
        return {"type": "string", "minLength": 1, "maxLength": self.most, "pattern": "^[!-~]+$"}

    def read(self, name: str, text: str) -> str:
        if not re.fullmatch(r"[!-~]+", text) or len(text) > self.most:
            raise BadRequest(f"{name} is 1 to {self.most} visible characters of ASCII")
        return text


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number in a range."""

    least: int
    most: int

    def schema(self) -> Schema:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}

    def read(self, name: str, text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,18}", text):
            raise BadRequest(f"{name} is a whole number")
        number = int(text)
        if not self.least <= number <= self.most:
            raise BadRequest(f"{name} is a number from {self.least} to {self.most}")
        return number


@dataclass(frozen=True, slots=True)
class Seconds:
    """A number of seconds up to a limit."""

    most: float

    def schema(self) -> Schema:
        return {"type": "number", "minimum": 0, "maximum": self.most}

    def read(self, name: str, text: str) -> float:
        try:
            value = float(text) if text.isascii() else -1.0
        except ValueError:
            value = -1.0
        if not 0 <= value <= self.most:  # NaN neither
            raise BadRequest(f"{name} is a number of seconds from 0 to {self.most:.0f}")
        return value


@dataclass(frozen=True, slots=True)
class Flag:
    def schema(self) -> Schema:
        return {"type": "boolean"}

    def read(self, name: str, text: str) -> bool:
        if text.lower() not in {"true", "false", "1", "0", ""}:
            raise BadRequest(f"{name} is true or false")
        return text.lower() in {"true", "1", ""}


@dataclass(frozen=True, slots=True)
class Word:
    """One of a closed list."""

    allowed: Sequence[str]

    def schema(self) -> Schema:
        return {"type": "string", "enum": list(self.allowed)}

    def read(self, name: str, text: str) -> str:
        if text not in self.allowed:
            hint = did_you_mean(text, self.allowed) or f"allowed are {', '.join(self.allowed)}"
            raise BadRequest(f"{name} cannot be «{text[:60]}»", hint)
        return text


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant, or a duration: so long ago. Its value is seconds since the epoch."""

    def schema(self) -> Schema:
        return {"type": "string", "maxLength": 40, "examples": ["2026-11-23T09:00:00Z", "2h", "1d"]}

    def read(self, name: str, text: str) -> float:
        return read_moment(name, text, time())


@dataclass(frozen=True, slots=True)
class Several:
    """One or more: `status=failed&status=cancelled`, or `status=failed,cancelled`."""

    of: Word

    def schema(self) -> Schema:
        return {"type": "array", "items": self.of.schema(), "minItems": 1}

    def read(self, name: str, text: str) -> tuple[str, ...]:
        return tuple(self.of.read(name, part.strip()) for part in text.split(","))


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a query. `default` None: without it, it is not asked for."""

    name: str
    description: str
    kind: Kind = Text()
    default: Any = None


PAGE = (
    Parameter("since", "only those that came in at this instant or later, or in so long a time: 2h", Moment()),
    Parameter("until", "only those that came in before this instant, or before so long ago", Moment()),
    Parameter("limit", "how many at most", Whole(1, MAX_LISTED), default=50),
    Parameter("before", "only those older than this id: what the Link of the page before says"),
)
SCANNED = (
    "One request looks at a bounded number of rows. A page may hold fewer than `limit`, even none, and still have a next one: "
    "follow `Link` until there is none."
)


def read_query(known: Sequence[Parameter], pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """What was given, read, and the defaults of the rest; what is neither is left out. Raises BadRequest."""
    by_name = {parameter.name: parameter for parameter in known}
    given: dict[str, Any] = {}
    for name, text in pairs:
        if name not in by_name:
            raise BadRequest(f"there is no parameter «{name[:60]}» here", did_you_mean(name[:60], by_name))
        kind = by_name[name].kind
        value = kind.read(name, text)
        if name in given:
            if not isinstance(kind, Several):
                raise BadRequest(f"{name} is given twice")
            value = tuple(dict.fromkeys((*given[name], *value)))
        given[name] = value
    return {parameter.name: parameter.default for parameter in known if parameter.default is not None} | given


def read_headers(known: Sequence[Parameter], given: Mapping[str, str]) -> dict[str, Any]:
    """Those that came, read. Of one that came twice the first counts, as everywhere. Raises BadRequest."""
    return {one.name: one.kind.read(one.name, given[one.name]) for one in known if one.name in given}
