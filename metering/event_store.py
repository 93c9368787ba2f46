"""The event store: ClickHouse, embedded (chdb) or a server, behind one SQL dialect.

Durable when ``record`` returns: both inserts are fsynced before it does.
"""

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import clickhouse_connect
import pyarrow as pa
from clickhouse_connect.driver.exceptions import ClickHouseError

from metering import event_sql as sql
from metering.event import Role, UsageEvent
from metering.explain import Explained, UnknownRequestError, explained
from metering.hashing import key_of
from metering.period import HOUR
from metering.rollup import Arrival, Conflict, RawKey, Sums, added, fold
from metering.schema import (
    CREATE_EVENTS,
    CREATE_NO_KEYS,
    CREATE_SIGHTINGS,
    NO_KEYS,
    Batch,
    batch_of,
    joined,
    sightings,
    stamped,
)

_INSERT = {"max_partitions_per_insert_block": 0, "async_insert": 0, "optimize_on_insert": 0}


@dataclass(frozen=True, slots=True)
class Gap:
    """Numbers of a producer that are missing, from the first to the last."""

    producer: str
    first: int
    last: int
    after_ns: int
    """When the last record before them ended; 0 where there is none."""


class EventStore:
    """Arrivals in, sums of hours out. Safe to use from several threads."""

    def __init__(self, client: Any, now_ns: Callable[[], int], floor: int = 0) -> None:
        """Open the tables; ``now_ns`` gives nanoseconds since 1970 UTC for arrival stamps.

        ``floor`` is the last cutoff that was ever acted on: no later stamp may be below it, even
        where the clock stepped back while the service was down.
        """
        self._client = client
        self._now_ns = now_ns
        self._lock = threading.Lock()
        for statement in (CREATE_EVENTS, CREATE_SIGHTINGS, CREATE_NO_KEYS):
            self._client.command(statement)
        self._last_stamp = max(self._newest_stamp(), floor)

    @classmethod
    def open(cls, url: str, now_ns: Callable[[], int], floor: int = 0) -> Self:
        """Open ``chdb:///directory`` (in this process) or ``clickhouse://host:port/database``.

        Raises:
            StoreLockedError: another process has the directory open.
            StoreUnavailableError: no server answers.
        """
        parts = urlsplit(url)
        if parts.scheme == "chdb" and not parts.netloc:
            return cls(_open_chdb(Path(parts.path)), now_ns, floor)
        if parts.scheme in {"clickhouse", "clickhouses"}:
            return cls(_open_server(url), now_ns, floor)
        raise EventsUrlError(url)

    def close(self) -> None:
        """Close the engine; the directory may then be opened again."""
        self._client.close()

    @property
    def client(self) -> Any:
        """The engine's client, for other tables in the same store."""
        return self._client

    def record(self, events: Sequence[UsageEvent]) -> int:
        """Store events for good and return how many; resends are stored and counted once later.

        Raises:
            StoreUnavailableError: nothing may be acknowledged.
        """
        return self.record_batches([batch_of(events)])

    def record_batches(self, batches: Sequence[Batch]) -> int:
        """Store batches for good, all or none of them, and return how many events they hold.

        Raises:
            StoreUnavailableError: nothing may be acknowledged.
        """
        batch = joined(batches)
        if not len(batch):
            return 0
        with self._lock:
            stamp = max(self._now_ns(), self._last_stamp + 1)
            self._last_stamp = stamp + len(batch) - 1
            try:
                self._client.insert_arrow("sightings", sightings(batch), settings=_INSERT)
                self._client.insert_arrow("events", stamped(batch, stamp), settings=_INSERT)
            except (ClickHouseError, OSError, RuntimeError) as error:
                raise StoreUnavailableError(str(error)) from error
        return len(batch)

    def cutoff(self) -> int:
        """Return a stamp that every stored arrival is below and every later one is not."""
        with self._lock:
            self._last_stamp = max(self._now_ns(), self._last_stamp + 1)
            return self._last_stamp

    def hours_touched(self, since: int, before: int) -> set[datetime]:
        """Return the hours whose sums may differ because of arrivals in ``[since, before)``."""
        bounds = {"since": since, "before": before}
        touched = {r[0] for r in self._rows(sql.TOUCHED, bounds)}
        related = {r[0] for r in self._rows(sql.TOUCHED_RELATED, bounds)}
        return {_aware(hour) for hour in touched | related}

    def sums(self, hours: Sequence[datetime], before: int) -> dict[RawKey, Sums]:
        """Return the sums of whole hours, each call once, from arrivals stored before a stamp."""
        if not hours:
            return {}
        span = _span(hours, before)
        wanted = set(hours)
        with self._key_table(self._contested(span)) as contested:
            told_in_many = fold(self._arrivals(contested, before))
            query = sql.with_keys(sql.SUMS, contested.name)
            rows = self._rows(query, {**span, "role": Role.BILL.value})
        simple = dict(sql.sums_of(row) for row in rows)
        return {
            key: sums for key, sums in added([simple, told_in_many]).items() if key.hour in wanted
        }

    def explained(self, request: str) -> list[Explained]:
        """Return every record that tells of a request, with what became of each.

        ``request`` is a response, request, trace, span or event id (the last three in hex).

        Raises:
            UnknownRequestError: no stored record has this id.
        """
        found = self._rows(sql.FOUND, {"text": request})
        if not found:
            raise UnknownRequestError(request)
        before = self.cutoff()
        hours = {row[2] for row in found}
        told = {"start": min(hours), "end": max(hours) + 3600, "before": before}
        alike = self._keys(sql.ALIKE, {**told, "role": Role.BILL.value})
        with self._key_table({row[1] for row in found} | alike) as keys:
            arrivals = self._arrivals(keys, before)
        return explained(arrivals, {bytes.fromhex(row[0]) for row in found})

    def conflicts(self, limit: int = 1000) -> list[Conflict]:
        """Return arrivals that claim a known identity with other content, oldest first."""
        rows = self._rows(sql.CONFLICTS, {"limit": limit})
        return [Conflict(bytes.fromhex(event_id), first, later) for event_id, first, later in rows]

    def gaps(self, limit: int = 1000) -> list[Gap]:
        """Return the runs of numbers that producers gave and nobody received."""
        return [Gap(*row) for row in self._rows(sql.GAPS, {"limit": limit})]

    def arrivals(self) -> int:
        """Return how many rows are stored, resends that are not merged away yet included."""
        return int(self._rows("SELECT count() FROM events", {})[0][0])

    def bytes_on_disk(self) -> int:
        """Return what the tables take on disk, compressed."""
        return int(self._rows(sql.BYTES_ON_DISK, {})[0][0])

    def count(self) -> int:
        """Return how many identities are stored."""
        return int(self._rows("SELECT uniqExact(event_id) FROM events", {})[0][0])

    def has(self, event_ids: Sequence[bytes]) -> set[bytes]:
        """Return which of these identities are stored."""
        rows = self._rows(sql.HAS, {"keys": sorted({key_of(i) for i in event_ids})})
        return {bytes.fromhex(r[0]) for r in rows} & set(event_ids)

    @contextmanager
    def _key_table(self, keys: set[int]) -> Iterator["_Keys"]:
        """Hold keys in a table of their own while a query needs them: they may be many."""
        if not keys:
            yield _Keys(NO_KEYS, set())
            return
        table = _Keys(f"keys_{uuid.uuid4().hex}", keys)
        self._command(f"CREATE TABLE {table.name} (key UInt64) ENGINE = Memory")
        try:
            self._insert_keys(table.name, keys)
            yield table
        finally:
            self._command(f"DROP TABLE {table.name}")

    def _arrivals(self, contested: "_Keys", before: int) -> list[Arrival]:
        """Read the arrivals under contested keys, and under the keys that those lead to."""
        if not contested.keys:
            return []
        bounds = {"before": before}
        while True:
            linked = self._keys(sql.with_keys(sql.LINKED, contested.name), bounds)
            grown = linked - contested.keys
            if not grown:
                break
            contested.keys.update(grown)
            self._insert_keys(contested.name, grown)
        rows = self._rows(sql.with_keys(sql.ARRIVALS, contested.name), bounds)
        return [sql.arrival_of(row) for row in rows]

    def _contested(self, span: dict[str, Any]) -> set[int]:
        """Return the keys of calls that more than one record may tell, across hours or ids."""
        told = {**span, "role": Role.BILL.value}
        queries = (sql.CONTESTED, sql.CALLED, sql.CALLING, sql.ALIKE)
        return {key for query in queries for key in self._keys(query, told)}

    def _keys(self, query: str, parameters: dict[str, Any]) -> set[int]:
        return {key for row in self._rows(query, parameters) for key in row if key}

    def _insert_keys(self, table: str, keys: set[int]) -> None:
        if keys:
            column = pa.array(sorted(keys), pa.uint64())
            self._client.insert_arrow(table, pa.table([column], names=["key"]))

    def _command(self, statement: str) -> None:
        try:
            self._client.command(statement)
        except (ClickHouseError, OSError, RuntimeError) as error:
            raise StoreUnavailableError(str(error)) from error

    def _rows(self, query: str, parameters: dict[str, Any]) -> Sequence[Sequence[Any]]:
        try:
            found = self._client.query(query, parameters=parameters, query_tz="UTC")
        except (ClickHouseError, OSError, RuntimeError) as error:
            raise StoreUnavailableError(str(error)) from error
        return found.result_rows  # type: ignore[no-any-return]

    def _newest_stamp(self) -> int:
        newest = self._rows("SELECT max(toUnixTimestamp64Nano(stored_at)) FROM events", {})
        return int(newest[0][0])


@dataclass(frozen=True, slots=True)
class _Keys:
    """A table of keys, and what is in it."""

    name: str
    keys: set[int]


def _open_chdb(directory: Path) -> Any:
    directory.mkdir(parents=True, exist_ok=True)
    try:
        return clickhouse_connect.get_client(interface="chdb", path=str(directory))
    except (ClickHouseError, OSError, RuntimeError) as error:
        raise StoreLockedError(directory, str(error)) from error


def _open_server(url: str) -> Any:
    try:
        return clickhouse_connect.get_client(dsn=url.replace("clickhouse", "http", 1))
    except (ClickHouseError, OSError, RuntimeError) as error:
        raise StoreUnavailableError(str(error)) from error


def _span(hours: Sequence[datetime], before: int) -> dict[str, Any]:
    return {
        "start": int(min(hours).timestamp()),
        "end": int((max(hours) + HOUR).timestamp()),
        "before": before,
    }


def _aware(hour: datetime) -> datetime:
    return hour if hour.tzinfo else hour.replace(tzinfo=UTC)


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
