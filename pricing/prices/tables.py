"""Rows of the ledger about versions of price books. Only book_store.py builds them."""

from datetime import datetime

from sqlalchemy import Column
from sqlmodel import Field, SQLModel

from metering.tables import Instant


class BookVersionRow(SQLModel, table=True):
    """A version of a book as it was imported. Added, never changed; the last one is in use."""

    __tablename__ = "book_version"

    name: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    """From 1, without a gap."""
    digest: str = Field(foreign_key="price_book.digest")
    valid_from: datetime = Field(sa_column=Column(Instant, nullable=False))
    valid_to: datetime = Field(sa_column=Column(Instant, nullable=False))
    imported_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    actor: str
