"""`slack`: a message to an incoming webhook of Slack, or of what takes the same JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, model_validator

from flows.connectors.destinations.destination import Data, compile_data, json_of
from flows.connectors.destinations.hook import HookSettings, hook_request, open_client, post
from flows.connectors.destinations.spec import DestinationSpec
from flows.errors import DefinitionError, Problem, StepError
from flows.selector import MISSING
from flows.step import Load, Scope
from flows.steps.checked_text import Reference, collected
from flows.steps.http_response import without
from flows.steps.http_url import check_url
from flows.steps.named_secret import SecretName, secret_name
from flows.template import Placeholder, Template, as_text, compile_template
from flows.value import Value, compile_value, is_path

MAX_BLOCKS_DEPTH = 32  # of lists and objects inside: making them recurses
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}  # Slack's three: between < and > stand links, and who is called


class SlackSettings(HookSettings):
    """`[connectors.slack]`."""


class SlackSpec(DestinationSpec):
    """The `output` section of a step with the destination `slack`."""

    secret: str | SecretName = Field(description="the name of the secret that holds the hook's address")
    text: str | None = Field(default=None, min_length=1, description="the message, as text with {{ }} or a $. path")
    blocks: list[Any] | str | None = Field(default=None, description="the message in blocks, or a $. path to them")

    @model_validator(mode="after")
    def _one_way(self) -> SlackSpec:
        if "data" in self.model_fields_set and (self.text is not None or self.blocks is not None):
            raise ValueError("data is the whole message: it cannot stand beside text or blocks")
        return self


@dataclass(frozen=True, slots=True)
class Message:
    """Such a section, compiled. `fields` empty: the data are the message."""

    fields: Mapping[str, Made]
    data: Data
    secrets: tuple[str, ...]  # the name of the one that holds the address
    references: tuple[Reference, ...]


class SlackDestination:
    """The address is the secret: it is in no message, no row and no log."""

    section: ClassVar[str] = "connectors.slack"
    Settings: ClassVar[type[BaseModel]] = SlackSettings
    Spec: ClassVar[type[DestinationSpec]] = SlackSpec

    def __init__(self, settings: SlackSettings) -> None:
        self.settings = settings
        self._client = open_client(settings)

    def prepare(self, spec: SlackSpec, load: Load) -> Message:  # noqa: ARG002 - the seam's signature
        problems: list[Problem] = []
        data = collected(problems, ("data",), lambda: compile_data(spec))
        fields: dict[str, Made] = {}
        references: list[Reference] = []
        for name in ("text", "blocks"):
            written = getattr(spec, name)
            if written is not None:
                made = collected(problems, (name,), partial(_compiled, written, references, ()))
                fields |= {} if made is None else {name: made}
        if data is None or problems:
            raise DefinitionError(*problems)
        secret = secret_name(spec.secret)
        return Message(fields, data, (secret,), tuple(dict.fromkeys(references)) if fields else data.references)

    async def write(self, prepared: Message, scope: Scope) -> dict[str, Any]:
        (name,) = prepared.secrets
        url = _address(scope.secret(name), name)
        body = json_of(_body(prepared, scope.names)).encode()
        request = hook_request(url, f"the hook {name}", body, {"Content-Type": "application/json"}, self.settings)
        hidden = _hidden(url)
        try:
            answer = await post(self._client, request, hidden)
        except StepError as error:
            raise _without(error, hidden) from None  # a cause may name the host
        return {"status": answer.status}

    async def close(self) -> None:
        await self._client.close()


def _body(prepared: Message, names: Mapping[str, Any]) -> Any:
    if prepared.fields:
        made = {name: make(names) for name, make in prepared.fields.items()}
        return {name: value for name, value in made.items() if value is not MISSING}
    value = prepared.data.made(names)
    return value if isinstance(value, dict) else {"text": escaped(as_text(value))}


Made = Callable[[Mapping[str, Any]], Any]


def _compiled(written: Any, references: list[Reference], path: tuple[str | int, ...]) -> Made:
    """What makes a text, or blocks: values that are put into texts are escaped, what the author wrote is not."""
    if len(path) > MAX_BLOCKS_DEPTH:
        raise DefinitionError.at(path, f"blocks are nested more than {MAX_BLOCKS_DEPTH} deep")
    try:
        if isinstance(written, str):
            return _text(written, references)
    except DefinitionError as error:
        raise error.under(*path) from None
    if isinstance(written, dict):
        members = {key: _compiled(each, references, (*path, key)) for key, each in written.items()}
        return lambda names: {key: value for key, make in members.items() if (value := make(names)) is not MISSING}
    if isinstance(written, list):
        elements = [_compiled(each, references, (*path, number)) for number, each in enumerate(written)]
        return lambda names: [None if (value := make(names)) is MISSING else value for make in elements]
    return lambda _names: written


def _text(written: str, references: list[Reference]) -> Made:
    if is_path(written):
        value: Value = compile_value(written, lenient=True)
        references.extend(value.references)
        return lambda names: escaped(found) if isinstance(found := value.make(names), str) else found
    template = compile_template(written, lenient=True)
    references.extend(each.root_first for each in template.placeholders)
    parts = [part if isinstance(part, str) else Template(part.source, (part,), lenient=True) for part in template.parts]
    return lambda names: "".join(part if isinstance(part, str) else _put_in(part, names) for part in parts)


def _put_in(part: Template, names: Mapping[str, Any]) -> str:
    placeholder: Placeholder = part.placeholders[0]
    made = part.render(names)
    return made if placeholder.pipes[-1:] == ("html",) else escaped(made)  # which has done the same


def escaped(text: str) -> str:
    """As text that calls nobody and leads nowhere."""
    return "".join(_ESCAPES.get(mark, mark) for mark in text)


def _address(secret: str, name: str) -> str:
    url = secret.strip()
    try:
        check_url(url)
    except StepError:
        said = f"the secret {name} holds no address that can be requested"
        raise StepError(said, code="SECRET_UNUSABLE", retryable=False) from None
    return url


def _hidden(url: str) -> tuple[str, ...]:
    """What of an address could be told: all of it, its path, its host."""
    parts = urlsplit(url)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    found = (url, path, parts.path, parts.netloc, parts.hostname or "")
    return tuple(dict.fromkeys(each for each in found if len(each) > 1))


def _without(error: StepError, hidden: tuple[str, ...]) -> StepError:
    return StepError(
        without(str(error), hidden),
        code=error.code,
        status=error.status,
        retryable=error.retryable,
        retry_after_s=error.retry_after_s,
        output=without(error.output, hidden),
    )
