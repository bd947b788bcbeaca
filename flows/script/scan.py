"""What a script reads, found in its tokens: never in its texts and comments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from flows.script.engine import Reads, Reference, Script
from flows.script.names import KNOWN, OF_NODE
from flows.script.tokens import Token, tokens

ROOTS = ("input", "steps", "loop", "env")
DATA = ("data", "output")
# Ways to reach what is not named.
_HIDDEN = frozenset({"eval", "Function", "constructor", "globalThis", "this", "with", "arguments"})
_CLOSES = {")": "(", "]": "[", "}": "{"}
_DECLARING = frozenset({"let", "const", "var", "function", "class", "import"})
_HEADED = frozenset({"if", "while", "for", "switch", "with"})
# What a list of declarations ends at, also where it has no ; of its own.
_ENDS = _DECLARING | _HEADED | {";", "of", "in", "from", "return", "throw", "try", "export", "do"}
_WORDS = frozenset({"toLocaleString", "toLocaleDateString", "toLocaleTimeString", "localeCompare", "Intl"})
_ZONE = re.compile(r"[A-Z][A-Za-z_]{1,20}(?:/[A-Za-z0-9_+-]{1,30}){1,2}")
MAX_ZONES = 32  # of one script: their changes are sent along
MAX_LIST = 5000  # tokens of one list of declarations, or between brackets: a scan is no parser, and must end
_INDEX = re.compile(r"\d{1,9}")


def scan(source: str, *, form: str) -> Script:
    """The script of a text that the engine has checked."""
    found = Found(list(tokens(source)))
    whole = {name: found.is_free(name) for name in ("$", *ROOTS, *DATA)}
    if form == "module":  # it makes its own $ of what it is given, once, and has no other names
        whole = {"$": "$" in found.names and found.is_made_once("$")}
    offsets: dict[Reference, int] = {}
    for position, token in enumerate(found.tokens):
        if token.kind == "name" and whole.get(token.text) and found.is_read(position):
            path = found.path(position)
            reference: Reference = ("$", token.text, *path) if token.text in ROOTS else (token.text, *path)
            offsets.setdefault(reference, token.start)
    return Script(
        source,
        form,  # type: ignore[arg-type]  # one of the Forms
        tuple(offsets),
        offsets,
        _reads(found, offsets),
        requires=bool(found.names & {"require", "Buffer", "URL", "URLSearchParams", "TextEncoder", "TextDecoder"}),
        words=bool(found.names & _WORDS),
        zones=found.zones() if found.names & _WORDS else (),
    )


def _reads(found: Found, references: dict[Reference, int]) -> Reads:
    """All, where the script could reach more than it names."""
    hidden = found.names & _HIDDEN or "$" in found.declared
    rooted = [reference for reference in references if reference[0] == "$"]
    if hidden or any(len(reference) < 2 or reference[1] not in ROOTS for reference in rooted):
        return Reads()
    roots = {str(reference[1]) for reference in rooted} | found.declared & set(ROOTS)
    named = [reference[2] if len(reference) > 2 else None for reference in rooted if reference[1] == "steps"]
    steps = None if None in named or "steps" in found.declared else frozenset(str(name) for name in named)
    data = any(token.text in DATA and found.is_read(position) for position, token in enumerate(found.tokens))
    return Reads(frozenset(roots), steps, data)


def unknown_names(source: str) -> Iterator[Token]:
    """Names that are read and that nothing in the script or beside it can stand for, each once."""
    found = Found(list(tokens(source)))
    asked = {token.text for position, token in enumerate(found.tokens) if found.text(position - 1) == "typeof"}
    told = found.declared | asked | KNOWN
    for position, token in enumerate(found.tokens):
        if token.kind == "name" and token.text not in told and found.is_read(position) and not found.is_named(position):
            told.add(token.text)
            yield token


def absent_names(source: str) -> list[str]:
    """The names of node that inline code reads and has not."""
    return [token.text for token in unknown_names(source) if token.text in OF_NODE]


@dataclass(slots=True)
class Found:
    """The tokens of one script, and which names they give a meaning of their own."""

    tokens: list[Token]
    names: set[str] = field(init=False)
    declared: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self.names = {token.text for token in self.tokens if token.kind == "name"}
        self.names |= {token.text[1:-1] for token in self.tokens if token.kind == "string" and token.text[1:-1] in _HIDDEN}
        self.declared = set(self._declared())

    def text(self, position: int) -> str:
        return self.tokens[position].text if 0 <= position < len(self.tokens) else ""

    def is_named(self, position: int) -> bool:
        """A name that stands for no value: of a method, of a private field, or asked for with typeof."""
        if self.text(position - 1) in {"#", "typeof", "break", "continue"}:
            return True
        if self.text(position + 1) != "(":
            return False
        depth = 0
        for at in range(position + 1, min(len(self.tokens), position + MAX_LIST)):
            depth += (self.text(at) == "(") - (self.text(at) == ")")
            if depth == 0:
                return self.text(at + 1) == "{"
        return False

    def zones(self) -> tuple[str, ...]:
        texts = (token.text[1:-1] for token in self.tokens if token.kind in {"string", "template"})
        return tuple(sorted({text for text in texts if _ZONE.fullmatch(text)}))[:MAX_ZONES]

    def is_free(self, name: str) -> bool:
        return name in self.names and name not in self.declared

    def is_made_once(self, name: str) -> bool:
        made = [
            self.text(at - 1) for at, token in enumerate(self.tokens) if token.text == name and self.text(at + 1) in {"=", "=>"}
        ]
        return made in (["const"], ["let"], ["var"])

    def is_read(self, position: int) -> bool:
        """A name that stands for a value: neither behind a dot nor the key of an object."""
        before, after = self.text(position - 1), self.text(position + 1)
        return before not in {".", "?."} and (after != ":" or before == "?")

    def path(self, position: int) -> list[str | int]:
        """What is read from a name on: `.a`, `?.a`, `['a']`, `[0]`, up to what is computed. The name of a method is not part of it."""
        path: list[str | int] = []
        at = position + 1
        while True:
            if self.text(at) in {".", "?."} and self._kind(at + 1) == "name":
                path.append(self.text(at + 1))
                at += 2
                continue
            bracket = at + 1 if self.text(at) == "?." else at
            if self.text(bracket) != "[" or self.text(bracket + 2) != "]":
                break
            key = self._key(bracket + 1)
            if key is None:
                break
            path.append(key)
            at = bracket + 3
        called = self.text(at) == "(" or (self.text(at) == "?." and self.text(at + 1) == "(")
        return path[:-1] if called else path

    def _kind(self, position: int) -> str:
        return self.tokens[position].kind if position < len(self.tokens) else ""

    def _key(self, position: int) -> str | int | None:
        token = self.tokens[position]
        if token.kind == "string" and "\\" not in token.text:
            return token.text[1:-1]
        return int(token.text) if token.kind == "number" and _INDEX.fullmatch(token.text) else None

    def _declared(self) -> set[str]:
        """Every name that the script may give a meaning: too many rather than too few."""
        found: set[str] = set()
        opened: list[int] = []
        for position, token in enumerate(self.tokens):
            if token.kind == "name" and self.text(position - 1) not in {".", "?."}:
                if token.text in _DECLARING:
                    found |= self._bound(position + 1)
                elif self.text(position + 1) in {"=>", "="}:
                    found.add(token.text)
            elif token.kind == "mark" and token.text in _CLOSES.values():
                opened.append(position)
            elif token.kind == "mark" and token.text in _CLOSES and opened:
                start = opened.pop()
                is_pattern = token.text != ")" and self.text(position + 1) == "="
                if is_pattern or self._are_parameters(start, position):
                    found |= {name for at in range(start, position) for name in self._bindable(at)}
        return found

    def _are_parameters(self, start: int, end: int) -> bool:
        if self.text(start) != "(":
            return False
        before, after = self.text(start - 1), self.text(end + 1)
        if after == "=>" or before in {"catch", "function"}:
            return True
        return after == "{" and self._kind(start - 1) in {"name", "string"} and before not in _HEADED  # function f(…) {, a method

    def _bound(self, position: int) -> set[str]:
        """The names that begin behind let, const, var, function, class, import, and behind the commas of such a list."""
        found: set[str] = set()
        depth = 0
        is_place = True  # here a name is one of those
        for at in range(position, min(len(self.tokens), position + MAX_LIST)):
            text = self.text(at)
            depth -= text in _CLOSES
            if depth < 0 or (depth == 0 and text in _ENDS):
                break
            if is_place:
                found |= self._bindable(at)
            depth += text in _CLOSES.values()
            if depth == 0:
                is_place = text in {",", "as", "*"}
        return found

    def _bindable(self, position: int) -> set[str]:
        """The name here, if it stands alone."""
        token = self.tokens[position]
        alone = self.text(position - 1) not in {".", "?."} and self.text(position + 1) not in {".", "?.", "[", "("}
        is_function = self.text(position - 1) in {"function", "*"}
        return {token.text} if token.kind == "name" and (alone or is_function) else set()
