"""Strings as JavaScript counts them: in UTF-16 code units.

Between operations a string is as JSON gives it: one character for each code point. Inside an operation that counts, it
is spread so that each code unit is one character; `joined` puts pairs together again.
"""

from __future__ import annotations

import re
from typing import Final

# A range over a str is one pass in C; these are constant patterns without repetition.
_ASTRAL: Final = re.compile("[\U00010000-\U0010ffff]")
_PAIR: Final = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_NOT_PLAIN: Final = re.compile("[\ud800-\uffff\U00010000-\U0010ffff]")

WHITESPACE: Final = "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"


def units(text: str) -> str:
    """One character for each code unit."""
    if text.isascii() or _ASTRAL.search(text) is None:
        return text
    return "".join(map(chr, memoryview(text.encode("utf-16", "surrogatepass")).cast("H")[1:]))


def joined(text: str) -> str:
    """One character for each code point; what stands alone of a pair stays as it is."""
    if text.isascii() or _PAIR.search(text) is None:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def length(text: str) -> int:
    """How many code units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) >> 1


def unit_at(text: str, index: int) -> str | None:
    """The code unit at `index`, None outside."""
    data = text[: index + 1].encode("utf-16-le", "surrogatepass")
    return chr(data[2 * index] | data[2 * index + 1] << 8) if 2 * index < len(data) else None


def concat(left: str, right: str) -> str:
    """Both, with a pair joined where one half ends `left` and the other begins `right`."""
    if left and right and "\ud800" <= left[-1] <= "\udbff" and "\udc00" <= right[0] <= "\udfff":
        return left[:-1] + _pair(left[-1], right[0]) + right[1:]
    return left + right


def before(left: str, right: str) -> bool:
    """`left < right`, by code unit."""
    if _NOT_PLAIN.search(left) is None or _NOT_PLAIN.search(right) is None:
        # Code points and code units order alike unless a surrogate meets something from U+E000 on.
        return left < right
    return sort_key(left) < sort_key(right)


def sort_key(text: str) -> bytes:
    """What orders strings by code unit."""
    return text.encode("utf-16-be", "surrogatepass")


def _pair(high: str, low: str) -> str:
    return chr(0x10000 + ((ord(high) - 0xD800) << 10) + (ord(low) - 0xDC00))
