"""bills: their life, the runs behind them, the ledger's accounts and wallets."""

import sqlalchemy as sa
from alembic import op

from metering.tables import Instant
from pricing.bills.tables import ExactDecimal

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_table("line")  # both held drafts only, which follow from usage
    op.drop_table("bill")
    _bills()
    _runs()
    _ledger()
    _wallets()


def _bills() -> None:
    op.create_table(
        "bill",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("month_start", Instant(), nullable=False),
        sa.Column("month_end", Instant(), nullable=False),
        sa.Column("document", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("number", sa.String(), nullable=True),
        sa.Column("corrects", sa.String(), nullable=True),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("places", sa.Integer(), nullable=False),
        sa.Column("payable", ExactDecimal(), nullable=False),
        sa.Column("service_to", Instant(), nullable=False),
        sa.Column("stored_before", sa.BigInteger(), nullable=False),
        sa.Column("usage_run", sa.Integer(), nullable=False),
        sa.Column("book_hash", sa.String(), nullable=False),
        sa.Column("result_hash", sa.String(), nullable=False),
        sa.Column("released_hash", sa.String(), nullable=False),
        sa.Column("blockers", sa.Text(), nullable=False),
        sa.Column("warnings", sa.Text(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["account.id"]),
        sa.ForeignKeyConstraint(["book_hash"], ["price_book.digest"]),
        sa.ForeignKeyConstraint(["corrects"], ["bill.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("number", name="bill_number_once"),
    )
    op.create_index("bill_account_month", "bill", ["account", "month_start"])
    op.create_index("ix_bill_corrects", "bill", ["corrects"])
    op.create_table(
        "line",
        sa.Column("bill", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("line_id", sa.String(), nullable=False),
        sa.Column("billed_cost", ExactDecimal(), nullable=False),
        sa.Column("cells", sa.Text(), nullable=False),
        sa.Column("month_start", Instant(), nullable=True),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("amounts", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["bill"], ["bill.id"]),
        sa.PrimaryKeyConstraint("bill", "number"),
    )
    op.create_index("ix_line_line_id", "line", ["line_id"])
    op.create_table(
        "bill_step",
        sa.Column("bill", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("made_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["bill"], ["bill.id"]),
        sa.PrimaryKeyConstraint("bill", "number"),
    )
    op.create_table(
        "number_series",
        sa.Column("series", sa.String(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("series"),
    )


def _runs() -> None:
    op.create_table(
        "run_input",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_table(
        "billing_run",
        sa.Column("bill", sa.String(), nullable=False),
        sa.Column("month_start", Instant(), nullable=False),
        sa.Column("month_end", Instant(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("base", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=True),
        sa.Column("service_to", Instant(), nullable=False),
        sa.Column("stored_before", sa.BigInteger(), nullable=False),
        sa.Column("usage_run", sa.Integer(), nullable=False),
        sa.Column("book_hash", sa.String(), nullable=False),
        sa.Column("inputs", sa.String(), nullable=False),
        sa.Column("rating_hash", sa.String(), nullable=False),
        sa.Column("corrects", sa.String(), nullable=False),
        sa.Column("payable", sa.BigInteger(), nullable=False),
        sa.Column("tax", sa.BigInteger(), nullable=False),
        sa.Column("revenue", sa.BigInteger(), nullable=False),
        sa.Column("deferred", sa.Text(), nullable=False),
        sa.Column("earned", sa.String(), nullable=False),
        sa.Column("is_over", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["account.id"]),
        sa.ForeignKeyConstraint(["bill"], ["bill.id"]),
        sa.ForeignKeyConstraint(["book_hash"], ["price_book.digest"]),
        sa.ForeignKeyConstraint(["inputs"], ["run_input.digest"]),
        sa.PrimaryKeyConstraint("bill", "month_start"),
        sa.UniqueConstraint("account", "month_start", "sequence", name="billing_run_posted_once"),
    )
    op.create_table(
        "rerating",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("month_start", Instant(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("book_hash", sa.String(), nullable=False),
        sa.Column("usage_run", sa.Integer(), nullable=True),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("made_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["account.id"]),
        sa.ForeignKeyConstraint(["book_hash"], ["price_book.digest"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_rerating_account", "rerating", ["account"])


def _ledger() -> None:
    op.create_table(
        "ledger_transaction",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("places", sa.Integer(), nullable=False),
        sa.Column("document", sa.String(), nullable=False),
        sa.Column("month_start", Instant(), nullable=True),
        sa.Column("month_end", Instant(), nullable=True),
        sa.Column("made_at", Instant(), nullable=False),
        sa.Column("reverses", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["account"], ["account.id"]),
        sa.ForeignKeyConstraint(["reverses"], ["ledger_transaction.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("reverses"),
    )
    op.create_index("ix_ledger_transaction_account", "ledger_transaction", ["account"])
    op.create_index("ix_ledger_transaction_document", "ledger_transaction", ["document"])
    op.create_table(
        "ledger_movement",
        sa.Column("transaction", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("debit", sa.String(), nullable=False),
        sa.Column("credit", sa.String(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("about", sa.String(), nullable=False),
        sa.CheckConstraint("units > 0", name="ledger_movement_moves"),
        sa.CheckConstraint("debit <> credit", name="ledger_movement_between_two"),
        sa.ForeignKeyConstraint(["transaction"], ["ledger_transaction.id"]),
        sa.PrimaryKeyConstraint("transaction", "number"),
    )
    op.create_index("ix_ledger_movement_about", "ledger_movement", ["about"])


def _wallets() -> None:
    op.create_table(
        "wallet_grant",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("places", sa.Integer(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("starts_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["account.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_wallet_grant_account", "wallet_grant", ["account"])


def downgrade() -> None:
    for name in (
        "wallet_grant",
        "ledger_movement",
        "ledger_transaction",
        "rerating",
        "billing_run",
        "run_input",
        "number_series",
        "bill_step",
        "line",
        "bill",
    ):
        op.drop_table(name)
    _drafts()


def _drafts() -> None:
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
        sa.ForeignKeyConstraint(["account"], ["account.id"]),
        sa.ForeignKeyConstraint(["book_hash"], ["price_book.digest"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_bill_account", "bill", ["account"])
    op.create_table(
        "line",
        sa.Column("bill", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("line_id", sa.String(), nullable=False),
        sa.Column("billed_cost", ExactDecimal(), nullable=False),
        sa.Column("cells", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["bill"], ["bill.id"]),
        sa.PrimaryKeyConstraint("bill", "number"),
    )
    op.create_index("ix_line_line_id", "line", ["line_id"])
