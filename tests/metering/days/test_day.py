"""Which days are due to be summed."""

from datetime import timedelta
from itertools import pairwise

from metering.days.day import LATENESS, MOST, days_due
from metering.period import HOUR, day_of, parse_instant

ZONE = "Asia/Shanghai"
NOON = parse_instant("2026-10-05T12:00+08:00")
MIDNIGHT = parse_instant("2026-10-05T00:00+08:00")


def test_days_that_are_over_are_due_the_newest_first() -> None:
    first = parse_instant("2026-10-02T23:00+08:00")

    assert [day.start.isoformat() for day in days_due(ZONE, first, NOON, ())] == [
        "2026-10-03T16:00:00+00:00",
        "2026-10-02T16:00:00+00:00",
        "2026-10-01T16:00:00+00:00",
    ]


def test_a_day_is_due_once_its_late_events_are_in() -> None:
    yesterday = day_of(MIDNIGHT - HOUR, ZONE)
    before = MIDNIGHT + LATENESS - timedelta(seconds=1)

    assert list(days_due(ZONE, yesterday.start, before, ())) == []
    assert list(days_due(ZONE, yesterday.start, MIDNIGHT + LATENESS, ())) == [yesterday]


def test_a_day_that_is_done_is_not_due_and_those_before_it_are() -> None:
    yesterday = day_of(MIDNIGHT - HOUR, ZONE)
    first = yesterday.start - HOUR

    [due] = days_due(ZONE, first, NOON, {yesterday.start})
    assert due.end == yesterday.start


def test_of_a_long_past_the_newest_days_are_due_first() -> None:
    due = list(days_due(ZONE, NOON - timedelta(days=1000), NOON, ()))

    assert len(due) == MOST
    assert due[0].end == MIDNIGHT
    assert all(later.start == earlier.end for later, earlier in pairwise(due))


def test_a_day_on_which_clocks_change_is_whole() -> None:
    """In Berlin, 25 October 2026 has 25 hours."""
    now = parse_instant("2026-10-26T12:00+01:00")
    [day, _] = days_due("Europe/Berlin", now - timedelta(days=2), now, ())

    assert (day.end - day.start) == timedelta(hours=25)
