"""contracts: quantity, terms, KV-cache, renewals, and what changes made due."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from metering.tables import Instant
from pricing.bills.tables import ExactDecimal

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in _added():
        op.add_column("contract", column)
    op.create_table(
        "contract_change",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("contract", sa.String(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("amount", ExactDecimal(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("working", sa.Text(), nullable=False),
        sa.Column("unused_seconds", sa.BigInteger(), nullable=False),
        sa.Column("expensed", ExactDecimal(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["account.id"]),
        sa.ForeignKeyConstraint(["contract"], ["contract.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_contract_change_account", "contract_change", ["account"])
    op.create_index("ix_contract_change_contract", "contract_change", ["contract"])
    op.create_table(
        "app_order",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("cluster", sa.String(), nullable=False),
        sa.Column("app_type", sa.String(), nullable=False),
        sa.Column("resource", sa.String(), nullable=False),
        sa.Column("ordered_at", Instant(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["account.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_app_order_account", "app_order", ["account"])
    op.create_index("ix_app_order_cluster", "app_order", ["cluster"])


def downgrade() -> None:
    op.drop_table("app_order")
    op.drop_table("contract_change")
    for column in _added():
        op.drop_column("contract", column.name)


def _added() -> list[sa.Column[Any]]:
    return [
        sa.Column("gb", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("quantity", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("terms", sa.Text(), nullable=False, server_default=""),
        sa.Column("auto_renew", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("schedule", sa.String(), nullable=False, server_default=""),
        sa.Column("own_model", sa.String(), nullable=False, server_default=""),
        sa.Column("renews", sa.String(), nullable=False, server_default=""),
        sa.Column("factors", sa.Text(), nullable=False, server_default=""),
        sa.Column("cash_paid", ExactDecimal(), nullable=True),
        sa.Column("anchor", Instant(), nullable=True),
        sa.Column("paid_until", Instant(), nullable=True),
        sa.Column("worth", ExactDecimal(), nullable=True),
        sa.Column("is_changed", sa.Boolean(), nullable=False, server_default=sa.false()),
    ]
