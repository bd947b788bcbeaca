"""Text to tokens, one at a time: whether / divides or begins a pattern is known only to the parser."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple, NoReturn

from flows.errors import DefinitionError
from flows.expression.numerals import decimal, double
from flows.expression.utf16 import joined

_SPACE: Final = "\\t\\v\\f \\xa0\\u1680\\u2000-\\u200a\\u202f\\u205f\\u3000\\ufeff"
_LINE_END: Final = "\\n\\r\\u2028\\u2029"
BLANK: Final = re.compile(f"[{_SPACE}{_LINE_END}]*")
_COMMENT: Final = re.compile(f"//[^{_LINE_END}]*|/\\*")
_NEWLINE: Final = re.compile(f"[{_LINE_END}]")
_NUMBER: Final = re.compile(
    r"0[xX][0-9a-fA-F]+(?:_[0-9a-fA-F]+)*|0[oO][0-7]+(?:_[0-7]+)*|0[bB][01]+(?:_[01]+)*"
    r"|(?:(?:0|[1-9][0-9]*(?:_[0-9]+)*)(?:\.(?:[0-9]+(?:_[0-9]+)*)?)?|\.[0-9]+(?:_[0-9]+)*)(?:[eE][+-]?[0-9]+(?:_[0-9]+)*)?"
)
# Names, marks and strings as nearly all are, behind blanks: one match where the careful way takes five. What it leaves to that way:
# numbers, comments, ends of lines, escapes, letters beyond ASCII, and marks that another one begins with.
_QUICK: Final = re.compile(
    r"[ \t]*(?:([A-Za-z_$][A-Za-z0-9_$]*)(?![A-Za-z0-9_$]|[^\x00-\x7f])|([()\[\]{},:]|\.(?![0-9.])|[!=]==|&&(?!=)|\|\|(?!=))"
    r"|'([^'\\\n\r]*)'|\"([^\"\\\n\r]*)\")"
)
_WORD: Final = re.compile(r"[\w$\u200c\u200d]+")
_PUNCTUATION: Final = re.compile(
    r">>>=|===|!==|\*\*=|<<=|>>=|>>>|&&=|\|\|=|\?\?=|\.\.\.|=>|==|!=|<=|>=|&&|\|\||\?\?|\?\.(?![0-9])|\+\+|--"
    r"|[-+*/%&|^]=|\*\*|<<|>>|[-+*/%&|^~!<>=?:.,;(){}\[\]@#`]"
)
_PLAIN: Final = {quote: re.compile(rf"[^{quote}\\\n\r]*") for quote in "'\""}
_TEMPLATE: Final = re.compile(r"[^`\\$]*")
_ESCAPES: Final = {"n": "\n", "t": "\t", "b": "\b", "v": "\v", "f": "\f", "r": "\r"}
_PATTERN: Final = re.compile(rf"/((?:[^/\\\[{_LINE_END}]|\\[^{_LINE_END}]|\[(?:[^\]\\{_LINE_END}]|\\[^{_LINE_END}])*\])+)/")


class Token(NamedTuple):
    kind: str  # number, string, name, punctuation, end
    value: Any
    start: int
    end: int
    newline: bool  # a line ended before it


def refuse(problem: str, offset: int, hint: str | None = None, *, code: str = "EXPRESSION_SYNTAX") -> NoReturn:
    """Raise the DefinitionError of an expression, with the place in its text."""
    raise DefinitionError.at((), problem, hint, code=code, offset=offset)


class Lexer:
    """Reads one source from left to right."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.position = 0

    def next(self) -> Token:
        """The next token, after blanks and comments."""
        found = _QUICK.match(self.source, self.position)
        if found is None:
            return self.carefully()
        group, end = found.lastindex or 0, found.end()
        text, self.position = found[group], end
        if group > 2:
            return Token("string", joined(text), end - len(text) - 2, end, False)
        return Token("name" if group == 1 else "punctuation", text, end - len(text), end, False)

    def carefully(self) -> Token:
        """The same for any token."""
        newline = self._skip()
        source, start = self.source, self.position
        if start >= len(source):
            return Token("end", "", start, start, newline)
        first = source[start]
        if first in "'\"":
            return Token("string", self._string(first), start, self.position, newline)
        if first in "0123456789" or (first == "." and source[start + 1 : start + 2] in set("0123456789")):
            return Token("number", self._number(), start, self.position, newline)
        if first in {"$", "_"} or first.isidentifier():
            return Token("name", self._word(), start, self.position, newline)
        found = _PUNCTUATION.match(source, start)
        if found is None:
            refuse(f"{_shown(first)} does not belong here", start, _hint(first))
        self.position = found.end()
        return Token("punctuation", found[0], start, found.end(), newline)

    def _skip(self) -> bool:
        newline = False
        while True:
            blank = BLANK.match(self.source, self.position)
            end = blank.end() if blank else self.position
            newline = newline or _NEWLINE.search(self.source, self.position, end) is not None
            self.position = end
            comment = _COMMENT.match(self.source, end)
            if comment is None:
                return newline
            self.position = comment.end()
            if comment[0] == "/*":
                close = self.source.find("*/", comment.end())
                if close < 0:
                    refuse("a comment is not closed", end, "close it with */")
                newline = newline or _NEWLINE.search(self.source, end, close) is not None
                self.position = close + 2

    def _word(self) -> str:
        found = _WORD.match(self.source, self.position)
        word = found[0] if found else self.source[self.position]
        if not (word.isascii() or word.replace("$", "_").replace("\u200c", "_").replace("\u200d", "_").isidentifier()):
            refuse(f"`{word[:40]}` is not a name", self.position)
        self.position += len(word)
        return word

    def _number(self) -> float:
        start = self.position
        found = _NUMBER.match(self.source, start)
        end = found.end() if found else start
        after = self.source[end : end + 1]
        if found is None or after in {"$", "\\"} or (after and (after.isdigit() or after.isidentifier())):
            refuse("this is not a number", start, "big integers are plain numbers here" if after == "n" else None)
        self.position = end
        text = found[0].replace("_", "")
        base = {"0x": 16, "0o": 8, "0b": 2}.get(text[:2].lower())
        return _compact(int(text[2:], base)) if base else _compact(decimal(text))

    def _string(self, quote: str) -> str:
        start = self.position
        self.position += 1
        pieces: list[str] = []
        while True:
            plain = _PLAIN[quote].match(self.source, self.position)
            if plain:
                pieces.append(plain[0])
                self.position = plain.end()
            here = self.source[self.position : self.position + 1]
            if here == quote:
                self.position += 1
                return joined("".join(pieces))
            if here != "\\":
                refuse("a string is not closed", start, f"close it with {quote}")
            pieces.append(self._escape())

    def _escape(self) -> str:
        source, start = self.source, self.position
        letter = source[start + 1 : start + 2]
        self.position = start + 2
        if letter in _ESCAPES:
            return _ESCAPES[letter]
        if letter in {"x", "u"}:
            return self._code(letter, start)
        if letter == "\r" and source[self.position : self.position + 1] == "\n":
            self.position += 1
        if letter in {"\n", "\r", "\u2028", "\u2029"}:
            return ""
        if letter == "0" and not source[self.position : self.position + 1].isdigit():
            return "\0"
        if letter in set("0123456789"):
            refuse("octal escapes are not part of the language", start, "write \\xHH")
        if not letter:
            refuse("a string is not closed", start)
        return letter

    def _code(self, letter: str, start: int) -> str:
        found = re.compile(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]+)\}").match(self.source, start + 1)
        digits = next((group for group in found.groups() if group), "") if found else ""
        code = int(digits, 16) if digits else 0x110000
        if found is None or code > 0x10FFFF:
            refuse(f"\\{letter} is not followed by a character's code", start, "\\xHH, \\uHHHH or \\u{H…}")
        self.position = found.end()
        return chr(code)

    def template(self, opened: int) -> tuple[str, bool]:
        """The text from here to the end of the template (False) or to its next ${ (True)."""
        pieces: list[str] = []
        while True:
            plain = _TEMPLATE.match(self.source, self.position)
            if plain:
                pieces.append(plain[0].replace("\r\n", "\n").replace("\r", "\n"))
                self.position = plain.end()
            here = self.source[self.position : self.position + 1]
            if here == "`" or self.source.startswith("${", self.position):
                self.position += 1 if here == "`" else 2
                return joined("".join(pieces)), here != "`"
            if not here:
                refuse("a template is not closed", opened, "close it with `")
            if here == "\\":
                pieces.append(self._escape())
            else:
                pieces.append(here)
                self.position += 1

    def pattern(self, start: int) -> tuple[str, str]:
        """The regular expression that begins with the / at `start`: pattern and flags."""
        found = _PATTERN.match(self.source, start)
        if found is None:
            refuse("a regular expression is not closed", start, "close it with /")
        flags = _WORD.match(self.source, found.end())
        self.position = flags.end() if flags else found.end()
        return found[1], flags[0] if flags else ""


def _compact(number: float) -> float:
    """An int where that is exact: what an index and a person expect."""
    if isinstance(number, int) and number > 2**53:
        return double(number)
    return int(number) if number <= 2**53 and number == int(number) else number


def _shown(character: str) -> str:
    return f"`{character}`" if character.isprintable() else f"U+{ord(character):04X}"


def _hint(character: str) -> str | None:
    return "strings stand between ' or \"" if character in "“”‘’«»„‚" else None
