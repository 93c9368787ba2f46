"""Half-open periods, hours and billing months."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

HOUR = timedelta(hours=1)
_NANO_DIGITS = 9


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """The instants ``start <= t < end``. Both ends are timezone-aware and kept in UTC."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", as_utc(self.start))
        object.__setattr__(self, "end", as_utc(self.end))
        if self.end < self.start:
            raise PeriodError(self.start, self.end)

    @property
    def seconds(self) -> int:
        """Elapsed whole seconds; a clock change inside the period does not disturb it."""
        return int((self.end - self.start) // timedelta(seconds=1))

    def overlap(self, other: Self) -> Self | None:
        """Return what both periods share, or None.

        >>> a, b = (datetime(2026, 1, 1, h, tzinfo=UTC) for h in (1, 2))
        >>> Period(a, b).overlap(Period(b, b)) is None
        True
        """
        start, end = max(self.start, other.start), min(self.end, other.end)
        return type(self)(start, end) if start < end else None

    def holds(self, instant: datetime) -> bool:
        """Whether the instant lies inside."""
        return self.start <= instant < self.end

    def hours(self) -> Iterator[Self]:
        """Cut at clock hours (UTC), in order; the first and the last part may be short."""
        start = self.start
        while start < self.end:
            end = min(hour_of(start) + HOUR, self.end)
            yield type(self)(start, end)
            start = end


def as_utc(instant: datetime) -> datetime:
    """Return the instant in UTC.

    Raises:
        NaiveTimeError: the instant has no zone, so nobody knows when it is.
    """
    if instant.tzinfo is None:
        raise NaiveTimeError(instant)
    return instant.astimezone(UTC)


def parse_instant(text: str) -> datetime:
    """Read an ISO 8601 instant with its offset.

    >>> parse_instant("2026-10-01T00:00:00+08:00").isoformat()
    '2026-09-30T16:00:00+00:00'
    """
    try:
        return as_utc(datetime.fromisoformat(text))
    except NaiveTimeError:
        raise
    except (ValueError, OverflowError):
        raise InstantTextError(text) from None


def iso_of(nanoseconds: int) -> str:
    """Write nanoseconds since 1970 UTC as ISO 8601 with all their digits.

    >>> iso_of(1_790_000_000_000_000_001)
    '2026-09-21T14:13:20.000000001Z'
    """
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09}Z"


def nanoseconds_of(text: str) -> int:
    """Read what ``iso_of`` writes, with all its digits.

    >>> nanoseconds_of("2026-09-21T14:13:20.000000001Z")
    1790000000000000001
    """
    seconds, _, rest = text.removesuffix("Z").partition(".")
    if not rest.isdecimal() or len(rest) != _NANO_DIGITS:
        raise InstantTextError(text)
    return int(parse_instant(f"{seconds}Z").timestamp()) * 1_000_000_000 + int(rest)


def hour_of(instant: datetime) -> datetime:
    """Return the start of the UTC hour that holds the instant."""
    return as_utc(instant).replace(minute=0, second=0, microsecond=0)


def hour_from(instant: datetime) -> datetime:
    """Return the first whole hour that is not before the instant.

    >>> hour_from(parse_instant("2026-10-01T12:00:01+08:00")).isoformat()
    '2026-10-01T05:00:00+00:00'
    """
    hour = hour_of(instant)
    return hour if hour == instant else hour + HOUR


def month_of(text: str, zone: str) -> Period:
    """Return the calendar month ``YYYY-MM`` in a zone.

    >>> month_of("2026-10", "Asia/Shanghai").start.isoformat()
    '2026-09-30T16:00:00+00:00'
    """
    try:
        first = datetime.strptime(text, "%Y-%m").date()  # noqa: DTZ007 - a month has no zone yet
        after = (first + timedelta(days=31)).replace(day=1)
        start, end = _midnight(first, zone), _midnight(after, zone)
    except UnknownZoneError:
        raise
    except (ValueError, OverflowError):
        raise MonthTextError(text) from None
    return Period(start, end)


def month_at(instant: datetime, zone: str) -> Period:
    """Return the calendar month in a zone that holds the instant."""
    return month_of(f"{instant.astimezone(zone_of(zone)):%Y-%m}", zone)


def months_of(first: str, last: str, zone: str) -> list[Period]:
    """Return the calendar months of a zone from one to another, both YYYY-MM and both with them.

    >>> [f"{m.end:%m-%d}" for m in months_of("2026-12", "2027-02", "UTC")]
    ['01-01', '02-01', '03-01']

    Raises:
        MonthOrderError: the last one is before the first.
    """
    months, end = [month_of(first, zone)], month_of(last, zone).end
    if end < months[0].end:
        raise MonthOrderError(first, last)
    while months[-1].end < end:
        months.append(month_at(months[-1].end, zone))
    return months


def day_of(instant: datetime, zone: str) -> Period:
    """Return the calendar day in a zone that holds the instant; 23 to 25 hours long."""
    day = instant.astimezone(zone_of(zone)).date()
    return Period(_midnight(day, zone), _midnight(day + timedelta(days=1), zone))


def midnight_after(instant: datetime, months: int, zone: str) -> datetime:
    """Return 00:00 of the day after ``instant + months``, in a zone: when a term ends.

    The day is clamped to the end of a shorter month. Counting starts from the anchor each time,
    so a term begun on the 31st does not drift to the 28th.

    >>> start = parse_instant("2018-03-12T13:23:56+08:00")
    >>> midnight_after(start, 1, "Asia/Shanghai").astimezone(ZoneInfo("Asia/Shanghai")).isoformat()
    '2018-04-13T00:00:00+08:00'

    Source: https://www.alibabacloud.com/help/en/dedicated-host/latest/subscription
    """
    anchor = instant.astimezone(zone_of(zone)).date()
    year, month0 = divmod(anchor.year * 12 + anchor.month - 1 + months, 12)
    last = (date(year, month0 + 1, 1) + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    day = date(year, month0 + 1, min(anchor.day, last.day))
    return _midnight(day + timedelta(days=1), zone)


def zone_of(name: str) -> ZoneInfo:
    """Return an IANA zone by name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UnknownZoneError(name) from None


def billing_zone(name: str) -> str:
    """Return the name of a zone in which months can be billed: whole hours away from UTC.

    Usage is kept by the UTC hour, so a month that turns at half past would cut an hour in two.
    """
    zone = zone_of(name)
    for month in (1, 7):
        offset = datetime(2026, month, 1, tzinfo=zone).utcoffset()
        assert offset is not None
        if offset % HOUR:
            raise PartHourZoneError(name, offset)
    return name


def merged(periods: Iterable[Period]) -> list[Period]:
    """Return the periods in order, overlapping and touching ones joined.

    A node that is reported running twice for the same second ran for one second.
    """
    out: list[Period] = []
    for period in sorted(periods):
        if out and period.start <= out[-1].end:
            out[-1] = Period(out[-1].start, max(out[-1].end, period.end))
        elif period.start < period.end:
            out.append(period)
    assert all(a.end < b.start for a, b in pairwise(out))
    return out


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(0), tzinfo=zone_of(zone)).astimezone(UTC)


class PeriodError(ValueError):
    """A period that ends before it starts."""

    def __init__(self, start: datetime, end: datetime) -> None:
        super().__init__(
            f"a period must end after its start {start.isoformat()}, found {end.isoformat()}"
        )


class NaiveTimeError(ValueError):
    """A time without a zone."""

    def __init__(self, instant: datetime) -> None:
        super().__init__(
            f"a time must carry its zone, as in 2026-10-01T00:00:00+08:00, "
            f"found {instant.isoformat()}"
        )


class InstantTextError(ValueError):
    """A text that is no time."""

    def __init__(self, text: str) -> None:
        super().__init__(
            f"a time must be ISO 8601 with its zone, as in 2026-10-01T00:00:00+08:00, "
            f"found {text!r}"
        )


class MonthOrderError(ValueError):
    """Months that end before they begin."""

    def __init__(self, first: str, last: str) -> None:
        super().__init__(f"the last month must not be before {first}, found {last}")


class MonthTextError(ValueError):
    """A text that is no month."""

    def __init__(self, text: str) -> None:
        super().__init__(f"a month must be YYYY-MM, as in 2026-10, found {text!r}")


class UnknownZoneError(ValueError):
    """A time zone that the IANA data base does not know."""

    def __init__(self, name: str) -> None:
        super().__init__(f"a zone must be an IANA name, as in Asia/Shanghai, found {name!r}")


class PartHourZoneError(ValueError):
    """A zone that is not whole hours away from UTC."""

    def __init__(self, name: str, offset: timedelta) -> None:
        super().__init__(
            f"an account's zone must be whole hours away from UTC, found {name} ({offset})"
        )
