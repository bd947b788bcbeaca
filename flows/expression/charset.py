"""Sets of characters in regular expressions, with JavaScript's classes and its way of ignoring case."""

from __future__ import annotations

from functools import cache
from typing import Final

from flows.expression.utf16 import WHITESPACE

Ranges = list[tuple[int, int]]  # first and last code, inclusive


def normal(ranges: Ranges) -> Ranges:
    """Sorted, without overlaps."""
    merged: Ranges = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def inverse(ranges: Ranges) -> Ranges:
    """All other characters."""
    gaps: Ranges = []
    following = 0
    for first, last in normal(ranges):
        if first > following:
            gaps.append((following, first - 1))
        following = last + 1
    return [*gaps, (following, 0x10FFFF)] if following <= 0x10FFFF else gaps


def of(characters: str) -> Ranges:
    return normal([(ord(character), ord(character)) for character in characters])


DIGIT: Final = [(48, 57)]
WORD: Final = normal([(48, 57), (65, 90), (95, 95), (97, 122)])
SPACE: Final = of(WHITESPACE)
LINE_END: Final = of("\n\r\u2028\u2029")
CLASSES: Final = {
    "d": DIGIT,
    "D": inverse(DIGIT),
    "w": WORD,
    "W": inverse(WORD),
    "s": SPACE,
    "S": inverse(SPACE),
}


def written(ranges: Ranges) -> str:
    """The set as RE2 writes it."""
    if not ranges:
        return "[^\\x{0}-\\x{10FFFF}]"
    return "[" + "".join(f"\\x{{{first:X}}}-\\x{{{last:X}}}" for first, last in ranges) + "]"


def either_case(ranges: Ranges) -> Ranges:
    """With all characters that JavaScript, without the flag u, takes for the same when case is ignored."""
    if all(last < 128 for _, last in ranges):
        # Nothing beyond ASCII is the same as something in it: the rule says so.
        more = [pair for first, last in ranges for pair in _ascii_case(first, last)]
        return normal([*ranges, *more])
    found = list(ranges)
    for group in _case_groups():
        if any(first <= code <= last for code in group for first, last in ranges):
            found += [(code, code) for code in group]
    return normal(found)


def _ascii_case(first: int, last: int) -> Ranges:
    pairs: Ranges = []
    for low, high, shift in ((65, 90, 32), (97, 122, -32)):
        start, end = max(first, low), min(last, high)
        if start <= end:
            pairs.append((start + shift, end + shift))
    return pairs


@cache
def _case_groups() -> list[list[int]]:
    """Characters that have the same upper case; one character to one, and never from outside ASCII into it."""
    groups: dict[int, list[int]] = {}
    for code in range(0x10000):
        upper = chr(code).upper()
        folded = ord(upper) if len(upper) == 1 else code
        if folded > 0xFFFF or (code >= 128 > folded):
            folded = code
        groups.setdefault(folded, []).append(code)
    return [group for group in groups.values() if len(group) > 1]
