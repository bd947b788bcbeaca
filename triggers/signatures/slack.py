"""`slack`: X-Slack-Signature, a keyed digest of the time and the raw body in hex."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from triggers.signatures.signature import Secrets, header_bytes, hex_digest, none_fits, stale
from triggers.spec import Duration

HEADER, TIME = "x-slack-signature", "x-slack-request-timestamp"


class SlackSpec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["slack"] = "slack"
    secret: Secrets
    tolerance: Annotated[Duration, Field(gt=0)] = 300.0  # seconds


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
        digest = hex_digest(value.removeprefix(b"v0=")) if value.startswith(b"v0=") else None
        if digest is None:
            return f"the header {HEADER} does not hold v0= and one digest in hex"
        return none_fits(secrets, b"v0:" + stamp + b":" + raw, [digest])
