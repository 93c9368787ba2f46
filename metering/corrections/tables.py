"""Rows of the ledger that hold decisions about events. They are added, never changed."""

from datetime import datetime

from sqlalchemy import BigInteger, Column
from sqlmodel import Field, SQLModel

from metering.tables import Instant


class CorrectionRow(SQLModel, table=True):
    """One decision: who made it, why, about which events, and what they say since."""

    __tablename__ = "correction"

    id: str = Field(primary_key=True)
    kind: str
    target: str
    """JSON: requests, period, where."""
    changes: str
    """JSON."""
    actor: str
    reason: str
    made_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    stamp: int = Field(sa_column=Column(BigInteger, nullable=False))
    events: int = Field(sa_column=Column(BigInteger, nullable=False))


class WithdrawalRow(SQLModel, table=True):
    """A decision that somebody took back: sums at later cutoffs do not heed it."""

    __tablename__ = "correction_withdrawal"

    correction: str = Field(primary_key=True, foreign_key="correction.id")
    actor: str
    reason: str
    made_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    stamp: int = Field(sa_column=Column(BigInteger, nullable=False))


class SetAsideDecisionRow(SQLModel, table=True):
    """What became of a record that was set aside."""

    __tablename__ = "set_aside_decision"

    key: str = Field(primary_key=True)
    """Sixteen hexadecimal digits."""
    fate: str
    actor: str
    reason: str
    made_at: datetime = Field(sa_column=Column(Instant, nullable=False))
