"""What runs wait for."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

BYTES = sa.Text(collation="C")
NAME = sa.Text().with_variant(BYTES, "postgresql")


def word(length: int) -> sa.types.TypeEngine[str]:
    return sa.String(length).with_variant(BYTES, "postgresql")


def upgrade() -> None:
    op.create_table(
        "waits",
        sa.Column("run", word(40), nullable=False),
        sa.Column("path", NAME, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("kind", word(12), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger),
        sa.Column("limit_at", sa.BigInteger),
        sa.Column("detail", sa.Text),
        sa.Column("how", word(12)),
        sa.Column("resolved_at", sa.BigInteger),
        sa.Column("resolved_by", NAME),
        sa.Column("resolution", sa.Text),
        sa.PrimaryKeyConstraint("run", "path", "number"),
    )
    of_events = sa.text("kind = 'event'")
    op.create_index("waits_event", "waits", ["resolved_by"], sqlite_where=of_events, postgresql_where=of_events)
