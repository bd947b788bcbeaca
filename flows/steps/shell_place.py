"""Where a placeholder stands in a shell command, and whether a value may stand there as it is.

The literal text of a command is the author's and is trusted; what is put between comes from events, and so from
strangers. A value is refused when the shell could take any of it for something other than text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

Quote = Literal["none", "single", "double", "heredoc", "quoted_heredoc", "unknown"]

PLAIN = frozenset("_-.,:/@%+= ")  # beside letters and digits: ASCII that no shell grammar gives a meaning inside a word
RESERVED = frozenset(("if", "then", "else", "elif", "do", "while", "until", "!", "{", "time", "coproc"))  # a command follows
RUNNERS = frozenset(  # their arguments are a command: one word more there is a program run
    [
        "builtin",
        "chroot",
        "chrt",
        "command",
        "doas",
        "env",
        "eval",
        "exec",
        "flock",
        "ionice",
        "nice",
        "nohup",
        "runuser",
        "setsid",
        "ssh",
        "stdbuf",
        "strace",
        "su",
        "sudo",
        "systemd-run",
        "timeout",
        "watch",
        "xargs",
    ]
)
ACTIVE = {"single": "'", "double": '"$`\\', "heredoc": "$`\\\n", "quoted_heredoc": "\n"}  # what ends the text, or expands in it
COMMANDS = ("command", "arithmetic", "backtick")  # levels that have words
_HEREDOC = re.compile(r"<<-?[ \t]*(?:'(?P<single>[^'\n]+)'|\"(?P<double>[^\"\n]+)\"|\\?(?P<bare>[\w.-]+))")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=")
_COMMAND_ENDS = re.compile(r"[ \t]*(?:$|[\n;&|)#])")


@dataclass(frozen=True, slots=True)
class Place:
    """What surrounds one placeholder."""

    quote: Quote  # unknown: backticks, $'…', or a command whose quoting could not be followed to its end
    before: str  # the literal character before it; "" where there is none
    glued: bool  # unquoted, and text follows or precedes it in the same word
    runs: bool  # unquoted, in the place of a command's name or among the arguments of a command that runs another
    last: bool  # nothing follows it in its simple command
    redirect: bool  # `<` or `>` follows it at once: digits there would name a descriptor


def places(parts: Sequence[str | None]) -> list[Place]:
    """The place of each None among `parts`; the texts are the literal parts of the command, in order."""
    reader = _Reader()
    found: list[Place] = []
    for index, part in enumerate(parts):
        if part is not None:
            reader.read(part)
            continue
        rest = [text for text in parts[index + 1 :] if text != ""]
        found.append(reader.place(rest[0] if rest else None, is_end=not rest))
        reader.skip()
    if reader.is_closed():
        return found
    return [replace(place, quote="unknown", glued=True) for place in found]


def refusal(text: str, place: Place, pipe: str | None) -> str | None:
    """Why `text` must not stand there, as the end of a sentence; None: it may. `pipe` is what made it, None: nothing did."""
    quote = place.quote
    if pipe == "shell":  # its quotes are text, or the end of a text, wherever the command has quotes of its own
        return (
            None if quote in ("none", "unknown") else _refuse_plain(text.strip("'"), replace(place, quote="unknown", glued=True))
        )
    if pipe is None or quote == "unknown" or (quote == "none" and pipe != "json"):
        return _refuse_plain(text, place)
    if pipe == "json" and quote in ("none", "heredoc"):  # it brings its own double quotes, and its backslashes stay in pairs
        return _refuse_marks(text, "$`") or _refuse_option(text, place)
    return _refuse_marks(text, ACTIVE[quote])


def _refuse_marks(text: str, marks: str) -> str | None:
    return next((f"it contains {_shown(mark)}" for mark in marks if mark in text), None)


def _shown(mark: str) -> str:
    return mark if mark.isprintable() else ascii(mark)[1:-1]


def _refuse_plain(text: str, place: Place) -> str | None:
    for mark in text:
        if mark in PLAIN or mark.isalnum() or (mark > "\x9f" and not "\ud800" <= mark <= "\udfff"):
            continue
        return f"it contains {_shown(mark)}"
    return _refuse_option(text, place) or (_refuse_bare(text, place) if place.quote in ("none", "unknown") else None)


def _refuse_option(text: str, place: Place) -> str | None:
    """A word that begins with - is an option to most commands. Glued to a text before it, the first one is not."""
    words = text.split()
    if words and words[0].startswith("-") and (place.before.isalnum() or (place.before != "" and place.before in "_=:/.,+@%-")):
        words = words[1:]
    return next((f"the word {word[:40]} begins with -" for word in words if word.startswith("-")), None)


def _refuse_bare(text: str, place: Place) -> str | None:
    """Outside quotes blanks make words, and an empty text makes a word vanish."""
    if " " in text and place.glued:
        return "it contains a blank and is glued to other text outside quotes"
    if " " in text and place.runs:
        return "it contains a blank, and the next word would be a command"
    if text.strip() == "" and (place.glued or not place.last):
        return "it is empty, and what follows would take its place"
    if place.redirect and text.isdigit():
        return "a number before < or > names a file descriptor"
    return None


@dataclass(slots=True)
class _Frame:
    """One level of nesting: a command, or a quoted stretch."""

    kind: Literal["command", "arithmetic", "backtick", "parameter", "double", "single", "ansi", "comment"]
    word: str | None = None  # the word being read, without its quotes; None: between words
    name: str | None = None  # the simple command's name, once its word has ended


@dataclass(slots=True)
class _Reader:
    """Follows bash's quoting through the literal text: quotes, escapes, `$( )`, backticks, `${ }`, comments, heredocs."""

    frames: list[_Frame] = field(default_factory=lambda: [_Frame("command")])
    before: str = ""
    awaited: list[tuple[str, Quote]] = field(default_factory=list)  # heredocs announced on this line
    heredoc: tuple[str, Quote] | None = None

    def read(self, text: str) -> None:
        at = 0
        while at < len(text):
            at = self._heredoc_body(text, at) if self.heredoc else self._step(text, at)
        self.before = text[-1:] or self.before

    def place(self, following: str | None, *, is_end: bool) -> Place:
        frame = self.frames[-1]
        quote: Quote = self.heredoc[1] if self.heredoc else "double" if frame.kind == "double" else "single"
        if self.heredoc or frame.kind in ("double", "single"):
            return Place(quote, self.before, glued=False, runs=False, last=True, redirect=False)
        next_mark = "x" if following is None else following[:1]
        glued_after = not (is_end or next_mark in " \t\n;&|<>)`#" or frame.kind == "comment")
        is_strange = any(frame.kind in ("backtick", "ansi") for frame in self.frames)
        return Place(
            "unknown" if is_strange else "none",
            self.before,
            glued=frame.word is not None or glued_after or frame.kind == "parameter",
            runs=frame.name is None or frame.name in RUNNERS,
            last=is_end or (following is not None and bool(_COMMAND_ENDS.match(following)) and following.strip(" \t") != ""),
            redirect=next_mark in "<>" and next_mark != "" and frame.word is None,
        )

    def is_closed(self) -> bool:
        """True where the command ended outside of everything: its quoting was followed rightly."""
        kinds = [frame.kind for frame in self.frames]
        return kinds in (["command"], ["command", "comment"]) and not self.awaited

    def skip(self) -> None:
        """A placeholder was here: it is part of a word, and nothing is known of what it ends with."""
        if self.heredoc is None:
            self._add("x")
        self.before = ""

    def _add(self, text: str) -> None:
        frame = self._command()
        frame.word = (frame.word or "") + text

    def _command(self) -> _Frame:
        return next(frame for frame in reversed(self.frames) if frame.kind in COMMANDS)

    def _step(self, text: str, at: int) -> int:
        frame, mark = self.frames[-1], text[at]
        if frame.kind == "comment":
            if mark == "\n":
                self.frames.pop()
                return at
            return at + 1
        if frame.kind == "single":
            return self._quoted(mark, "'", at)
        if mark == "\\":
            if text[at + 1 : at + 2] != "\n":
                self._add(text[at + 1 : at + 2])
            return at + 2
        if frame.kind == "ansi":
            return self._quoted(mark, "'", at)
        return self._expansion(text, at) or self._inside(frame, text, at)

    def _quoted(self, mark: str, end: str, at: int) -> int:
        if mark == end:
            self.frames.pop()
        else:
            self._add(mark)
        return at + 1

    def _expansion(self, text: str, at: int) -> int:
        """What begins something in a command and in double quotes alike; 0: nothing does here."""
        two, frame = text[at : at + 2], self.frames[-1]
        if text.startswith("$((", at):
            self._add("x")
            self.frames += [_Frame("arithmetic"), _Frame("arithmetic")]
            return at + 3
        if two == "$(":
            self._add("x")
            self.frames.append(_Frame("command"))
            return at + 2
        if two == "${":
            self._add("x")
            self.frames.append(_Frame("parameter"))
            return at + 2
        if text[at] == "`":
            if frame.kind == "backtick":
                self.frames.pop()
            else:
                self._add("x")
                self.frames.append(_Frame("backtick"))
            return at + 1
        return 0

    def _inside(self, frame: _Frame, text: str, at: int) -> int:
        mark = text[at]
        if frame.kind == "double":
            return self._quoted(mark, '"', at)
        if frame.kind == "parameter" and mark == "}":
            self.frames.pop()
            return at + 1
        if mark in "'\"":
            is_ansi = mark == "'" and text[at - 1 : at] == "$"
            self._add("")
            self.frames.append(_Frame("double" if mark == '"' else "ansi" if is_ansi else "single"))
            return at + 1
        if frame.kind == "parameter":
            return at + 1
        return self._bare(frame, text, at)

    def _bare(self, frame: _Frame, text: str, at: int) -> int:
        mark = text[at]
        if mark == "#" and frame.word is None and frame.kind != "arithmetic":
            self.frames.append(_Frame("comment"))
        elif mark in " \t":
            self._end_word(frame)
        elif text.startswith("<<<", at):
            self._end_word(frame)
            return at + 3
        elif mark == "<" and frame.kind != "arithmetic" and (found := _HEREDOC.match(text, at)):
            self._end_word(frame)
            is_bare = found["bare"] is not None and "\\" not in found[0]
            word = found["single"] or found["double"] or found["bare"]
            self.awaited.append((word, "heredoc" if is_bare else "quoted_heredoc"))
            return found.end()
        elif mark in "\n;&|":
            frame.word = frame.name = None
            if mark == "\n" and self.awaited:
                self.heredoc = self.awaited.pop(0)
        elif mark in "<>":
            self._end_word(frame)
        elif mark == "(":
            is_arithmetic = frame.kind == "arithmetic" or (frame.word is None and text.startswith("((", at))
            self.frames.append(_Frame("arithmetic" if is_arithmetic else "command"))
        elif mark == ")":
            self._close(frame)
        else:
            self._add(mark)
        return at + 1

    def _close(self, frame: _Frame) -> None:
        if len(self.frames) > 1:
            self.frames.pop()
        else:  # a pattern of `case`: commands follow
            frame.word = frame.name = None

    def _end_word(self, frame: _Frame) -> None:
        word, frame.word = frame.word, None
        if word is None or frame.name is not None or word in RESERVED or _ASSIGNMENT.match(word):
            return
        frame.name = word.rsplit("/", 1)[-1]

    def _heredoc_body(self, text: str, at: int) -> int:
        word, _ = self.heredoc or ("", "heredoc")
        line_start = at > 0 or self.before in ("", "\n")
        end = re.compile(rf"(?:^|(?<=\n))\t*{re.escape(word)}(?=\n|$)").search(text, at)
        if end is None or (end.start() == 0 and not line_start):
            return len(text)
        self.heredoc = self.awaited.pop(0) if self.awaited else None
        return end.end()
