"""Rows of the ledger's accounts: added, never changed. Only ledger_store.py builds them."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Column
from sqlmodel import Field, SQLModel

from metering.tables import Instant


class TransactionRow(SQLModel, table=True):
    """Movements that were made together."""

    __tablename__ = "ledger_transaction"

    id: str = Field(primary_key=True)
    kind: str
    account: str = Field(foreign_key="account.id", index=True)
    currency: str
    places: int
    document: str = Field(index=True)
    month_start: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
    month_end: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
    made_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    reverses: str | None = Field(default=None, foreign_key="ledger_transaction.id", unique=True)
    """A transaction is turned back once."""


class MovementRow(SQLModel, table=True):
    """So many minor units from one account to another: no row can make or lose money."""

    __tablename__ = "ledger_movement"
    __table_args__ = (
        CheckConstraint("units > 0", name="ledger_movement_moves"),
        CheckConstraint("debit <> credit", name="ledger_movement_between_two"),
    )

    transaction: str = Field(primary_key=True, foreign_key="ledger_transaction.id")
    number: int = Field(primary_key=True)
    debit: str
    credit: str
    units: int = Field(sa_column=Column(BigInteger, nullable=False))
    about: str = Field(index=True)
