"""ClickHouse, embedded (chdb) or a server: statements, and what is said when they fail."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import clickhouse_connect
import pyarrow as pa
from clickhouse_connect.driver.exceptions import ClickHouseError

from metering.keeping.parts_store import obstacle

_YIELDING = {"os_threads_nice_value_query": 10}
"""What statements leave to what receives, where the process may say so (CAP_SYS_NICE)."""
_ENGINE = {"os_threads_nice_value_merge_mutate": 10}
"""Merges leave it too."""
_INSERT = {"max_partitions_per_insert_block": 0, "async_insert": 0, "optimize_on_insert": 0}
_FAILURES = (ClickHouseError, OSError, RuntimeError)


class Engine:
    """What runs statements. Safe to use from several threads."""

    def __init__(self, client: Any, writer: Any = None) -> None:
        """Query by one client, and insert by another, if there is one."""
        self.client = client
        self._writer = writer or client

    @classmethod
    def open(cls, url: str, server_settings: dict[str, int | str]) -> Self:
        """Open ``chdb:///directory`` (in this process) or ``clickhouse://host:port/database``.

        Raises:
            StoreLockedError: another process has the directory open.
            StoreUnavailableError: no server answers.
        """
        directory = directory_of(url)
        if directory:
            client = _open_chdb(directory, _YIELDING, _ENGINE)
            return cls(client, _open_chdb(directory, _YIELDING))
        if urlsplit(url).scheme in {"clickhouse", "clickhouses"}:
            return cls(_open_server(url, server_settings))
        raise EventsUrlError(url)

    def close(self) -> None:
        """Close the engine; the directory may then be opened again."""
        if self._writer is not self.client:
            self._writer.close()
        self.client.close()

    def insert(self, table: str, rows: pa.Table) -> None:
        """Insert rows into a table; they are on the disk when this returns.

        Raises:
            StoreUnavailableError: they may not be there, or not all.
        """
        try:
            self._writer.insert_arrow(table, rows, settings=_INSERT)
        except _FAILURES as error:
            raise StoreUnavailableError(str(error)) from error

    def command(self, statement: str, parameters: dict[str, Any] | None = None) -> None:
        """Change something in the engine.

        Raises:
            StoreUnavailableError: it may not have happened.
        """
        try:
            self.client.command(statement, parameters=parameters)
        except _FAILURES as error:
            raise StoreUnavailableError(str(error)) from error

    def rows(self, query: str, parameters: dict[str, Any]) -> Sequence[Sequence[Any]]:
        """Query the engine.

        Raises:
            StoreUnavailableError: there is no answer.
        """
        try:
            found = self.client.query(query, parameters=parameters, query_tz="UTC")
        except _FAILURES as error:
            raise StoreUnavailableError(str(error)) from error
        return found.result_rows  # type: ignore[no-any-return]


class Settled:
    """A client whose statements see all that was acknowledged before them."""

    def __init__(self, client: Any, settle: Callable[[], None]) -> None:
        """Call ``settle`` before each statement; inserts need not wait for it."""
        self._client = client
        self._settle = settle

    def query(self, *args: Any, **named: Any) -> Any:
        """Query the engine."""
        self._settle()
        return self._client.query(*args, **named)

    def command(self, *args: Any, **named: Any) -> Any:
        """Change something in the engine, or ask for one value."""
        self._settle()
        return self._client.command(*args, **named)

    def insert_arrow(self, *args: Any, **named: Any) -> Any:
        """Insert rows into a table."""
        return self._client.insert_arrow(*args, **named)


def directory_of(url: str) -> Path | None:
    """Return the directory of an embedded store; None for the address of anything else."""
    parts = urlsplit(url)
    return Path(parts.path) if parts.scheme == "chdb" and not parts.netloc else None


def _open_chdb(
    directory: Path, settings: dict[str, int], engine: dict[str, int] | None = None
) -> Any:
    """Connect to the engine; ``engine`` is what it starts with, so the first connection says it."""
    directory.mkdir(parents=True, exist_ok=True)
    try:
        return clickhouse_connect.get_client(
            interface="chdb", path=str(directory), settings=settings, chdb_options=engine
        )
    except _FAILURES as error:
        found = str(error)
        raise obstacle(directory, found) or StoreLockedError(directory, found) from error


def _open_server(url: str, settings: dict[str, int | str]) -> Any:
    dsn = url.replace("clickhouse", "http", 1)
    try:
        return clickhouse_connect.get_client(
            dsn=dsn, settings=settings, autogenerate_session_id=False
        )
    except _FAILURES as error:
        raise StoreUnavailableError(str(error)) from error


class StoreUnavailableError(RuntimeError):
    """The event store did not do what was asked; nothing may be acknowledged."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the event store must accept the write or query, found: {reason}")


class StoreLockedError(RuntimeError):
    """The event store's directory is in use by another process."""

    def __init__(self, directory: Path, reason: str) -> None:
        super().__init__(
            f"the event store {directory} must be free, found it open in another process "
            f"(is `tallystick serve` running? then use its address): {reason.splitlines()[0]}"
        )


class EventsUrlError(ValueError):
    """An address that names no event store."""

    def __init__(self, url: str) -> None:
        super().__init__(
            f"the event store must be chdb:///directory or clickhouse://host, found {url!r}"
        )
