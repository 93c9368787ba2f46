"""Rows of the ledger that hold reconciliations and what was accepted. Only store.py builds them."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, Text
from sqlmodel import Field, SQLModel

from metering.tables import Instant


class ReconciliationRow(SQLModel, table=True):
    """What both sides came to in one hour, pool and model: readings do not live as long."""

    __tablename__ = "reconciliation"

    hour: datetime = Field(sa_column=Column(Instant, primary_key=True))
    pool: str = Field(primary_key=True)
    model: str = Field(primary_key=True)
    run: int
    """The close run whose usage it saw."""
    measured_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    measures: str = Field(sa_column=Column(Text, nullable=False))
    """JSON: figures only; what they mean is judged anew each time."""


class AcceptanceRow(SQLModel, table=True):
    """An operator's acceptance of a difference. Never changed, never removed."""

    __tablename__ = "reconciliation_acceptance"

    id: int | None = Field(default=None, primary_key=True)
    starts_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    ends_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    pool: str
    model: str
    input_tokens: int = Field(sa_column=Column(BigInteger, nullable=False))
    output_tokens: int = Field(sa_column=Column(BigInteger, nullable=False))
    actor: str
    reason: str = Field(sa_column=Column(Text, nullable=False))
    accepted_at: datetime = Field(sa_column=Column(Instant, nullable=False))
