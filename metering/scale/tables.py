"""The row of the ledger that says who ticks. Only store.py builds it."""

from datetime import datetime

from sqlalchemy import BigInteger, Column
from sqlmodel import Field, SQLModel

from metering.tables import Instant


class LeaseRow(SQLModel, table=True):
    """Who ticks, and until when."""

    __tablename__ = "lease"

    name: str = Field(primary_key=True)
    holder: str
    until: datetime = Field(sa_column=Column(Instant, nullable=False))
    fence: int = Field(sa_column=Column(BigInteger, nullable=False))
