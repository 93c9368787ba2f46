"""the first ledger."""

import sqlalchemy as sa
from alembic import op

from metering.tables import Instant
from pricing.bills.tables import ExactDecimal

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _people()
    _hours()
    _usage()
    _prices()
    _bills()


def downgrade() -> None:
    for table in (
        "line",
        "bill",
        "contract",
        "price_book",
        "usage",
        "stale_hour",
        "interval",
        "resource",
        "identity",
        "close_run",
        "account",
    ):
        op.drop_table(table)


def _hours() -> None:
    op.create_table(
        "close_run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("stored_before", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", Instant(), nullable=False),
        sa.Column("hours", sa.Integer(), nullable=False),
        sa.Column("rows_changed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "stale_hour",
        sa.Column("hour", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("hour"),
    )


def _people() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "identity",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("valid_from", Instant(), nullable=False),
        sa.Column("valid_to", Instant(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("project", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("kind", "value", "valid_from"),
    )
    op.create_table(
        "resource",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("region", sa.String(), nullable=False),
        sa.Column("spec", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "interval",
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


def _usage() -> None:
    op.create_table(
        "usage",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("hour", Instant(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("cluster", sa.String(), nullable=False),
        sa.Column("resource", sa.String(), nullable=False),
        sa.Column("pool", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("operation", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("quality", sa.String(), nullable=False),
        sa.Column("meter", sa.String(), nullable=False),
        sa.Column("band", sa.String(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("superseded_by", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["run"],
            ["close_run.id"],
        ),
        sa.ForeignKeyConstraint(
            ["superseded_by"],
            ["close_run.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("usage", schema=None) as batch_op:
        batch_op.create_index("usage_current", ["account", "hour", "superseded_by"], unique=False)
        batch_op.create_index("usage_hour", ["hour", "superseded_by"], unique=False)


def _prices() -> None:
    op.create_table(
        "price_book",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_table(
        "contract",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("region", sa.String(), nullable=False),
        sa.Column("pool", sa.String(), nullable=False),
        sa.Column("resource", sa.String(), nullable=False),
        sa.Column("sku", sa.String(), nullable=False),
        sa.Column("months", sa.Integer(), nullable=False),
        sa.Column("discount", ExactDecimal(), nullable=False),
        sa.Column("starts_at", Instant(), nullable=False),
        sa.Column("ends_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("contract", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_contract_account"), ["account"], unique=False)


def _bills() -> None:
    op.create_table(
        "bill",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("month_start", Instant(), nullable=False),
        sa.Column("month_end", Instant(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("payable", ExactDecimal(), nullable=False),
        sa.Column("service_to", Instant(), nullable=False),
        sa.Column("stored_before", sa.BigInteger(), nullable=False),
        sa.Column("usage_run", sa.Integer(), nullable=False),
        sa.Column("book_hash", sa.String(), nullable=False),
        sa.Column("result_hash", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account"],
            ["account.id"],
        ),
        sa.ForeignKeyConstraint(
            ["book_hash"],
            ["price_book.digest"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("bill", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_bill_account"), ["account"], unique=False)
    op.create_table(
        "line",
        sa.Column("bill", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("line_id", sa.String(), nullable=False),
        sa.Column("billed_cost", ExactDecimal(), nullable=False),
        sa.Column("cells", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["bill"],
            ["bill.id"],
        ),
        sa.PrimaryKeyConstraint("bill", "number"),
    )
    with op.batch_alter_table("line", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_line_line_id"), ["line_id"], unique=False)
