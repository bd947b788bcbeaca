"""`http`: one HTTP exchange, with values that cannot change where it goes and secrets that do not come back."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Protocol
from urllib.parse import urlencode

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from flows.errors import DefinitionError, Problem, StepError
from flows.selector import MISSING
from flows.step import Load, Output, Scope
from flows.steps.checked_text import CheckedText, Reference, collected
from flows.steps.http_exchange import Client, Request
from flows.steps.http_headers import compile_named, header_problems, header_text, token
from flows.steps.http_response import (
    Answer,
    Expect,
    ResponseForm,
    compile_expect,
    lenient_value,
    response_of,
    retry_after_s,
    scrubbed,
    value_of,
    without,
)
from flows.steps.http_url import compile_url, made_url
from flows.steps.json_text import json_text
from flows.steps.named_secret import SecretName, secret_name, usable_secret
from flows.template import as_text
from flows.value import Value, compile_value

METHODS_WITH_KEY = ("POST", "PATCH")  # PUT and DELETE mean the same when they are repeated


class HttpAuth(BaseModel):
    """Who asks. The secret is named here and looked up for each attempt."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    type: Literal["bearer", "basic", "header"] = Field(description="bearer: Authorization: Bearer …; header: a header of its own")
    secret: str | SecretName = Field(description="the secret's name")
    username: str | None = Field(default=None, description="of basic, as text with {{ }}")
    header: Annotated[str, AfterValidator(token)] | None = Field(default=None, description="of header: its name")

    @model_validator(mode="after")
    def _has_its_own(self) -> HttpAuth:
        needed = {"basic": "username", "header": "header"}.get(self.type)
        for name in ("username", "header"):
            if (getattr(self, name) is not None) != (name == needed):
                raise ValueError(f"auth of type {self.type} {'needs' if name == needed else 'has no'} {name}")
        return self


class RequestSpec(BaseModel):
    """What is asked of whom: the fields of an `http` section, and of a source that asks for pages."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, strict=True, frozen=True)

    url: str = Field(min_length=1, description="as text with {{ }}, or a $. path")
    method: Annotated[str, AfterValidator(token)] = Field(default="GET", description="any; written in capitals")
    headers: dict[str, Any] = Field(default_factory=dict, description="name: value; null leaves one out")
    query: dict[str, Any] = Field(default_factory=dict, description="name: value; a list repeats it, null leaves it out")
    body: Any = Field(default=None, description="a JSON value")
    text: str | None = Field(default=None, description="a body of text, as text with {{ }}")
    form: dict[str, Any] | None = Field(default=None, description="a body as HTML forms send it")
    auth: HttpAuth | None = None
    timeout: float | None = Field(
        default=None, gt=0, description="milliseconds for the whole exchange; none: the setting timeout_s"
    )
    expect: int | str | list[int | str] = Field(
        default="2xx", description="statuses that are a success: 204, 2xx, 200-299, or a list"
    )
    max_bytes: int | None = Field(default=None, alias="maxBytes", gt=0, description="of the answer; none: the setting max_bytes")
    follow_redirects: bool | None = Field(default=None, alias="followRedirects", description="none: for GET and HEAD only")


class HttpSpec(RequestSpec):
    """The `http` section of a step."""

    response: ResponseForm = Field(default="auto", description="how the body is read: auto, json, text, binary (base64)")


class HttpSettings(BaseModel):
    """`[steps.http]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timeout_s: float = Field(default=30.0, gt=0, description="for steps without a timeout of their own")
    max_bytes: int = Field(default=10 * 1024 * 1024, gt=0, description="of an answer, for steps without a limit of their own")
    max_redirects: int = Field(default=5, ge=0, description="of one exchange")
    allow_private: bool = Field(default=True, description="whether loopback and private addresses may be called")
    trust_env: bool = Field(
        default=False, description="whether HTTP_PROXY, HTTPS_PROXY and NO_PROXY of the daemon's environment count"
    )
    user_agent: str = Field(default="camshaft", description="what the User-Agent header says")


class Asker(Protocol):
    """What a request is made with: a step's scope has it."""

    @property
    def names(self) -> Mapping[str, Any]: ...

    @property
    def secret(self) -> Callable[[str], str]: ...

    @property
    def idempotency_key(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request that can be made, compiled."""

    url: CheckedText
    method: str
    headers: tuple[tuple[str, Value], ...]
    query: tuple[tuple[str, Value], ...]
    kind: Literal["none", "json", "text", "form"]
    body: Value
    auth: HttpAuth | None
    username: Value
    expect: Expect
    response: ResponseForm
    timeout_s: float
    max_bytes: int
    max_redirects: int
    references: tuple[Reference, ...]

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of the secrets it sends."""
        return () if self.auth is None else (secret_name(self.auth.secret),)


class Http:
    """Calls addresses. The connections are shared by all attempts; cookies are not kept."""

    name: ClassVar[str] = "http"
    section: ClassVar[str] = "http"
    effects: ClassVar[bool] = True
    container: ClassVar[bool] = False
    Settings: ClassVar[type[BaseModel]] = HttpSettings
    Spec: ClassVar[type[BaseModel]] = HttpSpec

    def __init__(self, settings: HttpSettings) -> None:
        self.settings = settings
        self._client = open_client(settings)

    def prepare(self, spec: HttpSpec, load: Load) -> Exchange:
        return compile_exchange(spec, self.settings, load, spec.response)

    async def run(self, prepared: Exchange, scope: Scope) -> Output:
        request, secrets = request_of(prepared, scope)
        answer = scrubbed(await self._client.send(request), secrets)
        if answer.status not in prepared.expect:
            raise refused(request, answer, prepared.response, secrets)
        value = without(value_of(answer, prepared.response), secrets) if prepared.method != "HEAD" else None
        return Output(value, response_of(answer, value))

    async def close(self) -> None:
        await self._client.close()


def open_client(settings: HttpSettings) -> Client:
    return Client(user_agent=settings.user_agent, trust_env=settings.trust_env, allow_private=settings.allow_private)


def compile_exchange(spec: RequestSpec, settings: HttpSettings, load: Load, response: ResponseForm) -> Exchange:
    """Raises DefinitionError with all that is wrong."""
    problems: list[Problem] = []
    url = collected(problems, ("url",), lambda: compile_url(spec.url, load))
    headers = compile_named(problems, "headers", spec.headers)
    query = compile_named(problems, "query", spec.query)
    problems += header_problems(spec.headers)
    kind, body = _body(problems, spec)
    username = collected(problems, ("auth", "username"), lambda: compile_value(spec.auth and spec.auth.username))
    expect = Expect(())
    try:
        expect = compile_expect(spec.expect)
    except ValueError as error:
        problems.append(Problem(("expect",), str(error)))
    if problems or url is None or body is None or username is None:
        raise DefinitionError(*problems)
    values = [body, username, *(value for _, value in (*headers, *query))]
    follows = spec.follow_redirects if spec.follow_redirects is not None else spec.method.upper() in ("GET", "HEAD")
    return Exchange(
        url,
        spec.method.upper(),
        headers,
        query,
        kind,
        body,
        spec.auth,
        username,
        expect,
        response,
        spec.timeout / 1000 if spec.timeout else settings.timeout_s,
        spec.max_bytes or settings.max_bytes,
        settings.max_redirects if follows else 0,
        tuple(dict.fromkeys((*url.references, *(each for value in values for each in value.references)))),
    )


def _body(problems: list[Problem], spec: RequestSpec) -> tuple[Literal["none", "json", "text", "form"], Value | None]:
    given = [
        name
        for name in ("body", "text", "form")
        if name in spec.model_fields_set and (name == "body" or getattr(spec, name) is not None)
    ]
    if len(given) > 1:
        problems.append(Problem((given[1],), f"{' and '.join(given)} are both given", "one body: body (JSON), text or form"))
    field = given[0] if given else "body"
    value = collected(problems, (field,), lambda: compile_value(getattr(spec, field), lenient=True))
    if not given:
        return "none", value
    return "text" if field == "text" else "form" if field == "form" else "json", value


def request_of(prepared: Exchange, asker: Asker) -> tuple[Request, tuple[str, ...]]:
    """What is sent, and the texts in it that nobody may see. Raises StepError before anything is sent."""
    headers: dict[str, str] = {}
    for name, value in prepared.headers:
        made = value.make(asker.names)
        if made is not None and made is not MISSING:
            headers[name] = header_text(name, made)
    given = {name.lower() for name, _ in prepared.headers}
    if prepared.method in METHODS_WITH_KEY and "idempotency-key" not in given:
        headers["Idempotency-Key"] = asker.idempotency_key
    content_type, body = _encoded(prepared, asker.names)
    if content_type is not None and "content-type" not in given:
        headers["Content-Type"] = content_type
    private = {"authorization", "cookie", "proxy-authorization"}
    secrets: tuple[str, ...] = ()
    if prepared.auth is not None:
        name, text, secrets = _credentials(prepared.auth, prepared.username, asker)
        headers = {each: value for each, value in headers.items() if each.lower() != name.lower()} | {name: text}
        private.add(name.lower())
    request = Request(
        prepared.method,
        _address(prepared, asker.names),
        prepared.url.source,
        headers,
        frozenset(private),
        body,
        prepared.timeout_s,
        prepared.max_bytes,
        prepared.max_redirects,
    )
    return request, secrets


def _address(prepared: Exchange, names: Mapping[str, Any]) -> str:
    url = made_url(prepared.url, names)
    pairs: list[tuple[str, str]] = []
    for name, value in prepared.query:
        made = value.make(names)
        each = made if isinstance(made, list) else [made]
        pairs += [(name, as_text(one)) for one in each if one is not None and one is not MISSING]
    if not pairs:
        return url
    base, _, fragment = url.partition("#")
    joint = "" if base.endswith(("?", "&")) else "&" if "?" in base else "?"
    return f"{base}{joint}{_form(pairs)}" + (f"#{fragment}" if fragment else "")


def _form(pairs: list[tuple[str, str]]) -> str:
    try:
        return urlencode(pairs)
    except UnicodeEncodeError as error:
        raise StepError("a value has half a character (a lone surrogate)", code="TEXT_ENCODING", retryable=False) from error


def _encoded(prepared: Exchange, names: Mapping[str, Any]) -> tuple[str | None, bytes | None]:
    if prepared.kind == "none":
        return None, None
    made = prepared.body.needed(names)
    if prepared.kind == "json":
        return "application/json", json_text(made).encode()
    if prepared.kind == "form":
        pairs = [(name, as_text(one)) for name, value in made.items() for one in (value if isinstance(value, list) else [value])]
        return "application/x-www-form-urlencoded", _form(pairs).encode()
    try:
        return "text/plain; charset=utf-8", as_text(made).encode()
    except UnicodeEncodeError as error:
        raise StepError("the body has half a character (a lone surrogate)", code="TEXT_ENCODING", retryable=False) from error


def _credentials(auth: HttpAuth, username: Value, asker: Asker) -> tuple[str, str, tuple[str, ...]]:
    """The header's name and text, and every form in which the secret could come back."""
    secret, forms = usable_secret(secret_name(auth.secret), asker.secret)
    if auth.type == "basic":
        user = header_text("username", username.make(asker.names))
        if ":" in user:
            raise StepError("a user name with a : cannot be sent with basic auth", code="BAD_HEADER", retryable=False)
        packed = b64encode(f"{user}:{secret}".encode()).decode()
        return "Authorization", f"Basic {packed}", (packed, *forms)
    if auth.type == "header":
        return auth.header or "", secret, forms
    return "Authorization", f"Bearer {secret}", forms


def refused(request: Request, answer: Answer, form: ResponseForm, secrets: Sequence[str], said: str = "") -> StepError:
    """What an answer with another status than was expected is to the step. `said`: why, in the server's words."""
    body = without(lenient_value(answer, form), secrets)
    return StepError(
        f"{request.method} {request.shown} answered {answer.phrase}" + (f": {said}" if said else ""),
        code="HTTP_STATUS",
        status=answer.status,
        retry_after_s=retry_after_s(answer, time.time()),
        output=response_of(answer, body),
    )
