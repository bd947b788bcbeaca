"""JavaScript's regular expressions to RE2's: same meaning, or refused with the place and a way out."""

from __future__ import annotations

import re
from typing import Final, NoReturn

from flows.expression import charset
from flows.expression.charset import CLASSES, Ranges, inverse, normal, written
from flows.expression.lexer import refuse
from flows.expression.utf16 import units

_BRACES: Final = re.compile(r"\{([0-9]+)(?:(,)([0-9]*))?\}")
_NAME: Final = re.compile(r"<([A-Za-z_$\u0080-\uffff][\w$]*)>")
_CONTROL: Final = {"t": 9, "n": 10, "v": 11, "f": 12, "r": 13}
_SYNTAX: Final = frozenset("^$\\.*+?()[]{}|/")
_ASSERTIONS: Final = {"(?=": "lookahead", "(?!": "lookahead", "(?<=": "lookbehind", "(?<!": "lookbehind"}
_MAX_REPEAT: Final = 1000  # RE2's
_MAX_GROUPS: Final = 60  # brackets in brackets, each a frame or three of this parser
_PROPERTY: Final = re.compile(r"\{(?:(?:Script|sc|Script_Extensions|scx|General_Category|gc)=)?([A-Za-z_]+)\}")
_CATEGORIES: Final = {
    "Letter": "L", "Lowercase_Letter": "Ll", "Uppercase_Letter": "Lu", "Titlecase_Letter": "Lt", "Modifier_Letter": "Lm",
    "Other_Letter": "Lo", "Mark": "M", "Nonspacing_Mark": "Mn", "Spacing_Mark": "Mc", "Enclosing_Mark": "Me", "Number": "N",
    "Decimal_Number": "Nd", "Letter_Number": "Nl", "Other_Number": "No", "Punctuation": "P", "Symbol": "S", "Math_Symbol": "Sm",
    "Currency_Symbol": "Sc", "Modifier_Symbol": "Sk", "Other_Symbol": "So", "Separator": "Z", "Space_Separator": "Zs",
    "Other": "C", "Control": "Cc", "Format": "Cf", "Private_Use": "Co", "digit": "Nd", "punct": "P", "cntrl": "Cc",
}  # fmt: skip


class Translator:
    """One pass over one pattern. Afterwards `groups` counts the captures and `names` gives them names."""

    def __init__(self, pattern: str, flags: str, offset: int) -> None:
        self.unicode = "u" in flags
        self.text = pattern if self.unicode else units(pattern)
        self.ignore_case = "i" in flags
        self.multiline = "m" in flags
        self.dot_all = "s" in flags
        self.offset = offset  # of the pattern's first character in the source
        self.position = 0
        self.groups = 0
        self.depth = 0
        self.names: dict[str, int] = {}
        self.line_anchors = False  # ^ or $ with the flag m
        self.tells_line_ends = False  # it takes a line feed for something else than a carriage return
        self.all_groups = len(
            re.findall(r"\((?!\?)|\(\?<(?![=!])", re.sub(r"\\.|\[(?:\\.|[^\]\\])*\]", "", self.text, flags=re.DOTALL))
        )
        self.named = "(?<" in re.sub(r"\(\?<[=!]", "", self.text)

    def whole(self) -> str:
        """The pattern in RE2's syntax."""
        body = self._alternatives()
        if self.position < len(self.text):
            self._refuse("a ) has no (")
        return f"(?i:{body})" if self.ignore_case and self.unicode else body

    def _written(self, ranges: Ranges) -> str:
        feed, carriage = (any(first <= code <= last for first, last in ranges) for code in (10, 13))
        self.tells_line_ends = self.tells_line_ends or feed != carriage
        return written(ranges)

    def _refuse(self, problem: str, hint: str | None = None, *, at: int | None = None) -> NoReturn:
        refuse(f"in the regular expression: {problem}", self.offset + (self.position if at is None else at), hint)

    def _peek(self, text: str) -> bool:
        return self.text.startswith(text, self.position)

    def _alternatives(self) -> str:
        self.depth += 1
        if self.depth > _MAX_GROUPS:
            refuse(
                "the regular expression is nested too deeply",
                self.offset + self.position,
                f"at most {_MAX_GROUPS} levels",
                code="EXPRESSION_LIMIT",
            )
        branches: list[str] = []
        terms: list[str] = []
        while self.position < len(self.text) and not self._peek(")"):
            if self._peek("|"):
                self.position += 1
                branches.append("".join(terms))
                terms = []
            else:
                terms.append(self._term())
        self.depth -= 1
        return "|".join([*branches, "".join(terms)])

    def _term(self) -> str:
        start = self.position
        assertion = self._assertion()
        if assertion is not None:
            if self._quantifier() is not None:
                self._refuse("nothing to repeat", at=start)
            return assertion
        atom = self._atom()
        quantifier = self._quantifier()
        if quantifier is None:
            return atom
        return f"(?:{atom}){quantifier}"

    def _assertion(self) -> str | None:
        for text, kind in _ASSERTIONS.items():
            if self._peek(text):
                hint = "regular expressions run in linear time here: write two conditions, one with !, joined by &&"
                self._refuse(f"{kind} is not possible", hint)
        for text in ("^", "$", "\\b", "\\B"):
            if self._peek(text):
                self.position += len(text)
                if text[0] == "\\":
                    return text
                self.line_anchors = self.line_anchors or self.multiline
                plain = "\\A" if text == "^" else "\\z"
                return f"(?m:{text})" if self.multiline else plain
        return None

    def _quantifier(self) -> str | None:
        start = self.position
        here = self.text[start : start + 1]
        if here in {"*", "+", "?"} and here:
            self.position += 1
            repeated = here
        elif found := _BRACES.match(self.text, start):
            self.position = found.end()
            repeated = self._counted(found, start)
        else:
            if here == "{" and self.unicode:
                self._refuse("a { is not closed", "write \\{")
            return None
        if self._peek("?"):
            self.position += 1
            repeated += "?"
        return repeated

    def _counted(self, found: re.Match[str], start: int) -> str:
        least, comma, most = found.groups()
        low = int(least) if len(least) < 10 else 10**9
        high = low if not comma else int(most) if most and len(most) < 10 else 10**9 if most else None
        if high is not None and high < low:
            self._refuse("the numbers in { } are out of order", at=start)
        if max(low, high or 0) > _MAX_REPEAT:
            refuse(
                "in the regular expression: it repeats too often",
                self.offset + start,
                f"at most {_MAX_REPEAT} times",
                code="EXPRESSION_LIMIT",
            )
        return f"{{{low}}}" if not comma else f"{{{low},{'' if high is None else high}}}"

    def _atom(self) -> str:
        here = self.text[self.position]
        if here == "(":
            return self._group()
        if here == "[":
            return self._class()
        if here == ".":
            self.position += 1
            return self._written([(0, 0x10FFFF)] if self.dot_all else inverse(charset.LINE_END))
        if here == "\\":
            return self._escaped()
        if here in "*+?" or _BRACES.match(self.text, self.position):
            self._refuse("nothing to repeat")
        if here in "{}]" and self.unicode:
            self._refuse(f"`{here}` stands alone", f"write \\{here}")
        self.position += 1
        return self._character(ord(here))

    def _group(self) -> str:
        opened = self.position
        opening = "("
        if self._peek("(?:"):
            self.position += 3
            opening = "(?:"
        elif self._peek("(?<"):
            self.groups += 1
            found = _NAME.match(self.text, self.position + 2)
            if found is None:
                self._refuse("a group's name is not a name", at=opened)
            if found[1] in self.names:
                self._refuse(f"the group `{found[1]}` is there twice", at=opened)
            self.names[found[1]] = self.groups
            self.position = found.end()
        elif self._peek("(?"):
            self._refuse("this kind of group does not exist", "(?:…) or (?<name>…); flags stand after the last /")
        else:
            self.groups += 1
            self.position += 1
        body = self._alternatives()
        if not self._peek(")"):
            self._refuse("a ( is not closed", at=opened)
        self.position += 1
        return f"{opening}{body})"

    def _character(self, code: int) -> str:
        if self.ignore_case and not self.unicode:
            return self._written(charset.either_case([(code, code)]))
        self.tells_line_ends = self.tells_line_ends or code in {10, 13}
        return f"\\x{{{code:X}}}"

    def _escaped(self) -> str:
        start = self.position
        letter = self.text[start + 1 : start + 2]
        if letter in CLASSES and letter:
            self.position += 2
            return self._written(self._known(letter))
        if letter in {"p", "P"} and self.unicode:
            return self._property()
        if letter in set("123456789"):
            digits = re.compile("[0-9]+").match(self.text, start + 1)
            number = digits[0] if digits else letter
            if self.unicode or (len(number) < 4 and int(number) <= self.all_groups):
                self._refuse(
                    f"a reference back (\\{number}) is not possible", "regular expressions run in linear time here", at=start
                )
        if letter == "k" and (self.unicode or self.named):
            self._refuse("a reference back (\\k) is not possible", "regular expressions run in linear time here", at=start)
        return self._character(self._escape_code(inside=False))

    def _known(self, letter: str) -> Ranges:
        ranges = CLASSES[letter]
        if letter in {"w", "W"} and self.unicode and self.ignore_case:
            word = normal([*CLASSES["w"], (0x17F, 0x17F), (0x212A, 0x212A)])
            return word if letter == "w" else inverse(word)
        return ranges

    def _property(self) -> str:
        found = _PROPERTY.match(self.text, self.position + 2)
        letter = self.text[self.position + 1]
        if found is None:
            self._refuse("a property is not written \\p{…}")
        self.position = found.end()
        if found[1] == "Any":
            return self._written([(0, 0x10FFFF)]) if letter == "p" else written([])
        return f"\\{letter}{{{_CATEGORIES.get(found[1], found[1])}}}"

    def _escape_code(self, *, inside: bool) -> int:
        """The character that an escape is. Moves behind it."""
        start = self.position
        letter = self.text[start + 1 : start + 2]
        if not letter:
            self._refuse("it ends with a \\")
        self.position += 2
        if letter in _CONTROL:
            return _CONTROL[letter]
        if letter == "b" and inside:
            return 8
        if letter == "c":
            return self._control(start, inside=inside)
        if letter in {"x", "u"}:
            return self._hexadecimal(letter, start)
        if letter in set("01234567") and not (self.unicode and letter != "0"):
            return self._octal(start)
        if self.unicode and letter not in _SYNTAX and not (inside and letter == "-"):
            self._refuse(f"\\{letter} means nothing", at=start)
        return ord(letter)

    def _control(self, start: int, *, inside: bool) -> int:
        letter = self.text[self.position : self.position + 1]
        if letter.isascii() and (letter.isalpha() or (inside and not self.unicode and (letter.isdigit() or letter == "_"))):
            self.position += 1
            return ord(letter) & 31
        if self.unicode:
            self._refuse("\\c is not followed by a letter", at=start)
        self.position = start + 1
        return ord("\\")

    def _hexadecimal(self, letter: str, start: int) -> int:
        found = re.compile("[0-9a-fA-F]{2}" if letter == "x" else "[0-9a-fA-F]{4}").match(self.text, self.position)
        if found is None and letter == "u" and self.unicode:
            found = re.compile(r"\{0*([0-9a-fA-F]{1,6})\}").match(self.text, self.position)
            if found is not None and int(found[1], 16) <= 0x10FFFF:
                self.position = found.end()
                return int(found[1], 16)
            found = None
        if found is None:
            if self.unicode:
                self._refuse(f"\\{letter} is not followed by a character's code", at=start)
            return ord(letter)
        self.position = found.end()
        code = int(found[0], 16)
        if self.unicode and 0xD800 <= code <= 0xDBFF:
            low = re.compile(r"\\u(d[c-f][0-9a-f]{2})", re.IGNORECASE).match(self.text, self.position)
            if low:
                self.position = low.end()
                return 0x10000 + ((code - 0xD800) << 10) + (int(low[1], 16) - 0xDC00)
        return code

    def _octal(self, start: int) -> int:
        found = re.compile("[0-3][0-7]{0,2}|[4-7][0-7]?").match(self.text, start + 1)
        digits = found[0] if found else "0"
        if self.unicode and (digits != "0" or self.text[start + 2 : start + 3].isdigit()):
            self._refuse("octal escapes are not part of the language", "write \\xHH", at=start)
        self.position = start + 1 + len(digits)
        return int(digits, 8)

    def _class(self) -> str:
        opened = self.position
        self.position += 1
        negated = self._peek("^")
        self.position += negated
        ranges: Ranges = []
        properties = ""
        while not self._peek("]"):
            if self.position >= len(self.text):
                self._refuse("a [ is not closed", at=opened)
            if self.unicode and (self._peek("\\p") or self._peek("\\P")):
                properties += self._property()
                continue
            ranges += self._range()
        self.position += 1
        return self._set(ranges, properties, negated=negated)

    def _set(self, ranges: Ranges, properties: str, *, negated: bool) -> str:
        ranges = normal(ranges)
        if properties:
            self.tells_line_ends = True
            return f"[{'^' if negated else ''}{written(ranges)[1:-1] if ranges else ''}{properties}]"
        if self.ignore_case and not self.unicode:
            ranges = charset.either_case(ranges)
        if negated and self.ignore_case and self.unicode and ranges:
            return f"[^{self._written(ranges)[1:]}"  # RE2 adds the other case before it inverts
        return self._written(inverse(ranges) if negated else ranges)

    def _range(self) -> Ranges:
        start = self.position
        first = self._class_atom()
        if not self._peek("-") or self.text.startswith("-]", self.position):
            return first
        self.position += 1
        last = self._class_atom()
        single = len(first) == len(last) == 1 and first[0][0] == first[0][1] and last[0][0] == last[0][1]
        if not single or self.text[start : start + 2].lower() in {"\\d", "\\w", "\\s"}:
            if self.unicode:
                self._refuse("a class cannot be the end of a range", at=start)
            return [*first, (45, 45), *last]
        if first[0][0] > last[0][0]:
            self._refuse("a range is out of order", at=start)
        return [(first[0][0], last[0][0])]

    def _class_atom(self) -> Ranges:
        if self.position >= len(self.text):
            self._refuse("a [ is not closed")
        here = self.text[self.position]
        if here != "\\":
            self.position += 1
            return [(ord(here), ord(here))]
        letter = self.text[self.position + 1 : self.position + 2]
        if letter in CLASSES and letter:
            self.position += 2
            return self._known(letter)
        code = self._escape_code(inside=True)
        return [(code, code)]
