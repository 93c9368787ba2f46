from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from metering.identity import FOR_EVER
from metering.interval import Interval, State, running_seconds
from metering.period import Period
from metering.usage import Usage
from pricing.advice.forecast import MOST_WEEKS, WEEK, projected, running_on, weeks_before
from tests.pricing.month_notation import BEIJING, at, usage_of

NOW = at("2026-10-29T00")


def used(when: str, tokens: int) -> Usage:
    [row] = usage_of(when, "shared", {"fresh": str(tokens)})
    return row


def every_day(*tokens: int) -> list[Usage]:
    """Return usage at ten o'clock of the days before now, the last one first."""
    days = (date(2026, 10, 29) - timedelta(days=1 + number) for number in range(len(tokens)))
    return [used(f"{day}T10", count) for day, count in zip(days, tokens, strict=True)]


def total(usage: tuple[Usage, ...]) -> int:
    return sum(row.quantity for row in usage)


def test_weeks_end_with_the_last_whole_hour_and_are_as_many_as_there_is_history() -> None:
    now = at("2026-10-29T00:40")

    assert weeks_before(now, NOW - 2 * WEEK) == [
        Period(NOW - WEEK, NOW), Period(NOW - 2 * WEEK, NOW - WEEK),
    ]  # fmt: skip
    assert len(weeks_before(now, NOW - 9 * WEEK)) == MOST_WEEKS
    assert weeks_before(now, NOW - WEEK + timedelta(hours=1)) == []


def test_the_rest_of_a_month_is_as_the_same_hours_of_the_weeks_before() -> None:
    history = every_day(*[100] * 14)
    rest = Period(NOW, NOW + timedelta(days=3))
    found = projected(history, weeks_before(NOW, NOW - 2 * WEEK), rest, BEIJING)

    hours = {row.key.hour for row in history}
    assert [row.quantity for row in found.expected] == [100, 100, 100]
    assert {row.key.hour.hour for row in found.expected} == {hour.hour for hour in hours}
    assert found.low == found.expected == found.high


def test_a_light_and_a_heavy_week_make_the_range() -> None:
    history = every_day(*[300] * 7, *[100] * 7)
    rest = Period(NOW, NOW + WEEK)
    found = projected(history, weeks_before(NOW, NOW - 2 * WEEK), rest, BEIJING)

    assert (total(found.low), total(found.expected), total(found.high)) == (700, 1400, 2100)


def test_half_a_token_a_week_is_one_token_in_two_weeks() -> None:
    history = every_day(1, *[0] * 13)
    rest = Period(NOW, NOW + 2 * WEEK)
    found = projected(history, weeks_before(NOW, NOW - 2 * WEEK), rest, BEIJING)

    assert total(found.expected) == 1


def test_without_history_nothing_is_made_up() -> None:
    rest = Period(NOW, NOW + WEEK)

    assert projected([], [], rest, BEIJING).expected == ()
    assert projected([], weeks_before(NOW, NOW - WEEK), rest, BEIJING).weeks == 1


def test_a_month_that_is_over_has_no_rest() -> None:
    weeks = weeks_before(NOW, NOW - WEEK)

    assert projected(every_day(1), weeks, Period(NOW, NOW), BEIJING).expected == ()


@given(
    st.lists(st.integers(0, 10**6), min_size=7, max_size=28),
    st.integers(min_value=0, max_value=4),
)
def test_whole_weeks_ahead_come_to_whole_weeks_before(tokens: list[int], ahead: int) -> None:
    """Rounding never adds up: so many weeks ahead are so many mean weeks, to one token a key."""
    history = every_day(*tokens)
    weeks = weeks_before(NOW, NOW - len(tokens) // 7 * WEEK)
    found = projected(history, weeks, Period(NOW, NOW + ahead * WEEK), BEIJING)
    told = sum(tokens[: len(weeks) * 7])

    exact = Fraction(told * ahead, len(weeks))
    assert abs(total(found.expected) - exact) <= 1
    assert total(found.low) <= total(found.expected) <= total(found.high)


def ran(*days: tuple[str, str]) -> list[Interval]:
    """Return a node's states, running from the first of each pair to the second."""
    spans = [Period(at(start), at(end)) for start, end in days]
    stops = [Period(one.end, other.start) for one, other in pairwise(spans)]
    stops.append(Period(spans[-1].end, FOR_EVER))
    return [Interval("n1", one, State.RUNNING) for one in spans] + [
        Interval("n1", one, State.STOPPED) for one in stops
    ]


def ahead(states: list[Interval], end: datetime) -> int:
    return running_seconds(states, "n1", Period(NOW, end)) // 3600


def test_a_node_goes_on_running_as_it_did_in_the_weeks_before() -> None:
    """Ten hours a day for two weeks: three days on are thirty hours, running now or not."""
    days = [(f"2026-10-{day}T08", f"2026-10-{day}T18") for day in range(15, 29)]
    end = NOW + timedelta(days=3)
    low, expected, high = running_on(ran(*days), NOW, end)

    assert [ahead(states, end) for states in (low, expected, high)] == [30, 30, 30]
    assert running_seconds(expected, "n1", Period(at("2026-10-01"), NOW)) == 140 * 3600


def test_a_quiet_and_a_busy_week_make_the_range_of_running_time() -> None:
    days = [("2026-10-15T00", "2026-10-15T10"), ("2026-10-22T00", "2026-10-22T20")]
    low, expected, high = running_on(ran(*days), NOW, NOW + 2 * WEEK)

    assert [ahead(s, NOW + 2 * WEEK) for s in (low, expected, high)] == [20, 40, 40]


def test_what_runs_for_less_than_a_week_goes_on_as_it_is() -> None:
    states = [Interval("n1", Period(at("2026-10-27T00"), FOR_EVER), State.RUNNING)]

    assert running_on(states, NOW, NOW + WEEK) == [states] * 3


def test_what_runs_all_the_time_runs_on_from_within_an_hour() -> None:
    now = NOW + timedelta(minutes=40)
    states = [Interval("n1", Period(at("2026-10-01"), FOR_EVER), State.RUNNING)]
    [found, *_] = running_on(states, now, NOW + WEEK)

    assert running_seconds(found, "n1", Period(NOW, NOW + WEEK)) == 7 * 24 * 3600
    assert running_seconds(found, "n1", Period(NOW + WEEK, NOW + 2 * WEEK)) == 0


def test_of_the_hour_that_is_not_over_only_the_rest_is_to_come() -> None:
    history = every_day(*[600] * 7)
    now = NOW.replace(hour=2) + timedelta(minutes=45)
    rest = Period(now, now + timedelta(hours=1))
    found = projected(history, weeks_before(NOW, NOW - WEEK), rest, BEIJING)

    assert now.hour == 2
    assert sum(row.quantity for row in found.expected) == 150
