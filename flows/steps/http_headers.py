"""Headers of an HTTP request: names and values that stay on their own line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from flows.errors import Problem, StepError
from flows.steps.checked_text import collected
from flows.template import as_text
from flows.value import Value, compile_value

CONNECTION_HEADERS = ("content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer")
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+\Z")


def token(text: str) -> str:
    if not _TOKEN.match(text):
        raise ValueError(f"«{text[:40]}» has characters that cannot stand there")
    return text


def compile_named(problems: list[Problem], field: str, written: Mapping[str, Any]) -> tuple[tuple[str, Value], ...]:
    """Names with their values, compiled; what is wrong is added to the problems."""
    compiled = (
        (name, collected(problems, (field, name), partial(compile_value, raw, lenient=True))) for name, raw in written.items()
    )
    return tuple((name, value) for name, value in compiled if value is not None)


def header_problems(headers: Mapping[str, Any]) -> list[Problem]:
    problems = [Problem(("headers", name), f"«{name[:40]}» is no header name") for name in headers if not _TOKEN.match(name)]
    problems += [
        Problem(("headers", name), f"{name} is set by the connection itself")
        for name in headers
        if name.lower() in CONNECTION_HEADERS
    ]
    return problems


def header_text(name: str, value: Any) -> str:
    """One line: a value with a line break would become headers of its own."""
    text = as_text(value).strip(" \t")
    if isinstance(value, (dict, list)) or CONTROL.search(text):
        said = "a list or an object" if isinstance(value, (dict, list)) else "a line break or another control character"
        raise StepError(f"the value of the header {name} is or has {said}", code="BAD_HEADER", retryable=False)
    return text
