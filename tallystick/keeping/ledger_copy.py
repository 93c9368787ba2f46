"""Copies of the ledger, as it was at one instant, while others write to it."""

import shutil
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Engine, MetaData, Table, func, inspect, select, text

from tallystick.database import make_engine, migrate
from tallystick.keeping.events_copy import check_rows
from tallystick.keeping.manifest import StoreCopy

_FILE = "ledger.db"
_REVISION_TABLE = "alembic_version"
_REVISION = "revision"
_CHUNK = 1 << 20


def copy_ledger(engine: Engine, folder: Path) -> StoreCopy:
    """Copy a ledger below a folder: a file for SQLite, a file a table for PostgreSQL."""
    folder.mkdir(parents=True)
    if engine.dialect.name == "sqlite":
        return _copy_sqlite(engine, folder / _FILE)
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        tables = _tables(connection)
        for table in tables:
            _copy_out(connection, table, folder / f"{table.name}.copy")
        return _copied(connection, tables)


def restore_ledger(copy: StoreCopy, folder: Path, url: str) -> None:
    """Fill an empty ledger from the copy below a folder: all of it or nothing.

    Raises:
        IncompleteRestoreError: the ledger does not hold the rows that the copy held.
    """
    engine = make_engine(url)
    try:
        if engine.dialect.name == "sqlite":
            _restore_sqlite(copy, folder / _FILE, Path(str(engine.url.database)))
        else:
            _restore_postgresql(copy, folder, engine)
    finally:
        engine.dispose()


def rows_in_ledger(engine: Engine) -> int:
    """Return how many rows there are, whatever tables there are."""
    with engine.connect() as connection:
        return sum(_row_counts(connection, _tables(connection)).values())


def _copy_sqlite(engine: Engine, target: Path) -> StoreCopy:
    copy = sqlite3.connect(target)
    source = sqlite3.connect(str(engine.url.database))
    try:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
    finally:
        source.close()
        copy.close()
    copied = make_engine(f"sqlite:///{target}")
    try:
        with copied.connect() as connection:
            return _copied(connection, _tables(connection))
    finally:
        copied.dispose()
        _checkpoint(target)


def _checkpoint(database: Path) -> None:
    """Leave one file, without those of the write-ahead log."""
    connection = sqlite3.connect(database)
    try:
        connection.execute("PRAGMA journal_mode=DELETE")
    finally:
        connection.close()


def _restore_sqlite(copy: StoreCopy, source: Path, target: Path) -> None:
    beside = target.with_name(target.name + ".restoring")
    beside.unlink(missing_ok=True)
    shutil.copyfile(source, beside)
    engine = make_engine(f"sqlite:///{beside}")
    try:
        with engine.connect() as connection:
            check_rows(copy.rows, _row_counts(connection, _tables(connection)))
    finally:
        engine.dispose()
    _checkpoint(beside)
    beside.replace(target)


def _restore_postgresql(copy: StoreCopy, folder: Path, engine: Engine) -> None:
    migrate(engine, copy.schema[_REVISION])
    with engine.begin() as connection:
        tables = _tables(connection)
        names = ", ".join(f'"{table.name}"' for table in tables)
        connection.execute(text(f"TRUNCATE {names}"))
        for table in tables:
            _copy_in(connection, table, folder / f"{table.name}.copy")
            _continue_numbering(connection, table)
        check_rows(copy.rows, _row_counts(connection, tables))


def _copied(connection: Connection, tables: Iterable[Table]) -> StoreCopy:
    revision = MigrationContext.configure(connection).get_current_revision() or ""
    rows = _row_counts(connection, tables)
    return StoreCopy(connection.dialect.name, {_REVISION: revision}, rows)


def _tables(connection: Connection) -> list[Table]:
    """Return the tables that a database has, those that others refer to first."""
    metadata = MetaData()
    metadata.reflect(connection)
    return [table for table in metadata.sorted_tables if table.name != _REVISION_TABLE]


def _row_counts(connection: Connection, tables: Iterable[Table]) -> dict[str, int]:
    counted = {t.name: connection.scalar(select(func.count()).select_from(t)) for t in tables}
    return {name: rows or 0 for name, rows in counted.items()}


def _columns(table: Table) -> str:
    return ", ".join(f'"{column.name}"' for column in table.columns)


def _copy_out(connection: Connection, table: Table, target: Path) -> None:
    statement = f'COPY "{table.name}" ({_columns(table)}) TO STDOUT'
    with target.open("wb") as file, _cursor(connection).copy(statement) as rows:
        for block in rows:
            file.write(block)


def _copy_in(connection: Connection, table: Table, source: Path) -> None:
    statement = f'COPY "{table.name}" ({_columns(table)}) FROM STDIN'
    with source.open("rb") as file, _cursor(connection).copy(statement) as rows:
        while block := file.read(_CHUNK):
            rows.write(block)


def _cursor(connection: Connection) -> Any:
    """Return a cursor of the driver, in the transaction of the connection."""
    driver = connection.connection.driver_connection
    assert driver is not None
    return driver.cursor()


def _continue_numbering(connection: Connection, table: Table) -> None:
    """Let numbers that the database gives go on after those that came back."""
    for column in inspect(connection).get_columns(table.name):
        if "nextval" in str(column["default"]):
            named = {"table": f'"{table.name}"', "column": column["name"]}
            newest = select(func.max(table.c[column["name"]])).scalar_subquery()
            sequence = func.pg_get_serial_sequence(named["table"], named["column"])
            connection.execute(select(func.setval(sequence, func.coalesce(newest, 1))))
