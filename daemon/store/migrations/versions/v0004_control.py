"""What a run is told from outside: when it is due, how long it may take, that it is to stop, and which run it does again."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BYTES = sa.Text(collation="C")


def upgrade() -> None:
    op.add_column("runs", sa.Column("not_before", sa.BigInteger))
    op.add_column("runs", sa.Column("start_by", sa.BigInteger))
    op.add_column("runs", sa.Column("finish_within", sa.BigInteger))
    op.add_column("runs", sa.Column("retry_of", sa.String(40).with_variant(BYTES, "postgresql")))
    op.add_column("runs", sa.Column("cancel_asked", sa.BigInteger))
    op.add_column("runs", sa.Column("cancel_reason", sa.Text))
    op.add_column("runs", sa.Column("ending", sa.Text))
    live = sa.text("(status = 'queued' OR status = 'running' OR status = 'waiting' OR status = 'paused')")
    op.drop_index("runs_live", "runs")
    op.create_index("runs_live", "runs", ["trigger", "id"], sqlite_where=live, postgresql_where=live)
    retries = sa.text("retry_of IS NOT NULL")
    op.create_index("runs_retries", "runs", ["retry_of", "id"], sqlite_where=retries, postgresql_where=retries)
