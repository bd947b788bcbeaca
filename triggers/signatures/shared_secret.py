"""`hmac`: the request carries a keyed digest of its raw body, made with a secret that both sides know."""

from __future__ import annotations

import binascii
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from triggers.signatures.signature import TOLERANCE_S, HeaderName, Secrets, Tolerance, header_bytes, none_fits, stale

DIGEST_BYTES = {"sha1": 20, "sha256": 32, "sha512": 64}


class Timestamp(BaseModel):
    """The header that says when it was signed, and how far from now that may be, either way."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    header: HeaderName
    tolerance: Tolerance = TOLERANCE_S


class HmacSpec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["hmac"] = "hmac"
    secret: Secrets
    header: HeaderName = "x-signature"
    algorithm: Literal["sha256", "sha1", "sha512"] = "sha256"  # the definition's word; a header never chooses it
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str | None = Field(None, max_length=40, pattern=r"^[\x20-\x7e]*$")  # None: the digest alone or after `<algorithm>=`
    timestamp: Timestamp | None = None
    # What is signed: {body} is the raw body, {timestamp} the header's text. None: {body}, or {timestamp}.{body}
    signed: str | None = Field(None, max_length=200)

    @model_validator(mode="after")
    def _signed(self) -> HmacSpec:
        if self.signed is None:
            return self
        if self.signed.count("{body}") != 1:
            raise ValueError("signed: must hold {body} once")
        if self.signed.count("{timestamp}") != (self.timestamp is not None):
            raise ValueError("signed: must hold {timestamp} once where `timestamp` is given, and not otherwise")
        return self


class SharedSecret:
    Spec: ClassVar[type[BaseModel]] = HmacSpec

    def headers(self, spec: HmacSpec) -> frozenset[str]:
        return frozenset({spec.header})

    def verify(self, spec: Any, secrets: Sequence[bytes], headers: Mapping[str, str], raw: bytes, now: float) -> str | None:
        value = header_bytes(headers, spec.header)
        if value is None:
            return f"the header {spec.header} is missing"
        given = _digest(spec, value)
        if isinstance(given, str):
            return given
        stamp = b""
        if spec.timestamp is not None:
            stamp = header_bytes(headers, spec.timestamp.header) or b""
            if wrong := stale(spec.timestamp.header, stamp, spec.timestamp.tolerance, now):
                return wrong
        return none_fits(secrets, _content(spec, raw, stamp), [given], spec.algorithm)


def _digest(spec: HmacSpec, value: bytes) -> bytes | str:
    """The digest that the header names, or what is wrong with it."""
    prefix = (f"{spec.algorithm}=" if spec.prefix is None else spec.prefix).encode()
    if value.startswith(prefix):
        value = value[len(prefix) :]
    elif spec.prefix is not None:
        return f"the header {spec.header} does not begin with {spec.prefix}"
    try:
        given = binascii.unhexlify(value) if spec.encoding == "hex" else binascii.a2b_base64(value, strict_mode=True)
    except ValueError:  # binascii.Error is one
        return f"the header {spec.header} does not hold one {spec.algorithm} digest in {spec.encoding}"
    if len(given) != DIGEST_BYTES[spec.algorithm]:
        return f"the header {spec.header} does not hold one {spec.algorithm} digest in {spec.encoding}"
    return given


def _content(spec: HmacSpec, raw: bytes, stamp: bytes) -> bytes:
    if spec.signed is None:
        return raw if spec.timestamp is None else stamp + b"." + raw
    before, after = (part.encode().replace(b"{timestamp}", stamp) for part in spec.signed.split("{body}"))
    return before + raw + after
