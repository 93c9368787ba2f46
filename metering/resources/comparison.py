"""Expected against observed: seconds that are missing or extra, and windows that went wrong."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from metering.period import Period, day_of, hour_of, merged, zone_of

GRACE = timedelta(seconds=60)
"""How late a start or stop may be before it is one of the faults that are counted."""


@dataclass(frozen=True, slots=True)
class Seconds:
    """Running time that was expected and observed."""

    expected: int = 0
    observed: int = 0
    both: int = 0

    @property
    def missing(self) -> int:
        """Expected and not observed: a start that failed or came late, or a loss."""
        return self.expected - self.both

    @property
    def extra(self) -> int:
        """Observed and not expected: a stop that failed or came late, or a start nobody planned."""
        return self.observed - self.both


@dataclass(frozen=True, slots=True)
class HourRow:
    """One resource in one clock hour (UTC)."""

    resource: str
    hour: datetime
    seconds: Seconds


@dataclass(frozen=True, slots=True)
class Faults:
    """How many windows went wrong, by more than the grace."""

    failed_starts: int = 0
    """It never ran within the window."""
    late_starts: int = 0
    failed_stops: int = 0
    """It still ran after the window had ended."""

    def plus(self, other: "Faults") -> "Faults":
        """Return both together."""
        return Faults(
            self.failed_starts + other.failed_starts,
            self.late_starts + other.late_starts,
            self.failed_stops + other.failed_stops,
        )


@dataclass(frozen=True, slots=True)
class DayRow:
    """One resource on one calendar day of its schedule's zone; a window is of the day it began."""

    resource: str
    day: date
    seconds: Seconds
    faults: Faults


@dataclass(frozen=True, slots=True)
class Compared:
    """When one resource was expected to run, and when it did; both in order, without overlap."""

    resource: str
    expected: Sequence[Period]
    observed: Sequence[Period]


def compare(compared: Compared) -> list[HourRow]:
    """Return the clock hours in which a resource was expected to run, or did."""
    tallies = _tallies(compared, _hours)
    return [HourRow(compared.resource, part.start, tallies[part]) for part in sorted(tallies)]


def by_day(compared: Compared, zone: str) -> list[DayRow]:
    """Return the days of a zone on which a resource was expected to run, or did."""
    tallies = _tallies(compared, lambda period: _days(period, zone))
    faults: dict[Period, Faults] = {}
    for window in compared.expected:
        day = day_of(window.start, zone)
        faults[day] = faults.get(day, Faults()).plus(faults_of(window, compared.observed))
    local = zone_of(zone)
    return [
        DayRow(
            compared.resource,
            day.start.astimezone(local).date(),
            tallies[day],
            faults.get(day, Faults()),
        )
        for day in sorted(tallies)
    ]


def faults_of(window: Period, observed: Iterable[Period], grace: timedelta = GRACE) -> Faults:
    """Return what went wrong with one window; one that has just begun may still be answered."""
    runs = list(observed)
    inside = [run for run in runs if run.overlap(window)]
    if not inside:
        return Faults(failed_starts=int(window.end - window.start >= grace))
    return Faults(
        late_starts=int(inside[0].start - window.start > grace),
        failed_stops=int(inside[-1].end - window.end > grace),
    )


def shared(one: Sequence[Period], other: Sequence[Period]) -> list[Period]:
    """Return when both hold, of two lists in order and without overlap."""
    out, i, j = [], 0, 0
    while i < len(one) and j < len(other):
        if both := one[i].overlap(other[j]):
            out.append(both)
        if one[i].end < other[j].end:
            i += 1
        else:
            j += 1
    return out


def _tallies(
    compared: Compared, cells: Callable[[Period], Iterator[tuple[Period, int]]]
) -> dict[Period, Seconds]:
    """Return the seconds of each cell (a whole hour or day) that has any."""
    one, other = merged(compared.expected), merged(compared.observed)
    counts: dict[Period, list[int]] = {}
    for column, periods in enumerate((one, other, shared(one, other))):
        for period in periods:
            for cell, seconds in cells(period):
                counts.setdefault(cell, [0, 0, 0])[column] += seconds
    return {cell: Seconds(*three) for cell, three in counts.items()}


def _hours(period: Period) -> Iterator[tuple[Period, int]]:
    for part in period.hours():
        hour = hour_of(part.start)
        yield Period(hour, hour + timedelta(hours=1)), part.seconds


def _days(period: Period, zone: str) -> Iterator[tuple[Period, int]]:
    start = period.start
    while start < period.end:
        day = day_of(start, zone)
        end = min(day.end, period.end)
        yield day, Period(start, end).seconds
        start = end
