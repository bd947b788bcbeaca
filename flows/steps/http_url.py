"""The address of an `http` step: what the author wrote, with values that cannot change where it leads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, unquote, urlsplit

from flows.errors import DefinitionError, StepError
from flows.steps.checked_text import CheckedText, compile_text

if TYPE_CHECKING:
    from flows.step import Load

MAX_URL_CHARACTERS = 8192  # servers refuse longer ones, with answers that do not say why
_PLAIN = frozenset("-._~!$'()*,;:")  # beside letters and digits: what means nothing to a URL in any part of it
_REFUSED = re.compile(r"[\x00-\x20\x7f-\x9f\\\ud800-\udfff]")


def compile_url(text: str, load: Load) -> CheckedText:
    """Raises DefinitionError with an empty path; warns of values that are put in as they are."""
    compiled = compile_text(text)
    first = compiled.literals[0]
    if first is not None and not re.match(r"https?://", first):
        raise DefinitionError.at(
            (), f"the url begins with «{first[:20]}»", "it must begin with http:// or https://, or with a value"
        )
    if not compiled.references and len(compiled.literals) == 1 and first is not None:
        try:
            check_url(first)
        except StepError as error:
            raise DefinitionError.at((), str(error)) from error
    for placeholder in compiled.placeholders:
        if not placeholder.pipes and placeholder.offset > 0:
            load.warn(("url",), f"{placeholder.source} is put into a url as it is", f"write {piped(placeholder.source)}")
    return compiled


def piped(source: str) -> str:
    """The placeholder with the pipe that makes any value fit."""
    return f"{source.removesuffix('}}').rstrip()} | url}}}}"


def made_url(url: CheckedText, names: Mapping[str, Any]) -> str:
    """The address with its values. Raises StepError UNSAFE_INTERPOLATION, TEMPLATE_MISSING, BAD_URL."""

    def judge(number: int, before: str, text: str, pipe: str | None) -> str | None:
        return None if url.whole is not None and number == 0 else judge_value(before, text, pipe)

    made = url.make(names, judge, lambda number: f"write {piped(url.shown(number).partition('|')[0])}")
    check_url(made)
    return made


def judge_value(before: str, text: str, pipe: str | None) -> str | None:
    """Why a value must not stand after `before`, as the end of a sentence; None: it may.

    A value that the URL begins with is the author's way to say the base, and may be anything that check_url takes.
    """
    if before == "" or pipe == "url":
        return None
    is_path = "/" in before.partition("://")[2]
    for mark in text:
        if not (mark.isalnum() or mark in _PLAIN or (mark == "@" and is_path)):
            return f"it contains {mark if mark.isprintable() and mark != ' ' else ascii(mark)}"
    return None


def check_url(url: Any) -> SplitResult:
    """The parts of a URL that can be requested. Raises StepError BAD_URL, without the query: it may carry secrets."""
    if not isinstance(url, str) or not url:
        raise _bad("the url is empty" if url in ("", None) else "the url is no text")
    if len(url) > MAX_URL_CHARACTERS:
        raise _bad(f"the url has {len(url)} characters; at most {MAX_URL_CHARACTERS} can be sent")
    if found := _REFUSED.search(url):
        raise _bad(f"the url contains {found[0]!a}; values are put in with {{{{… | url}}}}")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _bad(f"the url cannot be read: {error}") from error
    if parts.scheme not in ("http", "https"):
        raise _bad(f"the url begins with «{url[:12]}», and must begin with http:// or https://")
    if not parts.hostname or port == 0:
        raise _bad("the url names no host" if not parts.hostname else "port 0 cannot be connected to")
    if parts.username is not None or parts.password is not None:
        raise _bad("the url has a user or a password before the host; use auth with a secret")
    if any(segment in (".", "..") for segment in unquote(parts.path).split("/")):
        raise _bad("the path has a . or .. between its slashes, which would lead elsewhere")
    return parts


def _bad(problem: str) -> StepError:
    return StepError(problem, code="BAD_URL", retryable=False)
