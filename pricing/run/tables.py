"""Rows of the ledger about billing runs. Only run_store.py and posting_store.py build them."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from metering.tables import Instant


class RunInputRow(SQLModel, table=True):
    """What runs were told, by the hash of the text. Never changed."""

    __tablename__ = "run_input"

    digest: str = Field(primary_key=True)
    content: str = Field(sa_column=Column(Text, nullable=False))


class RunRow(SQLModel, table=True):
    """One rating of an account's month, and what it put on a bill."""

    __tablename__ = "billing_run"
    __table_args__ = (
        UniqueConstraint("account", "month_start", "sequence", name="billing_run_posted_once"),
    )

    bill: str = Field(primary_key=True, foreign_key="bill.id")
    month_start: datetime = Field(sa_column=Column(Instant, primary_key=True))
    month_end: datetime = Field(sa_column=Column(Instant, nullable=False))
    account: str = Field(foreign_key="account.id")
    base: int
    """How many runs of the month were posted when it was rated."""
    sequence: int | None = None
    """Its place among the posted runs of the month; of two that follow the same, one is posted."""
    service_to: datetime = Field(sa_column=Column(Instant, nullable=False))
    stored_before: int = Field(sa_column=Column(BigInteger, nullable=False))
    usage_run: int
    book_hash: str = Field(foreign_key="price_book.digest")
    inputs: str = Field(foreign_key="run_input.digest")
    rating_hash: str
    corrects: str
    """The posted run whose result it corrects; empty for one of a month that is not closed."""
    payable: int = Field(sa_column=Column(BigInteger, nullable=False))
    tax: int = Field(sa_column=Column(BigInteger, nullable=False))
    revenue: int = Field(sa_column=Column(BigInteger, nullable=False))
    deferred: str = Field(sa_column=Column(Text, nullable=False))
    """JSON: minor units per contract."""
    earned: str
    """The exact share of prepaid orders."""
    is_over: bool
    """Whether nothing prepaid goes on after it."""


class ReratingRow(SQLModel, table=True):
    """A decision to rate a closed month by another book, or as usage stood at an earlier run."""

    __tablename__ = "rerating"

    id: str = Field(primary_key=True)
    account: str = Field(foreign_key="account.id", index=True)
    month_start: datetime = Field(sa_column=Column(Instant, nullable=False))
    number: int
    """Its place among the decisions on the month; the last one holds."""
    book_hash: str = Field(foreign_key="price_book.digest")
    usage_run: int | None = None
    actor: str
    reason: str
    made_at: datetime = Field(sa_column=Column(Instant, nullable=False))
