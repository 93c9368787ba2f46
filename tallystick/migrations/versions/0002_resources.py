"""resources."""

import sqlalchemy as sa
from alembic import op

from metering.tables import Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _resources()
    _declared()
    _told()
    _schedules()


def downgrade() -> None:
    for table in ("schedule", "heard", "state_event", "declared_interval"):
        op.drop_table(table)
    with op.batch_alter_table("resource", schema=None) as batch_op:
        batch_op.drop_column("heartbeat_seconds")
        batch_op.drop_column("kind")


def _resources() -> None:
    op.add_column("resource", sa.Column("kind", sa.String(), nullable=False, server_default="node"))
    op.add_column(
        "resource",
        sa.Column("heartbeat_seconds", sa.Integer(), nullable=False, server_default="0"),
    )


def _declared() -> None:
    op.create_table(
        "declared_interval",
        sa.Column("resource", sa.String(), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["resource"],
            ["resource.id"],
        ),
        sa.PrimaryKeyConstraint("resource", "started_at"),
    )
    op.execute(
        "INSERT INTO declared_interval (resource, started_at, ended_at, state) "
        'SELECT resource, started_at, ended_at, state FROM "interval"'
    )


def _told() -> None:
    op.create_table(
        "state_event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("resource", sa.String(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("stored_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["resource"],
            ["resource.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    with op.batch_alter_table("state_event", schema=None) as batch_op:
        batch_op.create_index("state_event_of", ["resource", "at"], unique=False)
    op.create_table(
        "heard",
        sa.Column("resource", sa.String(), nullable=False),
        sa.Column("first_at", Instant(), nullable=False),
        sa.Column("last_at", Instant(), nullable=False),
        sa.Column("is_over", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["resource"],
            ["resource.id"],
        ),
        sa.PrimaryKeyConstraint("resource", "first_at"),
    )


def _schedules() -> None:
    op.create_table(
        "schedule",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("resource", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("stored_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["resource"],
            ["resource.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("schedule", schema=None) as batch_op:
        batch_op.create_index("schedule_of", ["resource", "name"], unique=False)
