"""Rows of the ledger about sums of days. Only the stores of this package build them."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, Integer, UniqueConstraint
from sqlmodel import Field, SQLModel

from metering.tables import Instant

KIND = (
    "model", "meter", "quality", "outcome", "tier", "spill_reason", "pool", "operation", "band",
    "provider",
)  # fmt: skip
"""What a kind of usage is told apart by; what differs most comes first, to sort quickly."""


class UsageKindRow(SQLModel, table=True):
    """A kind of usage, whoever it is of: what thousands of sums have in common."""

    __tablename__ = "usage_kind"
    __table_args__ = (UniqueConstraint(*KIND, name="usage_kind_once"),)

    id: int | None = Field(default=None, sa_column=Column(Integer, primary_key=True))
    pool: str
    model: str
    operation: str
    outcome: str
    quality: str
    meter: str
    band: str
    provider: str
    tier: str
    spill_reason: str


class UsageDayRow(SQLModel, table=True):
    """What current usage rows of an account's day come to, whichever cluster they are of."""

    __tablename__ = "usage_day"
    __table_args__ = ({"sqlite_with_rowid": False},)

    account: str = Field(primary_key=True)
    day: datetime = Field(sa_column=Column(Instant, primary_key=True))
    """The start of the day in the account's zone."""
    project: str = Field(primary_key=True)
    resource: str = Field(primary_key=True)
    kind: int = Field(primary_key=True, foreign_key="usage_kind.id")
    quantity: int = Field(sa_column=Column(BigInteger, nullable=False))
    run: int
    """The last close run that changed a row of it: as of an earlier one it is not known."""


class SummedDayRow(SQLModel, table=True):
    """A day of a zone whose sums are kept up to date with every change of usage."""

    __tablename__ = "summed_day"

    zone: str = Field(primary_key=True)
    start: datetime = Field(sa_column=Column(Instant, primary_key=True))
    end: datetime = Field(sa_column=Column(Instant, nullable=False))
    is_whole: bool
    """Whether the sums of all its accounts are there."""
    attempt: int
    """How often summing it was begun; only the last attempt makes it whole."""
