"""The quarantine in the event store: written before a body is acknowledged, one row a record."""

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
from clickhouse_connect.driver.exceptions import ClickHouseError

from metering.engine_store import StoreUnavailableError
from metering.quarantine import Held, Quarantined
from metering.scale.layout import PLAIN, Layout, Table, ddl

_EARLIEST = "toUInt64(9223372036854775807 - toUnixTimestamp64Milli(stored_at))"

QUARANTINE = Table(
    name="quarantine",
    columns=(
        "key UInt64",
        "reason String",
        "service LowCardinality(String)",
        "scope LowCardinality(String)",
        "name LowCardinality(String)",
        "trace_id String",
        "span_id String",
        "ended_at UInt64",
        "stored_at DateTime64(3, 'UTC')",
        f"earliest UInt64 MATERIALIZED {_EARLIEST}",
    ),
    version="earliest",
    order_by="key",
    shard_by="key",
    ttl="toDateTime(stored_at) + INTERVAL 400 DAY",
)
_TEXTS = ("reason", "service", "scope", "name")
_ROWS = """
SELECT reason, service, scope, name, hex(trace_id), hex(span_id), ended_at FROM quarantine FINAL
"""
_NEWEST = f"""{_ROWS} WHERE key NOT IN {{decided:Array(UInt64)}}
ORDER BY stored_at DESC, key LIMIT {{limit:UInt32}}
"""
_ONE = f"{_ROWS} WHERE key = {{key:UInt64}}"
_COUNT = "SELECT uniqExact(key) FROM quarantine WHERE key NOT IN {decided:Array(UInt64)}"
_IS_ANY_DOUBTFUL = "SELECT count() FROM events WHERE quality != 'measured'"
_HELD = """
SELECT caveat, count(), toUnixTimestamp64Nano(min(ended_at)), toUnixTimestamp64Nano(max(ended_at))
FROM (SELECT caveat, ended_at, quality FROM events
      WHERE role = 'bill'
      AND event_key IN (SELECT event_key FROM events WHERE quality != 'measured')
      AND event_id NOT IN (
          SELECT event_id FROM corrected WHERE correction IN {settled:Array(String)})
      ORDER BY stored_at, content_hash LIMIT 1 BY event_id)
WHERE quality NOT IN ('measured', 'accepted') GROUP BY caveat ORDER BY caveat
"""


class QuarantineStore:
    """Records set aside. Safe to use from several threads."""

    def __init__(self, client: Any, now_ns: Callable[[], int], layout: Layout = PLAIN) -> None:
        """Open the table in the engine of an event store."""
        self._client = client
        self._now_ns = now_ns
        for statement in ddl(QUARANTINE, layout):
            self._client.command(statement)

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

    def count(self, decided: Sequence[int] = ()) -> int:
        """Return how many records are set aside about which nothing is decided."""
        return int(self._rows(_COUNT, {"decided": list(decided)})[0][0])

    def newest(self, limit: int = 1000, decided: Sequence[int] = ()) -> list[Quarantined]:
        """Return records about which nothing is decided, the newest first."""
        asked = {"limit": limit, "decided": list(decided)}
        return [_quarantined(row) for row in self._rows(_NEWEST, asked)]

    def one(self, key: int) -> Quarantined:
        """Return a record by its key.

        Raises:
            UnknownRecordError: none is set aside under it.
        """
        for row in self._rows(_ONE, {"key": key}):
            return _quarantined(row)
        raise UnknownRecordError(key)

    def held(self, settled: Sequence[str] = ()) -> list[Held]:
        """Return stored usage that is not plainly measured, by caveat.

        What the corrections ``settled`` are about is left out.
        """
        if not self._rows(_IS_ANY_DOUBTFUL, {})[0][0]:
            return []
        return [Held(*row) for row in self._rows(_HELD, {"settled": list(settled)})]

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


class UnknownRecordError(LookupError):
    """No record is set aside under a key."""

    def __init__(self, key: int) -> None:
        super().__init__(f"the key must be that of a record set aside, found {key:016x}")
