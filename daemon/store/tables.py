"""The tables. Instants are INTEGER microseconds since the epoch, UTC; JSON is TEXT (codec.py); ids sort by time.

PostgreSQL compares words as bytes too, whatever its database was made with: ids are found by ranges, and lists go by their order.

Wide tables keep SQLite's rowid: with a 4 KB document WITHOUT ROWID costs a fifth more for each event. Narrow ones do without.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, PrimaryKeyConstraint, SmallInteger, String, Table, Text, text
from sqlalchemy.types import TypeEngine

HEAD = "0006"  # the migration this program's tables correspond to

metadata = MetaData()

_BYTES = Text(collation="C")


def _word(length: int) -> TypeEngine[str]:
    """A short word of ours. The length says what is meant; SQLite does not hold to it, and PostgreSQL need not."""
    return String(length).with_variant(_BYTES, "postgresql")


_NAME = Text().with_variant(_BYTES, "postgresql")  # a word of a person, or of an event

events = Table(
    "events",
    metadata,
    Column("id", _word(40), primary_key=True),
    Column("source", _word(20), nullable=False),
    Column("address", _NAME, nullable=False),
    Column("subject", _NAME),
    Column("time", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
)

OF_RUNS = "source IN ('flow', 'event')"
# Of ends of runs and of what their steps give alone, whose subject is the run: a chain's events are found by its runs.
Index("events_of_runs", events.c.subject, sqlite_where=text(OF_RUNS), postgresql_where=text(OF_RUNS))

# The primary key is promise 2: one event makes at most one run per trigger, for a run is written with its verdict or not at all.
verdicts = Table(
    "verdicts",
    metadata,
    Column("event", _word(40), nullable=False),
    Column("trigger", _NAME, nullable=False),
    Column("trigger_digest", _word(64)),
    Column("verdict", _word(24), nullable=False),
    Column("reason", Text),
    Column("detail", Text),
    Column("run", _word(40)),
    PrimaryKeyConstraint("event", "trigger"),
    sqlite_with_rowid=False,
)

runs = Table(
    "runs",
    metadata,
    Column("id", _word(40), primary_key=True),
    Column("event", _word(40)),
    Column("trigger", _NAME),
    Column("trigger_digest", _word(64)),
    Column("flow", _NAME, nullable=False),
    Column("flow_digest", _word(64), nullable=False),
    Column("status", _word(12), nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("owner", _word(40)),
    Column("lease_until", BigInteger),  # NULL: its owner holds the home's lock and needs no lease
    Column("created_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("inputs", Text, nullable=False),
    Column("output", Text),
    Column("error", Text),
    Column("code", _NAME),
    Column("chain", _NAME),  # NULL: of a program before 0002; the run began its own chain
    Column("depth", Integer),
    # What few runs have, and their insert does not name: written by a statement of its own.
    Column("not_before", BigInteger),  # queued, and due then; NULL: at once
    Column("start_by", BigInteger),  # still queued then, it has expired
    Column("finish_within", BigInteger),  # microseconds that it may take, from its first start
    Column("retry_of", _word(40)),  # the run that this one does again
    Column("cancel_asked", BigInteger),  # somebody wants it to stop, since then: it ends cancelled, whoever works on it
    Column("cancel_reason", Text),
    Column("ending", Text),  # JSON: how its main steps came out, while its handlers run
)

LIVE = ("queued", "running", "waiting", "paused")
# Not IN: of more than two words SQLite makes a table anew for each row that is written, which took 8 µs of each event.
LIVE_RUNS = "(" + " OR ".join(f"status = '{word}'" for word in LIVE) + ")"
# Small for ever: finished runs leave it. Recovery and overlap read it; history is read by primary key.
Index("runs_live", runs.c.trigger, runs.c.id, sqlite_where=text(LIVE_RUNS), postgresql_where=text(LIVE_RUNS))
FOLLOWING = "depth > 0"
# Small as well: only runs that other runs started. How far a chain has come is read from it.
Index("runs_chain", runs.c.chain, runs.c.id, sqlite_where=text(FOLLOWING), postgresql_where=text(FOLLOWING))
RETRIES = "retry_of IS NOT NULL"
Index("runs_retries", runs.c.retry_of, runs.c.id, sqlite_where=text(RETRIES), postgresql_where=text(RETRIES))

attempts = Table(
    "attempts",
    metadata,
    Column("run", _word(40), nullable=False),
    Column("path", _NAME, nullable=False),
    Column("number", Integer, nullable=False),
    Column("position", BigInteger, nullable=False),  # in the order in which the executor told of them
    Column("step", _NAME, nullable=False),
    Column("kind", _NAME, nullable=False),
    Column("status", _word(12), nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("duration_ms", BigInteger),
    Column("output", Text),
    Column("response", Text),
    Column("error", Text),
    Column("code", _NAME),
    Column("usage", Text),
    Column("cost_label", _NAME),
    Column("flags", SmallInteger, nullable=False),  # rows.py: track, final, effects, container, copied
    PrimaryKeyConstraint("run", "path", "number"),
)

# What an attempt waits for. While it is open, its run may be at rest: nothing of it is in memory but this.
waits = Table(
    "waits",
    metadata,
    Column("run", _word(40), nullable=False),
    Column("path", _NAME, nullable=False),  # with the number, as the attempt will be recorded
    Column("number", Integer, nullable=False),
    Column("kind", _word(12), nullable=False),  # timer | approval | event
    Column("created_at", BigInteger, nullable=False),
    Column("due_at", BigInteger),  # NULL: nothing but an answer ends it
    Column("limit_at", BigInteger),  # the step's own timeout
    Column("detail", Text),  # JSON: what is asked of whom
    Column("how", _word(12)),  # due | limit | approved | rejected | event; NULL: it is open
    Column("resolved_at", BigInteger),
    Column("resolved_by", _NAME),
    Column("resolution", Text),  # JSON: what came with it
    PrimaryKeyConstraint("run", "path", "number"),
)

OF_EVENTS = "kind = 'event'"
Index("waits_event", waits.c.resolved_by, sqlite_where=text(OF_EVENTS), postgresql_where=text(OF_EVENTS))  # what an event ended

# The files of large outputs that a run's rows refer to, one row each: so that upkeep need not look into the rows.
spilled = Table(
    "spilled",
    metadata,
    Column("run", _word(40), nullable=False),
    Column("digest", _word(64), nullable=False),
    PrimaryKeyConstraint("run", "digest"),
    sqlite_with_rowid=False,
)

# Once per cause: a slot, a version of a file, an idempotency key.
causes = Table(
    "causes",
    metadata,
    Column("scope", _NAME, nullable=False),
    Column("key", _NAME, nullable=False),
    Column("event", _word(40), nullable=False),
    Column("expires_at", BigInteger),
    PrimaryKeyConstraint("scope", "key"),
    sqlite_with_rowid=False,
)

Index("causes_event", causes.c.event)  # a cause goes with its event, when that is pruned

source_state = Table(
    "source_state",
    metadata,
    Column("source", _NAME, nullable=False),
    Column("key", _NAME, nullable=False),
    Column("value", Text),  # NULL: deleted, and swept by upkeep
    PrimaryKeyConstraint("source", "key"),
    sqlite_with_rowid=False,
)

definitions = Table(
    "definitions",
    metadata,
    Column("digest", _word(64), primary_key=True),
    Column("noun", _word(8), nullable=False),  # flow | trigger
    Column("key", _NAME, nullable=False),
    Column("definition", Text, nullable=False),
    Column("folder", Text, nullable=False),
    Column("saved_at", BigInteger, nullable=False),
    Column("subflows", Text),  # JSON {key: digest} of the versions of sub-flows that this one was loaded with; NULL: not pinned
)

Index("definitions_key", definitions.c.noun, definitions.c.key)  # a flow's versions, among ten thousand

schema_version = Table("alembic_version", metadata, Column("version_num", _word(32), primary_key=True))
