"""Rows of the ledger about resources: what was declared, told and heard, and what is expected."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, Index, Integer, Text
from sqlmodel import Field, SQLModel

from metering.tables import Instant


class DeclaredIntervalRow(SQLModel, table=True):
    """A state that a setup file declared for a period; ``interval`` is what follows from it."""

    __tablename__ = "declared_interval"

    resource: str = Field(primary_key=True, foreign_key="resource.id")
    started_at: datetime = Field(sa_column=Column(Instant, primary_key=True))
    ended_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    state: str


class StateEventRow(SQLModel, table=True):
    """A state that was told. Append-only."""

    __tablename__ = "state_event"
    __table_args__ = (Index("state_event_of", "resource", "at"),)

    id: int | None = Field(
        default=None,
        sa_column=Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    )
    key: str = Field(unique=True)
    """Digest of what is told: a resend makes no second row."""
    resource: str = Field(foreign_key="resource.id")
    at: datetime = Field(sa_column=Column(Instant, nullable=False))
    state: str
    source: str
    actor: str
    evidence: str = Field(sa_column=Column(Text, nullable=False))
    stored_at: datetime = Field(sa_column=Column(Instant, nullable=False))


class HeardRow(SQLModel, table=True):
    """A stretch in which a resource was heard without a silence longer than its timeout."""

    __tablename__ = "heard"

    resource: str = Field(primary_key=True, foreign_key="resource.id")
    first_at: datetime = Field(sa_column=Column(Instant, primary_key=True))
    last_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    is_over: bool


class ScheduleRow(SQLModel, table=True):
    """A schedule as it was told. Append-only: the newest of a resource and name holds."""

    __tablename__ = "schedule"
    __table_args__ = (Index("schedule_of", "resource", "name"),)

    id: int | None = Field(
        default=None,
        sa_column=Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    )
    resource: str = Field(foreign_key="resource.id")
    name: str
    definition: str = Field(sa_column=Column(Text, nullable=False))
    """Windows, zone, validity and days, as the JSON of a schedule's document."""
    actor: str
    stored_at: datetime = Field(sa_column=Column(Instant, nullable=False))
