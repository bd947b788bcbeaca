"""`github`: X-Hub-Signature-256, a keyed digest of the raw body in hex."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from triggers.signatures.signature import Secrets, header_bytes, hex_digest, none_fits

HEADER = "x-hub-signature-256"


class GitHubSpec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["github"] = "github"
    secret: Secrets


class GitHub:
    Spec: ClassVar[type[BaseModel]] = GitHubSpec

    def headers(self, spec: GitHubSpec) -> frozenset[str]:  # noqa: ARG002 - the seam's argument
        return frozenset({HEADER, "x-hub-signature"})  # the older one is sent beside it

    def verify(self, spec: Any, secrets: Sequence[bytes], headers: Mapping[str, str], raw: bytes, now: float) -> str | None:  # noqa: ARG002 - the seam's arguments: nothing but the body is signed
        value = header_bytes(headers, HEADER)
        if value is None:
            return f"the header {HEADER} is missing"
        digest = hex_digest(value, b"sha256=")
        if digest is None:
            return f"the header {HEADER} does not hold sha256= and one digest in hex"
        return none_fits(secrets, raw, [digest])
