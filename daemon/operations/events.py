"""Events: list, show and explain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from daemon import shapes
from daemon.errors import NotFound
from daemon.operations.given import Given, Listed, limited

if TYPE_CHECKING:
    from daemon.store.rows import EventRow


class Events(Given):
    """What can be asked of events."""

    __slots__ = ()

    async def list_events(self, **which: Any) -> Listed:
        """`source`, `address`, `subject`, `trigger`, `verdict`, `chain`, `since`, `until`, `before` narrow it; as list_runs otherwise."""
        asked = await self._whole(limited(which, "evt_"))
        if self.store is None:
            return Listed([])
        page = await self.store.events(**asked)
        return Listed([shapes.event_listed(event) for event in page], page.next)

    async def show_event(self, event: str) -> dict[str, Any]:
        found = await self._event(event)
        return shapes.event_shown(found) | {"waits": await self._waits_ended(found)}

    async def explain_event(self, event: str) -> dict[str, Any]:
        found = await self._event(event)
        return shapes.event_explained(found) | {"waits": await self._waits_ended(found)}

    async def _waits_ended(self, event: EventRow) -> list[dict[str, Any]]:
        """The runs that had waited for it."""
        rows = await self.store.waits_by(event.id) if self.store is not None else []
        return [{"run": row.run, "step": row.path} for row in rows]

    async def _event(self, event: str) -> EventRow:
        found = await self.store.event(event) if self.store is not None and event else None
        if found is None:
            raise NotFound(f"there is no event «{event}»", "camshaft event list")
        return found
