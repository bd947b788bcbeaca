"""JavaScript's tokens, as far as it takes to tell code from texts, comments and regular expressions."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from typing import Literal, NamedTuple

Kind = Literal["name", "string", "number", "template", "pattern", "mark"]

_BLANK = re.compile(r"(?:\s|//[^\n\r\u2028\u2029]*|/\*.*?\*/|/\*.*\Z)+", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_$\u0080-\U0010ffff](?:[\w$\u200c\u200d])*")
_STRING = re.compile(r"'(?:[^'\\\n]|\\.)*'?|\"(?:[^\"\\\n]|\\.)*\"?", re.DOTALL)
_NUMBER = re.compile(r"\.?\d(?:[eE][+-]|[\w.])*")
_PATTERN = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/[A-Za-z]*")
_TEXT = re.compile(r"(?:[^`\\$]|\\.|\$(?!\{))*", re.DOTALL)  # of a template, up to its end or its next ${
_MARK = re.compile(r"=>|\?\.(?!\d)|\.\.\.|\+\+|--|&&=?|\|\|=?|\?\?=?|[=!]==?|.", re.DOTALL)

BEFORE_VALUE = frozenset(
    [
        "await",
        "case",
        "delete",
        "do",
        "else",
        "extends",
        "in",
        "instanceof",
        "new",
        "of",
        "return",
        "throw",
        "typeof",
        "void",
        "yield",
    ]
)  # words that a value follows: a / after them begins a regular expression
_HEADED = frozenset(["if", "while", "for", "with"])  # words whose brackets a statement follows


class Token(NamedTuple):
    kind: Kind
    text: str
    start: int  # 0-based, in characters


def tokens(source: str) -> Iterator[Token]:
    """All of them; what is no token (a text that does not end) is taken as far as it goes. Takes linear time and no stack."""
    at = 0
    before: Token | None = None
    opened: list[str] = []  # of the brackets around: `if(` for one whose inside is a head, ${ for one inside a template
    closed = ""  # what the last closing bracket had been opened by
    while at < len(source):
        blank = _BLANK.match(source, at)
        if blank:
            at = blank.end()
            continue
        token = _next(source, at, before, closed)
        at = token.start + len(token.text)
        if token.text == "`":
            at = yield from _template(source, token.start, opened)
            before = Token("template", "`", token.start)
            continue
        if token.kind == "mark":
            if token.text in {"(", "[", "{"}:
                opened.append(before.text + "(" if token.text == "(" and before and before.text in _HEADED else token.text)
            elif token.text in {")", "]", "}"}:
                closed = opened.pop() if opened else ""
                if closed == "${":
                    at = yield from _template(source, token.start, opened)
                    before = Token("template", "`", token.start)
                    continue
        yield token
        before = token


def _template(source: str, start: int, opened: list[str]) -> Generator[Token, None, int]:
    """The text of a template from its ` or } at `start`; what comes back is where it stops."""
    text = _TEXT.match(source, start + 1)
    end = start + 1 if text is None else text.end()
    yield Token("template", source[start:end], start)
    if source.startswith("${", end):
        opened.append("${")
        return end + 2
    return end + 1


def _next(source: str, at: int, before: Token | None, closed: str) -> Token:
    first = source[at]
    if first in "'\"":
        found, kind = _STRING.match(source, at), "string"
    elif first.isdigit() or (first == "." and source[at + 1 : at + 2].isdigit()):
        found, kind = _NUMBER.match(source, at), "number"
    elif first == "/" and _value_follows(before, closed):
        found, kind = _PATTERN.match(source, at), "pattern"
    else:
        found, kind = _NAME.match(source, at), "name"
    if found is None:
        found, kind = _MARK.match(source, at), "mark"
    assert found is not None  # the last choice of a mark is any character
    return Token(kind, found[0], at)  # type: ignore[arg-type]  # one of the Kinds above


def _value_follows(before: Token | None, closed: str) -> bool:
    """Whether a / here begins a regular expression: nothing stands before it that could be divided."""
    if before is None:
        return True
    if before.kind == "name":
        return before.text in BEFORE_VALUE
    if before.kind != "mark":
        return False
    if before.text == ")":
        return closed in {"if(", "while(", "for(", "with("}
    return before.text not in {"]", "++", "--"}  # a } mostly ends a block
