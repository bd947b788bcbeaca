"""Secrets in flows: a definition has the name, an attempt looks the value up, and nothing of it comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import overload
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field

from flows.errors import StepError
from flows.steps.http_headers import CONTROL
from flows.steps.json_text import json_text


class SecretName(BaseModel):
    """`{"env": NAME}`, as triggers write it."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    env: str = Field(min_length=1, description="the secret's name")


@overload
def secret_name(written: str | SecretName) -> str: ...
@overload
def secret_name(written: str | SecretName | None) -> str | None: ...
def secret_name(written: str | SecretName | None) -> str | None:
    """The name, in whichever form it was written."""
    return written.env if isinstance(written, SecretName) else written


def usable_secret(name: str, find: Callable[[str], str]) -> tuple[str, tuple[str, ...]]:
    """A secret that a header can carry, and every form in which it could come back. Raises StepError SECRET_UNUSABLE."""
    secret = find(name).rstrip("\r\n")  # secrets are kept in files, which end with a line break
    if not secret or CONTROL.search(secret):
        said = "is empty" if not secret else "has a line break or another control character"
        raise StepError(f"the secret {name} {said}", code="SECRET_UNUSABLE", retryable=False)
    return secret, tuple(dict.fromkeys([secret, json_text(secret)[1:-1], urlencode({"": secret})[1:]]))
