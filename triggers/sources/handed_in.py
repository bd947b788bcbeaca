"""What sources have in common that watch nothing: whoever makes their events hands them in, and matching finds the triggers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from triggers.source import Emit
from triggers.trigger import Trigger


class HandedIn:
    """A source's life where there is nothing to open, to wait for or to update."""

    def update(self, triggers: Sequence[Trigger]) -> None:
        """Nothing listens by itself."""

    @asynccontextmanager
    async def open(self, emit: Emit) -> AsyncIterator[None]:  # noqa: ARG002 - the seam's; these events come with transactions of their own
        yield

    async def run(self) -> None:
        """Nothing is waited for."""
