"""The event store: ClickHouse, embedded (chdb) or a server, behind one SQL dialect.

Durable when ``record`` returns: both inserts are fsynced before it does.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import clickhouse_connect
import pyarrow as pa
from clickhouse_connect.driver.exceptions import ClickHouseError

from metering import event_sql as sql
from metering.arrival import Arrival, Conflict
from metering.corrections.corrected_store import Corrected
from metering.corrections.correction import Correction, Corrections
from metering.event import UsageEvent
from metering.explain import Explained, UnknownRequestError, explained, judged
from metering.hashing import key_of
from metering.hour_store import HourStore
from metering.keeping.parts_store import obstacle
from metering.rollup import RawKey, Sums
from metering.scale.layout import ALONE, Deployment, bytes_on_disk, client_settings, ddl
from metering.scale.settling import Stamps
from metering.schema import (
    CREATE_NO_KEYS,
    EVENTS,
    SIGHTINGS,
    Batch,
    batch_of,
    joined,
    sightings,
    stamped,
)

_NOW = "SELECT toUnixTimestamp64Nano(now64(9))"
_FOR_EVER = 2**62
_DOUBLED_AT_ONCE = 250_000
"""Calls that are told more than once, chosen from in one go: their records are sorted in memory."""
_YIELDING = {"os_threads_nice_value_query": 10}
"""What reads leaves the processor to what receives, where the process may say so (CAP_SYS_NICE)."""
_ENGINE = {"os_threads_nice_value_merge_mutate": 10}
"""Merges leave it too: what they take, an insert that many wait for would wait for."""
_INSERT = {"max_partitions_per_insert_block": 0, "async_insert": 0, "optimize_on_insert": 0}


@dataclass(frozen=True, slots=True)
class Gap:
    """Numbers of a producer that are missing, from the first to the last."""

    producer: str
    first: int
    last: int
    after_ns: int
    """When the last record before them ended; 0 where there is none."""


@dataclass(frozen=True, slots=True)
class Watermark:
    """How far a source has come. Times are nanoseconds since 1970 UTC."""

    service: str
    producer: str
    records: int
    last_ended_at: int
    last_stored_at: int
    last_sequence: int
    """0 where it numbers none."""
    slowest_ns: int
    """The longest that a record took from its end until it was stored."""


class EventStore:
    """Arrivals in, sums of hours out. Safe to use from several threads."""

    def __init__(
        self, client: Any, now_ns: Callable[[], int], floor: int = 0, deployment: Deployment = ALONE
    ) -> None:
        """Open the tables; ``now_ns`` gives nanoseconds since 1970 UTC for arrival stamps.

        ``floor`` is the last cutoff that was ever acted on: no later stamp may be below it, even
        where the clock stepped back while the service was down. Where others write too, stamps
        settle instead: see metering.scale.settling.
        """
        self._client = self._writer = client
        self._layout, settle_ns = deployment.layout, deployment.settle_ns
        self._is_shared = settle_ns > 0
        self._lock = threading.Lock()
        tables = (*ddl(EVENTS, self._layout), *ddl(SIGHTINGS, self._layout), CREATE_NO_KEYS)
        for statement in tables:
            self._client.command(statement)
        first = floor if self._is_shared else max(self._newest_stamp(), floor)
        self._stamps = Stamps(now_ns, self._store_now, first, settle_ns)
        self._corrected = Corrected(self.rows, self.command, self._layout)
        self._hours = HourStore(self, self._layout, deployment.bands)

    @classmethod
    def open(
        cls, url: str, now_ns: Callable[[], int], floor: int = 0, deployment: Deployment = ALONE
    ) -> Self:
        """Open ``chdb:///directory`` (in this process) or ``clickhouse://host:port/database``.

        Raises:
            StoreLockedError: another process has the directory open.
            StoreUnavailableError: no server answers.
        """
        parts = urlsplit(url)
        if parts.scheme == "chdb" and not parts.netloc:
            client = _open_chdb(Path(parts.path), _YIELDING, _ENGINE)
            store = cls(client, now_ns, floor, deployment)
            store._writer = _open_chdb(Path(parts.path))
            return store
        if parts.scheme in {"clickhouse", "clickhouses"}:
            client = _open_server(url, client_settings(deployment))
            return cls(client, now_ns, floor, deployment)
        raise EventsUrlError(url)

    def close(self) -> None:
        """Close the engine; the directory may then be opened again."""
        if self._writer is not self._client:
            self._writer.close()
        self._client.close()

    @property
    def corrected(self) -> Corrected:
        """Which events corrections are about."""
        return self._corrected

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
            LateWriteError: it took so long that usage may have been summed without it.
        """
        batch = joined(batches)
        if not len(batch):
            return 0
        with self._lock:
            stamp = self._stamps.take(len(batch))
            self.insert("sightings", sightings(batch))
            self.insert("events", stamped(batch, stamp))
            self._stamps.check_visible(stamp)
        return len(batch)

    @property
    def stamps(self) -> Stamps:
        """What arrivals are stamped with, and how our clock stands to the store's."""
        return self._stamps

    def cutoff(self) -> int:
        """Return a stamp that every stored arrival is below and every later one is not.

        Where others write too, it trails: what came within the settling time is counted later.
        """
        with self._lock:
            return self._stamps.cutoff()

    def hours_touched(self, since: int, before: int) -> set[datetime]:
        """Return the hours whose sums may differ because of arrivals in ``[since, before)``."""
        return self._hours.touched(since, before)

    def sums(
        self, hours: Sequence[datetime], before: int, corrections: Sequence[Correction] = ()
    ) -> dict[RawKey, Sums]:
        """Return the sums of whole hours, each call once, from arrivals stored before a stamp.

        ``corrections`` are those to heed, the oldest first; their events must have been marked.
        """
        return self._hours.sums(hours, before, corrections)

    def hours_corrected(self, correction: str) -> set[datetime]:
        """Return the hours whose sums a correction, marked on its events, may change."""
        return self._hours.corrected(correction, self.cutoff())

    def explained(self, request: str, corrections: Sequence[Correction] = ()) -> list[Explained]:
        """Return every record that tells of a request, with what became of each.

        ``request`` is a response, request, trace, span or event id (the last three in hex).

        Raises:
            UnknownRequestError: no stored record has this id.
        """
        found = self.rows(sql.FOUND, {"text": request})
        if not found:
            raise UnknownRequestError(request)
        hours = [datetime.fromtimestamp(row[2], UTC) for row in found]
        arrivals, corrected = self._told({row[1] for row in found}, hours, corrections)
        return explained(arrivals, {bytes.fromhex(row[0]) for row in found}, corrected)

    def judged(
        self, keys: set[int], hours: Sequence[datetime], corrections: Sequence[Correction] = ()
    ) -> dict[bytes, Explained]:
        """Return what became of the records under keys in hours, and of those that they need."""
        return judged(*self._told(keys, hours, corrections))

    def told(
        self, keys: set[int], hours: Sequence[datetime], before: int, heeded: Sequence[Correction]
    ) -> tuple[list[Arrival], Corrections]:
        """Return the records that may tell of calls under keys in hours, with their corrections.

        Both as usage was summed from arrivals stored before a stamp.
        """
        return self._hours.told(keys, hours, before, heeded)

    def _told(
        self, keys: set[int], hours: Sequence[datetime], corrections: Sequence[Correction]
    ) -> tuple[list[Arrival], Corrections]:
        before = _FOR_EVER if self._is_shared else self.cutoff()
        return self._hours.told(keys, hours, before, corrections)

    def conflicts(self, limit: int = 1000) -> list[Conflict]:
        """Return arrivals that claim a known identity with other content, oldest first."""
        rows = self.rows(sql.CONFLICTS, {"limit": limit})
        return [Conflict(bytes.fromhex(event_id), first, later) for event_id, first, later in rows]

    def watermarks(self, since: int) -> list[Watermark]:
        """Return how far each source has come that sent anything since a stamp."""
        return [Watermark(*row) for row in self.rows(sql.WATERMARKS, {"since": since})]

    def gaps(self, limit: int = 1000, since: int = 0) -> list[Gap]:
        """Return the runs of numbers that producers gave and nobody received.

        ``since``: look only at what ended from then on, in nanoseconds since 1970 UTC.
        """
        return [Gap(*row) for row in self.rows(sql.GAPS, {"limit": limit, "since": since})]

    def arrivals(self) -> int:
        """Return how many rows are stored, resends that are not merged away yet included."""
        return int(self.rows("SELECT count() FROM events", {})[0][0])

    def bytes_on_disk(self) -> int:
        """Return what the tables take on disk, compressed."""
        query = bytes_on_disk((EVENTS.name, SIGHTINGS.name), self._layout)
        return int(self.rows(query, {})[0][0])

    def count(self) -> int:
        """Return how many identities are stored."""
        return int(self.rows("SELECT uniqExact(event_id) FROM events", {})[0][0])

    def has(self, event_ids: Sequence[bytes]) -> set[bytes]:
        """Return which of these identities are stored."""
        rows = self.rows(sql.HAS, {"keys": sorted({key_of(i) for i in event_ids})})
        return {bytes.fromhex(r[0]) for r in rows} & set(event_ids)

    def insert(self, table: str, rows: pa.Table) -> None:
        """Insert rows into a table.

        Raises:
            StoreUnavailableError: nothing may be acknowledged.
        """
        try:
            self._writer.insert_arrow(table, rows, settings=_INSERT)
        except (ClickHouseError, OSError, RuntimeError) as error:
            raise StoreUnavailableError(str(error)) from error

    def command(self, statement: str, parameters: dict[str, Any] | None = None) -> None:
        """Change something in the engine.

        Raises:
            StoreUnavailableError: it may not have happened.
        """
        try:
            self._client.command(statement, parameters=parameters)
        except (ClickHouseError, OSError, RuntimeError) as error:
            raise StoreUnavailableError(str(error)) from error

    def rows(self, query: str, parameters: dict[str, Any]) -> Sequence[Sequence[Any]]:
        """Query the engine.

        Raises:
            StoreUnavailableError: there is no answer.
        """
        try:
            found = self._client.query(query, parameters=parameters, query_tz="UTC")
        except (ClickHouseError, OSError, RuntimeError) as error:
            raise StoreUnavailableError(str(error)) from error
        return found.result_rows  # type: ignore[no-any-return]

    def _store_now(self) -> int:
        return int(self.rows(_NOW, {})[0][0])

    def _newest_stamp(self) -> int:
        newest = self.rows("SELECT max(toUnixTimestamp64Nano(stored_at)) FROM events", {})
        return int(newest[0][0])


def _open_chdb(
    directory: Path, settings: dict[str, int] | None = None, engine: dict[str, int] | None = None
) -> Any:
    """Connect to the engine; ``engine`` is what it starts with, so the first connection says it."""
    directory.mkdir(parents=True, exist_ok=True)
    try:
        return clickhouse_connect.get_client(
            interface="chdb", path=str(directory), settings=settings, chdb_options=engine
        )
    except (ClickHouseError, OSError, RuntimeError) as error:
        found = str(error)
        raise obstacle(directory, found) or StoreLockedError(directory, found) from error


def _open_server(url: str, settings: dict[str, int | str]) -> Any:
    dsn = url.replace("clickhouse", "http", 1)
    try:
        return clickhouse_connect.get_client(
            dsn=dsn, settings=settings, autogenerate_session_id=False
        )
    except (ClickHouseError, OSError, RuntimeError) as error:
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
