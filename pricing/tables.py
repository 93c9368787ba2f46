"""Rows of the ledger that hold money and terms. Only store.py builds them."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import BigInteger, Column, Dialect, String, Text
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


class ContractRow(SQLModel, table=True):
    """One account's terms for one node or pool."""

    __tablename__ = "contract"

    id: str = Field(primary_key=True)
    account: str = Field(foreign_key="account.id", index=True)
    mode: str
    """``subscription``, ``hourly`` or ``token``."""
    region: str
    pool: str
    resource: str
    sku: str
    """The node's spec, or the size class of tokens."""
    months: int
    discount: Decimal = Field(sa_column=Column(ExactDecimal, nullable=False))
    starts_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    ends_at: datetime = Field(sa_column=Column(Instant, nullable=False))


class BillRow(SQLModel, table=True):
    """A draft bill as a run left it; a later run of the same month replaces it."""

    __tablename__ = "bill"

    id: str = Field(primary_key=True)
    account: str = Field(foreign_key="account.id", index=True)
    month_start: datetime = Field(sa_column=Column(Instant, nullable=False))
    month_end: datetime = Field(sa_column=Column(Instant, nullable=False))
    state: str
    currency: str
    payable: Decimal = Field(sa_column=Column(ExactDecimal, nullable=False))
    service_to: datetime = Field(sa_column=Column(Instant, nullable=False))
    stored_before: int = Field(sa_column=Column(BigInteger, nullable=False))
    usage_run: int
    book_hash: str = Field(foreign_key="price_book.digest")
    result_hash: str


class LineRow(SQLModel, table=True):
    """One FOCUS row of a bill; amounts inside ``cells`` are text."""

    __tablename__ = "line"

    bill: str = Field(primary_key=True, foreign_key="bill.id")
    number: int = Field(primary_key=True)
    line_id: str = Field(index=True)
    billed_cost: Decimal = Field(sa_column=Column(ExactDecimal, nullable=False))
    cells: str = Field(sa_column=Column(Text, nullable=False))
