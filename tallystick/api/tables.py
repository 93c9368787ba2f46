"""Rows of the ledger about requests that are carried out once. Only once_store.py builds them."""

from datetime import datetime

from sqlalchemy import Column, LargeBinary
from sqlmodel import Field, SQLModel

from metering.tables import Instant


class RequestKeyRow(SQLModel, table=True):
    """A key that a client gave a request, and the answer."""

    __tablename__ = "request_key"

    key: str = Field(primary_key=True)
    fingerprint: str
    begun_at: datetime = Field(sa_column=Column(Instant, nullable=False, index=True))
    status: int | None = None
    """None while the request is being carried out."""
    media_type: str = ""
    body: bytes = Field(default=b"", sa_column=Column(LargeBinary, nullable=False))
