"""The first schema: events, verdicts, runs, attempts, causes, the sources' memory, definitions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BYTES = sa.Text(collation="C")  # how PostgreSQL compares words
NAME = sa.Text().with_variant(BYTES, "postgresql")
LIVE = sa.text("status IN ('queued', 'running', 'waiting', 'paused')")


def word(length: int) -> sa.types.TypeEngine[str]:
    return sa.String(length).with_variant(BYTES, "postgresql")


def upgrade() -> None:
    _events()
    _runs()
    _memory()


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("id", word(40), primary_key=True),
        sa.Column("source", word(20), nullable=False),
        sa.Column("address", NAME, nullable=False),
        sa.Column("subject", NAME),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_table(
        "verdicts",
        sa.Column("event", word(40), nullable=False),
        sa.Column("trigger", NAME, nullable=False),
        sa.Column("trigger_digest", word(64)),
        sa.Column("verdict", word(24), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("detail", sa.Text),
        sa.Column("run", word(40)),
        sa.PrimaryKeyConstraint("event", "trigger"),
        sqlite_with_rowid=False,
    )


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", word(40), primary_key=True),
        sa.Column("event", word(40)),
        sa.Column("trigger", NAME),
        sa.Column("trigger_digest", word(64)),
        sa.Column("flow", NAME, nullable=False),
        sa.Column("flow_digest", word(64), nullable=False),
        sa.Column("status", word(12), nullable=False),
        sa.Column("priority", sa.SmallInteger, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("owner", word(40)),
        sa.Column("lease_until", sa.BigInteger),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("started_at", sa.BigInteger),
        sa.Column("finished_at", sa.BigInteger),
        sa.Column("inputs", sa.Text, nullable=False),
        sa.Column("output", sa.Text),
        sa.Column("error", sa.Text),
        sa.Column("code", NAME),
    )
    op.create_index("runs_live", "runs", ["trigger", "id"], sqlite_where=LIVE, postgresql_where=LIVE)
    op.create_table(
        "attempts",
        sa.Column("run", word(40), nullable=False),
        sa.Column("path", NAME, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("step", NAME, nullable=False),
        sa.Column("kind", NAME, nullable=False),
        sa.Column("status", word(12), nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("duration_ms", sa.BigInteger),
        sa.Column("output", sa.Text),
        sa.Column("response", sa.Text),
        sa.Column("error", sa.Text),
        sa.Column("code", NAME),
        sa.Column("usage", sa.Text),
        sa.Column("cost_label", NAME),
        sa.Column("flags", sa.SmallInteger, nullable=False),
        sa.PrimaryKeyConstraint("run", "path", "number"),
    )


def _memory() -> None:
    op.create_table(
        "causes",
        sa.Column("scope", NAME, nullable=False),
        sa.Column("key", NAME, nullable=False),
        sa.Column("event", word(40), nullable=False),
        sa.Column("expires_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("scope", "key"),
        sqlite_with_rowid=False,
    )
    op.create_index("causes_event", "causes", ["event"])
    op.create_table(
        "source_state",
        sa.Column("source", NAME, nullable=False),
        sa.Column("key", NAME, nullable=False),
        sa.Column("value", sa.Text),
        sa.PrimaryKeyConstraint("source", "key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "definitions",
        sa.Column("digest", word(64), primary_key=True),
        sa.Column("noun", word(8), nullable=False),
        sa.Column("key", NAME, nullable=False),
        sa.Column("definition", sa.Text, nullable=False),
        sa.Column("folder", sa.Text, nullable=False),
        sa.Column("saved_at", sa.BigInteger, nullable=False),
    )
