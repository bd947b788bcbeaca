r"""Which files are meant: globs in the manner of .gitignore, matched in linear time.

A pattern is matched against the path below the watched folder. `*` and `?` stay within a name, `[a-z]` and `[!a-z]` are one
character, `**` as a whole part is any number of folders, `{a,b}` is either, `\` takes the next character as it is. A pattern
without a slash (`*.pdf`) means the name at any depth; one with a slash is counted from the watched folder. A slash at the end
means a folder, and with it all that is in it. What is excluded wins over what is included, and an excluded folder is not entered.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import re2

from triggers.files.names import shown

MAX_ALTERNATIVES = 256  # of one pattern's braces: `{a,b}{c,d}…` doubles with each pair
NAME_CHARACTER = "[^/]"
LAST_CHARACTER = 0x10FFFF
SLASH = ord("/")


class PatternError(ValueError):
    """A pattern that cannot be meant. `hint` says what to write."""

    def __init__(self, problem: str, hint: str) -> None:
        self.hint = hint
        super().__init__(problem)


class Patterns:
    """One trigger's include and exclude, compiled."""

    def __init__(self, include: Iterable[str], exclude: Iterable[str]) -> None:
        wanted = [_file_form(pattern) for pattern in _expanded(include)]
        banned = list(_expanded(exclude))
        self._wanted = _compiled(wanted)
        self._banned = _compiled([_below_form(pattern) for pattern in banned])
        self._pruned = _compiled([f"(?:{_translated(pattern.rstrip('/'))})(?:/.*)?" for pattern in banned])

    def wants(self, relative: str) -> bool:
        """Whether the file at this path below the watched folder is meant."""
        text = shown(relative)
        if self._wanted is not None and not self._wanted.fullmatch(text):
            return False
        return self._banned is None or not self._banned.fullmatch(text)

    def prunes(self, relative: str) -> bool:
        """Whether nothing in this folder can be meant, because the folder is excluded."""
        return self._pruned is not None and bool(self._pruned.fullmatch(shown(relative)))


def check(pattern: str) -> None:
    """Raise PatternError where the pattern cannot be meant."""
    for alternative in _alternatives(pattern):
        _translated(alternative.rstrip("/"))


def _compiled(patterns: list[str]) -> Any:
    """One expression for all, or None where there are none. (re2 has no types.)"""
    return re2.compile("(?s)" + "|".join(f"(?:{pattern})" for pattern in patterns)) if patterns else None


def _expanded(patterns: Iterable[str]) -> Iterator[str]:
    return itertools.chain.from_iterable(_alternatives(pattern) for pattern in patterns)


def _file_form(pattern: str) -> str:
    """As an include: the file itself, or with a slash at the end all files in that folder."""
    return f"(?:{_translated(pattern.rstrip('/'))})/.+" if pattern.endswith("/") else _translated(pattern)


def _below_form(pattern: str) -> str:
    """As an exclude: the file itself or anything in a folder of that name; with a slash at the end only the latter."""
    return f"(?:{_translated(pattern.rstrip('/'))})/.+" if pattern.endswith("/") else f"(?:{_translated(pattern)})(?:/.*)?"


def _translated(pattern: str) -> str:
    """The regular expression of one pattern without braces and without a slash at its end."""
    _check_text(pattern)
    parts = [part for part in pattern.split("/") if part not in ("", ".")]
    if not parts:
        raise PatternError("the pattern names nothing", "for example **/*.pdf")
    if ".." in parts:
        raise PatternError(f"{pattern!r} leads out of the watched folder", "patterns are counted from the watched folder")
    if "/" not in pattern:
        parts.insert(0, "**")
    *folders, last = parts
    before = "".join("(?:[^/]+/)*" if part == "**" else f"{_part(part, pattern)}/" for part in folders)
    return before + (".+" if last == "**" else _part(last, pattern))


def _check_text(pattern: str) -> None:
    if pattern.startswith("!"):
        raise PatternError(
            f"{pattern!r}: patterns are not negated by `!`", "put it into `exclude`, or write [!] for the character"
        )
    if shown(pattern) != pattern or "\0" in pattern:
        raise PatternError(
            f"{pattern!r} holds a character that no pattern can have", "use ? for a character that cannot be written"
        )


def _part(part: str, pattern: str) -> str:
    """The expression of what stands between two slashes."""
    out: list[str] = []
    at = 0
    while at < len(part):
        letter = part[at]
        at += 1
        if letter == "*":
            if out[-1:] != [f"{NAME_CHARACTER}*"]:  # `a**b` is `a*b`
                out.append(f"{NAME_CHARACTER}*")
        elif letter == "?":
            out.append(NAME_CHARACTER)
        elif letter == "[":
            text, at = _bracket(part, at, pattern)
            out.append(text)
        elif letter == "\\":
            if at == len(part):
                raise PatternError(
                    f"{pattern!r} ends a name with a backslash", "a backslash takes the character after it as it is"
                )
            out.append(_literal(part[at]))
            at += 1
        else:
            out.append(_literal(letter))
    return "".join(out)


def _bracket(part: str, at: int, pattern: str) -> tuple[str, int]:
    """The class that begins after `[` at `at`, and where the text goes on after its `]`."""
    negated = part[at : at + 1] in ("!", "^")
    at += negated
    spans: list[tuple[int, int]] = []
    first = True
    while first or part[at : at + 1] != "]":
        first = False
        if part.startswith("[:", at):
            raise PatternError(f"{pattern!r}: named classes are not known", "write the characters, for example [a-zA-Z]")
        low, at = _bracket_character(part, at, pattern)
        high = low
        if part[at : at + 1] == "-" and part[at + 1 : at + 2] not in ("", "]"):
            high, at = _bracket_character(part, at + 1, pattern)
        if high < low:
            raise PatternError(f"{pattern!r}: the range {chr(low)}-{chr(high)} runs backwards", f"write {chr(high)}-{chr(low)}")
        spans.append((low, high))
    return _class(spans, negated=negated), at + 1


def _bracket_character(part: str, at: int, pattern: str) -> tuple[int, int]:
    at += part[at : at + 1] == "\\"
    if at >= len(part):
        raise PatternError(f"{pattern!r}: a [ is not closed", "write [[] for the character [ itself")
    return ord(part[at]), at + 1


def _class(spans: list[tuple[int, int]], *, negated: bool) -> str:
    """A class that never holds a slash: `[+-9]` stays within a name."""
    if negated:
        spans = [*spans, (SLASH, SLASH)]
    else:
        cut = [((low, min(high, SLASH - 1)), (max(low, SLASH + 1), high)) for low, high in spans]
        spans = [span for pair in cut for span in pair if span[0] <= span[1]]
    if not spans:
        return rf"[^\x00-\x{{{LAST_CHARACTER:x}}}]"  # only a slash was in it: matches nothing
    ranges = "".join(rf"\x{{{low:x}}}-\x{{{high:x}}}" for low, high in spans)
    return f"[^{ranges}]" if negated else f"[{ranges}]"


def _literal(letter: str) -> str:
    return letter if letter.isascii() and letter.isalnum() else rf"\x{{{ord(letter):x}}}"


def _alternatives(pattern: str) -> list[str]:
    """`a.{b,c}` → `a.b`, `a.c`. A brace without a partner or a comma is the character itself."""
    done: list[str] = []
    waiting = [pattern]
    while waiting:
        text = waiting.pop()
        braces = _braces(text)
        if braces is None:
            done.append(text)
        else:
            start, end, commas = braces
            edges = [start, *commas, end]
            waiting.extend(text[:start] + text[low + 1 : high] + text[end + 1 :] for low, high in itertools.pairwise(edges))
        if len(done) + len(waiting) > MAX_ALTERNATIVES:
            raise PatternError(f"{pattern!r} stands for more than {MAX_ALTERNATIVES} patterns", "write fewer braces")
    return done


def _braces(text: str) -> tuple[int, int, list[int]] | None:
    """The first brace that closes and has a comma of its own: its start, its end, its commas."""
    opened: list[tuple[int, list[int]]] = []
    found: list[tuple[int, int, list[int]]] = []
    at = 0
    while at < len(text):
        letter = text[at]
        if letter == "\\":
            at += 1
        elif letter == "[":
            at = max(at, text.find("]", at + 2))  # what is in a class is no brace; one that is not closed is told of later
        elif letter == "{":
            opened.append((at, []))
        elif letter == "," and opened:
            opened[-1][1].append(at)
        elif letter == "}" and opened:
            start, commas = opened.pop()
            if commas:
                found.append((start, at, commas))
        at += 1
    return min(found, default=None)
