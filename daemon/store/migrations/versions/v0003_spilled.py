"""Which runs refer to which files of large outputs."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BYTES = sa.Text(collation="C")


def word(length: int) -> sa.types.TypeEngine[str]:
    return sa.String(length).with_variant(BYTES, "postgresql")


def upgrade() -> None:
    op.create_table(
        "spilled",
        sa.Column("run", word(40), nullable=False),
        sa.Column("digest", word(64), nullable=False),
        sa.PrimaryKeyConstraint("run", "digest"),
        sqlite_with_rowid=False,
    )
