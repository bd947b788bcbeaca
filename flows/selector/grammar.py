"""Reads a JSONPath as RFC 9535 writes it, and says where and why a text is none."""

from __future__ import annotations

import re
from typing import NoReturn

from flows.selector.functions import FUNCTIONS
from flows.selector.reader import Reader
from flows.selector.tree import (
    Call,
    Comparison,
    Either,
    Every,
    Filter,
    Index,
    Literal,
    Name,
    Not,
    Operand,
    Operator,
    Part,
    Query,
    Segment,
    Slice,
    Test,
    Wildcard,
)

MAX_TEXT = 4096  # characters of one path: the longest that people write are under 200
MAX_SEGMENTS = 256  # of one path, for the same reason

# A name after a dot. Beyond RFC 9535 a hyphen may stand before a letter (`$.headers.x-id`): a path cannot subtract, so it can
# mean nothing else. Before a digit it stays refused: who writes `$.total-10` means a sum.
# Written as what it is not: a class with the range up to U+10FFFF takes 10 ms to compile.
_NAME = re.compile(r"[^\x00-@\[-\^`{-\x7f][^\x00-/:-@\[-\^`{-\x7f]*")
_HYPHENED = re.compile(rf"{_NAME.pattern}(?:-+{_NAME.pattern})*")
_UNSEEN = re.compile("[\x7f-\x9f\u00ad\u200b\u2060\ufeff\ud800-\udfff]|\\s")  # pasted by accident: one looks for it for hours
_WORD = re.compile(r"[A-Za-z_][\w-]*")
_DIGITS = re.compile(r"-?[0-9]+")
_FUNCTION = re.compile(r"([a-z][a-z0-9_]*)\(")
_OPERATOR = re.compile(r"===|!==|=~|==|!=|<=|>=|<|>|=")
_OPERATORS: dict[str, Operator] = {"==": "==", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_KEYWORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
_OPERATOR_HINTS = {
    "===": "write ==, which compares types too",
    "!==": "write !=",
    "=": "write ==",
    "=~": "write match(@.key, 'pattern') for the whole text or search(@.key, 'pattern') for a part of it",
}
_AFTER_TEST = {
    "&": "write && for and",
    "|": "write || for or",
    "and": "write &&",
    "or": "write ||",
    "in": "write (@.key == 'a' || @.key == 'b')",
}


def read_segments(reader: Reader, *, hyphens: bool = True) -> tuple[Segment, ...]:
    """All steps that follow. Leaves the reader right behind the last one, before any blanks."""
    segments: list[Segment] = []
    while True:
        end = reader.at
        reader.skip_blanks()
        if reader.ahead("["):
            segment = Segment(_bracketed(reader))
        elif reader.take(".."):
            parts = _bracketed(reader) if reader.ahead("[") else (_dotted(reader, hyphens=hyphens),)
            segment = Segment(parts, descend=True)
        elif reader.take("."):
            segment = Segment((_dotted(reader, hyphens=hyphens),))
        else:
            reader.at = end
            return tuple(segments)
        segments.append(segment)
        if len(segments) > MAX_SEGMENTS:
            reader.fail(f"the path has more than {MAX_SEGMENTS} steps", at=end)


def read_name(reader: Reader, *, hyphens: bool = True) -> str:
    """A key written without quotes."""
    found = (_HYPHENED if hyphens else _NAME).match(reader.text, reader.at)
    if not found:
        _no_name(reader)
    unseen = _UNSEEN.search(found[0])
    if unseen:
        place = reader.at + unseen.start()
        reader.fail(f"there is an invisible character, U+{ord(unseen[0]):04X}", "delete it, or quote the key: ['…']", at=place)
    reader.at = found.end()
    if reader.ahead("-"):
        hint = f"a key with a hyphen is quoted: ['{found[0]}-…']; a path cannot subtract, an expression can"
        reader.fail("a hyphen cannot stand here", hint)
    return found[0]


def _dotted(reader: Reader, *, hyphens: bool) -> Part:
    return Wildcard() if reader.take("*") else Name(read_name(reader, hyphens=hyphens))


def _no_name(reader: Reader) -> NoReturn:
    """Say what is wrong where a key must stand."""
    digits = _DIGITS.match(reader.text, reader.at)
    if digits:
        reader.fail(f"a number cannot follow a dot: .{digits[0]}", f"write [{digits[0]}], or ['{digits[0]}'] for a key")
    if not reader.next:
        reader.fail("the path ends with a dot", "a key must follow, or *")
    if reader.next in "'\"":
        reader.fail("a quoted key cannot follow a dot", "write ['…'] without the dot")
    reader.fail(f"a key must follow the dot, not {reader.shown}", "a key with other characters is written ['…']")


def _bracketed(reader: Reader) -> tuple[Part, ...]:
    """`[…]`: one selector, or several with commas between them."""
    opened = reader.at
    reader.at += 1
    parts: list[Part] = []
    while True:
        reader.skip_blanks()
        parts.append(_part(reader, opened))
        reader.skip_blanks()
        if reader.take("]"):
            return tuple(parts)
        if not reader.take(","):
            _stuck(reader, opened)


def _stuck(reader: Reader, opened: int, close: str = "]") -> NoReturn:
    """Say what is wrong where a bracket or parenthesis must close."""
    if not reader.next:
        reader.fail(f"«{reader.text[opened]}» is not closed", f"close it with {close}", at=opened)
    for token, hint in _AFTER_TEST.items():
        if reader.ahead(token):
            reader.fail(f"«{token}» cannot stand here", hint)
    reader.fail(
        f"{reader.shown} cannot stand here", f"a comma or {close} must follow" if close == "]" else f"{close} must follow"
    )


def _part(reader: Reader, opened: int) -> Part:
    first = reader.next
    if not first:
        _stuck(reader, opened)
    if first in "'\"":
        return Name(reader.string())
    if reader.take("*"):
        return Wildcard()
    if reader.take("?"):
        reader.deeper()
        reader.skip_blanks()
        found = Filter(_test(reader))
        reader.depth -= 1
        return found
    if first in "-:0123456789":
        return _index_or_slice(reader)
    return _no_part(reader)


def _no_part(reader: Reader) -> NoReturn:
    """Say what is wrong where a selector must stand."""
    if reader.next == "]":
        reader.fail("there is nothing in the brackets", "write [0], ['key'], [*] or [?@.key == 1]")
    if reader.next == "(":
        reader.fail("a path cannot calculate a key", "write the key or index itself, or a filter [?@.key == 1]")
    word = _WORD.match(reader.text, reader.at)
    if word:
        reader.fail(f"the key {word[0]} needs quotes in brackets", f"write ['{word[0]}'] or .{word[0]}")
    reader.fail(f"{reader.shown} cannot stand in brackets", "write [0], ['key'], [*] or [?@.key == 1]")


def _index_or_slice(reader: Reader) -> Part:
    start = None if reader.ahead(":") else reader.integer()
    end = reader.at
    reader.skip_blanks()
    if reader.take(":"):
        stop = _bound(reader)
        return Slice(start, stop, _bound(reader) if reader.take(":") else None)
    reader.at = end
    assert start is not None  # no colon stood at the begin, so a number did
    return Index(start)


def _bound(reader: Reader) -> int | None:
    reader.skip_blanks()
    found = reader.integer() if reader.next and reader.next in "-0123456789" else None
    reader.skip_blanks()
    return found


def _test(reader: Reader) -> Test:
    """`a || b && !c`: what a filter asks of each node."""
    either = [_every(reader)]
    reader.skip_blanks()
    while reader.take("||"):
        reader.skip_blanks()
        either.append(_every(reader))
        reader.skip_blanks()
    return either[0] if len(either) == 1 else Either(tuple(either))


def _every(reader: Reader) -> Test:
    every = [_basic(reader)]
    while True:
        end = reader.at
        reader.skip_blanks()
        if not reader.take("&&"):
            reader.at = end
            return every[0] if len(every) == 1 else Every(tuple(every))
        reader.skip_blanks()
        every.append(_basic(reader))


def _basic(reader: Reader) -> Test:
    """One test: in parentheses, negated, a comparison, or whether something is there."""
    negated = reader.take("!")
    reader.skip_blanks()
    if reader.ahead("("):
        found = _parenthesised(reader)
        return Not(found) if negated else found
    began = reader.at
    left = _operand(reader)
    end = reader.at
    reader.skip_blanks()
    operator = _OPERATOR.match(reader.text, reader.at)
    if not operator:
        reader.at = end
        return Not(_as_test(reader, left, began)) if negated else _as_test(reader, left, began)
    if negated:
        reader.fail("! cannot stand before a comparison", "put the comparison in parentheses: !(…)", at=began)
    known = _OPERATORS.get(operator[0])
    if known is None:
        reader.fail(f"«{operator[0]}» is no comparison of paths", _OPERATOR_HINTS[operator[0]])
    reader.at = operator.end()
    reader.skip_blanks()
    _check_comparable(reader, left, began)
    began = reader.at
    right = _operand(reader)
    _check_comparable(reader, right, began)
    return Comparison(left, known, right)


def _parenthesised(reader: Reader) -> Test:
    opened = reader.at
    reader.at += 1
    reader.deeper()
    reader.skip_blanks()
    found = _test(reader)
    reader.depth -= 1
    reader.skip_blanks()
    if not reader.take(")"):
        _stuck(reader, opened, ")")
    return found


def _operand(reader: Reader) -> Operand:
    first = reader.next
    if first and first in "@$":
        reader.at += 1
        return Query(read_segments(reader, hyphens=False), relative=first == "@")
    if first and first in "'\"":
        return Literal(reader.string())
    if first and first in "-0123456789":
        return Literal(reader.number())
    function = _FUNCTION.match(reader.text, reader.at)
    if function:
        return _call(reader, function[1])
    word = _WORD.match(reader.text, reader.at)
    if word and word[0] in _KEYWORDS:
        reader.at = word.end()
        return Literal(_KEYWORDS[word[0]])
    if word:
        reader.fail(f"{word[0]} is not known in a filter", f"write @.{word[0]} for the key, '{word[0]}' for the text")
    if not first:
        reader.fail("the filter ends too early", "a path (@.key), a text ('a') or a number must follow")
    return reader.fail(f"{reader.shown} cannot stand here", "a path (@.key), a text ('a') or a number must follow")


def _call(reader: Reader, name: str) -> Call:
    began = reader.at
    if name not in FUNCTIONS:
        reader.fail(f"{name} is no function of paths", f"known are {', '.join(FUNCTIONS)}")
    reader.at += len(name) + 1
    reader.deeper()
    arguments: list[Operand] = []
    reader.skip_blanks()
    while not reader.take(")"):
        if arguments and not reader.take(","):
            reader.fail(f"{reader.shown} cannot stand here", "a comma or ) must follow")
        reader.skip_blanks()
        argument_at = reader.at
        argument = _operand(reader)
        if not FUNCTIONS[name].takes_nodes:
            _check_comparable(reader, argument, argument_at)
        elif not isinstance(argument, Query):
            reader.fail(f"{name} takes a path", f"write {name}(@.key)", at=argument_at)
        arguments.append(argument)
        reader.skip_blanks()
    reader.depth -= 1
    takes = FUNCTIONS[name].arguments
    if len(arguments) != takes:
        reader.fail(f"{name} takes {takes} argument{'s' * (takes > 1)}, not {len(arguments)}", at=began)
    return Call(name, tuple(arguments))


def _as_test(reader: Reader, operand: Operand, at: int) -> Query | Call:
    if isinstance(operand, Literal):
        reader.fail("a value alone asks nothing", "compare it: @.key == 'a'", at=at)
    if isinstance(operand, Call) and not FUNCTIONS[operand.function].answers:
        reader.fail(f"{operand.function}(…) alone asks nothing", f"compare it: {operand.function}(@.key) > 0", at=at)
    return operand


def _check_comparable(reader: Reader, operand: Operand, at: int) -> None:
    """Refuse what has no single value."""
    if isinstance(operand, Query) and not operand.single:
        reader.fail("this path can match several places, so it has no value", "compare count(…), or a path of keys", at=at)
    if isinstance(operand, Call) and FUNCTIONS[operand.function].answers:
        reader.fail(f"{operand.function}(…) is true or false and not compared", "leave the comparison out", at=at)
