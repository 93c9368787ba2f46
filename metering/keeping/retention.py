"""How long events are kept, and which hours may still be summed from them.

Days are dropped whole. Before a day is dropped the mark moves past it, for good, and an hour
before the mark is never summed again: what is left of its events would come out as less.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime, time, timedelta

CONTEXT_DAYS = 1
"""Days before the oldest kept one that stay as well: a call may be told of over midnight."""


def oldest_kept(newest: date, today: date, days: int) -> date:
    """Return the first day whose events must be kept, given the newest day that has events.

    Time must have passed by our clock and by that of the producers: a clock that steps ahead by
    years drops nothing.

    >>> oldest_kept(newest=date(2026, 10, 2), today=date(2028, 1, 1), days=30)
    datetime.date(2026, 9, 2)
    """
    return min(newest, today) - timedelta(days=days)


def still_kept(
    hours: Iterable[datetime], oldest: datetime, lost: Collection[date] = ()
) -> set[datetime]:
    """Return the hours that may be summed; those before the mark, and those of days whose events an
    operator has given up, keep the usage that they have.

    >>> mark = datetime(2026, 10, 1, tzinfo=UTC)
    >>> still_kept([mark - timedelta(hours=1), mark], mark) == {mark}
    True
    """
    return {hour for hour in hours if hour >= oldest and hour.astimezone(UTC).date() not in lost}


def days_of(text: str) -> frozenset[date]:
    """Read days with commas between them.

    >>> sorted(days_of("2026-11-02, 2026-11-01"))
    [datetime.date(2026, 11, 1), datetime.date(2026, 11, 2)]

    Raises:
        DaysError: one of them is no day.
    """
    try:
        return frozenset(date.fromisoformat(d.strip()) for d in text.split(",") if d.strip())
    except ValueError:
        raise DaysError(text) from None


def days_to_drop(stored: Iterable[date], oldest: date) -> list[date]:
    """Return the stored days that are not needed any more, in order."""
    first_needed = oldest - timedelta(days=CONTEXT_DAYS)
    return sorted(day for day in stored if day < first_needed)


def start_of(day: date) -> datetime:
    """Return the first instant of a day, which begins in UTC as partitions do."""
    return datetime.combine(day, time(), UTC)


def day_of_partition(text: str) -> date:
    """Read the name of a day's partition.

    >>> day_of_partition("20261001")
    datetime.date(2026, 10, 1)
    """
    return date(int(text[:4]), int(text[4:6]), int(text[6:]))


class DaysError(ValueError):
    """A list of days that is none."""

    def __init__(self, text: str) -> None:
        super().__init__(f"days must be as in 2026-11-01,2026-11-02, found {text!r}")
