"""What narrows a list of runs or events, and how far one question looks: along the primary key, never through a whole table.

Ids sort by time, so that an instant is a place in the key and a list needs no index of its own. Only `event` and `chain` of
runs, their live states and `chain` of events are found by an index; with any other filter a question looks at SCAN_ROWS rows at
most and says where to go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, CompoundSelect, Select, Table, or_, select, text, union_all

from daemon.store.codec import plain
from daemon.store.rows import LIVE
from daemon.store.tables import FOLLOWING, LIVE_RUNS, OF_RUNS, RETRIES, events, runs, verdicts
from triggers.ids import first_id

SCAN_ROWS = 20_000  # looked at for one page: tens of milliseconds; the client goes on from there
MOST_ROWS = 1000  # of one page
EVENT_COLUMNS = [column for column in events.c if column.name != "document"]  # lists do without it: it is most of a row

Item = TypeVar("Item")


class Page(list[Item]):
    """Rows, the newest first. `next`: the rest are older than this id; None: that was all."""

    next: str | None = None


@dataclass(frozen=True, slots=True)
class Narrowed:
    """A question without its page. `scans`: rows that do not fit are passed over one by one."""

    table: Table
    query: Select[Any]
    bounds: Sequence[ColumnElement[bool]]  # on the id: where it begins and ends
    scans: bool


def narrowed_runs(
    *,
    flow: str | None = None,
    status: str | Sequence[str] | None = None,
    trigger: str | None = None,
    event: str | None = None,
    chain: str | None = None,
    retry_of: str | None = None,
    since: float | None = None,
    until: float | None = None,
) -> Narrowed:
    """`since` and `until` are seconds since the epoch: queued then or later, queued before."""
    statuses = (status,) if isinstance(status, str) else status
    query = select(runs).where(*_equal(runs, {"flow": flow, "trigger": trigger}))
    scans = not (flow is trigger is statuses is None)
    if statuses is not None:
        query = query.where(runs.c.status.in_(statuses))
        if LIVE.issuperset(statuses):
            live = select(runs.c.id).where(
                text(LIVE_RUNS)
            )  # the index's own words, and in a question of its own: else it is not taken
            query, scans = query.where(runs.c.id.in_(live)), False
    if event is not None:
        made = select(verdicts.c.run).where(verdicts.c.event == plain(event))
        again = select(runs.c.id).where(text(RETRIES), runs.c.event == plain(event))
        query, scans = query.where(runs.c.id.in_(union_all(made, again))), False
    if chain is not None:
        query, scans = query.where(runs.c.id.in_(_runs_of(plain(chain) or ""))), False
    if retry_of is not None:
        query, scans = query.where(text(RETRIES), runs.c.retry_of == plain(retry_of)), False
    return Narrowed(runs, query, _between(runs, "run", since, until), scans)


def narrowed_events(
    *,
    source: str | None = None,
    address: str | None = None,
    subject: str | None = None,
    trigger: str | None = None,
    verdict: str | Sequence[str] | None = None,
    chain: str | None = None,
    since: float | None = None,
    until: float | None = None,
) -> Narrowed:
    """`trigger` and `verdict` together are of one and the same verdict."""
    chained = (_of_its_run(runs.c.chain, "chain"), _of_its_run(runs.c.depth, "depth"))
    query = select(*EVENT_COLUMNS, *chained).where(*_equal(events, {"source": source, "address": address, "subject": subject}))
    if trigger is not None or verdict is not None:
        said = select(verdicts.c.event).where(verdicts.c.event == events.c.id, *_equal(verdicts, {"trigger": trigger}))
        if verdict is not None:
            said = said.where(verdicts.c.verdict.in_((verdict,) if isinstance(verdict, str) else verdict))
        query = query.where(said.exists())
    scans = not (source is address is subject is trigger is verdict is None)
    if chain is not None:
        chain = plain(chain) or ""
        ends = select(events.c.id).where(text(OF_RUNS), events.c.subject.in_(_runs_of(chain)))
        query, scans = query.where(or_(events.c.id == chain, events.c.id.in_(ends))), False
    return Narrowed(events, query, _between(events, "evt", since, until), scans)


def _runs_of(chain: str) -> CompoundSelect[str]:
    """The ids of a chain's runs, each part by an index: the first run or those of the first event, and those that followed."""
    first = select(runs.c.id).where(runs.c.id == chain)
    of_event = select(verdicts.c.run).where(verdicts.c.event == chain, verdicts.c.run.is_not(None))
    again = select(runs.c.id).where(text(RETRIES), runs.c.chain == chain)
    return union_all(first, of_event, select(runs.c.id).where(text(FOLLOWING), runs.c.chain == chain), again)


def _of_its_run(column: ColumnElement[Any], name: str) -> ColumnElement[Any]:
    """What the run says whose end an event tells of, or whose step gave it; NULL for every other event."""
    run = select(column).where(text(OF_RUNS), runs.c.id == events.c.subject)
    return run.scalar_subquery().label(name)


def _equal(table: Table, wanted: dict[str, str | None]) -> list[ColumnElement[bool]]:
    return [table.c[name] == plain(value) for name, value in wanted.items() if value is not None]


def _between(table: Table, prefix: str, since: float | None, until: float | None) -> list[ColumnElement[bool]]:
    bounds = [] if since is None else [table.c.id >= first_id(prefix, since)]
    return bounds if until is None else [*bounds, table.c.id < first_id(prefix, until)]
