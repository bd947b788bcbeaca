"""SIGNATURES: the ways in which a hook can know its sender. A new one is a file here and a line below."""

from __future__ import annotations

from triggers.signatures.bearer import Bearer
from triggers.signatures.github import GitHub
from triggers.signatures.shared_secret import SharedSecret
from triggers.signatures.signature import Signature
from triggers.signatures.slack import Slack
from triggers.signatures.standard_webhooks import StandardWebhooks
from triggers.signatures.stripe import Stripe

SIGNATURES: dict[str, Signature] = {
    "bearer": Bearer(),
    "hmac": SharedSecret(),
    "github": GitHub(),
    "slack": Slack(),
    "standard_webhooks": StandardWebhooks(),
    "stripe": Stripe(),
}
