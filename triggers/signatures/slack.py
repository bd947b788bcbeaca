"""`slack`: X-Slack-Signature, a keyed digest of the time and the raw body in hex."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from triggers.signatures.signature import TOLERANCE_S, Secrets, Tolerance, header_bytes, hex_digest, none_fits, stale

HEADER, TIME = "x-slack-signature", "x-slack-request-timestamp"


class SlackSpec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["slack"] = "slack"
    secret: Secrets
    tolerance: Tolerance = TOLERANCE_S


class Slack:
    Spec: ClassVar[type[BaseModel]] = SlackSpec

    def headers(self, spec: SlackSpec) -> frozenset[str]:  # noqa: ARG002 - the seam's argument
        return frozenset({HEADER})

    def verify(self, spec: Any, secrets: Sequence[bytes], headers: Mapping[str, str], raw: bytes, now: float) -> str | None:
        value = header_bytes(headers, HEADER)
        if value is None:
            return f"the header {HEADER} is missing"
        stamp = header_bytes(headers, TIME) or b""
        if wrong := stale(TIME, stamp, spec.tolerance, now):
            return wrong
        digest = hex_digest(value, b"v0=")
        if digest is None:
            return f"the header {HEADER} does not hold v0= and one digest in hex"
        return none_fits(secrets, b"v0:" + stamp + b":" + raw, [digest])
