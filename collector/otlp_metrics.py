"""Read OTLP metrics into readings: engines' own, as a Collector passes them on, and clients'.

body -> ExportMetricsServiceRequest -> points -> readings (engines' tables), a load for each replica

Nothing read here is ever billed: what clients count is for checking, and what engines count is
for comparing with events.

Source: https://opentelemetry.io/docs/specs/otel/metrics/data-model/
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, DataPointFlags

from collector.dialect.normalise import check_days
from collector.otlp import Encoding, Signal, Value, attributes_of, parse
from collector.workers.engines import Heard, Vocabulary, hear
from collector.workers.exposition import Point
from collector.workers.load import with_load
from collector.workers.targets import POSITIVE
from metering.histogram import Buckets, BucketsError, Exponential
from metering.signal import CAPACITY, LAST_NS, SLOTS, Origin

MIN_SCALE = -10
MAX_SCALE = 20
"""Scales of exponential histograms that the specification knows."""

MAX_TEXT = 256
"""Characters kept of a label's value."""

_DAY_NS = 86_400_000_000_000
_DELTA = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
_NO_VALUE = DataPointFlags.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK

_ORIGIN: Mapping[str, tuple[str, ...]] = {
    "target": ("service.instance.id", "k8s.pod.name", "service.name"),
    "node": ("host.name", "k8s.node.name"),
    "model": ("model_name",),
    "pool": ("pool",),
}
"""Where a resource says where it is."""


def decode_metrics(
    body: bytes,
    encoding: Encoding,
    words: Vocabulary,
    between: tuple[int, int] = (1, LAST_NS),
) -> Heard:
    """Return the readings of one request body, and which metrics were left out.

    Points from outside the instants ``between`` (nanoseconds since 1970 UTC, both included) are
    left out: each day of readings is a file of its own.

    Raises:
        MalformedBodyError: the body is not what its type says. Nothing of it was taken.
        TooManyRecordsError: it holds too many points.
        TooManyDaysError: they are of too many days.
    """
    message = parse(body, Signal.METRICS, encoding)
    heard = Heard([], Counter())
    for of_resource in message.resource_metrics:
        resource = attributes_of(of_resource.resource.attributes)
        for of_scope in of_resource.scope_metrics:
            scope = of_scope.scope
            context = repr((sorted(resource.items()), scope.name, scope.version))
            points = [point for metric in of_scope.metrics for point in _points(metric, between)]
            told = hear(points, words, _origin(resource), context.encode(errors="replace"))
            heard.readings.extend(with_load(told.readings, _declared(resource)))
            heard.unknown.update(told.unknown)
    check_days({reading.at_ns // _DAY_NS for reading in heard.readings})
    return heard


def _points(metric: Any, between: tuple[int, int]) -> Iterator[Point]:
    """Yield the points of a metric; NaN stands for a value that cannot be used.

    A delta is a counter that starts with every point, so nothing else needs to know of deltas.
    """
    kind = metric.WhichOneof("data")
    if kind not in _READ:
        return
    of_kind = getattr(metric, kind)
    is_delta = getattr(of_kind, "aggregation_temporality", 0) == _DELTA
    for told in of_kind.data_points:
        if told.flags & _NO_VALUE:
            continue
        try:
            value, buckets = _READ[kind](told)
        except BucketsError:
            value, buckets = math.nan, None
        at_ns = told.time_unix_nano
        if not between[0] <= at_ns <= between[1]:
            value = math.nan
        started = told.start_time_unix_nano or (at_ns if is_delta else 0)
        labels = {_label(n): _text(v) for n, v in attributes_of(told.attributes).items()}
        yield Point(metric.name, labels, value, at_ns, started, buckets)


def _number(told: Any) -> tuple[float, None]:
    kind = told.WhichOneof("value")
    return (float(getattr(told, kind)) if kind else math.nan), None


def _histogram(told: Any) -> tuple[float, Buckets]:
    """Return the sum and the buckets; a histogram may come without any."""
    counts = tuple(told.bucket_counts) or (told.count,)
    return _sum(told), Buckets(tuple(told.explicit_bounds), counts)


def _exponential(told: Any) -> tuple[float, Buckets]:
    if not MIN_SCALE <= told.scale <= MAX_SCALE:
        raise BucketsError(f"a scale of {told.scale}")
    return _sum(told), Exponential(
        scale=told.scale,
        zeros=told.zero_count,
        zero_threshold=told.zero_threshold,
        offset=told.positive.offset,
        positive=tuple(told.positive.bucket_counts),
        negative_offset=told.negative.offset,
        negative=tuple(told.negative.bucket_counts),
    ).explicit()


def _summary(told: Any) -> tuple[float, Buckets]:
    """Quantiles cannot be added up, so only the count and the sum are kept."""
    return told.sum, Buckets((), (told.count,))


def _sum(told: Any) -> float:
    return float(told.sum) if told.HasField("sum") else math.nan


_READ: Mapping[str, Any] = {
    "gauge": _number,
    "sum": _number,
    "histogram": _histogram,
    "exponential_histogram": _exponential,
    "summary": _summary,
}


def _origin(resource: Mapping[str, Value]) -> Origin:
    return Origin(
        **{
            name: next((_text(resource[n]) for n in names if resource.get(n)), "")
            for name, names in _ORIGIN.items()
        }
    )


def _declared(resource: Mapping[str, Value]) -> dict[str, float]:
    """Return what a resource says of the engine replicas on it."""
    told = {name: str(resource[name]) for name in (SLOTS, CAPACITY) if name in resource}
    return {name: float(text) for name, text in told.items() if POSITIVE.fullmatch(text)}


def _label(name: str) -> str:
    return name.replace(".", "_")


def _text(value: Value) -> str:
    text = value if isinstance(value, str) else "" if value is None else str(value)
    return "".join(c for c in text[:MAX_TEXT] if c.isprintable())
