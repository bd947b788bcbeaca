"""Labels as they may stand anywhere: one line, without what a terminal or a parser would take for more, and not too long."""

from __future__ import annotations

import unicodedata

WIDE = frozenset({"W", "F"})  # of East Asian Width: two columns
HIDDEN = frozenset(
    {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
)  # categories: control, format (which turns text around), surrogates, …
SIGN = "\ufffd"


def plain(text: str, most: int | None = None) -> str:
    """One line; longer than `most` columns it is cut."""
    line = "".join(_shown(mark) for mark in text)
    if most is None or columns(line) <= most:
        return line
    cut: list[str] = []
    left = most - 1
    for mark in line:
        left -= columns(mark)
        if left < 0:
            break
        cut.append(mark)
    return "".join(cut) + "…"


def _shown(mark: str) -> str:
    category = unicodedata.category(mark)
    if mark in "\n\r\t\u2028\u2029" or category == "Zs":
        return " "
    return SIGN if category in HIDDEN and mark != "\u200d" else mark  # a zero-width joiner makes emoji


def columns(text: str) -> int:
    """How many columns of a terminal it takes, about."""
    return sum(
        0 if unicodedata.combining(mark) or mark == "\u200d" else 2 if unicodedata.east_asian_width(mark) in WIDE else 1
        for mark in text
    )
