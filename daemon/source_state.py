"""A source's memory, kept in the store under the source's name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class StateStore(Protocol):
    """What this needs of the store."""

    async def load_state(self, source: str) -> dict[str, Any]: ...
    async def save_state(self, source: str, changes: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True, slots=True)
class StoredState:
    """triggers.source.State over the store."""

    store: StateStore
    source: str

    async def load(self) -> dict[str, Any]:
        return await self.store.load_state(self.source)

    async def save(self, changes: Mapping[str, Any]) -> None:
        await self.store.save_state(self.source, changes)
