"""The quarantine in the event store: written before a body is acknowledged, one row a record."""

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
from clickhouse_connect.driver.exceptions import ClickHouseError

from metering.event_store import StoreUnavailableError
from metering.quarantine import Held, Quarantined

_CREATE = """
CREATE TABLE IF NOT EXISTS quarantine (
    key UInt64,
    reason String,
    service LowCardinality(String),
    scope LowCardinality(String),
    name LowCardinality(String),
    trace_id String,
    span_id String,
    ended_at UInt64,
    stored_at DateTime64(3, 'UTC'),
    earliest UInt64 MATERIALIZED toUInt64(9223372036854775807 - toUnixTimestamp64Milli(stored_at))
)
ENGINE = ReplacingMergeTree(earliest)
ORDER BY key
TTL toDateTime(stored_at) + INTERVAL 400 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
"""
_TEXTS = ("reason", "service", "scope", "name")
_ROWS = """
SELECT reason, service, scope, name, hex(trace_id), hex(span_id), ended_at
FROM quarantine FINAL ORDER BY stored_at DESC, key LIMIT {limit:UInt32}
"""
_HELD = """
SELECT caveat, count(), toUnixTimestamp64Nano(min(ended_at)), toUnixTimestamp64Nano(max(ended_at))
FROM (SELECT caveat, ended_at, quality FROM events WHERE role = 'bill' ORDER BY stored_at
      LIMIT 1 BY event_id)
WHERE quality != 'measured' GROUP BY caveat ORDER BY caveat
"""


class QuarantineStore:
    """Records set aside. Safe to use from several threads."""

    def __init__(self, client: Any, now_ns: Callable[[], int]) -> None:
        """Open the table in the engine of an event store."""
        self._client = client
        self._now_ns = now_ns
        self._client.command(_CREATE)

    def record_batches(self, batches: Sequence[Sequence[Quarantined]]) -> int:
        """Store records for good and return how many; resends replace each other.

        Raises:
            StoreUnavailableError: nothing may be acknowledged.
        """
        rows = [row for batch in batches for row in batch]
        columns = {
            "key": pa.array([row.key for row in rows], pa.uint64()),
            **{name: pa.array([getattr(row, name) for row in rows]) for name in _TEXTS},
            "trace_id": pa.array([row.trace_id for row in rows], pa.binary()),
            "span_id": pa.array([row.span_id for row in rows], pa.binary()),
            "ended_at": pa.array([row.ended_at for row in rows], pa.uint64()),
            "stored_at": pa.array([self._now_ns() // 1_000_000] * len(rows), pa.timestamp("ms")),
        }
        try:
            self._client.insert_arrow("quarantine", pa.table(columns))
        except (ClickHouseError, OSError, RuntimeError) as error:
            raise StoreUnavailableError(str(error)) from error
        return len(rows)

    def count(self) -> int:
        """Return how many records are set aside."""
        return int(self._rows("SELECT uniqExact(key) FROM quarantine", {})[0][0])

    def newest(self, limit: int = 1000) -> list[Quarantined]:
        """Return records, the newest first."""
        return [_quarantined(row) for row in self._rows(_ROWS, {"limit": limit})]

    def held(self) -> list[Held]:
        """Return stored usage that is not plainly measured, by caveat."""
        return [Held(*row) for row in self._rows(_HELD, {})]

    def _rows(self, query: str, parameters: dict[str, Any]) -> Sequence[Sequence[Any]]:
        try:
            found = self._client.query(query, parameters=parameters, query_tz="UTC")
        except (ClickHouseError, OSError, RuntimeError) as error:
            raise StoreUnavailableError(str(error)) from error
        return found.result_rows  # type: ignore[no-any-return]


def _quarantined(row: Sequence[Any]) -> Quarantined:
    reason, service, scope, name, trace_id, span_id, ended_at = row
    ids = bytes.fromhex(trace_id), bytes.fromhex(span_id)
    return Quarantined(reason, service, scope, name, *ids, ended_at)
