"""Questions about current usage are answered from an index alone.

It is made anew, which takes about a minute for 20 million usage rows.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_PLACE = ["account", "hour"]
_ANSWER = ["pool", "model", "operation", "meter", "outcome", "quality", "quantity", "superseded_by"]


def upgrade() -> None:
    _index([*_PLACE, *_ANSWER])


def downgrade() -> None:
    _index(_PLACE)


def _index(columns: list[str]) -> None:
    current = sa.text("superseded_by IS NULL")
    op.drop_index("usage_now", table_name="usage")
    op.create_index("usage_now", "usage", columns, sqlite_where=current, postgresql_where=current)
