"""`standard_webhooks`: webhook-signature, keyed digests of the message's id, its time and the raw body in base64."""

from __future__ import annotations

import binascii
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from triggers.signatures.signature import TOLERANCE_S, HeaderName, Secrets, Tolerance, header_bytes, none_fits, stale

PREFIX = b"whsec_"  # before the base64 of the key


class StandardWebhooksSpec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["standard_webhooks"] = "standard_webhooks"
    secret: Secrets  # its key stands in base64 behind whsec_
    prefix: HeaderName = "webhook"  # of the three headers; some senders have their own: svix-id, svix-timestamp, …
    tolerance: Tolerance = TOLERANCE_S


class StandardWebhooks:
    Spec: ClassVar[type[BaseModel]] = StandardWebhooksSpec

    def headers(self, spec: StandardWebhooksSpec) -> frozenset[str]:
        return frozenset({f"{spec.prefix}-signature"})

    def verify(self, spec: Any, secrets: Sequence[bytes], headers: Mapping[str, str], raw: bytes, now: float) -> str | None:
        name = f"{spec.prefix}-signature"
        value = header_bytes(headers, name)
        if value is None:
            return f"the header {name} is missing"
        message = header_bytes(headers, f"{spec.prefix}-id")
        if not message:
            return f"the header {spec.prefix}-id is missing"
        stamp = header_bytes(headers, f"{spec.prefix}-timestamp") or b""
        if wrong := stale(f"{spec.prefix}-timestamp", stamp, spec.tolerance, now):
            return wrong
        digests = [digest for part in value.split() if (digest := _digest(part.rstrip(b","))) is not None]
        if not digests:
            return f"the header {name} has no v1 with a digest in base64"
        keys = [key for secret in secrets if (key := _key(secret))]
        if not keys:
            return "its secret is no key of Standard Webhooks: whsec_ and base64"
        return none_fits(keys, message + b"." + stamp + b"." + raw, digests)


def _digest(part: bytes) -> bytes | None:
    """What `v1,…` holds; other versions are passed over."""
    version, _, text = part.partition(b",")
    digest = _decoded(text) if version == b"v1" else b""
    return digest if len(digest) == 32 else None


def _key(secret: bytes) -> bytes:
    return _decoded(secret.strip().removeprefix(PREFIX))


def _decoded(text: bytes) -> bytes:
    """Empty where it is no base64."""
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:  # binascii.Error is one
        return b""
