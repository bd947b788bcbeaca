"""Why a filter kept a trigger still: the verdict with its sentence, its values capped and without secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.errors import ExpressionError
from flows.expression import UNDEFINED, Expression, compile_expression
from flows.expression.explain import MAX_SHOWN
from flows.expression.json_text import compact
from triggers.literals import path_text
from triggers.redaction import REDACTED, cleaned, looks_secret
from triggers.verdict import Verdict

REMEMBERED = 64  # answers of one filter: a busy address says the same few all day
MAX_REMEMBERED_CHARACTERS = 200  # of one value: longer ones are not likely to come again
_SCALARS = (str, int, float, bool, type(None))
_PLAIN = (str, bool, type(None))  # shown as they are, whatever they are


def redacted(path: str, value: Any) -> Any:
    """What a verdict may show of the value at a path."""
    if looks_secret(path):
        return REDACTED
    return cleaned(value) if isinstance(value, (dict, list)) else value


def value_text(path: str, value: Any) -> str:
    """A value in a sentence: `"web"`."""
    return f"`{compact(redacted(path, value), MAX_SHOWN)}`"


def filter_failed(key: str, expression: Expression, error: ExpressionError) -> Verdict:
    """The third outcome: neither true nor false."""
    source = expression.source
    detail = {"expression": source, "code": error.code, "offset": error.offset}
    return Verdict(key, "filter_error", f"`{' '.join(source.split())[:240]}` could not be evaluated: {error}", detail)


class Why:
    """Words the false answers of one trigger's filter.

    Explaining costs 20 to 40 µs, so answers are remembered by the values that the filter reads; and where the whole filter is
    one `path === literal`, its sentence is learnt from the first answer, for only the value in it changes.
    """

    __slots__ = ("_alone", "_expression", "_form", "_key", "_reads", "_told")

    def __init__(self, key: str, expression: Expression) -> None:
        self._key = key
        self._expression = expression
        self._reads: tuple[Expression, ...] | None = None  # made when first asked: most filters of many never are
        self._told: dict[tuple[Any, ...], Verdict] = {}
        self._alone = len(expression.equality) == 1 and "&&" not in expression.source
        self._form: tuple[str, str, str] | None = None  # the sentence up to the value, the path, the deciding part

    def verdict(self, names: Mapping[str, Any]) -> Verdict:
        """The verdict of a filter that has just answered false on these names."""
        seen = self._seen(names)
        if seen is None:
            return self._explained(names)
        told = self._told.get(seen)
        if told is None:
            told = self._told_by_form(seen) or self._explained(names)
            if len(self._told) >= REMEMBERED:
                self._told.clear()
            self._told[seen] = told
        return told

    def _told_by_form(self, seen: tuple[Any, ...]) -> Verdict | None:
        if self._form is None or seen[0] not in _PLAIN:
            return None
        before, path, deciding = self._form
        detail = {"expression": self._expression.source, "deciding": deciding, "values": {path: seen[1]}}
        return Verdict(self._key, "filter_false", f"{before}{value_text(path, seen[1])}", detail)

    def _seen(self, names: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """All that the answer hangs on, or None where that is more than a few short values."""
        if self._reads is None:
            self._reads = tuple(compile_expression(path_text(place)) for place in self._expression.references)
        seen: list[Any] = []
        for read in self._reads:
            try:
                value = read.evaluate(names)
            except ExpressionError:
                return None  # a walk into nothing is told in words of its own
            kind = type(value)
            if kind not in _SCALARS and value is not UNDEFINED:
                return None
            if kind is str and len(value) > MAX_REMEMBERED_CHARACTERS:
                return None
            seen += (kind, value)
        return tuple(seen)

    def _explained(self, names: Mapping[str, Any]) -> Verdict:
        explained = self._expression.explain(names, redact=redacted)
        detail = {"expression": self._expression.source, "deciding": explained.deciding, "values": explained.values}
        if explained.missing is not None:
            detail["missing"] = explained.missing
        elif self._alone and len(explained.values) == 1:
            ((path, value),) = explained.values.items()
            before, found, _ = explained.sentence.rpartition(f"`{path}` was ")
            if found and not looks_secret(path) and explained.sentence == f"{before}{found}{value_text(path, value)}":
                self._form = (f"{before}{found}", path, explained.deciding)
        return Verdict(self._key, "filter_false", explained.sentence, detail)
