"""The seam of signatures: how a hook knows that a request comes from whom it says. Each one is a file beside this."""

from __future__ import annotations

import binascii
import hmac
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Protocol

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema, model_validator

from flows.written import one_or_several, part
from triggers.spec import Duration

HeaderName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", max_length=100, to_lower=True),
]


Tolerance = Annotated[Duration, Field(gt=0)]
"""How far from now the time that was signed may be, either way; in seconds."""
TOLERANCE_S = 300.0  # what vendors' own libraries have

FORMS = 'give one of {"env": NAME}, {"file": PATH}, {"credential": NAME}, {"name": NAME}'


class SecretRef(BaseModel):
    """Where a secret is found; never the secret. Exactly one of the fields is given."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"minProperties": 1, "maxProperties": 1})

    env: str | None = Field(None, min_length=1, max_length=256)
    file: str | None = Field(None, min_length=1, max_length=4096)
    credential: str | None = Field(None, min_length=1, max_length=256)  # systemd's LoadCredential=
    name: str | None = Field(None, min_length=1, max_length=256)  # wherever the daemon finds it

    @model_validator(mode="after")
    def _one(self) -> SecretRef:
        if len(self.model_fields_set) != 1 or not all(self.ref.values()):
            raise ValueError(FORMS)
        return self

    @property
    def ref(self) -> dict[str, str]:
        """The form it was written in, which is what finds it."""
        return {field: getattr(self, field) for field in self.model_fields_set}


def _as_list(value: Any) -> Any:
    if isinstance(value, str):
        raise ValueError(f"a definition never holds a secret: {FORMS}")  # noqa: TRY004 - pydantic's way to refuse is ValueError
    return value if isinstance(value, list) else [value]


SECRETS_WRITTEN = WithJsonSchema(one_or_several(part("SecretRef"), minItems=1, maxItems=8))
Secrets = Annotated[list[SecretRef], Field(min_length=1, max_length=8), BeforeValidator(_as_list), SECRETS_WRITTEN]
"""One, or several while a secret is rotated: whichever of them fits is good."""


class Signature(Protocol):
    """One way to verify. Secrets are looked up by the source: a signature sees bytes only, and reads no clock."""

    Spec: ClassVar[type[BaseModel]]  # the trigger's `auth` section; its `secret` is Secrets

    def headers(self, spec: Any) -> frozenset[str]:
        """The lower-case names of headers that carry the proof: never stored with the event."""
        ...

    def verify(
        self,
        spec: Any,
        secrets: Sequence[bytes],
        headers: Mapping[str, str],  # lower-case names; what came several times is joined with ", "
        raw: bytes,  # the body as it came over the wire
        now: float,  # seconds since the epoch
    ) -> str | None:
        """None: it fits. Else why not, in words that say nothing about the secret. Never raises, whatever the headers hold."""
        ...


def header_bytes(headers: Mapping[str, str], name: str) -> bytes | None:
    """A header's value as it came over the wire, without the spaces around it; None where it is not there."""
    value = headers.get(name)
    if value is None:
        return None
    try:
        return value.encode("utf-8", "surrogateescape").strip()  # how aiohttp decoded it, so this is what was sent
    except UnicodeEncodeError:  # other surrogates come from no request
        return value.encode("utf-8", "surrogatepass").strip()


def stale(header: str, stamp: bytes, tolerance_s: float, now: float) -> str | None:
    """Why a header's time is no good, either way from now. None: it is."""
    if not stamp:
        return f"the header {header} is missing"
    if not stamp.isdigit() or len(stamp) > 12:  # bytes.isdigit is ASCII only; float() would take `inf`, `1e9` and `١`
        return f"the header {header} is not a time in whole seconds"
    if abs(now - int(stamp)) > tolerance_s:
        return f"the header {header} is more than {tolerance_s:g} s away from now"
    return None


def hex_digest(text: bytes, prefix: bytes = b"") -> bytes | None:
    """A SHA-256 digest in hex, whole, behind the prefix; None: it is none."""
    if not text.startswith(prefix):
        return None
    try:
        digest = binascii.unhexlify(text[len(prefix) :])
    except ValueError:  # binascii.Error is one
        return None
    return digest if len(digest) == 32 else None


def none_fits(secrets: Sequence[bytes], content: bytes, given: Sequence[bytes], algorithm: str = "sha256") -> str | None:
    """None: one of the digests that were given is that of the content. Else why not.

    The content is digested once for each secret, however many digests a stranger sends. Every secret is compared with every
    digest, so the time taken does not tell which one was near.
    """
    expected = [hmac.digest(secret, content, algorithm) for secret in secrets if secret]
    if not expected:
        return "its secret is empty"
    fits = [hmac.compare_digest(digest, ours) for ours in expected for digest in given]
    return None if any(fits) else "the signature does not fit the body and the secret"
