"""Expected against observed."""

from datetime import datetime, timedelta

from builders import hour
from hypothesis import given
from hypothesis import strategies as st

from metering.period import HOUR, Period, merged
from metering.resources.comparison import (
    Compared,
    Faults,
    Seconds,
    by_day,
    compare,
    faults_of,
    shared,
)

NINE = hour("2026-10-01T01")
"""09:00 in Shanghai."""
MINUTE = timedelta(minutes=1)
WINDOW = Period(NINE, NINE + 12 * HOUR)


def compared(*observed: Period) -> Compared:
    return Compared("n1", [WINDOW], list(observed))


def between(start: timedelta, end: timedelta) -> Period:
    return Period(NINE + start, NINE + end)


def test_a_late_start_is_missing_and_a_failed_stop_is_extra() -> None:
    rows = compare(compared(between(10 * MINUTE, 12 * HOUR + 5 * MINUTE)))

    assert rows[0].seconds == Seconds(expected=3600, observed=3000, both=3000)
    assert (rows[0].seconds.missing, rows[0].seconds.extra) == (600, 0)
    assert (rows[-1].hour, rows[-1].seconds.extra) == (NINE + 12 * HOUR, 300)
    assert len(rows) == 13


def test_an_hour_in_which_nothing_was_expected_nor_ran_has_no_row() -> None:
    assert compare(Compared("n1", [], [])) == []


def test_a_day_counts_the_windows_that_went_wrong() -> None:
    (row,) = by_day(compared(between(10 * MINUTE, 13 * HOUR)), "Asia/Shanghai")

    assert row.day.isoformat() == "2026-10-01"
    assert row.faults == Faults(late_starts=1, failed_stops=1)
    assert (row.seconds.missing, row.seconds.extra) == (600, 3600)


def test_a_window_in_which_it_never_ran_is_a_failed_start() -> None:
    (row,) = by_day(compared(), "Asia/Shanghai")

    assert row.faults == Faults(failed_starts=1)
    assert row.seconds.missing == 12 * 3600


def test_a_window_that_has_just_begun_has_not_failed_yet() -> None:
    begun = Period(NINE, NINE + MINUTE / 2)

    assert faults_of(begun, []) == Faults()
    assert faults_of(Period(NINE, NINE + MINUTE), []) == Faults(failed_starts=1)


def test_a_minute_is_forgiven_but_its_seconds_are_shown() -> None:
    exact = faults_of(WINDOW, [between(MINUTE, 12 * HOUR + MINUTE)])
    late = faults_of(WINDOW, [between(MINUTE * 2, 12 * HOUR + 2 * MINUTE)])

    assert (exact, late) == (Faults(), Faults(late_starts=1, failed_stops=1))


def test_a_run_over_midnight_is_cut_at_midnight_of_the_zone() -> None:
    rows = by_day(Compared("n1", [], [between(timedelta(0), 24 * HOUR)]), "Asia/Shanghai")

    assert [(r.day.day, r.seconds.extra // 3600) for r in rows] == [(1, 15), (2, 9)]


@st.composite
def periods(draw: st.DrawFn) -> list[Period]:
    ends = st.integers(0, 60 * 50).map(lambda n: NINE + n * MINUTE)
    pairs: list[tuple[datetime, datetime]] = draw(st.lists(st.tuples(ends, ends), max_size=8))
    return merged(Period(min(pair), max(pair)) for pair in pairs)


@given(periods(), periods())
def test_hours_and_days_add_up_to_what_was_expected_and_observed(
    one: list[Period], other: list[Period]
) -> None:
    both = Compared("n1", one, other)
    whole = (sum(p.seconds for p in one), sum(p.seconds for p in other))

    for rows in (
        [r.seconds for r in compare(both)],
        [r.seconds for r in by_day(both, "Asia/Kolkata")],
    ):
        assert (sum(s.expected for s in rows), sum(s.observed for s in rows)) == whole
        assert all(s.expected - s.missing == s.observed - s.extra for s in rows)
        assert all(s.missing >= 0 and s.extra >= 0 for s in rows)
    assert all(0 <= r.seconds.both <= 3600 for r in compare(both))


@given(periods(), periods())
def test_what_is_shared_is_in_both_minute_by_minute(one: list[Period], other: list[Period]) -> None:
    def minutes(some: list[Period]) -> set[datetime]:
        return {p.start + n * MINUTE for p in some for n in range(p.seconds // 60)}

    assert minutes(shared(one, other)) == minutes(one) & minutes(other)
