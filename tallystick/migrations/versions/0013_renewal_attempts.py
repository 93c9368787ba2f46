"""renewal_attempt: tries to renew contracts that renew themselves, and why they failed."""

import sqlalchemy as sa
from alembic import op

from metering.tables import Instant

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "renewal_attempt",
        sa.Column("contract", sa.String(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("failed", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["contract"], ["contract.id"]),
        sa.PrimaryKeyConstraint("contract", "at"),
    )


def downgrade() -> None:
    op.drop_table("renewal_attempt")
