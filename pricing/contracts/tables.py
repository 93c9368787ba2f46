"""Rows of the ledger that hold contracts and their changes. Only contract_store.py builds them."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import BigInteger, Column, Text
from sqlmodel import Field, SQLModel

from metering.tables import Instant
from pricing.bills.tables import ExactDecimal


class ContractRow(SQLModel, table=True):
    """One account's terms for one node, KV-cache or pool."""

    __tablename__ = "contract"

    id: str = Field(primary_key=True)
    account: str = Field(foreign_key="account.id", index=True)
    mode: str
    """``subscription``, ``hourly``, ``token``, or ``model-token``, ``kv-subscription``, ..."""
    region: str
    pool: str
    resource: str
    sku: str
    """The node's spec, or the size class of tokens."""
    months: int
    discount: Decimal = Field(sa_column=Column(ExactDecimal, nullable=False))
    starts_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    ends_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    gb: int = 0
    """The size of a KV-cache."""
    quantity: int = 1
    terms: str = Field(default="", sa_column=Column(Text, nullable=False))
    """JSON; empty where there are none beside the book's prices."""
    auto_renew: bool = False
    # "window" is a reserved word of SQL.
    schedule: str = ""
    own_model: str = ""
    renews: str = ""
    factors: str = Field(default="", sa_column=Column(Text, nullable=False))
    """JSON of token class -> factor as text; empty where there are none."""
    cash_paid: Decimal | None = Field(default=None, sa_column=Column(ExactDecimal, nullable=True))
    anchor: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
    paid_until: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
    worth: Decimal | None = Field(default=None, sa_column=Column(ExactDecimal, nullable=True))
    is_changed: bool = False
    """Whether a change ended it: what declares it again does not take that back."""


class ContractChangeRow(SQLModel, table=True):
    """The money that a change of a contract made at once, and who changed it. Never changed."""

    __tablename__ = "contract_change"

    id: str = Field(primary_key=True)
    account: str = Field(foreign_key="account.id", index=True)
    contract: str = Field(foreign_key="contract.id", index=True)
    at: datetime = Field(sa_column=Column(Instant, nullable=False))
    amount: Decimal = Field(sa_column=Column(ExactDecimal, nullable=False))
    rule: str
    working: str = Field(sa_column=Column(Text, nullable=False))
    unused_seconds: int = Field(sa_column=Column(BigInteger, nullable=False))
    expensed: Decimal = Field(sa_column=Column(ExactDecimal, nullable=False))
    actor: str
    reason: str


class RenewalAttemptRow(SQLModel, table=True):
    """A try to renew a contract that renews itself. Never changed."""

    __tablename__ = "renewal_attempt"

    contract: str = Field(primary_key=True, foreign_key="contract.id")
    at: datetime = Field(sa_column=Column(Instant, primary_key=True))
    failed: str = Field(default="", sa_column=Column(Text, nullable=False))
    """Why it failed; empty where it did not."""


class AppOrderRow(SQLModel, table=True):
    """An application as it was ordered. Never changed."""

    __tablename__ = "app_order"

    id: str = Field(primary_key=True)
    account: str = Field(foreign_key="account.id", index=True)
    cluster: str = Field(index=True)
    app_type: str
    resource: str
    ordered_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    content: str = Field(sa_column=Column(Text, nullable=False))
    """JSON of the order form."""
