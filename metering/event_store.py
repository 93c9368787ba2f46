"""The event store: ClickHouse, embedded (chdb) or a server, behind one SQL dialect.

Durable when ``record`` returns: the journal, or both inserts, are fsynced before it does.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa

from metering import event_sql as sql
from metering.arrival import Arrival, Conflict
from metering.corrections.corrected_store import Corrected
from metering.corrections.correction import Correction, Corrections
from metering.engine_store import Engine, Settled, directory_of
from metering.event import UsageEvent
from metering.explain import Explained, UnknownRequestError, explained, judged
from metering.hashing import key_of
from metering.hour_store import HourStore
from metering.journal import Stamped
from metering.journal_store import FOR_EVER, Journal
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
JOURNAL = "journal"
"""The folder of the journal, in the directory of an embedded store."""
_AT_ONCE = 50_000
"""Rows that are inserted together, or keys asked for: the engine holds them in memory."""


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
        self,
        client: Any,
        now_ns: Callable[[], int],
        floor: int = 0,
        deployment: Deployment = ALONE,
        journal: Path | None = None,
    ) -> None:
        """Open the tables; ``now_ns`` gives nanoseconds since 1970 UTC for arrival stamps.

        ``floor`` is the last cutoff that was ever acted on: no later stamp may be below it, even
        where the clock stepped back while the service was down. Where others write too, stamps
        settle instead: see metering.scale.settling. Events are recorded by a journal where
        ``open`` gives one a directory, else by inserts.
        """
        self._engine = client if isinstance(client, Engine) else Engine(client)
        self._layout, settle_ns = deployment.layout, deployment.settle_ns
        self._is_shared = settle_ns > 0
        self._lock = threading.Lock()
        tables = (*ddl(EVENTS, self._layout), *ddl(SIGHTINGS, self._layout), CREATE_NO_KEYS)
        for statement in tables:
            self._engine.command(statement)
        self._journal = Journal(journal, self._put, self._put_again) if journal else None
        first = floor if self._is_shared else max(self._newest_stamp(), floor)
        self._stamps = Stamps(now_ns, self._store_now, first, settle_ns)
        self._corrected = Corrected(self.rows, self.command, self._layout)
        self._hours = HourStore(self._engine, self._corrected, self._stamps, deployment)

    @classmethod
    def open(
        cls, url: str, now_ns: Callable[[], int], floor: int = 0, deployment: Deployment = ALONE
    ) -> Self:
        """Open ``chdb:///directory`` (in this process) or ``clickhouse://host:port/database``.

        Raises:
            StoreLockedError: another process has the directory open.
            StoreUnavailableError: no server answers.
            StoreDamagedError: files are not as they were written.
        """
        engine = Engine.open(url, client_settings(deployment))
        directory = directory_of(url)
        journal = directory / JOURNAL if directory else None
        try:
            return cls(engine, now_ns, floor, deployment, journal)
        except BaseException:
            engine.close()
            raise

    def close(self) -> None:
        """Write what waits and close the engine; the directory may then be opened again."""
        if self._journal:
            self._journal.close()
        self._engine.close()

    @property
    def corrected(self) -> Corrected:
        """Which events corrections are about."""
        return self._corrected

    @property
    def client(self) -> Any:
        """The engine's client, for other tables in the same store."""
        return Settled(self._engine.client, self.settle)

    def settle(self, before: int = FOR_EVER) -> None:
        """Return when all that was recorded, and stamped before, is where statements see it.

        Raises:
            StoreUnavailableError: the engine did not take it. It is not lost.
        """
        if self._journal:
            self._journal.settle(before)

    def wrong(self) -> str:
        """Return why the engine does not take what was recorded; nothing where it does."""
        return self._journal.wrong() if self._journal else ""

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
            one = Stamped(batch, self._stamps.take(len(batch)))
            if self._journal:
                self._journal.append(one)
            else:
                self._put([one])
            self._stamps.check_visible(one.first)
        return len(batch)

    def _put(self, taken: Sequence[Stamped]) -> None:
        """Insert batches, thousands of rows at a time."""
        for group in _grouped(taken):
            stamps = [np.arange(one.first, one.first + len(one.batch)) for one in group]
            self._insert(joined([one.batch for one in group]), np.concatenate(stamps))

    def _put_again(self, taken: Sequence[Stamped]) -> None:
        """Insert of batches what is not there: they may have been inserted before, or in part."""
        for batch, first in taken:
            bounds = {"since": first, "before": first + len(batch)}
            stamps = np.arange(first, first + len(batch))
            there = [row[0] for row in self._engine.rows(sql.STAMPS_THERE, bounds)]
            left = np.isin(stamps, np.array(there, np.int64), invert=True)
            if left.any():
                self._insert(batch.filtered(left), stamps[left])

    def _insert(self, batch: Batch, stamps: Any) -> None:
        self._engine.insert("sightings", sightings(batch))
        self._engine.insert("events", stamped(batch, stamps))

    @property
    def stamps(self) -> Stamps:
        """What arrivals are stamped with, and how our clock stands to the store's."""
        return self._stamps

    def cutoff(self) -> int:
        """Return a stamp that every stored arrival is below and every later one is not.

        Where others write too, it trails: what came within the settling time is counted later.
        """
        with self._lock:
            cutoff = self._stamps.cutoff()
        self.settle()
        return cutoff

    def hours_touched(self, since: int, before: int) -> set[datetime]:
        """Return the hours whose sums may differ because of arrivals in ``[since, before)``."""
        self.settle(before)
        return self._hours.touched(since, before)

    def sums(
        self, hours: Sequence[datetime], before: int, corrections: Sequence[Correction] = ()
    ) -> dict[RawKey, Sums]:
        """Return the sums of whole hours, each call once, from arrivals stored before a stamp.

        ``corrections`` are those to heed, the oldest first; their events must have been marked.
        """
        self.settle(before)
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
        self.settle(before)
        return self._hours.told(keys, hours, before, heeded)

    def _told(
        self, keys: set[int], hours: Sequence[datetime], corrections: Sequence[Correction]
    ) -> tuple[list[Arrival], Corrections]:
        before = FOR_EVER if self._is_shared else self.cutoff()
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
        """Return how many rows are stored, resends that are not merged away yet included.

        Without those of the journal, where the engine does not take them: see ``wrong``.
        """
        if not self.wrong():
            self.settle()
        return int(self._engine.rows("SELECT count() FROM events", {})[0][0])

    def bytes_on_disk(self) -> int:
        """Return what the tables take on disk, compressed."""
        query = bytes_on_disk((EVENTS.name, SIGHTINGS.name), self._layout)
        return int(self.rows(query, {})[0][0])

    def count(self) -> int:
        """Return how many identities are stored."""
        return int(self.rows("SELECT uniqExact(event_id) FROM events", {})[0][0])

    def has(self, event_ids: Sequence[bytes]) -> set[bytes]:
        """Return which of these identities are stored."""
        keys = sorted({key_of(i) for i in event_ids})
        found: set[bytes] = set()
        for at in range(0, len(keys), _AT_ONCE):
            rows = self.rows(sql.HAS, {"keys": keys[at : at + _AT_ONCE]})
            found |= {bytes.fromhex(row[0]) for row in rows}
        return found & set(event_ids)

    def insert(self, table: str, rows: pa.Table) -> None:
        """Insert rows into a table, as ``Engine.insert``."""
        self._engine.insert(table, rows)

    def command(self, statement: str, parameters: dict[str, Any] | None = None) -> None:
        """Change something in the engine, as ``Engine.command``."""
        self.settle()
        self._engine.command(statement, parameters)

    def rows(self, query: str, parameters: dict[str, Any]) -> Sequence[Sequence[Any]]:
        """Query the engine, as ``Engine.rows``."""
        self.settle()
        return self._engine.rows(query, parameters)

    def _store_now(self) -> int:
        return int(self._engine.rows(_NOW, {})[0][0])

    def _newest_stamp(self) -> int:
        newest = self._engine.rows("SELECT max(toUnixTimestamp64Nano(stored_at)) FROM events", {})
        return int(newest[0][0])


def _grouped(taken: Sequence[Stamped]) -> Iterator[list[Stamped]]:
    """Yield batches in order, some at a time: as many rows as are inserted together."""
    group: list[Stamped] = []
    rows = 0
    for one in taken:
        if group and rows + len(one.batch) > _AT_ONCE:
            yield group
            group, rows = [], 0
        group.append(one)
        rows += len(one.batch)
    if group:
        yield group
