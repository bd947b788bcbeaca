"""Texts with `{{ }}`: checked at load, filled in once at run, each value made safe by the pipes that are named.

`{{$.a.b}}` is a path on `$`; `{{a.b}}` looks into data, then input, then the names themselves (`steps.load.output`).
`{{x | shell}}`, `json`, `url`, `html`, `md` write the value for that language; `{{q x}}` is `{{x | shell}}`. `{{'{{'}}` writes
what is quoted: this is how a literal `{{` stands in a text. null is written as nothing, 0 and false as they are, objects and lists
as JSON. What is missing is an error; in a `lenient` template what a path on `$` does not find is written as null is, and braces
that no placeholder begins (`{{.Names}}`, `{{#each x}}`) are text: commands and prompts have braces of their own. What was filled in
is never looked at again.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import quote

from flows.errors import DefinitionError, TemplateError
from flows.selector import MISSING, Selector, read_selector_at
from flows.selector.reader import Reader
from flows.suggest import did_you_mean
from flows.text import as_json, as_text

__all__ = ["PIPES", "Placeholder", "Template", "as_text", "compile_template"]

_NAME_BEGINS = re.compile(r"[^\x00-@\[-\^`{-\x7f]")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_Q = re.compile(r"q[ \t\r\n]+(?=[^\s|}.\[])")  # `q` before a path; alone, or followed by a pipe, it is a path named q
_MARKDOWN = re.compile(r"[\\`*_{}\[\]()#+\-.!|<>~&=$]")
_MEANT = re.compile(  # behind {{: a value is meant, well or badly
    r"""\s*(?:q\s+(?=[^\s|}.\[]))?(?:['"$]|[^\x00-@\[-\^`{-\x7f](?:\[[^\]]{0,1000}\]|[^\s|}\[])*\s*(?:\||\}\}|\Z))"""
)
_DOUBTFUL = re.compile(  # braces of nobody else's language: names alone, or what begins with a name that we have
    r"\{\{\s*(?!(?:block|define|each|else|if|include|let|partial|range|template|unless|with)\b)"
    r"(?:[A-Za-z_]\w*(?:\s+[A-Za-z_]\w*)+|(?:input|steps|loop|env|data|output)\b[.\[?][^{}]*)\s*\}\}"
)
_URL_SAFE = "!'()*"  # with letters, digits and -_.~ : what encodeURIComponent leaves

Check = Callable[[str, "Placeholder"], None]


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One `{{ }}` that is filled in."""

    source: str  # as written, with its braces
    selector: Selector
    bare: bool  # True: `{{a.b}}`, looked up in data and input; False: `{{$.a.b}}`
    pipes: tuple[str, ...]
    offset: int  # of its `{{` in the text, 0-based

    @property
    def root_first(self) -> tuple[str | int, ...]:
        """How its path begins: ("$", "steps", "load"), or for a bare one ("steps", "load")."""
        return self.selector.segments if self.bare else ("$", *self.selector.segments)


@dataclass(frozen=True, slots=True)
class Template:
    """A text that was checked. `parts` in order: text as it is, and placeholders."""

    text: str
    parts: tuple[str | Placeholder, ...]
    lenient: bool = False  # True: nothing at a path on `$` is no error; a bare name must be there all the same

    @property
    def plain(self) -> bool:
        """Whether nothing is filled in."""
        return not any(isinstance(part, Placeholder) for part in self.parts)

    @property
    def placeholders(self) -> tuple[Placeholder, ...]:
        return tuple(part for part in self.parts if isinstance(part, Placeholder))

    def render(self, names: Mapping[str, Any], *, check: Check | None = None) -> str:
        """The text with its values. `check` is given the text of each placeholder without pipes, and may raise.

        Raises TemplateError, TEMPLATE_MISSING where a path matches nothing; SelectorError where a path looks at too much.
        """
        made: list[str] = []
        for part in self.parts:
            if isinstance(part, str):
                made.append(part)
                continue
            value = _look_up(part, names, lenient=self.lenient)
            for name in part.pipes:
                value = _apply(name, value, part)
            text = as_text(value)
            if check is not None and not part.pipes:
                check(text, part)
            made.append(text)
        return "".join(made)


def compile_template(text: str, *, fold_headers: bool = False, lenient: bool = False) -> Template:
    """Raises DefinitionError, code TEMPLATE_SYNTAX or SELECTOR_SYNTAX, with the offset of what is wrong.

    `fold_headers`: as in compile_selector. `lenient`: see Template.
    """
    if not isinstance(text, str):
        raise DefinitionError.at((), "a template is text", code="TEMPLATE_SYNTAX")
    parts: list[str | Placeholder] = []
    at = 0
    while (opened := text.find("{{", at)) >= 0:
        _add_text(parts, text[at:opened])
        if lenient and not _MEANT.match(text, opened + 2):
            _add_text(parts, "{")
            at = opened + 1  # `{{{$.x}}}` is a value in braces
            continue
        part, at = _read(text, opened, fold_headers=fold_headers)
        if isinstance(part, str):
            _add_text(parts, part)
        else:
            parts.append(part)
    _add_text(parts, text[at:])
    return Template(text, tuple(parts), lenient)


def doubtful_braces(text: str) -> Iterator[tuple[int, str]]:
    """Offset and text of each `{{two words}}` that a lenient template takes as text, though a value may have been meant."""
    for found in _DOUBTFUL.finditer(text):
        if not _MEANT.match(text, found.start() + 2):
            yield found.start(), found[0]


def _add_text(parts: list[str | Placeholder], text: str) -> None:
    """Neighbouring texts become one."""
    if not text:
        return
    if parts and isinstance(parts[-1], str):
        parts[-1] += text
    else:
        parts.append(text)


def _read(text: str, opened: int, *, fold_headers: bool) -> tuple[str | Placeholder, int]:
    """What the `{{` at `opened` begins, and where it ends."""
    reader = Reader(text, opened + 2)
    reader.skip_blanks()
    if reader.next and reader.next in "'\"":
        said = reader.string()
        return said, _closed(reader, opened)
    shell = _Q.match(text, reader.at)
    if shell:
        reader.at = shell.end()
    bare = reader.next != "$"
    if bare and not _NAME_BEGINS.match(reader.next):
        _refuse_begin(reader, opened)
    selector, reader.at = read_selector_at(text, reader.at, fold_headers=fold_headers)
    pipes = ["shell"] if shell else []
    reader.skip_blanks()
    if shell and reader.next == "|":
        _refuse("q and a pipe are both given", "q is the pipe shell: write one of them", reader.at)
    while reader.take("|"):
        pipes.append(_pipe(reader))
        reader.skip_blanks()
    end = _closed(reader, opened)
    return Placeholder(text[opened:end], selector, bare, tuple(pipes), opened), end


def _closed(reader: Reader, opened: int) -> int:
    """Where the placeholder ends."""
    reader.skip_blanks()
    if reader.take("}}"):
        return reader.at
    if reader.text.find("}}", reader.at) < 0:
        _refuse("the {{ is not closed", "close it with }}, or write {{'{{'}} for the braces themselves", opened)
    return _refuse(f"{reader.shown} cannot stand here", "a path, then pipes: {{$.body.name | shell}}", reader.at)


def _refuse_begin(reader: Reader, opened: int) -> NoReturn:
    if reader.ahead("}}"):
        _refuse("there is nothing in the {{ }}", "write a path: {{$.body.name}}", opened)
    if not reader.next:
        _refuse("the {{ is not closed", "close it with }}, or write {{'{{'}} for the braces themselves", opened)
    hint = "write {{$.body.name}} or {{name}}; {{'{{'}} writes the braces themselves"
    _refuse(f"{reader.shown} begins no path", hint, reader.at)


def _pipe(reader: Reader) -> str:
    reader.skip_blanks()
    found = _WORD.match(reader.text, reader.at)
    known = f"known are {', '.join(PIPES)}"
    if not found:
        _refuse("a pipe must follow the |", known, reader.at)
    if found[0] not in PIPES:
        _refuse(f"the pipe {found[0]} is not known", did_you_mean(found[0], PIPES) or known, reader.at)
    reader.at = found.end()
    return found[0]


def _refuse(problem: str, hint: str, offset: int) -> NoReturn:
    raise DefinitionError.at((), problem, hint, code="TEMPLATE_SYNTAX", offset=offset)


def _look_up(part: Placeholder, names: Mapping[str, Any], *, lenient: bool) -> Any:
    value = _bare(part.selector, names) if part.bare else part.selector.get(names.get("$"))
    if value is MISSING and lenient and not part.bare:
        return None
    if value is MISSING:
        raise TemplateError(f"{part.source} has no value: nothing is at {part.selector.text}", code="TEMPLATE_MISSING")
    return value


def _bare(selector: Selector, names: Mapping[str, Any]) -> Any:
    """In data, then in input, a key that is the whole dotted name before its parts; then among the names themselves."""
    for holder in (names.get("data"), names.get("input")):
        if not isinstance(holder, dict):
            continue
        if selector.text in holder:
            return holder[selector.text]
        value = selector.get(holder)
        if value is not MISSING:
            return value
    return selector.get(names if isinstance(names, dict) else dict(names))


def _apply(name: str, value: Any, part: Placeholder) -> str:
    try:
        return PIPES[name](value)
    except ValueError as error:
        raise TemplateError(f"{part.source}: {error}", code="TEMPLATE_VALUE") from error


def _shell(value: Any) -> str:
    """One word of a POSIX shell, whatever is in it. Always quoted: `2` before `>` and `if` before all else mean more than themselves."""
    text = as_text(value)
    if "\0" in text:
        raise ValueError("a NUL character cannot be given to a command")
    return "'" + text.replace("'", "'\\''") + "'"


def _url(value: Any) -> str:
    """As encodeURIComponent does; a lone surrogate is an error there, too."""
    try:
        return quote(as_text(value), safe=_URL_SAFE)
    except UnicodeEncodeError:
        raise ValueError("half a character (a lone surrogate) cannot be part of an address") from None


def _html(value: Any) -> str:
    return html.escape(as_text(value), quote=True)


def _markdown(value: Any) -> str:
    return _MARKDOWN.sub(lambda found: f"\\{found[0]}", as_text(value))


PIPES: dict[str, Callable[[Any], str]] = {
    "shell": _shell,
    "json": as_json,
    "url": _url,
    "html": _html,
    "md": _markdown,
}
