"""Connections that add up how long the database took, and what of it was spent elsewhere."""

import sqlite3
import time
from collections.abc import Callable
from typing import Any

import psycopg
from sqlalchemy import Engine, event


class Spent:
    """Seconds in which the database worked, in this process."""

    seconds = 0.0


def timed(engine: Engine) -> Engine:
    """Have an engine's new connections timed."""
    engine.dispose()
    event.listen(engine, "do_connect", _CONNECT[engine.dialect.name])
    return engine


def _spent(work: Callable[..., Any], *args: Any, **options: Any) -> Any:
    began = time.perf_counter()
    try:
        return work(*args, **options)
    finally:
        Spent.seconds += time.perf_counter() - began


class _SqliteCursor(sqlite3.Cursor):
    """A cursor that is timed: SQLite works while rows are fetched."""

    def execute(self, *args: Any) -> Any:
        """Run a statement."""
        return _spent(super().execute, *args)

    def executemany(self, *args: Any) -> Any:
        """Run a statement for many rows."""
        return _spent(super().executemany, *args)

    def fetchone(self) -> Any:
        """Return the next row."""
        return _spent(super().fetchone)

    def fetchmany(self, *args: Any) -> Any:
        """Return some rows."""
        return _spent(super().fetchmany, *args)

    def fetchall(self) -> Any:
        """Return all rows that are left."""
        return _spent(super().fetchall)


class _SqliteConnection(sqlite3.Connection):
    def cursor(self, *_: Any) -> _SqliteCursor:  # type: ignore[override]
        """Return a cursor that is timed."""
        return super().cursor(_SqliteCursor)

    def commit(self) -> None:
        """Write what was done to the disk."""
        _spent(super().commit)


class _PostgresCursor(psycopg.Cursor[Any]):
    """A cursor that is timed, with what the client does to send and to receive."""

    def execute(self, *args: Any, **options: Any) -> Any:
        """Run a statement."""
        return _spent(super().execute, *args, **options)

    def executemany(self, *args: Any, **options: Any) -> None:
        """Run a statement for many rows."""
        _spent(super().executemany, *args, **options)


class _PostgresConnection(psycopg.Connection[Any]):
    def commit(self) -> None:
        """Have what was done written to the disk."""
        _spent(super().commit)


def _sqlite(_dialect: Any, _record: Any, args: Any, options: Any) -> sqlite3.Connection:
    return sqlite3.connect(*args, factory=_SqliteConnection, **options)


def _postgres(_dialect: Any, _record: Any, args: Any, options: Any) -> Any:
    return _PostgresConnection.connect(*args, cursor_factory=_PostgresCursor, **options)


_CONNECT: dict[str, Callable[..., Any]] = {"sqlite": _sqlite, "postgresql": _postgres}
