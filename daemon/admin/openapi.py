"""The OpenAPI document, made from the table of routes: what the routes say, and nothing that they do not do."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from daemon.admin.parameter import Parameter
from daemon.admin.refusal import ERRORS
from daemon.admin.route import JSON, Answer, Body, Route
from daemon.admin.schema import Schema, ref

ALWAYS = ("BAD_REQUEST", "FORBIDDEN", "INTERNAL")  # what every route may answer
SECURITY = "Over TCP: what stands in <home>/state/admin.token. On the Unix socket nothing: its file mode says who may ask."
PLACES = {
    "key": "the key of a trigger or flow",
    "step": "the path of a step in its run: approve, each[3].approve",
    "token": "what stands at the end of a link: it is the right to answer",
    "run": "the id of a run, or a unique beginning of it",
    "event": "the id of an event, or a unique beginning of it",
    "id": "the key of a flow, which the workflow specification calls a workflow's id",
    "executionId": "the id of a run of it, or a unique beginning of it",
    "name": "trigger, flow or config",
    "version": "the digest of a version, or a unique beginning of it",
}


def document(routes: Sequence[Route], schemas: Mapping[str, Schema]) -> dict[str, Any]:
    """OpenAPI 3.1."""
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for route in routes:
        paths[route.path][route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "camshaft admin API",
            "version": version("camshaft"),
            "description": "What the commands talk to: on the Unix socket of a home, and over TCP with a token.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "where this document was read"}],
        "security": [{"token": []}, {}],
        "paths": dict(paths),
        "components": {
            "schemas": dict(schemas),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": SECURITY}},
        },
    }


def errors_of(route: Route) -> dict[int, list[str]]:
    """What a route may refuse with: status → codes."""
    codes = dict.fromkeys((*ALWAYS, *(["TOO_LARGE"] if route.body is not None else []), *route.refuses))
    by_status: dict[int, list[str]] = defaultdict(list)
    for code in codes:
        by_status[ERRORS[code][0]].append(code)
    return by_status


def _operation(route: Route) -> dict[str, Any]:
    said: dict[str, Any] = {
        "operationId": route.handler.__name__,
        "summary": route.summary,
        "tags": [_tag(route)],
        "parameters": [
            *(_place(name) for name in re.findall(r"{(\w+)}", route.path)),
            *(_parameter(parameter, "query") for parameter in route.query),
            *(_parameter(parameter, "header") for parameter in route.headers),
        ],
        "responses": _responses(route),
    }
    if route.description:
        said["description"] = route.description
    if route.body is not None:
        said["requestBody"] = _body(route.body)
    if route.public:
        said["security"] = []
    return said


def _tag(route: Route) -> str:
    """The noun: the file of its handler."""
    return route.handler.__module__.rpartition(".")[2]


def _place(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": PLACES[name],
        "schema": {"type": "string", "minLength": 1},
    }


def _parameter(parameter: Parameter, where: str) -> dict[str, Any]:
    schema = dict(parameter.kind.schema())
    if parameter.default is not None:
        schema["default"] = parameter.default
    return {"name": parameter.name, "in": where, "description": parameter.description, "schema": schema}


def _body(body: Body) -> dict[str, Any]:
    schema = body.schema if body.model is None else body.model.model_json_schema()
    content: dict[str, Any] = {"schema": dict(schema or {})}
    if body.example is not None:
        content["example"] = body.example
    return {"description": body.description, "required": body.required, "content": {JSON: content}}


def _responses(route: Route) -> dict[str, Any]:
    responses = {str(status): _response(answer) for status, answer in route.answers.items()}
    for status, codes in errors_of(route).items():
        said = responses.get(str(status))
        if said is None:
            responses[str(status)] = _response(Answer(_meanings(codes), ref("Error")))
        else:  # an answer of the route's own has this status too
            content = said["content"][JSON]
            content["schema"] = {"anyOf": [content["schema"], ref("Error")]}
    return dict(sorted(responses.items()))


def _response(answer: Answer) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": dict(answer.schema)}
    if answer.example is not None:
        content["example"] = answer.example
    said: dict[str, Any] = {"description": answer.description, "content": {answer.media: content}}
    if answer.headers:
        said["headers"] = {name: {"description": text, "schema": {"type": "string"}} for name, text in answer.headers.items()}
    return said


def _meanings(codes: Iterable[str]) -> str:
    return " ".join(f"{code}: {ERRORS[code][1]}" for code in codes)
