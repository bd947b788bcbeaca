"""Every failure as JSON: one form, a status and a stable code for each, and the list of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

from daemon import shapes
from daemon.admin.schema import TEXT, WHOLE, Schema, listed, maybe, record, ref, said
from daemon.errors import DaemonError
from daemon.store.errors import Ambiguous, StoreError
from flows.errors import DefinitionError
from triggers.source import Unavailable

Refused = DaemonError | DefinitionError | StoreError | Unavailable

KINDS: tuple[type[DaemonError], ...] = (DaemonError, *DaemonError.__subclasses__())
ERRORS: Mapping[str, tuple[int, str]] = {
    **{kind.code: (kind.status, str(kind.__doc__)) for kind in KINDS},
    "AMBIGUOUS": (409, "Several ids begin so; `matches` are some of them."),
    "DEFINITION": (422, "A definition or inputs are refused; `problems` say where and why."),
    "INTERNAL": (500, "The daemon made a mistake; its log says which."),
    "STORE": (503, "The database cannot be read now."),
    "UNAVAILABLE": (503, "Nothing can be made durable now; `Retry-After` says when to ask again."),
}

SCHEMAS: Mapping[str, Schema] = {
    "Error": record(
        "Why a request was refused.",
        {
            "error": record(
                "",
                {
                    "code": said(TEXT, "stable, for tools"),
                    "message": said(TEXT, "for people"),
                    "hint": said(maybe(TEXT), "a way out"),
                },
                optional={
                    "problems": listed(ref("Problem"), "with DEFINITION"),
                    "matches": listed(TEXT, "with AMBIGUOUS"),
                },
            )
        },
    ),
    "Problem": record(
        "One thing that is wrong with a definition, and where.",
        {
            "file": maybe(TEXT),
            "line": maybe(WHOLE),
            "column": maybe(WHOLE),
            "path": said(TEXT, "the field: steps[0].bash.command"),
            "problem": TEXT,
            "hint": maybe(TEXT),
        },
        optional={"offset": said(maybe(WHOLE), "characters into the field's text"), "ofKey": {"type": "boolean"}},
    ),
}


def refused(error: Refused) -> web.Response:
    """What went wrong, as the answer it is."""
    if isinstance(error, DaemonError):
        return refusal(error.status, error.code, error.message, error.hint)
    if isinstance(error, DefinitionError):
        problems = [
            {**shapes.problem_shown(problem), "offset": problem.offset, "ofKey": problem.of_key} for problem in error.problems
        ]  # with what a command needs to say where in its file
        return refusal(422, "DEFINITION", "the definition is refused", None, {"problems": problems})
    if isinstance(error, Unavailable):
        return refusal(503, "UNAVAILABLE", str(error), None, headers={"Retry-After": str(error.retry_after_s)})
    if isinstance(error, Ambiguous):
        return refusal(409, "AMBIGUOUS", str(error), error.hint, {"matches": error.matches})
    return refusal(503, "STORE", str(error), error.hint)


def refusal(
    status: int,
    code: str,
    message: str,
    hint: str | None,
    more: Mapping[str, Any] | None = None,
    *,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    return json_response({"error": {"code": code, "message": message, "hint": hint, **(more or {})}}, status, headers)


def json_response(value: Any, status: int, headers: Mapping[str, str] | None = None) -> web.Response:
    try:
        body = orjson.dumps(value)
    except TypeError:  # a lone surrogate, a whole number over 64 bits
        body = json.dumps(value).encode()
    return web.Response(
        body=body,
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **(headers or {})},
    )
