"""Approvals: which are open, who may answer, and what came of an answer.

An answer counts once. Who answers twice, too late or elsewhere is told what happened, and nothing changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol

from daemon.errors import BadRequest, Conflict, NotFound
from daemon.shapes import instant
from daemon.waiting.links import AFTER_S, NO_END_S, Links
from flows.errors import DefinitionError, Problem
from flows.form import Form
from flows.suggest import did_you_mean
from flows.waiting import Place

if TYPE_CHECKING:
    from daemon.store.rows import Run
    from daemon.store.waits import WaitRow
    from daemon.waiting.waits import Entry, Waits

Decision = Literal["approve", "reject"]
HOW: Mapping[Decision, str] = {"approve": "approved", "reject": "rejected"}
MAX_COMMENT = 4_000  # characters
MAX_NAME = 200


class Rows(Protocol):
    """What is needed of the store."""

    async def run(self, prefix: str) -> Run | None: ...
    async def waits_of(self, run: str) -> list[WaitRow]: ...


class Approvals:
    """Composed once."""

    def __init__(self, waits: Waits, rows: Rows, links: Links) -> None:
        self._waits = waits
        self._rows = rows
        self.links = links

    def open(self) -> list[WaitRow]:
        """The oldest first."""
        rows = (entry.row for entry in self._waits.all_open() if entry.row.kind == "approval")
        return sorted(rows, key=lambda row: (row.created_at, row.run, row.path))

    async def decide(
        self, run: str, step: str, decision: Decision, *, form: Any = None, comment: str | None = None, by: str | None = None
    ) -> WaitRow:
        """Answer for a step of a run, by its path, or its id where one alone of that id is open. On return it is on disk.

        Raises NotFound, Conflict (what happened before), BadRequest, DefinitionError (the form; the question stays open).
        """
        entries = [entry for entry in self._waits.of(run) if entry.row.kind == "approval"]
        named = [entry for entry in entries if entry.row.path == step]
        named = named or [entry for entry in entries if entry.open and _id_of(entry.row.path) == step]
        if len(named) > 1:
            paths = ", ".join(entry.row.path for entry in named)
            raise BadRequest(f"several approvals of a step «{step}» are open", f"name one by its path: {paths}")
        if not named:
            raise await self._nothing_open(run, step)
        return await self._answer(named[0], decision, form, comment, by)

    async def decide_by_link(
        self, place: Place, decision: Decision, *, form: Any, comment: str | None, by: str | None
    ) -> WaitRow:
        entry = self._entry(place)
        if entry is None:
            raise await self._nothing_open(place.run, place.path, place.attempt)
        return await self._answer(entry, decision, form, comment, by)

    async def asked(self, place: Place) -> WaitRow:
        """The question at a place, while it is open. Raises as decide()."""
        entry = self._entry(place)
        if entry is None:
            raise await self._nothing_open(place.run, place.path, place.attempt)
        if not entry.open:
            raise _answered(entry.row)
        return entry.row

    def links_of(self, row: WaitRow) -> dict[str | None, str | None]:
        """By who may answer, None: anyone, the link for it."""
        place = Place(row.run, row.path, row.number)
        approvers = row.detail.get("approvers") or [None]
        until = (
            row.due_at if row.due_at is not None else row.created_at + NO_END_S - AFTER_S
        )  # the same each time it is asked for
        return {by: self.links(place, until, by) for by in approvers}

    # Inside

    def _entry(self, place: Place) -> Entry | None:
        return next((entry for entry in self._waits.of(place.run) if entry.place == place), None)

    async def _answer(self, entry: Entry, decision: Decision, form: Any, comment: str | None, by: str | None) -> WaitRow:
        row = entry.row
        if not entry.open:
            raise _answered(row)
        by, comment = _checked(by, comment, row.detail.get("approvers") or ())
        value = {"by": by, "comment": comment, "form": _filled(row, decision, form)}
        saved = self._waits.answer(entry, HOW[decision], value, by)
        assert saved is not None  # it is open
        await saved
        return row

    async def _nothing_open(self, run_id: str, step: str, attempt: int | None = None) -> Conflict | NotFound:
        """Why there is nothing to answer there."""
        run = await self._rows.run(run_id)
        if run is None:
            return NotFound(f"there is no run «{run_id}»", "camshaft approval list")
        rows = [row for row in await self._rows.waits_of(run.id) if row.kind == "approval"]
        named = [row for row in rows if row.path == step] or [row for row in rows if _id_of(row.path) == step]
        if attempt is not None:
            named = [row for row in named if row.number == attempt]
        if named and named[-1].how is not None:
            return _answered(named[-1])
        if run.finished_at is not None:
            return Conflict(f"the run {run.id} is {run.status} since {instant(run.finished_at)}: nothing is asked any more")
        hint = did_you_mean(step, [row.path for row in rows]) or "camshaft approval list"
        return NotFound(f"no approval is open at step «{step}» of {run.id}", hint)


def _answered(row: WaitRow) -> Conflict:
    """What happened before."""
    when = instant(row.resolved_at)
    if row.how in HOW.values():
        by = f" by {row.resolved_by}" if row.resolved_by else ""
        return Conflict(f"it was {row.how}{by} at {when} already")
    return Conflict(f"its time was over at {when}")


def _checked(by: str | None, comment: str | None, approvers: Iterable[str]) -> tuple[str | None, str | None]:
    by, comment = (None if text is None else text.strip() or None for text in (by, comment))
    if by is not None and len(by) > MAX_NAME:
        raise BadRequest(f"a name has at most {MAX_NAME} characters")
    if comment is not None and len(comment) > MAX_COMMENT:
        raise BadRequest(f"a comment has at most {MAX_COMMENT:,} characters")
    names = list(approvers)
    if names and by not in names:
        who = f"«{by}» may not answer this" if by else "it has to be said who answers this"
        raise BadRequest(who, f"--by {' or '.join(names)}")
    return by, comment


def _filled(row: WaitRow, decision: Decision, form: Any) -> dict[str, Any]:
    """The form as the step declares it; a no needs none. Raises DefinitionError."""
    if decision == "reject":
        return {}
    values, problems = Form.parse(row.detail.get("form") or {}).filled({} if form is None else form)
    if problems:
        raise DefinitionError(*(Problem(("form",), problem, code="INPUT_INVALID") for problem in problems))
    return values


def _id_of(path: str) -> str:
    """`each[3].approve` → approve; `sub/approve` → approve."""
    return path.replace("/", ".").rpartition(".")[2]
