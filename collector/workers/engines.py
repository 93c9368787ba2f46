"""Put what engines, drivers and clients call their metrics into our vocabulary of signals.

points -> rows that know their names -> ranks that repeat one another -> merged series -> readings

A new engine, or a new name of an old metric, is a row in collector/workers/engine_tables.py; an
operator's own is a row in a file.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from hashlib import blake2b
from typing import NamedTuple

from collector.workers.exposition import Point
from metering.histogram import Buckets
from metering.signal import (
    LAST_NS,
    ORIGIN_FIELDS,
    SIGNALS,
    Aggregate,
    Kind,
    Origin,
    Reading,
    labels_of,
)

SENTINEL = float(0x7FFFFFFFFFFFFFF0)
"""From here on no software means a number: DCGM's 64-bit blanks are the lowest that are seen."""


@dataclass(frozen=True, slots=True)
class Row:
    """One metric and what it says."""

    metric: str
    """Its name; colons, dots and underscores are one, and its unit's ending may be left out."""
    signal: str
    per: float = 1.0
    """How many of the metric's units make one of the signal's: 100 for percents."""
    rank: int = 0
    """Of the rows of a signal that a page has, only those of the lowest rank speak; together."""
    where: Mapping[str, str] = field(default_factory=dict)
    """Label values that a series must have."""
    keep: Mapping[str, str] = field(default_factory=dict)
    """Labels kept for this metric: its name -> ours."""
    fixed: Mapping[str, str] = field(default_factory=dict)
    """Labels that this metric implies."""
    product_of: tuple[str, ...] = ()
    """Labels whose product is the value: an information metric's own is always 1."""

    def __post_init__(self) -> None:
        if self.signal not in SIGNALS:
            raise RowError(self.metric, f"the signal must be known, found {self.signal!r}")
        if not 0 < self.per < math.inf:
            raise RowError(self.metric, f"per must be above 0, found {self.per}")


@dataclass(frozen=True, slots=True)
class System:
    """A kind of software: its metrics and its labels."""

    name: str
    rows: tuple[Row, ...]
    origin: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Field of Origin -> the labels that tell it, the first that a series has."""
    keep: Mapping[str, str] = field(default_factory=dict)
    """Labels kept whatever the metric: its name -> ours."""
    repeats: tuple[str, ...] = ()
    """Labels whose series say the same thing again, as tensor-parallel ranks do: the largest
    counts. Series that differ in any other label are different, and add up if it is not kept."""
    blanks: tuple[tuple[int, int], ...] = ()
    """The first and the last of values that stand for "no value"."""

    def __post_init__(self) -> None:
        unknown = sorted(set(self.origin) - set(ORIGIN_FIELDS))
        if unknown:
            raise RowError(self.name, f"its origin must be of {ORIGIN_FIELDS}, found {unknown}")


class Known(NamedTuple):
    """A row with the system that it stands in."""

    system: System
    row: Row


Vocabulary = Mapping[str, Sequence[Known]]
"""Canonical metric name -> the rows that know it."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a page or a pushed batch says in our words."""

    readings: list[Reading]
    unknown: Counter[str]
    """Series left out, by a metric name that no row knows or that a row does not want."""

    @property
    def systems(self) -> list[str]:
        """The kinds of software that were recognised."""
        return sorted({r.origin.system for r in self.readings} - {""})


def vocabulary(*tables: Iterable[System]) -> Vocabulary:
    """Return the rows of several tables by metric name."""
    rows: dict[str, list[Known]] = defaultdict(list)
    for system in (system for table in tables for system in table):
        for row in system.rows:
            rows[canonical(row.metric)].append(Known(system, row))
    return dict(rows)


def canonical(metric: str) -> str:
    """Return a metric's name as every transport spells it.

    >>> {canonical(n) for n in ("vllm:prompt_tokens_total", "ray_vllm_prompt_tokens")}
    {'vllm_prompt_tokens'}
    """
    plain = metric.replace(":", "_").replace(".", "_").replace("-", "_")
    return plain.removeprefix("ray_").removesuffix("_total").removesuffix("_seconds")


def hear(points: Iterable[Point], words: Vocabulary, origin: Origin, context: bytes = b"") -> Heard:
    """Return readings of the points of one page; ``origin`` holds what the page cannot say itself.

    With a ``context``, series that differ only in labels that are not kept stay apart, numbered
    within it: what they would be merged with may come in another batch.
    """
    unknown: Counter[str] = Counter()
    told: list[_Told] = []
    for point in points:
        rows = words.get(canonical(point.name), ())
        found = [_Told(known, scaled) for known in rows if (scaled := _scaled(point, known))]
        told += found
        if not found:
            unknown[point.name] += 1
    return Heard(_readings(_preferred(told), origin, context), unknown)


class _Told(NamedTuple):
    """A point, in the unit of the row that knows it."""

    known: Known
    point: Point


def _scaled(point: Point, known: Known) -> Point | None:
    """Return the point in the row's unit, or nothing where it tells nothing."""
    row = known.row
    if any(point.labels.get(name, "") != value for name, value in row.where.items()):
        return None
    value = _product(point.labels, row.product_of) if row.product_of else point.value
    if not _tells(value, known):
        return None
    if not 0 < point.at_ns <= LAST_NS or not 0 <= point.started_ns <= LAST_NS:
        return None
    if SIGNALS[row.signal].kind is not Kind.HISTOGRAM:
        return point._replace(value=value / row.per, buckets=None)
    if point.buckets is None:
        return None
    bounds = tuple(bound / row.per for bound in point.buckets.bounds)
    buckets = Buckets(bounds, point.buckets.counts)
    return point._replace(value=value / row.per, buckets=buckets)


def _tells(value: float, known: Known) -> bool:
    """Whether a value is one: finite, no blank, and not below zero where it counts something."""
    if not math.isfinite(value) or abs(value) >= SENTINEL:
        return False
    is_blank = any(first <= value <= last for first, last in known.system.blanks)
    return not is_blank and (value >= 0 or SIGNALS[known.row.signal].kind is Kind.GAUGE)


def _product(labels: Mapping[str, str], names: Iterable[str]) -> float:
    try:
        return math.prod(float(labels[name]) for name in names)
    except (KeyError, ValueError):
        return math.nan


def _preferred(told: Iterable[_Told]) -> list[_Told]:
    """Leave out the rows of a signal that repeat, under another name, what a better one says."""
    listed = list(told)
    best: dict[tuple[str, str], int] = {}
    for known, _ in listed:
        key = known.system.name, known.row.signal
        best[key] = min(best.get(key, known.row.rank), known.row.rank)
    return [t for t in listed if t.known.row.rank == best[t.known.system.name, t.known.row.signal]]


def _readings(told: Iterable[_Told], origin: Origin, context: bytes) -> list[Reading]:
    """Return one reading for each series that is told apart, ranks and dropped labels merged."""
    ranks: dict[object, list[Reading]] = defaultdict(list)
    for known, point in told:
        labels = _without(point.labels, known.system.repeats)
        key = known.system.name, known.row.signal, point.name, labels, point.at_ns
        series = _number(context, key[:4]) if context else 0
        ranks[key].append(_reading(known, point, origin, series))
    merged: dict[Reading, list[Reading]] = defaultdict(list)
    for group in ranks.values():
        one = _merged(group, Aggregate.MAX)
        merged[replace(one, value=0.0, started_ns=0, buckets=None)].append(one)
    readings = [_merged(group, SIGNALS[key.signal].aggregate) for key, group in merged.items()]
    return readings if context else _with_sole_model(readings)


def _with_sole_model(readings: list[Reading]) -> list[Reading]:
    """Return the readings of a page; where it names one model only, all of them are of it."""
    models = {r.origin.model for r in readings} - {""}
    if len(models) != 1:
        return readings
    (model,) = models
    return [replace(r, origin=replace(r.origin, model=model)) for r in readings]


def _reading(known: Known, point: Point, origin: Origin, series: int) -> Reading:
    system, row = known
    said = {
        name: next((point.labels[label] for label in labels if point.labels.get(label)), "")
        for name, labels in system.origin.items()
    }
    kept = {ours: point.labels.get(name, "") for name, ours in {**system.keep, **row.keep}.items()}
    counts = SIGNALS[row.signal].kind is not Kind.GAUGE
    return Reading(
        signal=row.signal,
        at_ns=point.at_ns,
        value=point.value,
        origin=replace(origin, system=system.name, **{n: v for n, v in said.items() if v}),
        labels=labels_of({**kept, **row.fixed}),
        started_ns=point.started_ns if counts else 0,
        series=series,
        buckets=point.buckets,
    )


def _merged(group: Sequence[Reading], aggregate: Aggregate) -> Reading:
    """Return readings of one signal as one; it counts since the first of them began."""
    if len(group) == 1:
        return group[0]
    largest = max(group, key=lambda r: r.value)
    buckets = [r.buckets for r in group if r.buckets]
    together = reduce(Buckets.plus, buckets) if buckets else None
    return replace(
        largest,
        value=aggregate.of(r.value for r in group),
        started_ns=min((r.started_ns for r in group if r.started_ns), default=0),
        buckets=largest.buckets if aggregate is Aggregate.MAX else together,
    )


def _without(labels: Mapping[str, str], names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    left_out = set(names)
    return tuple(sorted(pair for pair in labels.items() if pair[0] not in left_out))


def _number(context: bytes, key: object) -> int:
    digest = blake2b(context, digest_size=8)
    digest.update(repr(key).encode(errors="backslashreplace"))
    return int.from_bytes(digest.digest(), "big")


class RowError(ValueError):
    """A row or system that names what does not exist."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
