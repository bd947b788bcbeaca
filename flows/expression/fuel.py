"""What one evaluation may spend: a count of work that ends it, the same on every machine, before it takes too long."""

from __future__ import annotations

from typing import Final

from flows.errors import ExpressionError

MAX_WORK: Final = 1_000_000  # units of about a microsecond at worst: an evaluation ends within about a second
MAX_TEXT: Final = 10_000_000  # characters of one string: what a transform may build in memory
MAX_ITEMS: Final = 1_000_000  # items of one array
MAX_CALLS: Final = 60  # functions inside functions: keeps far below Python's own limit of 1,000 frames


class Fuel:
    """The allowance of one evaluation. Spending more than is left raises ExpressionError EXPRESSION_LIMIT."""

    __slots__ = ("depth", "left")

    def __init__(self, work: float = MAX_WORK) -> None:
        self.left = work
        self.depth = 0  # functions being called now

    def burn(self, work: int) -> None:
        """Account for `work` units of work about to be done."""
        self.left -= work
        if self.left < 0:
            raise limit("the expression takes too many steps", f"more than {MAX_WORK:,} units of work")

    def text(self, length: int) -> None:
        """Account for a string of `length` characters about to be made."""
        if length > MAX_TEXT:
            raise limit("a string grew too long", f"{length:,} characters, at most {MAX_TEXT:,}")
        self.burn(1 + (length >> 5))

    def items(self, count: int) -> None:
        """Account for an array of `count` items about to be made or walked."""
        if count > MAX_ITEMS:
            raise limit("an array grew too long", f"{count:,} items, at most {MAX_ITEMS:,}")
        self.burn(1 + (count >> 3))

    def enter(self, work: int) -> None:
        """Account for the call of a function; `depth` is counted down by who called."""
        self.depth += 1
        if self.depth > MAX_CALLS:
            raise limit("functions call each other too deeply", f"at most {MAX_CALLS}")
        self.burn(work)


def limit(what: str, bound: str) -> ExpressionError:
    """The error of something that grew beyond its bound."""
    return ExpressionError(f"{what} ({bound})", code="EXPRESSION_LIMIT")
