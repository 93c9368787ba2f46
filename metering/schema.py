"""The columns of the event table: one list drives its definition and every insert.

Changing this list changes what is stored for ever: add columns at the end, with a default.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np
import pyarrow as pa

from metering.arrow import without_pandas
from metering.event import RESPONSE_PREFIX, TOKEN_CLASSES, UsageEvent, span_identity
from metering.hashing import BELOW, key_of
from metering.scale.layout import Table

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


def _text(path: str, sql_type: str = _LABEL, codec: str = "") -> Column:
    return Column(path.rpartition(".")[2], sql_type, pa.string(), attrgetter(path), codec)


def _number(path: str, sql_type: str, arrow_type: pa.DataType, codec: str = "") -> Column:
    return Column(path.rpartition(".")[2], sql_type, arrow_type, attrgetter(path), codec)


def _instant(path: str) -> Column:
    name = path.rpartition(".")[2]
    return Column(name, _INSTANT, pa.timestamp("ns", "UTC"), attrgetter(path), "Delta, ZSTD(1)")


def _count(path: str) -> Column:
    name = path.rpartition(".")[2]
    return Column(name, "Int64", pa.int64(), attrgetter(path), "T64, ZSTD(1)")


def _bytes(name: str, read: Callable[[UsageEvent], bytes], codec: str = "") -> Column:
    return Column(name, "String", pa.binary(), read, codec)


def _has_own_identity(event: UsageEvent) -> bool:
    """Whether the identity is not made of the trace and span id, so that these are kept too."""
    return event.event_id != span_identity(event.trace_id, event.span_id)


def _quality_letters(event: UsageEvent) -> str:
    """Return the first letters of the qualities, in the order of the token classes.

    One column of few values instead of six.
    """
    return "".join(getattr(event.qualities, name)[0] for name in TOKEN_CLASSES)


COLUMNS: tuple[Column, ...] = (
    _bytes("event_id", attrgetter("event_id"), "LZ4"),
    _instant("started_at"),
    _instant("ended_at"),
    _bytes("own_trace_id", lambda e: e.trace_id if _has_own_identity(e) else b"", "ZSTD(1)"),
    _bytes("own_span_id", lambda e: e.span_id if _has_own_identity(e) else b"", "ZSTD(1)"),
    _bytes("parent_span_id", attrgetter("parent_span_id"), "ZSTD(1)"),
    *(
        _text(f"source.{name}")
        for name in (
            "tenant", "project", "api_key", "end_user", "cluster", "database", "gateway",
            "route", "pool", "spill_reason", "residency", "resource", "instance", "region",
            "network", "call_path", "caller",
        )
    ),
    *(_text(f"call.{name}") for name in ("provider", "requested_model", "model", "operation")),
    _text("call.response_id", "String", "ZSTD(1)"),
    _text("call.request_id", "String", "ZSTD(1)"),
    _number("call.attempt", "UInt16", pa.uint16()),
    _text("call.outcome"),
    _number("call.status_code", "UInt16", pa.uint16()),
    _number("call.stream", "Bool", pa.bool_()),
    _count("call.ttft_ns"),
    _count("call.queue_ns"),
    *(_count(f"tokens.{name}") for name in TOKEN_CLASSES),
    Column("qualities", _LABEL, pa.string(), _quality_letters),
    _text("quality"),
    _text("role"),
    _text("dialect"),
    _number("rank", "UInt8", pa.uint8()),
    _number("is_choice", "Bool", pa.bool_()),
    _number("content_hash", "UInt64", pa.uint64(), "NONE"),
    _text("caveat"),
    _text("producer"),
    _number("sequence", "UInt64", pa.uint64(), "T64, ZSTD(1)"),
    _text("call.tier"),
)  # fmt: skip

STORED_AT = "stored_at"
_ENDED_AT = "ended_at"
without_pandas()
SCHEMA = pa.schema([(c.name, c.arrow_type) for c in COLUMNS])
"""What a batch looks like before it is stamped."""

_SELDOM_MERGED = "merge_selector_base = 16"
_KEY = "bitShiftRight(xxHash64({}), 16)"
_EARLIEST = "toUInt64(9223372036854775807 - toUnixTimestamp64Nano(stored_at))"
STAMPS = (
    f"{STORED_AT} {_INSTANT} CODEC(Delta, ZSTD(1))",
    f"earliest UInt64 MATERIALIZED {_EARLIEST} CODEC(Delta, ZSTD(1))",
)
"""When a row arrived, and what is highest for the first to arrive."""
_LINK_KEY = (
    "if(parent_span_id = '' OR trace_id = '', 0, "
    f"{_KEY.format('concat(trace_id, parent_span_id)')})"
)
_TRACE_ID = "if(length(event_id) = 24, substring(event_id, 1, 16), own_trace_id)"
_SPAN_ID = "if(length(event_id) = 24, substring(event_id, 17), own_span_id)"
_CALL_ID = f"""multiIf(
        response_id != '', concat('{RESPONSE_PREFIX.decode()}', response_id),
        {{trace_id}} != '' AND {{span_id}} != '', concat({{trace_id}}, {{span_id}}),
        event_id)"""

_STORED_KEYS = tuple(
    f"{name} UInt64 DEFAULT {_KEY.format(identity)} CODEC(T64, ZSTD(1))"
    for name, identity in (("event_key", "event_id"), ("call_key", "call_id"))
)
"""Stored, though they could be worked out: reading the texts that they are made of takes ten times
as long, and what is told of twice is looked for among all rows of an hour."""

EVENTS = Table(
    name="events",
    columns=(
        *(c.ddl for c in COLUMNS),
        "other Map(LowCardinality(String), Int64) DEFAULT map()",
        "other_quality Map(LowCardinality(String), LowCardinality(String)) DEFAULT map()",
        *STAMPS,
        f"trace_id String ALIAS {_TRACE_ID}",
        f"span_id String ALIAS {_SPAN_ID}",
        f"call_id String ALIAS {_CALL_ID.format(trace_id='trace_id', span_id='span_id')}",
        f"link_key UInt64 ALIAS {_LINK_KEY}",
        *_STORED_KEYS,
        "INDEX by_stored_at stored_at TYPE minmax GRANULARITY 1",
        "INDEX by_ended_at ended_at TYPE minmax GRANULARITY 1",
    ),
    version="earliest",
    partition_by="toYYYYMMDD(ended_at)",
    order_by="(tenant, toStartOfHour(ended_at), ended_at, event_id, content_hash)",
    shard_by=f"xxHash64({_CALL_ID.format(trace_id=_TRACE_ID, span_id=_SPAN_ID)})",
    added=tuple(c.ddl for c in COLUMNS if c.name == "tier"),
    changed=(COLUMNS[0].ddl, *_STORED_KEYS),
    settings=(_SELDOM_MERGED, f"min_bytes_for_wide_part = {256 * 2**20}"),
)
"""One row per identity *and content*: merging drops resends, the earliest stamp stays, and a
conflicting row is never merged away. What can be worked out from other columns is not stored, but
for keys. LZ4 is for the lengths of identities, which would take 8 bytes each.
``other`` is for token classes that have no column yet. Parts are merged only when there are many
of them (``merge_selector_base``): merges took as much of the processor as all else of an insert.
Up to 256 MiB a part has a dozen files, not one or four for each column: those were made,
synced and removed beside the inserts.
All records that name one call lie on one shard, and so does whatever is sent again."""

SIGHTINGS = Table(
    name="sightings",
    columns=(
        "key UInt64 CODEC(Delta, ZSTD(1))",
        "hour DateTime('UTC') CODEC(ZSTD(1))",
        "times UInt64 DEFAULT 1 CODEC(T64, ZSTD(1))",
    ),
    order_by="(key, hour)",
    shard_by="key",
    summed="times",
    settings=(_SELDOM_MERGED, "index_granularity = 1024"),
)
"""How often, and in which hours, an identity, a call, or (under its key's complement) what is below
a span was told of: so that whatever is told twice is found without reading all hours. Written
before the events: a stray sighting only costs a look."""

NO_KEYS = "no_keys"
CREATE_NO_KEYS = f"CREATE TABLE IF NOT EXISTS {NO_KEYS} (key UInt64) ENGINE = Memory"
"""Always empty: the contested keys of hours that have none, which is nearly always."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Events as columns, with what is looked up by: the two keys of each and its hour."""

    table: pa.Table
    """Columns of ``SCHEMA``; read from a journal, those that say nothing may be missing."""
    event_keys: "np.ndarray[Any, np.dtype[np.uint64]]"
    call_keys: "np.ndarray[Any, np.dtype[np.uint64]]"
    """``key_of`` of each event's identity and of its call's."""
    link_keys: "np.ndarray[Any, np.dtype[np.uint64]]"
    """``key_of`` of the span above it; 0 where there is none."""

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def filtered(self, is_kept: "np.ndarray[Any, np.dtype[np.bool_]]") -> "Batch":
        """Return the rows for which something holds."""
        keys = (self.event_keys[is_kept], self.call_keys[is_kept], self.link_keys[is_kept])
        return Batch(self.table.filter(pa.array(is_kept)), *keys)


def batch_of(events: Sequence[UsageEvent]) -> Batch:
    """Return events as a batch, in order."""
    arrays = [pa.array([c.read(e) for e in events], c.arrow_type) for c in COLUMNS]
    return Batch(
        table=pa.table(arrays, schema=SCHEMA),
        event_keys=np.array([key_of(e.event_id) for e in events], np.uint64),
        call_keys=np.array([key_of(e.call_id) for e in events], np.uint64),
        link_keys=np.array([_link_key(e) for e in events], np.uint64),
    )


def joined(batches: Sequence[Batch]) -> Batch:
    """Return several batches as one, in order."""
    if len(batches) == 1:
        return batches[0]
    return Batch(
        table=pa.concat_tables([b.table for b in batches]).combine_chunks(),
        event_keys=np.concatenate([b.event_keys for b in batches]),
        call_keys=np.concatenate([b.call_keys for b in batches]),
        link_keys=np.concatenate([b.link_keys for b in batches]),
    )


def saying(batch: Batch) -> pa.Table:
    """Return the rows of a batch without the columns that say nothing."""
    names = batch.table.column_names
    return batch.table.select([n for n in names if n == _ENDED_AT or _says_something(batch, n)])


def stamped(batch: Batch, stamps: "np.ndarray[Any, np.dtype[np.int64]]") -> pa.Table:
    """Return the rows to insert: each with its arrival stamp, columns that say nothing left out."""
    keyed = saying(batch).append_column("event_key", pa.array(batch.event_keys))
    return keyed.append_column("call_key", pa.array(batch.call_keys)).append_column(
        STORED_AT, pa.array(stamps, pa.timestamp("ns", "UTC"))
    )


def sightings(batch: Batch) -> pa.Table:
    """Return each event's keys with its hour (seconds since 1970 UTC)."""
    hours = batch.table[_ENDED_AT].cast(pa.int64()).to_numpy() // _HOUR_NS * 3600
    is_other = batch.event_keys != batch.call_keys
    is_below = batch.link_keys != 0
    below = batch.link_keys[is_below] ^ np.uint64(BELOW)
    keys = np.concatenate([batch.event_keys, batch.call_keys[is_other], below])
    seen = np.concatenate([hours, hours[is_other], hours[is_below]])
    return pa.table(
        [pa.array(keys), pa.array(seen, pa.timestamp("s", "UTC"))], names=["key", "hour"]
    )


def _link_key(event: UsageEvent) -> int:
    if not event.parent_span_id or not event.trace_id:
        return 0
    return key_of(span_identity(event.trace_id, event.parent_span_id))


def _says_something(batch: Batch, name: str) -> bool:
    """Whether any value of a column differs from what the table would put there by itself."""
    column = batch.table[name]
    if pa.types.is_string(column.type) or pa.types.is_binary(column.type):
        return any(_text_bytes(chunk) for chunk in column.chunks)
    return bool(np.any(column.cast(pa.int64(), safe=False).to_numpy()))


def _text_bytes(chunk: pa.Array) -> int:
    """Return how many bytes of text a column holds, from its offsets."""
    offsets = np.frombuffer(chunk.buffers()[1], np.int32)
    return int(offsets[chunk.offset + len(chunk)] - offsets[chunk.offset])


_HOUR_NS = 3_600_000_000_000
