"""A text with values in it, each judged before it is put in: what a command, an address and a path are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from flows.errors import DefinitionError, Problem, StepError
from flows.selector import MISSING, Selector, compile_selector
from flows.template import Placeholder, Template, as_text, compile_template

Reference = tuple[str | int, ...]
Judge = Callable[[int, str, str, str | None], str | None]
"""The placeholder's number, the text before it, its own text, its last pipe → why it must not stand there; None: it may."""


@dataclass(frozen=True, slots=True)
class CheckedText:
    """A `$.` path whose value is the whole text, or a template. Compiled at load."""

    source: str
    pieces: tuple[str | Template, ...]  # a Template is one placeholder, so that each can be rendered and judged alone
    whole: Selector | None  # the `$.` path; `pieces` is then empty
    references: tuple[Reference, ...]  # the `$` paths it reads

    @property
    def literals(self) -> tuple[str | None, ...]:
        """The texts of its author in order, None where a value comes."""
        if self.whole is not None:
            return (None,)
        return tuple(piece if isinstance(piece, str) else None for piece in self.pieces)

    @property
    def placeholders(self) -> tuple[Placeholder, ...]:
        return tuple(piece.placeholders[0] for piece in self.pieces if isinstance(piece, Template))

    def make(self, names: Mapping[str, Any], judge: Judge, advice: Callable[[int], str]) -> str:
        """The text. Raises StepError UNSAFE_INTERPOLATION with `advice`, TEMPLATE_MISSING, and what templates raise."""
        if self.whole is not None:
            return self._judged(0, "", self._whole(self.whole, names), None, judge, advice)
        made, number = "", 0
        for piece in self.pieces:
            if isinstance(piece, str):
                made += piece
                continue
            pipes = piece.placeholders[0].pipes
            made += self._judged(number, made, piece.render(names), pipes[-1] if pipes else None, judge, advice)
            number += 1
        return made

    def shown(self, number: int) -> str:
        """The placeholder as it was written."""
        return self.source if self.whole is not None else self.placeholders[number].source

    def _judged(self, number: int, before: str, text: str, pipe: str | None, judge: Judge, advice: Callable[[int], str]) -> str:
        reason = judge(number, before, text, pipe)
        if reason is None:
            return text
        said = f"the value of {self.shown(number)} could change what it is put into: {reason}; {advice(number)}"
        raise StepError(said, code="UNSAFE_INTERPOLATION", retryable=False)

    def _whole(self, selector: Selector, names: Mapping[str, Any]) -> str:
        value = selector.get(names.get("$"))
        if value is MISSING:
            raise StepError(f"nothing is at {self.source}", code="TEMPLATE_MISSING")
        if not isinstance(value, (str, int, float)) or isinstance(value, bool):
            raise StepError(f"the value at {self.source} is no text", code="VALUE_TYPE", retryable=False)
        return as_text(value)


def compile_text(text: str, *, lenient: bool = False) -> CheckedText:
    """Raises DefinitionError with an empty path. A text that begins with `$.` and has no `{{` is a path.

    `lenient`: a placeholder whose path leads nowhere is written as nothing, where the judge lets it.
    """
    if text.startswith("$.") and "{{" not in text:
        selector = compile_selector(text)
        return CheckedText(text, (), selector, (("$", *selector.segments),))
    parts = compile_template(text, lenient=lenient).parts
    pieces = tuple(part if isinstance(part, str) else Template(part.source, (part,), lenient) for part in parts)
    found = dict.fromkeys(part.root_first for part in parts if isinstance(part, Placeholder))
    return CheckedText(text, pieces, None, tuple(found))


Compiled = TypeVar("Compiled")


def collected(problems: list[Problem], path: Reference, compile_it: Callable[[], Compiled]) -> Compiled | None:
    """What `compile_it` gives; None when it is refused, with its problems added: all are told at once, not the first only."""
    try:
        return compile_it()
    except DefinitionError as error:
        problems += error.under(*path).problems
        return None
