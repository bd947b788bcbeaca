"""`bearer`: the request carries the secret itself, as `Authorization: Bearer …` or in a header of its own."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from triggers.signatures.signature import HeaderName, Secrets, header_bytes


class BearerSpec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["bearer"] = "bearer"
    secret: Secrets
    header: HeaderName = "authorization"
    # None: `Bearer` in Authorization, and nothing before the token in any other header
    scheme: str | None = Field(None, pattern=r"^[A-Za-z0-9-]*$", max_length=40)


class Bearer:
    Spec: ClassVar[type[BaseModel]] = BearerSpec

    def headers(self, spec: BearerSpec) -> frozenset[str]:
        return frozenset({spec.header})

    def verify(self, spec: Any, secrets: Sequence[bytes], headers: Mapping[str, str], raw: bytes, now: float) -> str | None:  # noqa: ARG002 - the seam's arguments: a token proves without body or time
        value = header_bytes(headers, spec.header)
        if value is None:
            return f"the header {spec.header} is missing"
        scheme = _scheme(spec)
        token = value
        if scheme:
            named, _, token = value.partition(b" ")
            if named.lower() != scheme:
                return f"the header {spec.header} does not begin with {scheme.decode().capitalize()}"
            token = token.strip()
        if not token:
            return f"the header {spec.header} holds no token"
        # Every secret is compared, so the time taken does not tell which one was near.
        fits = [hmac.compare_digest(token, secret) for secret in secrets if secret]
        if not fits:
            return "its secret is empty"
        return None if any(fits) else "the token is not the one that is expected"


def _scheme(spec: BearerSpec) -> bytes:
    if spec.scheme is not None:
        return spec.scheme.lower().encode()
    return b"bearer" if spec.header == "authorization" else b""
