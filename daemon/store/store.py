"""The Store's verbs: what the daemon may do to what is durable, and nothing else.

Guarantees: what a verb returned is on disk. Every write of a run carries the token of the process that owns it; a write with
another process's token changes nothing and raises Fenced.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.location import Location
from daemon.store import compiled as sql
from daemon.store.cancels import asking
from daemon.store.causes import unless_taken
from daemon.store.codec import encode
from daemon.store.database import Database
from daemon.store.errors import StoreError
from daemon.store.group import Connection, Row
from daemon.store.hot import Hot
from daemon.store.incoming import Decided, Incoming
from daemon.store.kept_versions import NO_SUBFLOWS, KeptVersions
from daemon.store.keys import state_from, state_row
from daemon.store.outputs import Outputs, as_resumed
from daemon.store.pruning import Pruning
from daemon.store.records import Records
from daemon.store.rows import (
    Candidate,
    Due,
    EventRow,
    Follows,
    Run,
    Version,
    Versioned,
    due_from,
    micros,
)
from daemon.store.sweeping import sweep
from daemon.store.waits import StoredWaits, WaitRow
from daemon.store.writer import Writer
from triggers.source import Accepted, Unavailable

if TYPE_CHECKING:
    from daemon.store.lists import Page
    from daemon.store.reads import Reads
    from flows.attempt import Attempt
    from triggers.event import Cause, Event

LEASE_S = 60.0  # for runs of a process without the home's lock; renewed every third of it
FRESH_RUNS = 10_000  # accepted runs kept in memory until a worker claims them; beyond, claim() reads them back

# Deletes nothing, and finds every table locked that an event or a run is written to: PostgreSQL's locks are each table's own.
TOUCHING = [(hot, ("",)) for hot in (sql.PRUNE_ATTEMPTS_OF_RUN, sql.PRUNE_RUN, sql.PRUNE_VERDICTS, sql.PRUNE_EVENTS)]

Then = Callable[[Sequence[Run]], None]
"""Told of the runs that were queued."""


def _nobody(_runs: Sequence[Run]) -> None:
    pass


class Store:
    """One open database. `token` names this process; made by open_store()."""

    def __init__(
        self, location: Location, database: Database, token: str, *, leased: bool, outputs: Outputs | None = None
    ) -> None:
        self.location = location
        self.token = token
        self._database = database
        self._leased = leased
        self._outputs = outputs or Outputs(None)
        self._writer = Writer(
            database, self._outputs.spill, [(sql.SAVE_STATE, state_row("store", "written_by", token)), *TOUCHING]
        )
        self._incoming = Incoming(self._lease)
        self._fresh: dict[str, Run] = {}
        self._records = Records(token, self._outputs.over)
        self._versions = KeptVersions(database, self._writer)
        self._reads: Reads | None = None
        self._dropped: asyncio.Future[None] | None = None  # readers that are being closed
        database.adrift = self._drop_reads
        self.waits = StoredWaits(self._writer.submit, database.fetch, token)

    # -- what comes in ------------------------------------------------------------------------------------------------

    def accept(self, event: Event, candidates: Sequence[Candidate], then: Then | None = None) -> asyncio.Future[Accepted]:
        """Event, verdicts, runs and the source's state, in one transaction. The future raises Unavailable; nothing is kept then.

        `then` is called with what was accepted as soon as it is on disk, also where nobody awaits the future any more. The event
        itself is let go of here: while a commit is awaited, its memory serves the next one.
        """
        if event.cause is None and not any(candidate.once for candidate in candidates):
            concluded = partial(self._accepted, event.id, candidates, then)
            return self._writer.submit(self._incoming.event_rows(event, candidates), then=concluded)
        return self._writer.submit(
            (), guard=partial(self._incoming.decide, event, candidates), then=lambda decided: self._decided(decided, then)
        )

    def accept_all(self, events: Sequence[tuple[Event, Sequence[Candidate], Then]]) -> asyncio.Future[list[Accepted]]:
        """The same for events that stand or fall together, one after the other: of two copies the second is the duplicate."""
        return self._writer.submit(
            (),
            guard=partial(self._incoming.decide_all, events),
            then=lambda all_: [self._decided(one, each[2]) for one, each in zip(all_, events, strict=True)],
        )

    def _decided(self, decided: Decided, then: Then | None) -> Accepted:
        event_id, duplicate, candidates = decided
        if duplicate:
            return Accepted(event_id, (), {}, duplicate=True)
        return self._accepted(event_id, candidates, then)

    def _accepted(self, event_id: str, candidates: Sequence[Candidate], then: Then | None, _result: None = None) -> Accepted:
        runs = self._keep_fresh(candidate.run for candidate in candidates)
        verdicts = {candidate.verdict.trigger: candidate.verdict.verdict for candidate in candidates}
        if then is not None:
            then(runs)
        return Accepted(event_id, tuple([run.id for run in runs]), verdicts)

    def _keep_fresh(self, queued: Iterable[Run | None]) -> list[Run]:
        """The runs that were queued: kept in memory, for a worker is about to claim them."""
        runs = [run for run in queued if run is not None]
        for run in runs:
            if len(self._fresh) < FRESH_RUNS and run.not_before is None:
                self._fresh[run.id] = run
        return runs

    async def enqueue(
        self, run: Run, then: Then = _nobody, once: Cause | None = None, attempts: Sequence[Attempt] = ()
    ) -> str | None:
        """Queue a run that no event made, perhaps with records that it takes over. `then` is told of it as accept()'s is. Not None:
        the run that has `once`; none was queued.
        """
        taken, large = self._records.attempts(run.id, attempts)
        rows = self._incoming.run_rows(run) + taken
        guard = None if once is None else partial(unless_taken, once, run, rows)

        def queued(earlier: str | None) -> str | None:
            if earlier is None:
                then([run] if attempts else self._keep_fresh([run]))
            return earlier

        found: str | None = await self._writer.submit(rows if guard is None else (), guard=guard, then=queued, large=large)
        return found

    # -- a run's life -------------------------------------------------------------------------------------------------

    def claim_fresh(self, run_id: str) -> Run | None:
        """A run that this process accepted a moment ago: no read. None: ask claim()."""
        return self._fresh.pop(run_id, None)

    async def claim(self, run_id: str) -> Run | None:
        """A queued or interrupted run of ours with its recorded attempts. None: it has ended, or is another process's."""
        run = await (await self.reads()).run(run_id, exact=True)
        if run is None or run.owner != self.token or run.status not in sql.LIVE:
            return None
        run.attempts = as_resumed(run.attempts)
        return run

    def record(self, run_id: str, attempts: Iterable[Attempt], *, starts_run_at: float | None = None) -> asyncio.Future[None]:
        """Write attempts. `starts_run_at`: from now on the run is seen to be running. A full disk is waited for; may raise Fenced."""
        rows, large = self._records.attempts(run_id, attempts)
        if starts_run_at is not None:
            rows.append((sql.START_RUN, ("running", micros(starts_run_at), run_id, self.token)))
        return self._writer.submit(rows, keep=True, large=large)

    def finish(
        self,
        run: Run,
        attempts: Iterable[Attempt],
        told: Callable[[BaseException | None], Any],
        follow_ups: Sequence[Follows] = (),
        then: Then = _nobody,
    ) -> None:
        """Write how a run ended, with the attempts not yet recorded and what follows from its end. A full disk is waited for.

        `told` is called once: with None when all of it is on disk, or with what went wrong (Fenced: it is not ours any more, and
        nothing followed). Before that `then` is told of the runs that the follow-ups queued; one whose cause is taken queues none.
        """
        rows, large = self._records.end(run, attempts)
        if follow_ups:
            followed = partial(self._followed, told, then)
            self._writer.post(rows, followed, told, guard=partial(self._incoming.follow, follow_ups), large=large)
        else:
            self._writer.post(rows, told, told, large=large)

    def _followed(self, told: Callable[[BaseException | None], Any], then: Then, queued: Sequence[Run | None]) -> None:
        then(self._keep_fresh(queued))
        told(None)

    async def ask_cancel(self, run_ids: Sequence[str], now: float, reason: str | None = None) -> list[str]:
        """Make the wish durable that these runs stop. Returns those of which it is new: not those that ended, nor those asked before.

        Whoever works on such a run, or takes it over, ends it as cancelled.
        """
        found: list[str] = await self._inside(asking(run_ids, now, reason))
        return found

    async def stop_asked(self, run_id: str) -> tuple[float, str | None] | None:
        """Since when somebody wants it to stop, and why. None: nobody does."""
        rows = await asyncio.to_thread(self._database.fetch, sql.STOP_ASKED, (run_id,))
        return (rows[0][0] / 1e6, rows[0][1]) if rows else None

    def save_ending(self, run_id: str, ending: Mapping[str, Any]) -> asyncio.Future[None]:
        """Write how a run's main steps came out, before its handlers begin. A full disk is waited for; may raise Fenced."""
        return self._writer.submit([(sql.SAVE_ENDING, (encode(ending), run_id, self.token))], keep=True)

    async def reconcile(self, now: float) -> list[Due]:
        """Take over every run that has not ended and whose owner is gone; called once, before anything else is written.

        The daemon holds the home's lock, so that runs without a lease are those of a daemon that is gone.
        """
        return await self._take_over(sql.RECONCILE, now)

    async def rescue(self, now: float) -> list[Due]:
        """Take over the runs whose owner let its lease run out: a command that was killed. A database that is away is waited for.

        Mostly there is none, which is looked up in a thread: among a hundred thousand queued runs it takes 60 ms. Raises Unavailable.
        """
        try:
            if not await asyncio.to_thread(self._database.fetch, sql.LAPSED, (micros(now),)):
                return []
        except StoreError as error:
            raise Unavailable(f"runs of killed processes cannot be looked for: {error}") from error
        return await self._take_over(sql.RESCUE, now, keep=True)

    async def _take_over(self, hot: Hot, now: float, *, keep: bool = False) -> list[Due]:
        """`keep`: where it is not known whether they were taken over, that is waited for, or nobody would work on them."""
        row = (self.token, micros(now))

        def take(connection: Connection) -> tuple[list[Row], int | None]:
            taken = connection.execute(hot, row).fetchall()
            return taken, connection.execute(sql.LAST_POSITION).fetchone()[0] if taken else None

        rows, position = await self._inside(take, keep=keep)
        self._records.go_on_after(position or 0)
        return sorted((due_from(row) for row in rows), key=lambda due: due.run)

    def renew(self) -> asyncio.Future[None]:
        """Go on owning this process's runs for another lease."""
        return self._writer.submit([(sql.RENEW_LEASE, (self._lease(), self.token))])

    def _lease(self) -> int | None:
        return micros(time.time() + LEASE_S) if self._leased else None

    # -- definitions and the sources' memory --------------------------------------------------------------------------

    async def save_definitions(
        self,
        noun: str,
        items: Iterable[tuple[Versioned, Path | None]],
        subflows: Mapping[str, Mapping[str, str]] = NO_SUBFLOWS,
    ) -> None:
        """Keep these versions, so that a run can find the one it pins after any edit. What is kept already is left as it is.

        `subflows`: by a version's digest the versions of the sub-flows it was loaded with, key → digest.
        """
        await self._versions.save(noun, list(items), subflows)

    async def forget_versions(self, in_force: Callable[[], Collection[str]]) -> int:
        """Delete versions that are neither among the newest of their key, nor in force, nor named by a run. Returns how many went."""
        return await self._versions.forget(self._inside, in_force)

    async def load_state(self, source: str) -> dict[str, Any]:
        rows = await asyncio.to_thread(self._database.fetch, sql.LOAD_STATE, (source,))  # a ledger may have a hundred thousand
        return dict(state_from(*row) for row in rows)

    async def save_state(self, source: str, changes: Mapping[str, Any]) -> None:
        if changes:
            await self._writer.submit([(sql.SAVE_STATE, state_row(source, key, value)) for key, value in changes.items()])

    # -- reading ------------------------------------------------------------------------------------------------------

    async def reads(self) -> Reads:
        """The readers, opened on first use: SQLAlchemy costs 0.2 s and 30 MB that a daemon need not have until somebody asks."""
        if self._reads is None:
            module = await asyncio.to_thread(import_module, "daemon.store.reads")  # in a thread: events go on meanwhile
            self._reads = self._reads or module.Reads(self.location, self._outputs)  # type: ignore[redundant-expr]  # another task may have
        return self._reads

    def _drop_reads(self) -> None:
        if self._reads is not None:
            self._dropped, self._reads = asyncio.ensure_future(self._reads.close()), None

    async def runs(self, **filters: Any) -> Page[Run]:
        """The newest runs first. Filters: those of lists.narrowed_runs, limit, before (an id)."""
        return await (await self.reads()).runs(**filters)

    async def run(self, prefix: str) -> Run | None:
        """One run with its attempts, by a unique beginning of its id. Raises Ambiguous."""
        return await (await self.reads()).run(prefix)

    async def events(self, **filters: Any) -> Page[EventRow]:
        return await (await self.reads()).events(**filters)

    async def event(self, prefix: str) -> EventRow | None:
        """One event with its verdicts, by a unique beginning of its id. Raises Ambiguous."""
        return await (await self.reads()).event(prefix)

    async def unfinished(self) -> tuple[dict[str, int], float | None]:
        """Runs that have not ended, by their status; and when the one was queued that has waited longest. None: none waits."""
        return await (await self.reads()).unfinished()

    async def waits_of(self, run: str | None = None) -> list[WaitRow]:
        """What a run waits for, or has waited for; None: what is open of all runs."""
        return await (await self.reads()).waits_of(run)

    async def waits_by(self, event: str) -> list[WaitRow]:
        return await (await self.reads()).waits_by(event)

    async def chain_sizes(self) -> dict[str, int]:
        """How many runs others have started in each chain that still goes on."""
        return await (await self.reads()).chain_sizes()

    async def definition(self, digest: str) -> Version | None:
        return await (await self.reads()).definition(digest)

    async def versions(self, noun: str, key: str) -> list[tuple[str, float]]:
        """The kept versions of a flow or a trigger, the newest first: digest and when it was first saved."""
        return await (await self.reads()).versions(noun, key)

    # -- the rest -----------------------------------------------------------------------------------------------------

    @property
    def lost(self) -> asyncio.Future[StoreError]:
        """Done when another daemon serves this database: nothing can be written any more. Its result says who."""
        return self._database.lost

    @property
    def failing(self) -> bool:
        """True while nothing can be made durable."""
        return self._writer.failing

    async def writes(self) -> bool:
        """Whether something can be made durable now: where none has been for a moment, the database is asked."""
        return await self._writer.writes()

    def while_committing(self, do: Callable[[], None]) -> None:
        """Have this done each time a commit has just begun: the loop would only wait for the disk."""
        self._writer.while_committing = do

    def tally(self) -> tuple[int, int, int]:
        """Since it was opened: transactions committed, operations that they made durable, transactions that failed."""
        return self._writer.commits, self._writer.operations, self._writer.commit_failures

    async def prune(self, *, age_days: float | None, rows: int | None, now: float) -> int:
        """Delete what is beyond either limit, oldest first, with the files of its outputs, and give its space back. Returns how many events and runs went."""
        pruned = await Pruning(self._database, self._inside).prune(age_days, rows, now)
        await sweep(self._outputs, self._database, lambda: self._inside(lambda _: None), now)
        return pruned

    def _inside(self, work: Callable[[Connection], Any], *, keep: bool = False) -> asyncio.Future[Any]:
        """Do something inside the writer's transaction."""
        return self._writer.submit((), guard=lambda connection: ((), work(connection)), keep=keep)

    async def answers(self) -> None:
        """Return when the writer's thread has answered, whether or not it can write."""
        await self._writer.answers()

    async def drained(self) -> None:
        """Return when all that was submitted is on disk."""
        await self._writer.drained()

    async def close(self) -> None:
        """Commit what is queued and close."""
        await self._writer.close()
        for reads in (self._dropped, None if self._reads is None else self._reads.close()):
            if reads is not None:
                await reads
