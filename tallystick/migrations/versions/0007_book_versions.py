"""book versions."""

import sqlalchemy as sa
from alembic import op

from metering.tables import Instant

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "book_version",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("valid_from", Instant(), nullable=False),
        sa.Column("valid_to", Instant(), nullable=False),
        sa.Column("imported_at", Instant(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["digest"], ["price_book.digest"]),
        sa.PrimaryKeyConstraint("name", "number"),
    )


def downgrade() -> None:
    op.drop_table("book_version")
