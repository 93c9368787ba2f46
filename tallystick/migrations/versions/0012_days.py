"""usage_day: what whole days of usage came to, so that a month is not summed hour by hour."""

import sqlalchemy as sa
from alembic import op

from metering.tables import Instant

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_KIND = (
    "pool", "model", "operation", "outcome", "quality", "meter", "band", "provider", "tier",
    "spill_reason",
)  # fmt: skip


def upgrade() -> None:
    op.create_table(
        "usage_kind",
        sa.Column("id", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in _KIND),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint(*_KIND, name="usage_kind_once"),
    )
    op.create_table(
        "usage_day",
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("day", Instant(), nullable=False),
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("resource", sa.String(), nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["kind"], ["usage_kind.id"]),
        sa.PrimaryKeyConstraint("account", "day", "project", "resource", "kind"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "summed_day",
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("start", Instant(), nullable=False),
        sa.Column("end", Instant(), nullable=False),
        sa.Column("is_whole", sa.Boolean(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("zone", "start"),
    )


def downgrade() -> None:
    for name in ("summed_day", "usage_day", "usage_kind"):
        op.drop_table(name)
