"""dimensions."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_ADDED = ("provider", "tier", "spill_reason")


def upgrade() -> None:
    for name in _ADDED:
        op.add_column("usage", sa.Column(name, sa.String(), nullable=False, server_default=""))
    current = sa.text("superseded_by IS NULL")
    op.create_index(
        "usage_now", "usage", ["account", "hour"], sqlite_where=current, postgresql_where=current
    )


def downgrade() -> None:
    op.drop_index("usage_now", table_name="usage")
    for name in _ADDED:
        op.drop_column("usage", name)
