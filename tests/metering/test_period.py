from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.period import (
    HOUR,
    InstantTextError,
    MonthOrderError,
    MonthTextError,
    NaiveTimeError,
    PartHourZoneError,
    Period,
    PeriodError,
    UnknownZoneError,
    as_utc,
    billing_zone,
    day_of,
    hour_of,
    iso_of,
    merged,
    midnight_after,
    month_of,
    months_of,
    nanoseconds_of,
    parse_instant,
    zone_of,
)

instants = st.integers(1_577_836_800, 1_893_456_000).map(lambda s: datetime.fromtimestamp(s, UTC))
periods = st.tuples(instants, instants).map(lambda p: Period(min(p), max(p)))


def test_a_month_turns_at_midnight_of_its_zone() -> None:
    october = month_of("2026-10", "Asia/Shanghai")

    assert october.start.isoformat() == "2026-09-30T16:00:00+00:00"
    assert october.end.isoformat() == "2026-10-31T16:00:00+00:00"
    assert october.holds(october.start)
    assert not october.holds(october.end)


def test_months_with_a_clock_change_are_an_hour_off() -> None:
    assert month_of("2026-03", "Europe/Berlin").seconds == 31 * 86400 - 3600
    assert month_of("2026-10", "Europe/Berlin").seconds == 31 * 86400 + 3600
    assert month_of("2028-02", "Asia/Shanghai").seconds == 29 * 86400


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
def test_days_of_a_clock_change_have_23_and_25_hours(day: str, hours: int) -> None:
    noon = parse_instant(f"{day}T12:00:00+01:00")

    assert day_of(noon, "Europe/Berlin").seconds == hours * 3600


@given(instants)
def test_every_instant_lies_in_its_own_hour_and_day(instant: datetime) -> None:
    assert Period(hour_of(instant), hour_of(instant) + HOUR).holds(instant)
    assert day_of(instant, "Asia/Shanghai").holds(instant)


@given(periods)
def test_the_hours_of_a_period_add_up_to_it(period: Period) -> None:
    short = Period(period.start, min(period.end, period.start + timedelta(days=3)))
    hours = list(short.hours())

    assert sum((h.end - h.start for h in hours), timedelta()) == short.end - short.start
    assert all(hour_of(h.start) + HOUR >= h.end for h in hours)


@given(periods, periods)
def test_an_overlap_is_shared_and_symmetric(one: Period, other: Period) -> None:
    shared = one.overlap(other)

    assert shared == other.overlap(one)
    if shared:
        assert one.holds(shared.start)
        assert other.holds(shared.start)


@given(st.lists(periods, max_size=6), st.randoms(use_true_random=False))
def test_merging_keeps_every_instant_once(parts: list[Period], rng: object) -> None:
    whole = merged(parts)
    shuffled = list(parts)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]

    assert merged(shuffled) == whole
    assert merged(whole) == whole
    assert all(any(w.start <= p.start and p.end <= w.end for w in whole) or p.start == p.end
               for p in parts)  # fmt: skip


def test_a_period_of_no_time_is_merged_away() -> None:
    start = parse_instant("2027-01-31T10:00:00+08:00")

    assert merged([Period(start, start)]) == []


def test_a_term_ends_at_midnight_after_its_last_day_and_keeps_its_anchor() -> None:
    start = parse_instant("2027-01-31T10:00:00+08:00")
    ends = [midnight_after(start, n, "Asia/Shanghai") for n in (1, 2, 13)]

    assert [e.astimezone(zone_of("Asia/Shanghai")).isoformat() for e in ends] == [
        "2027-03-01T00:00:00+08:00",
        "2027-04-01T00:00:00+08:00",
        "2028-03-01T00:00:00+08:00",
    ]


def test_naive_times_are_refused() -> None:
    with pytest.raises(NaiveTimeError, match=r"must carry its zone.*found 2026-10-01T00:00:00"):
        parse_instant("2026-10-01T00:00:00")
    with pytest.raises(NaiveTimeError):
        as_utc(datetime(2026, 10, 1))  # noqa: DTZ001 - the point of the test


def test_texts_that_are_no_times_are_refused() -> None:
    with pytest.raises(InstantTextError, match="found 'yesterday'"):
        parse_instant("yesterday")
    with pytest.raises(MonthTextError, match=r"must be YYYY-MM.*found '2026-13'"):
        month_of("2026-13", "UTC")


@pytest.mark.parametrize("text", ["0000-01", "0001-01", "9999-12", "2026-1-1", "october", ""])
def test_months_that_are_none_or_lie_outside_the_calendar_are_refused(text: str) -> None:
    with pytest.raises(MonthTextError):
        month_of(text, "Asia/Shanghai")


def test_instants_outside_the_calendar_are_refused() -> None:
    with pytest.raises(InstantTextError):
        parse_instant("0001-01-01T00:00:00+08:00")


@pytest.mark.parametrize("name", ["Asia/Shanghai", "UTC", "Europe/Berlin", "America/New_York"])
def test_months_are_billed_in_zones_of_whole_hours(name: str) -> None:
    assert billing_zone(name) == name


@pytest.mark.parametrize("name", ["Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe"])
def test_zones_of_part_hours_are_refused(name: str) -> None:
    with pytest.raises(PartHourZoneError, match=f"whole hours away from UTC, found {name}"):
        billing_zone(name)


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "Asia"])
def test_unknown_zones_are_refused(name: str) -> None:
    with pytest.raises(UnknownZoneError, match="IANA name"):
        month_of("2026-10", name)


def test_a_period_does_not_end_before_it_starts() -> None:
    one, other = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)

    with pytest.raises(PeriodError, match="must end after its start"):
        Period(other, one)


def test_an_instant_with_nanoseconds_has_all_its_digits() -> None:
    assert nanoseconds_of(iso_of(1_790_000_000_123_456_789)) == 1_790_000_000_123_456_789
    with pytest.raises(InstantTextError):
        nanoseconds_of("2026-09-21T14:13:20Z")


def test_months_go_from_the_first_to_the_last() -> None:
    assert [m.start.month for m in months_of("2026-12", "2027-01", "UTC")] == [12, 1]
    with pytest.raises(MonthOrderError, match="must not be before 2026-12, found 2026-11"):
        months_of("2026-12", "2026-11", "UTC")
