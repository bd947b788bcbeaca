"""A place in a path's text that moves on as it is read: blanks, strings, numbers, and where it went wrong."""

from __future__ import annotations

import re
from typing import NoReturn

from flows.errors import DefinitionError

MAX_DEPTH = 24  # of parentheses and filters within filters: each is some ten nested calls, and Python's stack is 1,000 deep
MAX_INTEGER = 2**53 - 1  # RFC 9535 §2.1: what every JSON reader can hold exactly

_BLANKS = re.compile(r"[ \t\n\r]*")
_DIGITS = re.compile(r"-?[0-9]+")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_UNICODE = re.compile(r"u([0-9A-Fa-f]{4})(?:(?<=u[dD][89abAB][0-9A-Fa-f]{2})\\u([dD][c-fC-F][0-9A-Fa-f]{2}))?")
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "/": "/", "\\": "\\"}


class Reader:
    """Every failure is a DefinitionError with the place: 0-based, in characters from the text's begin."""

    def __init__(self, text: str, at: int = 0) -> None:
        self.text = text
        self.at = at
        self.depth = 0

    def fail(self, problem: str, hint: str | None = None, *, at: int | None = None) -> NoReturn:
        raise DefinitionError.at((), problem, hint, code="SELECTOR_SYNTAX", offset=self.at if at is None else at)

    @property
    def next(self) -> str:
        """The character that stands here; empty at the end."""
        return self.text[self.at : self.at + 1]

    @property
    def shown(self) -> str:
        """What stands here, for a message."""
        return f"«{self.next}»" if self.next else "the end"

    def skip_blanks(self) -> None:
        found = _BLANKS.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def ahead(self, token: str) -> bool:
        return self.text.startswith(token, self.at)

    def take(self, token: str) -> bool:
        """Go past the token if it stands here."""
        if not self.text.startswith(token, self.at):
            return False
        self.at += len(token)
        return True

    def deeper(self) -> None:
        """Count one level down; who calls it counts back up."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.fail(f"filters and parentheses are nested more than {MAX_DEPTH} deep")

    def integer(self) -> int:
        """An index or a bound of a slice."""
        found = _DIGITS.match(self.text, self.at)
        if not found:
            self.fail("a number must follow the minus", "write [-1] for the last element")
        digits = found[0]
        if digits == "-0" or (len(digits.lstrip("-")) > 1 and digits.lstrip("-").startswith("0")):
            self.fail(f"{digits} is not how a number is written here", f"write {int(digits[:20])}")
        if len(digits) > 17 or abs(int(digits)) > MAX_INTEGER:
            self.fail(f"the number {digits[:20]} is too large", f"the largest is {MAX_INTEGER}")
        self.at = found.end()
        return int(digits)

    def number(self) -> int | float:
        """A number in a filter."""
        found = _NUMBER.match(self.text, self.at)
        if not found or self.text[found.end() : found.end() + 1].isalnum():
            self.fail("this is not a number", "numbers are written as in JSON: 1, -2.5, 1e3")
        self.at = found.end()
        return float(found[0]) if found[1] or found[2] else int(found[0])

    def string(self) -> str:
        """A quoted text: the reader stands on its quote."""
        opened, quote = self.at, self.next
        self.at += 1
        parts: list[str] = []
        while not self.take(quote):
            character = self.next
            if not character:
                self.fail("the quote is not closed", f"close it with {quote}", at=opened)
            if character == "\\":
                parts.append(self._escape(quote))
                continue
            if character < " " or "\ud800" <= character <= "\udfff":
                self.fail(f"the character U+{ord(character):04X} cannot stand in quotes", f"write \\u{ord(character):04x}")
            parts.append(character)
            self.at += 1
        return "".join(parts)

    def _escape(self, quote: str) -> str:
        place = self.at
        self.at += 1
        character = self.next
        if character == quote or (character and character in _ESCAPES):
            self.at += 1
            return _ESCAPES.get(character, character)
        found = _UNICODE.match(self.text, self.at)
        if not found:
            self.fail(f"\\{character} is no escape", r"\b \f \n \r \t \/ \\ \uXXXX and the quote itself are", at=place)
        self.at = found.end()
        high = int(found[1], 16)
        if found[2]:
            return chr(0x10000 + ((high - 0xD800) << 10) + int(found[2], 16) - 0xDC00)
        if 0xD800 <= high <= 0xDFFF:
            self.fail(f"\\u{found[1]} is half a character", "write both halves, or the character itself", at=place)
        return chr(high)
