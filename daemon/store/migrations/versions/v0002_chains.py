"""Chains of runs that start each other, and the versions of sub-flows that a flow was loaded with."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("chain", sa.Text().with_variant(sa.Text(collation="C"), "postgresql")))
    op.add_column("runs", sa.Column("depth", sa.Integer))
    op.add_column("definitions", sa.Column("subflows", sa.Text))
    following, of_runs = sa.text("depth > 0"), sa.text("source IN ('flow', 'event')")
    op.create_index("runs_chain", "runs", ["chain", "id"], sqlite_where=following, postgresql_where=following)
    op.create_index("events_of_runs", "events", ["subject"], sqlite_where=of_runs, postgresql_where=of_runs)
    op.create_index("definitions_key", "definitions", ["noun", "key"])
