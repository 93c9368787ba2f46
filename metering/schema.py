"""The columns of the event table: one list drives its definition and every insert.

Changing this list changes what is stored for ever: add columns at the end, with a default.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import pyarrow as pa

from metering.event import TOKEN_CLASSES, UsageEvent
from metering.rollup import Arrival

_LABEL = "LowCardinality(String)"
_INSTANT = "DateTime64(9, 'UTC')"


@dataclass(frozen=True, slots=True)
class Column:
    """One stored column: its name, its two types, and how its value is read from an event."""

    name: str
    sql_type: str
    arrow_type: pa.DataType
    read: Callable[[UsageEvent], Any]
    codec: str = ""

    @property
    def ddl(self) -> str:
        """Return the column's line in CREATE TABLE."""
        return f"{self.name} {self.sql_type}" + (f" CODEC({self.codec})" if self.codec else "")


def _text(path: str, sql_type: str = _LABEL) -> Column:
    return Column(path.rpartition(".")[2], sql_type, pa.string(), attrgetter(path))


def _number(path: str, sql_type: str, arrow_type: pa.DataType) -> Column:
    return Column(path.rpartition(".")[2], sql_type, arrow_type, attrgetter(path))


def _instant(path: str) -> Column:
    name = path.rpartition(".")[2]
    return Column(name, _INSTANT, pa.timestamp("ns", "UTC"), attrgetter(path), "Delta, ZSTD(1)")


def _bytes(path: str, width: int = 0) -> Column:
    sql_type = f"FixedString({width})" if width else "String"
    return Column(path, sql_type, pa.binary(width or -1), attrgetter(path))


COLUMNS: tuple[Column, ...] = (
    _bytes("event_id", 16),
    _bytes("call_id", 16),
    _instant("started_at"),
    _instant("ended_at"),
    _bytes("trace_id"),
    _bytes("span_id"),
    _bytes("parent_span_id"),
    *(
        _text(f"source.{name}")
        for name in (
            "tenant", "project", "api_key", "end_user", "cluster", "database", "gateway",
            "route", "pool", "spill_reason", "residency", "resource", "instance", "region",
            "network", "call_path", "caller",
        )
    ),
    *(_text(f"call.{name}") for name in ("provider", "requested_model", "model", "operation")),
    _text("call.response_id", "String"),
    _text("call.request_id", "String"),
    _number("call.attempt", "UInt16", pa.uint16()),
    _text("call.outcome"),
    _number("call.status_code", "UInt16", pa.uint16()),
    _number("call.stream", "Bool", pa.bool_()),
    _number("call.ttft_ns", "Int64", pa.int64()),
    _number("call.queue_ns", "Int64", pa.int64()),
    *(_number(f"tokens.{name}", "Int64", pa.int64()) for name in TOKEN_CLASSES),
    *(
        Column(f"{name}_quality", _LABEL, pa.string(), attrgetter(f"qualities.{name}"))
        for name in TOKEN_CLASSES
    ),
    _text("quality"),
    _text("role"),
    _text("dialect"),
    _number("rank", "UInt8", pa.uint8()),
    _number("is_choice", "Bool", pa.bool_()),
    _number("content_hash", "UInt64", pa.uint64()),
)  # fmt: skip

STORED_AT = "stored_at"

CREATE_EVENTS = f"""
CREATE TABLE IF NOT EXISTS events (
    {", ".join(c.ddl for c in COLUMNS)},
    other Map(LowCardinality(String), Int64) DEFAULT map(),
    other_quality Map(LowCardinality(String), LowCardinality(String)) DEFAULT map(),
    {STORED_AT} {_INSTANT} CODEC(Delta, ZSTD(1)),
    earliest UInt64 MATERIALIZED toUInt64(9223372036854775807 - toUnixTimestamp64Nano(stored_at)),
    event_key UInt64 MATERIALIZED reinterpretAsUInt64(substring(event_id, 1, 8)),
    call_key UInt64 MATERIALIZED reinterpretAsUInt64(substring(call_id, 1, 8)),
    INDEX by_stored_at stored_at TYPE minmax GRANULARITY 1,
    INDEX by_ended_at ended_at TYPE minmax GRANULARITY 1,
    INDEX by_event_key event_key TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_call_key call_key TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(earliest)
PARTITION BY toYYYYMMDD(ended_at)
ORDER BY (tenant, toStartOfHour(ended_at), event_id, content_hash)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 10485760
"""
"""One row per identity *and content*: merging drops resends, the earliest stamp stays, and a
conflicting row is never merged away. ``other`` is for token classes that have no column yet."""

CREATE_SIGHTINGS = """
CREATE TABLE IF NOT EXISTS sightings (
    key UInt64,
    hour DateTime('UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY (key, hour)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
"""
"""In which hours an identity or a call was seen, so that a call told of in two hours is found
without reading all hours. Written before the events: a stray sighting only costs a look."""


NO_KEYS = "no_keys"
CREATE_NO_KEYS = f"CREATE TABLE IF NOT EXISTS {NO_KEYS} (key UInt64) ENGINE = Memory"
"""Always empty: the contested keys of hours that have none, which is nearly always."""


def arrow_of(arrivals: Sequence[Arrival]) -> pa.Table:
    """Return the arrivals as an Arrow table with the columns of the event table."""
    events = [a.event for a in arrivals]
    names = [c.name for c in COLUMNS]
    arrays = [pa.array([c.read(e) for e in events], c.arrow_type) for c in COLUMNS]
    stamps = pa.array([a.stored_at for a in arrivals], pa.timestamp("ns", "UTC"))
    return pa.table([*arrays, stamps], names=[*names, STORED_AT])
