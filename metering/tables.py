"""Rows of the ledger that hold quantities and time. Only store.py builds them."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, Dialect, Index, Integer, String, text
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel

from metering.period import as_utc


class Instant(TypeDecorator[datetime]):
    """An instant in UTC: ``timestamptz`` on PostgreSQL, ISO text on SQLite; never naive."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times and store UTC."""
        del dialect
        return None if value is None else as_utc(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Give back UTC, whatever zone the database speaks in."""
        del dialect
        if value is None:
            return None
        stored: datetime = value
        return stored.replace(tzinfo=UTC) if stored.tzinfo is None else stored.astimezone(UTC)

    def bind_processor(self, dialect: Dialect) -> Any:
        """Return what writes an instant. Rows by the thousand have the same one: it is kept."""
        return _remembering(super().bind_processor(dialect))

    def result_processor(self, dialect: Dialect, coltype: Any) -> Any:
        """Return what reads an instant, and keeps the last ones."""
        return _remembering(super().result_processor(dialect, coltype))


def _remembering(process: Callable[[Any], Any] | None) -> Callable[[Any], Any] | None:
    return lru_cache(maxsize=1024)(process) if process else None


class AccountRow(SQLModel, table=True):
    """Who pays."""

    __tablename__ = "account"

    id: str = Field(primary_key=True)
    name: str
    zone: str


class IdentityRow(SQLModel, table=True):
    """A raw identity and the account it is bound to, from and to a whole hour."""

    __tablename__ = "identity"

    kind: str = Field(primary_key=True)
    value: str = Field(primary_key=True)
    valid_from: datetime = Field(sa_column=Column(Instant, primary_key=True))
    valid_to: datetime = Field(sa_column=Column(Instant, nullable=False))
    account: str = Field(foreign_key="account.id")
    project: str


class ResourceRow(SQLModel, table=True):
    """A node, KV-cache or endpoint with running time."""

    __tablename__ = "resource"

    id: str = Field(primary_key=True)
    account: str = Field(foreign_key="account.id")
    region: str
    spec: str
    name: str
    kind: str = "node"
    heartbeat_seconds: int = 0


class IntervalRow(SQLModel, table=True):
    """A resource was in one state for a period: what follows from all that was said of it."""

    __tablename__ = "interval"

    resource: str = Field(primary_key=True, foreign_key="resource.id")
    started_at: datetime = Field(sa_column=Column(Instant, primary_key=True))
    ended_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    state: str


class CloseRow(SQLModel, table=True):
    """One run of closing: which arrivals it saw, and when."""

    __tablename__ = "close_run"

    id: int | None = Field(default=None, primary_key=True)
    stored_before: int = Field(sa_column=Column(BigInteger, nullable=False))
    """Only arrivals stamped before this were seen (nanoseconds since 1970 UTC)."""
    closed_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    hours: int
    rows_changed: int


class StaleHourRow(SQLModel, table=True):
    """An hour that must be closed again because a binding changed."""

    __tablename__ = "stale_hour"

    hour: datetime = Field(sa_column=Column(Instant, primary_key=True))


class UsageRow(SQLModel, table=True):
    """One revision of one usage row; the current one is superseded by nothing.

    ``usage_now`` holds all that most questions about current usage ask for: they read no row.
    """

    __tablename__ = "usage"
    __table_args__ = (
        Index("usage_current", "account", "hour", "superseded_by"),
        Index("usage_hour", "hour", "superseded_by"),
        Index(
            "usage_now",
            *("account", "hour", "pool", "model", "operation", "meter", "outcome", "quality"),
            *("quantity", "superseded_by"),
            sqlite_where=text("superseded_by IS NULL"),
            postgresql_where=text("superseded_by IS NULL"),
        ),
    )

    id: int | None = Field(
        default=None,
        sa_column=Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    )
    hour: datetime = Field(sa_column=Column(Instant, nullable=False))
    account: str
    project: str
    cluster: str
    resource: str
    pool: str
    model: str
    operation: str
    outcome: str
    quality: str
    meter: str
    band: str = Field(sa_column=Column(String, nullable=False))
    provider: str = Field(sa_column=Column(String, nullable=False, server_default=""))
    tier: str = Field(sa_column=Column(String, nullable=False, server_default=""))
    spill_reason: str = Field(sa_column=Column(String, nullable=False, server_default=""))
    quantity: int = Field(sa_column=Column(BigInteger, nullable=False))
    run: int = Field(foreign_key="close_run.id")
    superseded_by: int | None = Field(default=None, foreign_key="close_run.id")
