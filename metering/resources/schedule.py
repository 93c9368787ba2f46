"""Schedules (开启周期分时): in which windows of the wall clock a resource is expected to run.

The standard library's zones and a loop over dates: a recurrence library yields wall-clock times
and leaves open which instant a time is that a clock change skips or repeats, which is the point.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from metering.identity import FOR_EVER
from metering.period import Period, merged, parse_instant, zone_of

WEEKDAYS: tuple[str, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES = 24 * 60

EVER = Period(parse_instant("1970-01-01T00:00:00Z"), FOR_EVER)


@dataclass(frozen=True, slots=True)
class Window:
    """A span of the wall clock in minutes after midnight, on some days of the week.

    An end that is not after the start is of the next day. ``24:00`` is 1440.
    """

    start: int
    end: int
    weekdays: frozenset[str] = frozenset(WEEKDAYS)

    def __post_init__(self) -> None:
        if not (0 <= self.start < DAY_MINUTES and 0 <= self.end <= DAY_MINUTES):
            raise WindowError(self.start, self.end)
        if not self.weekdays or self.weekdays - set(WEEKDAYS):
            raise WeekdayError(self.weekdays)

    @property
    def is_over_midnight(self) -> bool:
        """Whether it ends on the day after it began."""
        return self.end <= self.start


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a resource is expected to run. What is charged is when it did."""

    resource: str
    name: str
    windows: tuple[Window, ...]
    zone: str = "Asia/Shanghai"
    valid: Period = EVER
    holidays: frozenset[date] = frozenset()
    """Days on which no window begins."""
    workdays: frozenset[date] = frozenset()
    """Days on which every window begins, whatever the weekday: 调休, a Saturday that is worked."""

    def __post_init__(self) -> None:
        zone_of(self.zone)
        if not self.windows:
            raise NoWindowError(self.name)
        if both := self.holidays & self.workdays:
            raise HolidayAndWorkdayError(self.name, min(both))

    def begins(self, window: Window, day: date) -> bool:
        """Whether a window begins on a day."""
        if day in self.holidays:
            return False
        return day in self.workdays or WEEKDAYS[day.weekday()] in window.weekdays


def expected(schedule: Schedule, period: Period) -> list[Period]:
    """Return when the resource is expected to run within a period: in order, no overlaps.

    A window that a clock change lengthens or shortens counts the seconds that elapse.

    >>> nights = Schedule("n1", "nights", (Window(2 * 60, 6 * 60),), "Europe/Berlin")
    >>> days = ("2026-03-29", "2026-10-25", "2026-06-01")
    >>> for day in days:
    ...     start = parse_instant(f"{day}T00:00:00+01:00")
    ...     print(sum(p.seconds for p in expected(nights, Period(start, start + timedelta(1)))))
    10800
    18000
    14400
    """
    span = period.overlap(schedule.valid)
    if span is None:
        return []
    zone = zone_of(schedule.zone)
    found = (
        _on_the_clock(window, day, zone).overlap(span)
        for day in _days(span, zone)
        for window in schedule.windows
        if schedule.begins(window, day)
    )
    return merged(p for p in found if p)


def expected_of(schedules: Iterable[Schedule], period: Period) -> list[Period]:
    """Return when any of a resource's schedules expects it to run."""
    return merged(p for schedule in schedules for p in expected(schedule, period))


def minutes_of(text: str) -> int:
    """Read a time of the wall clock, ``HH:MM``, as minutes after midnight.

    >>> minutes_of("09:30"), minutes_of("24:00")
    (570, 1440)
    """
    hours, colon, minutes = text.partition(":")
    is_whole = hours.isdecimal() and minutes.isdecimal() and len(minutes) == 2
    if not (colon and is_whole and int(minutes) < 60 and _is_of_a_day(hours, minutes)):
        raise WallTimeError(text)
    return int(hours) * 60 + int(minutes)


def wall_time(minutes: int) -> str:
    """Write minutes after midnight as ``HH:MM``."""
    return f"{minutes // 60:02}:{minutes % 60:02}"


def instant_of(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return the first instant at which a zone's clock shows a time, or a later one.

    A time that occurs twice is its first; one that is skipped is the instant of the jump.
    """
    early = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if _wall(early, zone) == wall:
        return early
    before, after = wall.replace(tzinfo=zone, fold=1).astimezone(UTC), early
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if _wall(middle, zone) < wall:
            before = middle
        else:
            after = middle
    return after


def _on_the_clock(window: Window, day: date, zone: ZoneInfo) -> Period:
    last = day + timedelta(days=1) if window.is_over_midnight else day
    return Period(instant_of(_at(day, window.start), zone), instant_of(_at(last, window.end), zone))


def _at(day: date, minutes: int) -> datetime:
    """Return a time of a zone's clock; without a zone, since no zone has been asked yet."""
    return datetime.combine(day, time(0)) + timedelta(minutes=minutes)


def _wall(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None)


def _days(span: Period, zone: ZoneInfo) -> Iterator[date]:
    """Yield the days on which a window may begin that reaches into the span."""
    day = span.start.astimezone(zone).date() - timedelta(days=2)
    last = span.end.astimezone(zone).date()
    while day <= last:
        yield day
        day += timedelta(days=1)


def _is_of_a_day(hours: str, minutes: str) -> bool:
    return len(hours) == 2 and int(hours) * 60 + int(minutes) <= DAY_MINUTES


class WallTimeError(ValueError):
    """A text that is no time of the clock."""

    def __init__(self, text: str) -> None:
        super().__init__(f"a time of the clock must be HH:MM from 00:00 to 24:00, found {text!r}")


class WindowError(ValueError):
    """A window outside the day."""

    def __init__(self, start: int, end: int) -> None:
        super().__init__(
            f"a window must start before 24:00 and end by 24:00, found {start} to {end} minutes"
        )


class WeekdayError(ValueError):
    """A window on no day, or on a day that there is not."""

    def __init__(self, weekdays: frozenset[str]) -> None:
        found = ", ".join(sorted(weekdays)) or "none"
        super().__init__(f"a window must be on some of {', '.join(WEEKDAYS)}, found {found}")


class NoWindowError(ValueError):
    """A schedule that expects nothing."""

    def __init__(self, name: str) -> None:
        super().__init__(f"schedule {name!r} must have a window, found none")


class HolidayAndWorkdayError(ValueError):
    """A day that is both."""

    def __init__(self, name: str, day: date) -> None:
        super().__init__(
            f"a day of schedule {name!r} must be a holiday or a workday, found {day} as both"
        )
