"""Schedules in wall-clock time, against a clock that is read minute by minute."""

from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.period import Period, UnknownZoneError, day_of, parse_instant
from metering.resources.schedule import (
    WEEKDAYS,
    HolidayAndWorkdayError,
    NoWindowError,
    Schedule,
    WallTimeError,
    WeekdayError,
    Window,
    WindowError,
    expected,
    expected_of,
    instant_of,
    minutes_of,
    wall_time,
)

MINUTE = timedelta(minutes=1)
BERLIN = "Europe/Berlin"
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)

CHANGES = (
    (BERLIN, SPRING),
    (BERLIN, AUTUMN),
    ("America/New_York", date(2026, 3, 8)),
    ("America/New_York", date(2026, 11, 1)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),  # by half an hour
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("America/Sao_Paulo", date(2018, 11, 4)),  # at midnight: the day has no 00:00
    ("Asia/Beirut", date(2026, 3, 29)),
    ("Pacific/Apia", date(2011, 12, 30)),  # a day that was left out
    ("Asia/Shanghai", date(2026, 10, 1)),
    ("Asia/Kolkata", date(2026, 10, 1)),
)


def daily(start: str, end: str, zone: str = "Asia/Shanghai") -> Schedule:
    return Schedule("n1", "daily", (Window(minutes_of(start), minutes_of(end)),), zone)


def local_day(day: date, zone: str) -> Period:
    return day_of(datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(zone)), zone)


def hours_on(day: date, schedule: Schedule) -> float:
    return sum(p.seconds for p in expected(schedule, local_day(day, schedule.zone))) / 3600


def month(text: str) -> Period:
    first = parse_instant(f"{text}-01T00:00:00+08:00")
    return Period(first, first + timedelta(days=31))


def test_a_daily_window_of_january_is_372_hours() -> None:
    periods = expected(daily("09:00", "21:00"), month("2026-01"))

    assert sum(p.seconds for p in periods) == 1_339_200
    assert len(periods) == 31


def test_only_what_lies_within_the_period_counts() -> None:
    """Created inside a window, released inside the next (worked example W19)."""
    lived = Period(
        parse_instant("2026-04-01T10:17:42+08:00"), parse_instant("2026-04-02T09:45:00+08:00")
    )

    assert sum(p.seconds for p in expected(daily("09:00", "21:00"), lived)) == 41_238


def test_a_day_of_the_clock_change_has_23_or_25_hours() -> None:
    whole = daily("00:00", "24:00", BERLIN)

    assert [hours_on(d, whole) for d in (SPRING, AUTUMN, date(2026, 6, 1))] == [23, 25, 24]


def test_a_start_that_is_skipped_is_the_instant_of_the_jump() -> None:
    (found,) = expected(daily("02:30", "06:00", BERLIN), local_day(SPRING, BERLIN))

    assert found.start == parse_instant("2026-03-29T03:00:00+02:00")
    assert found.seconds == 3 * 3600


def test_a_time_that_occurs_twice_is_its_first() -> None:
    (found,) = expected(daily("02:30", "06:00", BERLIN), local_day(AUTUMN, BERLIN))

    assert found.start == parse_instant("2026-10-25T02:30:00+02:00")
    assert found.seconds == 4.5 * 3600


def test_a_window_that_is_skipped_whole_is_none() -> None:
    assert expected(daily("02:10", "02:50", BERLIN), local_day(SPRING, BERLIN)) == []


def test_a_window_over_midnight_ends_on_the_next_day() -> None:
    day = local_day(date(2026, 10, 1), "Asia/Shanghai")
    night = daily("22:00", "06:00")

    assert [p.seconds // 3600 for p in expected(night, day)] == [6, 2]
    assert daily("22:00", "00:00").windows[0].is_over_midnight
    assert expected(daily("22:00", "00:00"), day) == expected(daily("22:00", "24:00"), day)


def test_a_window_that_ends_where_it_starts_is_a_whole_day() -> None:
    assert hours_on(date(2026, 10, 1), daily("09:00", "09:00")) == 24


def test_a_weekly_window_is_on_its_days_only() -> None:
    office = Schedule("n1", "office", (Window(540, 1080, frozenset(("mon", "fri"))),))
    week = Period(
        parse_instant("2026-11-02T00:00:00+08:00"), parse_instant("2026-11-09T00:00:00+08:00")
    )
    begun = [p.start.astimezone(ZoneInfo(office.zone)) for p in expected(office, week)]

    assert [(WEEKDAYS[b.weekday()], b.hour) for b in begun] == [("mon", 9), ("fri", 9)]


def test_a_holiday_is_off_and_a_worked_saturday_is_on() -> None:
    """The National Day holiday of 2026, with a working Saturday before or after it."""
    office = Schedule(
        "n1",
        "office",
        (Window(540, 1080, frozenset(WEEKDAYS[:5])),),
        holidays=frozenset(date(2026, 10, d) for d in range(1, 8)),
        workdays=frozenset((date(2026, 10, 10),)),
    )
    days = [p.start.date().day for p in expected(office, month("2026-10"))]

    assert days == [8, 9, 10, 12, 13, 14, 15, 16, 19, 20, 21, 22, 23, 26, 27, 28, 29, 30]


def test_a_schedule_expects_nothing_before_and_after_it_is_valid() -> None:
    valid = Period(
        parse_instant("2026-01-02T00:00:00+08:00"), parse_instant("2026-01-03T10:00:00+08:00")
    )
    short = Schedule("n1", "short", (Window(540, 1260),), valid=valid)

    assert sum(p.seconds for p in expected(short, month("2026-01"))) == 13 * 3600
    assert expected(short, month("2026-02")) == []


def test_two_schedules_expect_a_second_once() -> None:
    both = [daily("09:00", "12:00"), daily("11:00", "13:00")]

    assert sum(p.seconds for p in expected_of(both, month("2026-01"))) == 31 * 4 * 3600


wall_minutes = st.integers(0, 24 * 60)


@st.composite
def windows(draw: st.DrawFn) -> Window:
    days = draw(st.just(WEEKDAYS) | st.lists(st.sampled_from(WEEKDAYS), min_size=1).map(tuple))
    return Window(draw(st.integers(0, 24 * 60 - 1)), draw(wall_minutes), frozenset(days))


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(CHANGES), st.lists(windows(), min_size=1, max_size=2), st.data())
def test_windows_are_what_a_clock_read_minute_by_minute_says(
    change: tuple[str, date], listed: list[Window], data: st.DataObject
) -> None:
    zone, day = change
    near = st.integers(-1, 1).map(lambda n: day + timedelta(days=n))
    off = data.draw(st.frozensets(near, max_size=1))
    on = data.draw(st.frozensets(near, max_size=1)) - off
    schedule = Schedule("n1", "s", tuple(listed), zone, holidays=off, workdays=on)
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    period = Period(noon - timedelta(hours=30), noon + timedelta(hours=30))

    found = {m for p in expected(schedule, period) for m in minutes_in(p)}
    assert found == oracle(schedule, period)


def oracle(schedule: Schedule, period: Period) -> set[datetime]:
    """The minutes in which a window has begun and not ended, by looking at a clock."""
    shown = walls_shown(schedule.zone, period)
    first_day = period.start.astimezone(ZoneInfo(schedule.zone)).date() - timedelta(days=2)
    wanted: set[datetime] = set()
    for day in (first_day + timedelta(days=n) for n in range(7)):
        midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - on the wall
        for window in schedule.windows:
            end = midnight + window.end * MINUTE + timedelta(days=window.is_over_midnight)
            begun, ended = (
                first_shown(shown, wall) for wall in (midnight + window.start * MINUTE, end)
            )
            if schedule.begins(window, day):
                wanted |= {m for m in minutes_in(Period(begun, ended)) if period.holds(m)}
    return wanted


@cache
def walls_shown(zone: str, period: Period) -> list[tuple[datetime, datetime]]:
    """Read a clock every minute around a period; note each reading later than all before it."""
    shown: list[tuple[datetime, datetime]] = []
    wide = Period(period.start - timedelta(days=4), period.end + timedelta(days=4))
    for minute in minutes_in(wide):
        wall = minute.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        if not shown or wall > shown[-1][0]:
            shown.append((wall, minute))
    return shown


def first_shown(shown: list[tuple[datetime, datetime]], wall: datetime) -> datetime:
    """Tell the first minute at which the clock showed a time or a later one."""
    return shown[bisect_left(shown, wall, key=lambda pair: pair[0])][1]


def minutes_in(period: Period) -> Iterator[datetime]:
    minute = period.start
    while minute < period.end:
        yield minute
        minute += MINUTE


@given(st.sampled_from(CHANGES), st.integers(-1440, 2880))
def test_no_time_of_the_clock_goes_backwards(change: tuple[str, date], minutes: int) -> None:
    zone, day = ZoneInfo(change[0]), change[1]
    wall = datetime(day.year, day.month, day.day) + minutes * MINUTE  # noqa: DTZ001 - on the wall

    assert instant_of(wall, zone) <= instant_of(wall + MINUTE, zone)


@given(wall_minutes)
def test_a_time_of_the_clock_is_read_as_it_is_written(minutes: int) -> None:
    assert minutes_of(wall_time(minutes)) == minutes


@pytest.mark.parametrize("text", ["", "9:00", "24:01", "12:60", "25:00", "1200", "12:0", "ab:cd"])
def test_other_texts_are_no_time_of_the_clock(text: str) -> None:
    with pytest.raises(WallTimeError, match="must be HH:MM"):
        minutes_of(text)


@pytest.mark.parametrize(("start", "end"), [(-1, 10), (1440, 10), (0, 1441), (0, -1)])
def test_a_window_lies_within_a_day(start: int, end: int) -> None:
    with pytest.raises(WindowError, match="must start before 24:00"):
        Window(start, end)


@pytest.mark.parametrize("days", [(), ("mo",)])
def test_a_window_is_on_days_that_exist(days: tuple[str, ...]) -> None:
    with pytest.raises(WeekdayError, match=r"found (none|mo)"):
        Window(0, 10, frozenset(days))


def test_a_schedule_that_cannot_be_is_refused() -> None:
    day = frozenset((date(2026, 1, 1),))
    with pytest.raises(NoWindowError):
        Schedule("n1", "s", ())
    with pytest.raises(HolidayAndWorkdayError, match="found 2026-01-01 as both"):
        Schedule("n1", "s", (Window(0, 10),), holidays=day, workdays=day)
    with pytest.raises(UnknownZoneError):
        Schedule("n1", "s", (Window(0, 10),), "Mars/Olympus")
