"""What a step used of language models: tokens and money, where known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and cost of one attempt. None is «not known», and is never turned into 0."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_nano_usd: int | None = None  # 1e-9 US dollars
    models: tuple[str, ...] = ()
    calls: int = 0  # HTTP exchanges with a model
    source: str | None = None  # proxy | otlp | envelope: who counted

    def as_json(self) -> dict[str, Any]:
        """The form that stands in the store."""
        return {
            "inputTokens": self.input_tokens,
            "outputTokens": self.output_tokens,
            "costNanoUsd": self.cost_nano_usd,
            "models": list(self.models),
            "calls": self.calls,
            "source": self.source,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any] | None) -> Usage | None:
        if value is None:
            return None
        return cls(
            value.get("inputTokens"),
            value.get("outputTokens"),
            value.get("costNanoUsd"),
            tuple(value.get("models") or ()),
            value.get("calls") or 0,
            value.get("source"),
        )
