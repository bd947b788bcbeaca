"""SIGNATURES: the ways in which a hook can know its sender. A new one is a file here and a line below."""

from __future__ import annotations

from triggers.signatures.bearer import Bearer
from triggers.signatures.shared_secret import SharedSecret
from triggers.signatures.signature import Signature

SIGNATURES: dict[str, Signature] = {
    "bearer": Bearer(),
    "hmac": SharedSecret(),
}
