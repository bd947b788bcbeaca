"""`stripe`: Stripe-Signature, which carries the time and keyed digests of it and the raw body in hex."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from triggers.signatures.signature import TOLERANCE_S, Secrets, Tolerance, header_bytes, hex_digest, none_fits, stale

HEADER = "stripe-signature"
MAX_TIMES = 8  # in one header; each costs a digest of the body


class StripeSpec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["stripe"] = "stripe"
    secret: Secrets  # used whole, with its whsec_
    tolerance: Tolerance = TOLERANCE_S


class Stripe:
    Spec: ClassVar[type[BaseModel]] = StripeSpec

    def headers(self, spec: StripeSpec) -> frozenset[str]:  # noqa: ARG002 - the seam's argument
        return frozenset({HEADER})

    def verify(self, spec: Any, secrets: Sequence[bytes], headers: Mapping[str, str], raw: bytes, now: float) -> str | None:
        value = header_bytes(headers, HEADER)
        if value is None:
            return f"the header {HEADER} is missing"
        pairs = [part.strip().partition(b"=") for part in value.split(b",")]
        digests = [digest for name, _, text in pairs if name == b"v1" and (digest := hex_digest(text)) is not None]
        if not digests:
            return f"the header {HEADER} has no v1 with a digest in hex"
        times = [text for name, _, text in pairs if name == b"t"]
        if not times:
            return f"the header {HEADER} has no t"
        reason = None
        for stamp in times[:MAX_TIMES]:  # a time that was not signed proves nothing, whichever place it stands at
            reason = stale(f"{HEADER} t", stamp, spec.tolerance, now) or none_fits(secrets, stamp + b"." + raw, digests)
            if reason is None:
                return None
        return reason
