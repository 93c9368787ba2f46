"""Read a Prometheus page, text 0.0.4 or OpenMetrics, into points; a broken line costs only itself.

Parsers that exist give up a page at its first broken line, and the stock Python one reads an
exemplar as a timestamp; half a page of a sick worker is worth more than none.

text -> lines -> samples -> points (a histogram's lines are one point, its start joined)

Source: https://prometheus.io/docs/instrumenting/exposition_formats/ and
https://prometheus.io/docs/specs/om/open_metrics_spec/
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from metering.histogram import Buckets, BucketsError, accumulated

Labels = tuple[tuple[str, str], ...]
"""Label names and values, sorted by name."""

MAX_REASONS = 20
"""Broken lines whose reasons are kept; the others are only counted."""

_DAY_NS = 86_400_000_000_000

PROCESS_START = "process_start_time_seconds"


class Sample(NamedTuple):
    """One line."""

    name: str
    labels: Labels
    value: float
    at_ns: int
    """The line's own timestamp; 0 where it has none."""


class Point(NamedTuple):
    """One series at one instant, however many lines it took."""

    name: str
    labels: Mapping[str, str]
    value: float
    """A histogram's is its sum."""
    at_ns: int
    started_ns: int = 0
    buckets: Buckets | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """What a page says."""

    points: list[Point] = field(default_factory=list)
    broken: int = 0
    """Lines and histograms that could not be read."""
    reasons: tuple[str, ...] = ()
    """Why, for the first of them."""


def read_page(text: str, at_ns: int) -> Page:
    """Return the points of a page scraped at ``at_ns``, in order of their first lines."""
    told_in_seconds = text.rstrip().endswith("# EOF")  # only OpenMetrics ends so, and must
    per_tick = 1_000_000_000 if told_in_seconds else 1_000_000
    samples: list[Sample] = []
    reasons: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            try:
                samples.append(_of_that_day(read_line(stripped, per_tick), at_ns))
            except (BrokenLineError, FarTimestampError) as error:
                reasons.append(f"line {number}: {error}")
    points = list(_points(samples, at_ns, reasons))
    return Page(points, len(reasons), tuple(reasons[:MAX_REASONS]))


def read_line(line: str, ns_per_tick: int) -> Sample:
    """Read one line that is no comment; timestamps count in ticks of so many nanoseconds.

    Raises:
        BrokenLineError: the line is not ``name{label="value",...} number [timestamp] [# ...]``.
    """
    head = _NAME.match(line)
    at = head.end() if head else 0
    name = head.group(1) if head else ""
    labels: dict[str, str] = {}
    if line[at : at + 1] == "{":
        name, at = _read_labels(line, at + 1, name, labels)
    parts = line[at:].partition("#")[0].split()
    if not name or not 1 <= len(parts) <= 2:
        raise BrokenLineError(line)
    at_ns = round(_number(parts[1], line) * ns_per_tick) if len(parts) == 2 else 0
    return Sample(name, tuple(sorted(labels.items())), _number(parts[0], line, odd=True), at_ns)


def _of_that_day(sample: Sample, at_ns: int) -> Sample:
    if sample.at_ns and abs(sample.at_ns - at_ns) > _DAY_NS:
        raise FarTimestampError(sample.at_ns)
    return sample


def _read_labels(line: str, at: int, name: str, labels: dict[str, str]) -> tuple[str, int]:
    """Read labels up to the brace; a quoted word alone is the metric's name in its newer place."""
    while line[at : at + 1] != "}":
        found = _LABEL.match(line, at)
        if not found:
            raise BrokenLineError(line)
        word, quoted, value = found.groups()
        if value is not None:
            labels[word or _unescaped(quoted)] = _unescaped(value)
        elif quoted is not None and not name:
            name = _unescaped(quoted)
        else:
            raise BrokenLineError(line)
        at = found.end()
    return name, at + 1


def _number(text: str, line: str, *, odd: bool = False) -> float:
    """Read a number; NaN and the infinities only where they may be."""
    try:
        value = math.nan if "_" in text else float(text)
    except ValueError:
        raise BrokenLineError(line) from None
    if "_" in text or not (odd or math.isfinite(value)):
        raise BrokenLineError(line)
    return value


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[0]), text)


def _points(samples: Iterable[Sample], at_ns: int, reasons: list[str]) -> Iterator[Point]:
    """Put the lines of each histogram together, and give every series its start."""
    listed = list(samples)
    starts = {(s.name, s.labels): s.value for s in listed if s.name.endswith("_created")}
    process = next((s.value for s in listed if s.name == PROCESS_START), math.nan)
    histograms = _histograms(listed)
    parts = {(base + end, labels) for base, labels in histograms for end in ("_sum", "_count")}
    for name, labels, value, told_ns in listed:
        if (name, labels) in parts or name.endswith(("_bucket", "_created")):
            continue
        start = starts.get((name.removesuffix("_total") + "_created", labels), process)
        yield Point(name, dict(labels), value, told_ns or at_ns, _nanoseconds(start))
    for (name, labels), lines in histograms.items():
        start = starts.get((f"{name}_created", labels), process)
        try:
            buckets = _buckets(lines)
        except (BucketsError, ValueError, OverflowError) as error:
            reasons.append(f"histogram {name}: {error}")
            continue
        point = Point(name, dict(labels), lines.sum, lines.at_ns or at_ns)
        yield point._replace(started_ns=_nanoseconds(start), buckets=buckets)


@dataclass(slots=True)
class _Lines:
    """The lines of one histogram series."""

    below: dict[float, float] = field(default_factory=dict)
    sum: float = math.nan
    count: float = math.nan
    at_ns: int = 0


def _histograms(samples: Iterable[Sample]) -> dict[tuple[str, Labels], _Lines]:
    """Return the histogram series of a page: those with buckets, whatever TYPE lines say."""
    found: dict[tuple[str, Labels], _Lines] = {}
    rest: list[Sample] = []
    for sample in samples:
        bound = dict(sample.labels).get("le") if sample.name.endswith("_bucket") else None
        if bound is None:
            rest.append(sample)
            continue
        others = tuple(pair for pair in sample.labels if pair[0] != "le")
        lines = found.setdefault((sample.name.removesuffix("_bucket"), others), _Lines())
        lines.below[_bound(bound)] = sample.value
        lines.at_ns = sample.at_ns
    for sample in rest:
        base, _, end = sample.name.rpartition("_")
        lines_of_it = found.get((base, sample.labels))
        if lines_of_it and end in {"sum", "count"}:
            setattr(lines_of_it, end, sample.value)
    return found


def _buckets(lines: _Lines) -> Buckets:
    if any(math.isnan(bound) for bound in lines.below):
        raise BucketsError("a bound that is no number")
    ordered = sorted(lines.below.items())
    total = lines.below.get(math.inf, lines.count)
    return accumulated(((bound, _whole(value)) for bound, value in ordered), _whole(total))


def _whole(value: float) -> int:
    if value != int(value):
        raise BucketsError(f"a count of {value}")
    return int(value)


def _bound(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9) if 0 < seconds < 9e9 else 0


_NAME = re.compile(r"([a-zA-Z_:][\w:.]*)[ \t]*", re.ASCII)
_LABEL = re.compile(
    r'\s*(?:([a-zA-Z_][\w.]*)|"((?:[^"\\]|\\.)*)")\s*(?:=\s*"((?:[^"\\]|\\.)*)"\s*)?(?:,\s*|(?=}))',
    re.ASCII,
)
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"n": "\n", "\\": "\\", '"': '"'}


class BrokenLineError(ValueError):
    """A line that is no sample."""

    def __init__(self, line: str) -> None:
        super().__init__(
            f'a sample must be name{{label="value"}} number [timestamp], found {line[:120]!r}'
        )


class FarTimestampError(ValueError):
    """A line from another time than its page: each day of readings is a file of its own."""

    def __init__(self, at_ns: int) -> None:
        super().__init__(
            f"a timestamp must be within a day of the scrape, found {at_ns} ns since 1970"
        )
