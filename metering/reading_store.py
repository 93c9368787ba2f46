"""Readings in the event store's engine: what was observed, kept for some days.

Durable when ``record`` returns. A reading told again replaces itself.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from clickhouse_connect.driver.exceptions import ClickHouseError

from metering.engine_store import StoreUnavailableError
from metering.histogram import Buckets
from metering.period import Period
from metering.scale.layout import PLAIN, Layout, Table, ddl, retained
from metering.signal import LAST_NS, ORIGIN_FIELDS, Origin, Reading

_LABEL = "LowCardinality(String)"
_INSTANT = "DateTime64(9, 'UTC') CODEC(DoubleDelta, ZSTD(1))"
_LABELS = ("signal", *ORIGIN_FIELDS, "labels")
_KEY = (*_LABELS, "series")

_NANOSECONDS = "toUnixTimestamp64Nano"
_COLUMNS = ", ".join(
    (*_KEY, f"{_NANOSECONDS}(at)", f"{_NANOSECONDS}(started)", "value", "has_buckets", "bounds",
     "counts")
)  # fmt: skip
_BETWEEN = f"{_NANOSECONDS}(at) BETWEEN {{first:Int64}} AND {{last:Int64}}"
_SAMPLES = f"""
SELECT {_COLUMNS} FROM readings FINAL
WHERE signal = {{signal:String}} AND {_BETWEEN} %s
ORDER BY {", ".join(_KEY)}, at LIMIT {{limit:UInt64}}
"""  # noqa: S608 - the names are ours
_LATEST = f"""
SELECT {_COLUMNS} FROM readings
WHERE signal = {{signal:String}} AND {_BETWEEN} %s
ORDER BY {", ".join(_KEY)}, at DESC LIMIT 1 BY {", ".join(_KEY)} LIMIT {{limit:UInt64}}
"""  # noqa: S608 - the names are ours
_INSERT = {"max_partitions_per_insert_block": 0, "async_insert": 0}

MAX_ROWS = 1_000_000


@dataclass(frozen=True, slots=True)
class Where:
    """Which readings are meant: those whose origin has these values, by field of Origin."""

    origin: Mapping[str, str]

    def __post_init__(self) -> None:
        unknown = sorted(set(self.origin) - set(ORIGIN_FIELDS))
        if unknown:
            raise UnknownFieldError(unknown[0])


EVERYWHERE = Where({})


def readings_table(days: int) -> Table:
    """Return the table of readings: one row per series and instant, dropped a whole day at once."""
    return Table(
        name="readings",
        columns=(
            *(f"{name} {_LABEL}" for name in _LABELS),
            "series UInt64 CODEC(ZSTD(1))",
            f"at {_INSTANT}",
            f"started {_INSTANT}",
            "value Float64 CODEC(Gorilla, ZSTD(1))",
            "has_buckets Bool",
            "bounds Array(Float64) CODEC(ZSTD(1))",
            "counts Array(UInt64) CODEC(ZSTD(1))",
        ),
        partition_by="toYYYYMMDD(at)",
        order_by=f"({', '.join(_KEY)}, at)",
        shard_by="cityHash64(signal, labels, series)",
        ttl=f"toDateTime64(at, 0) + INTERVAL {days} DAY DELETE",
        settings=("ttl_only_drop_parts = 1",),
    )


class ReadingStore:
    """Readings in, readings of a signal out. Safe to use from several threads."""

    def __init__(self, client: Any, days: int = 30, layout: Layout = PLAIN) -> None:
        """Open the table over an event store's client; readings are kept for ``days``."""
        self._client = client
        table = readings_table(days)
        for statement in (*ddl(table, layout), retained(table, layout)):
            self._client.command(statement)

    def record(self, readings: Sequence[Reading]) -> int:
        """Store readings for good and return how many.

        Raises:
            StoreUnavailableError: nothing may be acknowledged.
        """
        if readings:
            try:
                self._client.insert_arrow("readings", _table(readings), settings=_INSERT)
            except (ClickHouseError, OSError, RuntimeError) as error:
                raise StoreUnavailableError(str(error)) from error
        return len(readings)

    def record_batches(self, batches: Sequence[Sequence[Reading]]) -> int:
        """Store several batches in one write."""
        return self.record([reading for batch in batches for reading in batch])

    def samples(
        self, signal: str, period: Period, where: Where = EVERYWHERE, limit: int = MAX_ROWS
    ) -> list[Reading]:
        """Return a signal's readings in a period, series by series in order of time."""
        return self._readings(_SAMPLES, signal, period, (where, limit))

    def latest(
        self, signal: str, period: Period, where: Where = EVERYWHERE, limit: int = MAX_ROWS
    ) -> list[Reading]:
        """Return the last reading of each series in a period."""
        return self._readings(_LATEST, signal, period, (where, limit))

    def _readings(
        self, query: str, signal: str, period: Period, narrowed: tuple[Where, int]
    ) -> list[Reading]:
        where, limit = narrowed
        conditions = "".join(f" AND {name} = {{{name}:String}}" for name in where.origin)
        first, end = (round(t.timestamp() * 1_000_000) * 1000 for t in (period.start, period.end))
        last = min(end - 1, LAST_NS)
        bounds = {"signal": signal, "first": first, "last": last, "limit": limit}
        try:
            found = self._client.query(query % conditions, parameters={**bounds, **where.origin})
        except (ClickHouseError, OSError, RuntimeError) as error:
            raise StoreUnavailableError(str(error)) from error
        return [_reading(row) for row in found.result_rows]


def _table(readings: Sequence[Reading]) -> pa.Table:
    texts = {"signal": [r.signal for r in readings]}
    texts |= {name: [getattr(r.origin, name) for r in readings] for name in ORIGIN_FIELDS}
    texts["labels"] = [_labels_text(r.labels) for r in readings]
    instant = pa.timestamp("ns", "UTC")
    buckets = [r.buckets or _NO_BUCKETS for r in readings]
    columns = {name: pa.array(values, pa.string()) for name, values in texts.items()} | {
        "series": pa.array([r.series for r in readings], pa.uint64()),
        "at": pa.array([r.at_ns for r in readings], instant),
        "started": pa.array([r.started_ns for r in readings], instant),
        "value": pa.array([r.value for r in readings], pa.float64()),
        "has_buckets": pa.array([r.buckets is not None for r in readings], pa.bool_()),
        "bounds": pa.array([b.bounds for b in buckets], pa.list_(pa.float64())),
        "counts": pa.array([b.counts for b in buckets], pa.list_(pa.uint64())),
    }
    return pa.table(columns)


def _reading(row: Sequence[Any]) -> Reading:
    signal, *origin, labels, series, at_ns, started_ns, value, has_buckets, bounds, counts = row
    return Reading(
        signal=signal,
        at_ns=at_ns,
        value=value,
        origin=Origin(*origin),
        labels=tuple(sorted(json.loads(labels).items())),
        started_ns=started_ns,
        series=series,
        buckets=Buckets(tuple(bounds), tuple(counts)) if has_buckets else None,
    )


def _labels_text(labels: Sequence[tuple[str, str]]) -> str:
    return json.dumps(dict(labels), ensure_ascii=False, separators=(",", ":"))


_NO_BUCKETS = Buckets()


class UnknownFieldError(LookupError):
    """A field that readings do not have."""

    def __init__(self, name: str) -> None:
        super().__init__(f"readings are told apart by {', '.join(ORIGIN_FIELDS)}, found {name!r}")
