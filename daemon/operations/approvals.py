"""Approvals: list what is asked, and answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from daemon.operations.runs import Runs
from daemon.waiting.shown import answered_shown, wait_shown

if TYPE_CHECKING:
    from daemon.store.waits import WaitRow
    from daemon.waiting.approvals import Decision


class Answers(Runs):
    """What can be asked of approvals."""

    __slots__ = ()

    async def list_approvals(self) -> list[dict[str, Any]]:
        """Those that are open, the oldest first. Links are there where a daemon serves their pages."""
        if self.live is not None:
            rows = self.live.approvals.open()
        else:
            rows = [row for row in (await self.store.waits_of() if self.store is not None else []) if row.kind == "approval"]
        return [{"run": row.run, **self._wait_shown(row)} for row in rows]

    async def show_waiting(self, run: str, *, wait_s: float = 0) -> dict[str, Any]:
        """A run as show_run() has it, with what it waits for."""
        shown = await self.show_run(run, wait_s=wait_s)
        over = shown["finishedAt"] is not None or self.store is None
        rows = [] if over or self.store is None else await self.store.waits_of(shown["run"])
        held = None
        if self.live is not None and shown["finishedAt"] is None and (pause := self.live.pauses.of(shown["run"], shown["flow"])):
            held = pause.sentence
        return shown | {"paused": held, "waits": [self._wait_shown(row) for row in rows if row.how is None]}

    async def decide(
        self,
        run: str,
        step: str,
        decision: Decision,
        *,
        form: Any = None,
        comment: str | None = None,
        by: str | None = None,
    ) -> dict[str, Any]:
        """Answer an approval. Raises as Approvals.decide(), and Unreachable where no daemon runs."""
        approvals = self._live().approvals
        found = await self._run(run)
        return answered_shown(await approvals.decide(found.id, step, decision, form=form, comment=comment, by=by))

    def _wait_shown(self, row: WaitRow) -> dict[str, Any]:
        links = self.live.approvals.links_of(row) if self.live is not None and row.kind == "approval" else None
        return wait_shown(row, links)
