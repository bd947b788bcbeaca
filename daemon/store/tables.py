"""The tables. Instants are INTEGER microseconds since the epoch, UTC; JSON is TEXT (codec.py); ids sort by time.

Wide tables keep SQLite's rowid: with a 4 KB document WITHOUT ROWID costs a fifth more for each event. Narrow ones do without.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, PrimaryKeyConstraint, SmallInteger, String, Table, Text, text

HEAD = "0002"  # the migration this program's tables correspond to

metadata = MetaData()

events = Table(
    "events",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("source", String(20), nullable=False),
    Column("address", Text, nullable=False),
    Column("subject", Text),
    Column("time", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
)

OF_FLOWS = "source = 'flow'"
# Of ends of runs alone, whose subject is the run: a chain's events are found by its runs.
Index("events_of_flows", events.c.subject, sqlite_where=text(OF_FLOWS), postgresql_where=text(OF_FLOWS))

# The primary key is promise 2: one event makes at most one run per trigger, for a run is written with its verdict or not at all.
verdicts = Table(
    "verdicts",
    metadata,
    Column("event", String(40), nullable=False),
    Column("trigger", Text, nullable=False),
    Column("trigger_digest", String(64)),
    Column("verdict", String(24), nullable=False),
    Column("reason", Text),
    Column("detail", Text),
    Column("run", String(40)),
    PrimaryKeyConstraint("event", "trigger"),
    sqlite_with_rowid=False,
)

runs = Table(
    "runs",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("event", String(40)),
    Column("trigger", Text),
    Column("trigger_digest", String(64)),
    Column("flow", Text, nullable=False),
    Column("flow_digest", String(64), nullable=False),
    Column("status", String(12), nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("owner", String(40)),
    Column("lease_until", BigInteger),  # NULL: its owner holds the home's lock and needs no lease
    Column("created_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("inputs", Text, nullable=False),
    Column("output", Text),
    Column("error", Text),
    Column("code", Text),
    Column("chain", Text),  # NULL: of a program before 0002; the run began its own chain
    Column("depth", Integer),
)

LIVE_RUNS = "status IN ('queued', 'running', 'waiting', 'paused')"
# Small for ever: finished runs leave it. Recovery and overlap read it; history is read by primary key.
Index("runs_live", runs.c.trigger, runs.c.id, sqlite_where=text(LIVE_RUNS))
FOLLOWING = "depth > 0"
# Small as well: only runs that other runs started. How far a chain has come is read from it.
Index("runs_chain", runs.c.chain, runs.c.id, sqlite_where=text(FOLLOWING), postgresql_where=text(FOLLOWING))

attempts = Table(
    "attempts",
    metadata,
    Column("run", String(40), nullable=False),
    Column("path", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("position", BigInteger, nullable=False),  # in the order in which the executor told of them
    Column("step", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("status", String(12), nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("duration_ms", BigInteger),
    Column("output", Text),
    Column("response", Text),
    Column("error", Text),
    Column("code", Text),
    Column("usage", Text),
    Column("cost_label", Text),
    Column("flags", SmallInteger, nullable=False),  # rows.py: track, final, effects, container
    PrimaryKeyConstraint("run", "path", "number"),
)

# Once per cause: a slot, a version of a file, an idempotency key.
causes = Table(
    "causes",
    metadata,
    Column("scope", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("event", String(40), nullable=False),
    Column("expires_at", BigInteger),
    PrimaryKeyConstraint("scope", "key"),
    sqlite_with_rowid=False,
)

Index("causes_event", causes.c.event)  # a cause goes with its event, when that is pruned

source_state = Table(
    "source_state",
    metadata,
    Column("source", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("value", Text),  # NULL: deleted, and swept by upkeep
    PrimaryKeyConstraint("source", "key"),
    sqlite_with_rowid=False,
)

definitions = Table(
    "definitions",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("noun", String(8), nullable=False),  # flow | trigger
    Column("key", Text, nullable=False),
    Column("definition", Text, nullable=False),
    Column("folder", Text, nullable=False),
    Column("saved_at", BigInteger, nullable=False),
    Column("subflows", Text),  # JSON {key: digest} of the versions of sub-flows that this one was loaded with; NULL: not pinned
)

Index("definitions_key", definitions.c.noun, definitions.c.key)  # a flow's versions, among ten thousand

schema_version = Table("alembic_version", metadata, Column("version_num", String(32), primary_key=True))
