"""The indexes as they are now, also in a database of a program between two releases, which made them in other words or not at all."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

INDEXES = (
    ("events_of_runs", "events", ["subject"], "source IN ('flow', 'event')"),
    ("runs_chain", "runs", ["chain", "id"], "depth > 0"),
    (
        "runs_live",
        "runs",
        ["trigger", "id"],
        "(status = 'queued' OR status = 'running' OR status = 'waiting' OR status = 'paused')",
    ),
    ("waits_event", "waits", ["resolved_by"], "kind = 'event'"),
)


def upgrade() -> None:
    op.drop_index("events_of_flows", "events", if_exists=True)
    for name, table, columns, text in INDEXES:
        where = sa.text(text)
        op.drop_index(name, table, if_exists=True)
        op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
