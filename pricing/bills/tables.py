"""Rows of the ledger that hold money and terms. Only store.py builds them."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import BigInteger, Column, Dialect, Index, String, Text, UniqueConstraint
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel

from metering.tables import Instant


class ExactDecimal(TypeDecorator[Decimal]):
    """A decimal kept as text: SQLite's NUMERIC is a float, and text keeps every digit anywhere."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        """Refuse floats and store plain digits."""
        del dialect
        if value is not None and not isinstance(value, Decimal):
            raise TypeError(f"an amount must be a Decimal, found {type(value).__name__} {value!r}")
        return None if value is None else f"{value:f}"

    def process_result_value(self, value: str | None, dialect: Dialect) -> Decimal | None:
        """Give back the same digits."""
        del dialect
        return None if value is None else Decimal(value)


class BookRow(SQLModel, table=True):
    """A price book, by the hash of its content. Never changed."""

    __tablename__ = "price_book"

    digest: str = Field(primary_key=True)
    name: str
    content: str = Field(sa_column=Column(Text, nullable=False))


class BillRow(SQLModel, table=True):
    """A bill or credit note. As long as it is a draft, a later run of its month replaces it."""

    __tablename__ = "bill"
    __table_args__ = (
        UniqueConstraint("number", name="bill_number_once"),
        Index("bill_account_month", "account", "month_start"),
    )

    id: str = Field(primary_key=True)
    account: str = Field(foreign_key="account.id")
    month_start: datetime = Field(sa_column=Column(Instant, nullable=False))
    month_end: datetime = Field(sa_column=Column(Instant, nullable=False))
    document: str = "bill"
    """``bill`` or ``credit-note``."""
    state: str
    number: str | None = None
    """Given when it is issued; without gaps."""
    corrects: str | None = Field(default=None, foreign_key="bill.id", index=True)
    """The bill that a credit note is to."""
    currency: str
    places: int = 2
    payable: Decimal = Field(sa_column=Column(ExactDecimal, nullable=False))
    """What its rows add up to."""
    service_to: datetime = Field(sa_column=Column(Instant, nullable=False))
    stored_before: int = Field(sa_column=Column(BigInteger, nullable=False))
    usage_run: int
    book_hash: str = Field(foreign_key="price_book.digest")
    result_hash: str
    released_hash: str = ""
    """The result that an operator has looked at and let pass."""
    blockers: str = Field(default="[]", sa_column=Column(Text, nullable=False))
    """JSON list of sentences."""
    warnings: str = Field(default="[]", sa_column=Column(Text, nullable=False))
    reason: str = ""


class LineRow(SQLModel, table=True):
    """One FOCUS row of a bill; amounts inside ``cells`` are text."""

    __tablename__ = "line"

    bill: str = Field(primary_key=True, foreign_key="bill.id")
    number: int = Field(primary_key=True)
    line_id: str = Field(index=True)
    billed_cost: Decimal = Field(sa_column=Column(ExactDecimal, nullable=False))
    cells: str = Field(sa_column=Column(Text, nullable=False))
    month_start: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
    """The month that was rated; none for a credit of the wallet."""
    key: str = Field(default="", sa_column=Column(Text, nullable=False))
    """What tells the charge from all others; empty where none stands behind the row."""
    amounts: str = ""
    """The exact amounts behind what the cells show."""


class StepRow(SQLModel, table=True):
    """Who changed a bill's state, and why. Added, never changed."""

    __tablename__ = "bill_step"

    bill: str = Field(primary_key=True, foreign_key="bill.id")
    number: int = Field(primary_key=True)
    state: str
    actor: str
    reason: str
    made_at: datetime = Field(sa_column=Column(Instant, nullable=False))


class NumberRow(SQLModel, table=True):
    """The last number of a series, such as ``INV-2026``; taken in the transaction that uses it."""

    __tablename__ = "number_series"

    series: str = Field(primary_key=True)
    last: int


class GrantRow(SQLModel, table=True):
    """Prepaid money as it was granted. What is left of it follows from the ledger's movements."""

    __tablename__ = "wallet_grant"

    id: str = Field(primary_key=True)
    account: str = Field(foreign_key="account.id", index=True)
    currency: str
    places: int
    units: int = Field(sa_column=Column(BigInteger, nullable=False))
    priority: int
    starts_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    expires_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    source: str
    actor: str
    reason: str
