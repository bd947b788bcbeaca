"""What a webhook trigger's section and `[sources.webhook]` may say, checked and brought into one form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from flows.errors import DefinitionError, Problem
from flows.suggest import did_you_mean, validation_problems
from flows.written import any_case, nullable, one_or_several, part
from triggers.signatures import SIGNATURES
from triggers.sources.webhook_path import hook_path
from triggers.spec import known_fields

Method = Literal["POST", "PUT", "PATCH", "DELETE", "GET"]

ALIASES = {"standard-webhooks": "standard_webhooks"}  # of types of auth


class WebhookSettings(BaseModel):
    """`[sources.webhook]` of camshaft.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    listen: str = Field("127.0.0.1:8420", description="HOST:PORT of the public listener; port 0 takes any free one")
    max_body_bytes: int = Field(1024 * 1024, ge=1, le=64 * 1024 * 1024, description="a larger body is answered 413")
    max_inflated_bytes: int = Field(
        4 * 1024 * 1024, ge=1, le=256 * 1024 * 1024, description="a compressed body that becomes larger is answered 413"
    )
    max_depth: int = Field(64, ge=1, le=200, description="how deep a JSON body may be nested")
    max_fields: int = Field(1000, ge=1, le=100_000, description="fields of one query, and of one form")
    max_parts: int = Field(128, ge=1, le=10_000, description="parts of one multipart body")
    max_events: int = Field(500, ge=1, le=10_000, description="CloudEvents in one batch")
    identity_ttl_s: float = Field(
        86_400.0,
        ge=0,
        description="how long a CloudEvent that came to a hook is known there, so that a copy is a duplicate; 0: not",
    )
    max_target_bytes: int = Field(8 * 1024, ge=256, le=64 * 1024, description="length of a request's address with its query")
    max_header_bytes: int = Field(16 * 1024, ge=256, le=64 * 1024, description="length of one header")
    max_headers: int = Field(100, ge=10, le=1000, description="number of headers of one request")
    header_timeout_s: float = Field(10.0, gt=0, description="time for a request's head to come in")
    body_timeout_s: float = Field(10.0, gt=0, description="time for a request's body to come in")
    keepalive_timeout_s: float = Field(
        75.0, gt=0, description="how long a connection is kept that is idle, or whose client does not read its answers"
    )
    max_connections: int = Field(1000, ge=1, description="clients connected at once; more are answered 503")
    max_held_bytes: int = Field(
        64 * 1024 * 1024, ge=1, description="bodies that come in, are verified or inflated, all together; more are answered 503"
    )
    drain_s: float = Field(10.0, ge=0, description="time for requests in flight when the daemon closes")


def _methods(value: Any) -> Any:
    if isinstance(value, str):
        value = [value]
    if isinstance(value, list):
        return [item.upper() if isinstance(item, str) else item for item in value]
    return value


def _unique(value: list[str]) -> list[str]:
    return list(dict.fromkeys(value))


class WebhookSpec(BaseModel):
    """A webhook trigger's own section. `auth` is the Spec of its signature, None where anyone may send."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Annotated[str, AfterValidator(hook_path)]
    methods: Annotated[
        list[Method],
        BeforeValidator(_methods),
        AfterValidator(_unique),
        Field(min_length=1),
        WithJsonSchema(one_or_several(any_case(*get_args(Method)), minItems=1)),
    ] = ["POST"]
    auth: Annotated[Any, WithJsonSchema(nullable(part("Auth")))] = None


def prepare(section: Mapping[str, Any]) -> WebhookSpec:
    """Raises DefinitionError with all that is wrong; places are relative to the section."""
    problems: list[Problem] = []
    auth = None
    if section.get("auth") is not None:
        try:
            auth = _prepare_auth(section["auth"])
        except DefinitionError as error:
            problems += error.under("auth").problems
    try:
        spec = WebhookSpec.model_validate({**section, "auth": None}, strict=True)
    except ValidationError as error:
        problems += validation_problems(error, known_fields(WebhookSpec))
    if problems:
        raise DefinitionError(*problems)
    return spec if auth is None else spec.model_copy(update={"auth": auth})


def _prepare_auth(auth: Any) -> Any:
    if not isinstance(auth, Mapping):
        raise DefinitionError.at((), f"auth is an object, not {auth!r:.40}", 'like {"type": "bearer", "secret": {"env": "NAME"}}')
    kind = auth.get("type")
    if isinstance(kind, str) and kind in ALIASES:
        kind = ALIASES[kind]
        auth = {**auth, "type": kind}
    signature = SIGNATURES.get(kind) if isinstance(kind, str) else None
    if signature is None:
        said = "auth has no type" if kind is None else f"there is no auth type «{kind}»"
        near = did_you_mean(str(kind), SIGNATURES) if kind is not None else None
        raise DefinitionError.at(("type",) if kind is not None else (), said, near or f"one of {', '.join(SIGNATURES)}")
    try:
        return signature.Spec.model_validate(auth)
    except ValidationError as error:
        problems = validation_problems(error, known_fields(signature.Spec))
        if not isinstance(auth.get("secret"), list):  # one was read as a list of one
            problems = tuple(replace(problem, path=_without_index(problem.path)) for problem in problems)
        raise DefinitionError(*problems) from None


def _without_index(path: tuple[str | int, ...]) -> tuple[str | int, ...]:
    return (path[0], *path[2:]) if path[:2] == ("secret", 0) else path
