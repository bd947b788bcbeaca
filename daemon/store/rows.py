"""What goes into the store and what comes out: one dataclass a row, and the way from and to columns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from daemon.store.codec import decode, encode, encode_document, plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from flows.attempt import Attempt
    from triggers.event import Cause, Event
    from triggers.verdict import Verdict

RunStatus = Literal["queued", "running", "waiting", "paused", "completed", "failed", "cancelled"]
LIVE: frozenset[str] = frozenset({"queued", "running", "waiting", "paused"})


@dataclass(slots=True)
class Run:
    """One run of a flow. Instants are seconds since the epoch, UTC.

    Not frozen, though nothing changes it but the worker that executes it: a frozen one takes 2 µs more to make, for each event.
    """

    id: str  # run_…
    flow: str  # the flow's key
    flow_digest: str  # the version it pins
    status: RunStatus  # in the store a short run goes from queued to its end: running is known to the worker first
    inputs: dict[str, Any]
    created_at: float
    event: str | None = None  # evt_…; None: started by hand
    trigger: str | None = None  # None: started by hand
    trigger_digest: str | None = None
    priority: int = 5  # 1 first … 10 last
    epoch: int = 0  # how many times it was put to a worker again
    owner: str | None = None  # the token of the process that may write it
    started_at: float | None = None
    finished_at: float | None = None
    output: Any = None
    error: str | None = None
    code: str | None = None
    chain: str | None = None  # the first event of the chain it belongs to, or the run that a person started; None: its own event
    depth: int = 0  # how many runs of its chain came before it, one starting the next
    not_before: float | None = None  # it is queued, and due then; None: at once
    start_by: float | None = None  # still queued then, it has expired; None: it may wait for ever
    finish_within: float | None = None  # seconds that it may take, from its first start, whichever process works on it
    retry_of: str | None = None  # the run that it does again
    cancel_asked: float | None = None  # somebody wants it to stop, since then
    cancel_reason: str | None = None
    ending: dict[str, Any] | None = None  # how its main steps came out, while its handlers run: flows.handlers
    attempts: Sequence[Attempt] = ()  # filled by claim() and by reading one run; empty in lists

    @property
    def chain_id(self) -> str:
        """The chain it belongs to: it begins one, or its event does, where it names none."""
        return self.chain or self.event or self.id

    @property
    def took_s(self) -> float | None:
        """From its first start to its end, and never below nothing: a clock may be set back. None: it has not begun, or not ended."""
        return None if self.started_at is None or self.finished_at is None else max(0.0, self.finished_at - self.started_at)

    @property
    def finish_by(self) -> float | None:
        """When its time is over. None: it has not started, or may take as long as it likes."""
        return None if self.started_at is None or self.finish_within is None else self.started_at + self.finish_within


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """One verdict, as it was recorded."""

    trigger: str
    verdict: str
    reason: str | None
    detail: dict[str, Any] | None
    run: str | None
    trigger_digest: str | None


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event and what became of it."""

    id: str  # evt_…
    source: str
    address: str
    time: float
    subject: str | None
    document: Any  # None in lists: it is most of a row
    verdicts: tuple[VerdictRow, ...] = field(default=())  # filled by reading one event; empty in lists
    chain: str | None = None  # None: a list, and the run that it is of is pruned
    depth: int | None = 0


@dataclass(slots=True)  # nothing changes it; each event makes one, and frozen it takes a microsecond more
class Candidate:
    """One candidate trigger of an event, as intake hands it to accept()."""

    verdict: Verdict  # its `run` is left empty: the run below says it
    trigger_digest: str | None = None
    run: Run | None = None  # with `dispatched`: the run to queue
    once: Cause | None = None  # its idempotency key; where taken, the verdict becomes `duplicate` and there is no run


@dataclass(frozen=True, slots=True)
class FollowUp:
    """What follows from a run's end, as finish() is given it: an event like any other, with its candidates."""

    event: Event
    candidates: Sequence[Candidate]


Follows = FollowUp | Run
"""What is written with a run's end; a run: it is queued by itself, the next round of a continuous workflow."""


@dataclass(frozen=True, slots=True)
class Version:
    """One kept version of a flow or a trigger."""

    digest: str
    noun: str  # flow | trigger
    key: str
    definition: Any
    folder: str  # where its files are looked up; empty for a trigger
    saved_at: float
    subflows: Mapping[str, str] | None  # the versions of sub-flows it was loaded with: key → digest; None: not pinned


class Versioned(Protocol):
    """A flow or a trigger, as far as keeping its versions goes."""

    @property
    def key(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def definition(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class Due:
    """A run that a worker is to take: what reconcile() finds."""

    run: str
    epoch: int
    priority: int
    trigger: str | None
    not_before: float = 0.0  # 0: now
    start_by: float | None = None
    status: str = "queued"  # as it was left
    stopping: bool = False  # somebody wants it to stop
    started_at: float | None = None
    finish_within: float | None = None  # seconds from its start
    flow: str = ""


def due_from(row: Sequence[Any]) -> Due:
    """In the order of statements.RECONCILE. A run that is to stop waits for nothing."""
    run, epoch, priority, trigger, not_before, start_by, cancel_asked, status, started_at, within, flow = row
    stopping = cancel_asked is not None
    later = 0.0 if not_before is None or stopping else not_before / 1e6
    left = "running" if stopping else status
    began, may_take = seconds(started_at), seconds(within)
    return Due(run, epoch, priority, trigger, later, seconds(start_by), left, stopping, began, may_take, flow)


def micros(seconds: float) -> int:
    """Seconds since the epoch as a column's integer microseconds."""
    return int(seconds * 1e6)


def seconds(value: int | None) -> float | None:
    return None if value is None else value / 1e6


def event_row(event: Event) -> tuple[Any, ...]:
    """In the order of statements.INSERT_EVENT."""
    return (
        event.id,
        event.source,
        plain(event.address),
        plain(event.subject),
        micros(event.time),
        encode_document(event.document),
    )


def verdict_row(event: str, candidate: Candidate) -> tuple[Any, ...]:
    """In the order of statements.INSERT_VERDICT."""
    verdict, run = candidate.verdict, candidate.run
    return (
        event,
        verdict.trigger,
        candidate.trigger_digest,
        verdict.verdict,
        plain(verdict.reason),
        None if verdict.detail is None else encode(verdict.detail),
        None if run is None else run.id,
    )


def run_row(run: Run, lease_until: int | None) -> tuple[Any, ...]:
    """In the order of statements.INSERT_RUN: a run that is queued, nothing of it begun."""
    return (
        run.id,
        run.event,
        run.trigger,
        run.trigger_digest,
        run.flow,
        run.flow_digest,
        run.status,
        run.priority,
        run.epoch,
        run.owner,
        lease_until,
        micros(run.created_at),
        encode(run.inputs),
        run.chain_id,
        run.depth,
    )


def limits_row(run: Run) -> tuple[Any, ...] | None:
    """In the order of statements.LIMIT_RUN. None: it has none of these, as most runs."""
    if run.start_by is None and run.finish_within is None and run.not_before is None and run.retry_of is None:
        return None
    later, start_by, within = (None if at is None else micros(at) for at in (run.not_before, run.start_by, run.finish_within))
    return later, start_by, within, run.retry_of, run.id


def run_from(row: Mapping[str, Any], attempts: tuple[Attempt, ...] = ()) -> Run:
    return Run(
        id=row["id"],
        flow=row["flow"],
        flow_digest=row["flow_digest"],
        status=row["status"],
        inputs=decode(row["inputs"]),
        created_at=row["created_at"] / 1e6,
        event=row["event"],
        trigger=row["trigger"],
        trigger_digest=row["trigger_digest"],
        priority=row["priority"],
        epoch=row["epoch"],
        owner=row["owner"],
        started_at=seconds(row["started_at"]),
        finished_at=seconds(row["finished_at"]),
        output=decode(row["output"]),
        error=row["error"],
        code=row["code"],
        chain=row["chain"] or row["event"] or row["id"],
        depth=row["depth"] or 0,
        not_before=seconds(row["not_before"]),
        start_by=seconds(row["start_by"]),
        finish_within=seconds(row["finish_within"]),
        retry_of=row["retry_of"],
        cancel_asked=seconds(row["cancel_asked"]),
        cancel_reason=row["cancel_reason"],
        ending=cast("dict[str, Any] | None", decode(row["ending"])),
        attempts=attempts,
    )


def event_from(row: Mapping[str, Any], verdicts: tuple[VerdictRow, ...] = ()) -> EventRow:
    document = decode(row.get("document"))
    chain, depth = _chain_of(row, document)
    return EventRow(
        id=row["id"],
        source=row["source"],
        address=row["address"],
        time=row["time"] / 1e6,
        subject=row["subject"],
        document=document,
        verdicts=verdicts,
        chain=chain,
        depth=depth,
    )


def _chain_of(row: Mapping[str, Any], document: Any) -> tuple[str | None, int | None]:
    """From the document; in lists, which do without it, from the run whose end the event tells of, or whose step gave it. None: that run is pruned."""
    told = document.get("chain") if isinstance(document, dict) else None
    if isinstance(told, dict):
        return told.get("id"), told.get("depth")
    if row["source"] not in {"flow", "event"}:
        return row["id"], 0
    return row.get("chain"), None if row.get("depth") is None else row["depth"] + 1


def verdict_from(row: Mapping[str, Any]) -> VerdictRow:
    return VerdictRow(
        trigger=row["trigger"],
        verdict=row["verdict"],
        reason=row["reason"],
        detail=cast("dict[str, Any] | None", decode(row["detail"])),
        run=row["run"],
        trigger_digest=row["trigger_digest"],
    )


def version_rows(
    noun: str, items: Sequence[tuple[Versioned, Path | None]], now_us: int, subflows: Mapping[str, Mapping[str, str]]
) -> list[tuple[Any, ...]]:
    """In the order of statements.SAVE_DEFINITION. In a thread: a definition may be large."""
    pinned = {digest: encode(dict(pins)) for digest, pins in subflows.items()}
    return [
        (one.digest, noun, one.key, encode(one.definition), plain(str(folder or "")), now_us, pinned.get(one.digest))
        for one, folder in items
    ]


def version_from(row: Mapping[str, Any]) -> Version:
    return Version(
        digest=row["digest"],
        noun=row["noun"],
        key=row["key"],
        definition=decode(row["definition"]),
        folder=row["folder"],
        saved_at=row["saved_at"] / 1e6,
        subflows=cast("dict[str, str] | None", decode(row["subflows"])),
    )
