"""The ledger's engine, and every tables.py, so that metadata is complete."""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError
from sqlmodel import SQLModel

import metering.corrections.tables
import metering.days.tables
import metering.reconcile.tables
import metering.resources.tables
import metering.scale.tables
import metering.tables
import pricing.bills.tables
import pricing.contracts.tables
import pricing.ledger.tables
import pricing.prices.tables
import pricing.run.tables
import tallystick.api.tables

TABLE_MODULES = (
    metering.tables,
    metering.days.tables,
    metering.resources.tables,
    metering.reconcile.tables,
    metering.scale.tables,
    metering.corrections.tables,
    pricing.contracts.tables,
    pricing.bills.tables,
    pricing.prices.tables,
    pricing.run.tables,
    pricing.ledger.tables,
    tallystick.api.tables,
)
METADATA = SQLModel.metadata


def open_ledger(url: str) -> Engine:
    """Open the ledger and bring its tables up to date.

    Raises:
        LedgerUnavailableError: nobody answers at the address, or the file cannot be opened.
    """
    engine = make_engine(url)
    try:
        migrate(engine)
    except OperationalError as error:
        raise LedgerUnavailableError(engine.url.render_as_string(), str(error.orig)) from error
    return engine


def make_engine(url: str) -> Engine:
    """Return an engine for SQLite (WAL, durable commits) or PostgreSQL."""
    parsed = make_url(url)
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_pre_ping=True)
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_immediately)
    return engine


def migrate(engine: Engine, revision: str = "head") -> None:
    """Apply the migrations that are missing, up to a revision."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":  # several processes may start at once
            connection.execute(text("SELECT pg_advisory_xact_lock(7434)"))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """Set what SQLite needs per connection; transactions are begun by us, not by the driver."""
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediately(connection: Any) -> None:
    """Take the write lock at once: a reader that turns writer would fail under WAL."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


class LedgerUnavailableError(RuntimeError):
    """The ledger cannot be opened."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"the ledger {url} must be there, found: {' '.join(reason.split())}")
