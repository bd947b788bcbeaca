"""`webhook`: a JSON document posted to an address, signed as Standard Webhooks has it."""

from __future__ import annotations

import binascii
import hmac
import time
from base64 import b64encode
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import BaseModel, Field

from flows.connectors.destinations.destination import Data, compile_data, json_of
from flows.connectors.destinations.hook import HookSettings, hook_request, open_client, post
from flows.connectors.destinations.message_id import message_id
from flows.connectors.destinations.spec import DestinationSpec
from flows.errors import DefinitionError, Problem, StepError
from flows.selector import MISSING
from flows.step import Load, Scope
from flows.steps.checked_text import CheckedText, Reference, collected
from flows.steps.http_headers import compile_named, header_problems, header_text
from flows.steps.http_url import compile_url, made_url
from flows.steps.named_secret import SecretName, secret_name
from flows.value import Value

SIGNED = ("webhook-id", "webhook-timestamp", "webhook-signature")
PREFIX = "whsec_"  # before the base64 of the key


class WebhookSettings(HookSettings):
    """`[connectors.webhook]`."""


class WebhookSpec(DestinationSpec):
    """The `output` section of a step with the destination `webhook`."""

    url: str = Field(min_length=1, description="as text with {{ }}, or a $. path")
    secret: str | SecretName | None = Field(default=None, description="the name of the secret that signs: whsec_ and base64")
    headers: dict[str, Any] = Field(default_factory=dict, description="name: value; null leaves one out")


@dataclass(frozen=True, slots=True)
class Posting:
    """Such a section, compiled."""

    url: CheckedText
    headers: tuple[tuple[str, Value], ...]
    data: Data
    secrets: tuple[str, ...]  # the name of the one that signs
    references: tuple[Reference, ...]


class WebhookDestination:
    """Every attempt of a step carries the same `webhook-id`: a receiver that keeps ids takes it once."""

    section: ClassVar[str] = "connectors.webhook"
    Settings: ClassVar[type[BaseModel]] = WebhookSettings
    Spec: ClassVar[type[DestinationSpec]] = WebhookSpec

    def __init__(self, settings: WebhookSettings) -> None:
        self.settings = settings
        self._client = open_client(settings)

    def prepare(self, spec: WebhookSpec, load: Load) -> Posting:
        problems: list[Problem] = []
        url = collected(problems, ("url",), lambda: compile_url(spec.url, load))
        data = collected(problems, ("data",), lambda: compile_data(spec))
        headers = compile_named(problems, "headers", spec.headers)
        problems += header_problems(spec.headers)
        problems += [
            Problem(("headers", name), f"{name} is set by the signature") for name in spec.headers if name.lower() in SIGNED
        ]
        if url is None or data is None or problems:
            raise DefinitionError(*problems)
        secret = secret_name(spec.secret)
        values = [reference for _, value in headers for reference in value.references]
        references = tuple(dict.fromkeys((*url.references, *data.references, *values)))
        return Posting(url, headers, data, () if secret is None else (secret,), references)

    async def write(self, prepared: Posting, scope: Scope) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"}
        for name, value in prepared.headers:
            made = value.make(scope.names)
            if made is not None and made is not MISSING:
                headers = {each: text for each, text in headers.items() if each.lower() != name.lower()}
                headers[name] = header_text(name, made)
        body = json_of(prepared.data.made(scope.names)).encode()
        message, sent_at = message_id(scope.idempotency_key), int(time.time())
        headers |= {"Webhook-Id": message, "Webhook-Timestamp": str(sent_at)}
        for name in prepared.secrets:
            headers["Webhook-Signature"] = signature(key_of(scope.secret(name), name), message, sent_at, body)
        request = hook_request(made_url(prepared.url, scope.names), prepared.url.source, body, headers, self.settings)
        answer = await post(self._client, request)
        return {"status": answer.status, "id": message}

    async def close(self) -> None:
        await self._client.close()


def key_of(secret: str, name: str) -> bytes:
    """The key that a secret's text stands for. Raises StepError SECRET_UNUSABLE, without the secret."""
    try:
        key = binascii.a2b_base64(secret.strip().removeprefix(PREFIX).encode(), strict_mode=True)
    except (binascii.Error, UnicodeEncodeError):
        key = b""
    if not key:
        said = f"the secret {name} is no key of Standard Webhooks: {PREFIX} and base64"
        raise StepError(said, code="SECRET_UNUSABLE", retryable=False) from None
    return key


def signature(key: bytes, message: str, sent_at: int, body: bytes) -> str:
    signed = f"{message}.{sent_at}.".encode() + body
    return f"v1,{b64encode(hmac.digest(key, signed, 'sha256')).decode()}"
