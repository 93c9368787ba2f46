"""A month is cut into days that are summed and hours that are not, and nothing is lost."""

from datetime import timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from metering.period import Period
from pricing.run.stretch import adjacent, split
from tests.pricing.month_notation import at

START = at("2026-10-01")
DAYS = 6
days = st.lists(st.integers(0, DAYS - 1), unique=True).map(
    lambda some: [_hours(24 * n, 24 * n + 24) for n in sorted(some)]
)
slots = st.lists(st.integers(0, 24 * DAYS), min_size=2, max_size=9, unique=True).map(
    lambda cuts: [_hours(*bounds) for bounds in pairwise(sorted(cuts))]
)


def _hours(start: int, end: int) -> Period:
    return Period(START + timedelta(hours=start), START + timedelta(hours=end))


@given(slots=slots, days=days)
def test_days_and_hours_together_are_the_slots(slots: list[Period], days: list[Period]) -> None:
    by_day, by_hour = split(slots, days)
    pieces = sorted([*by_day, *by_hour])
    own = [
        [hour for piece in pieces if slot.overlap(piece) == piece for hour in piece.hours()]
        for slot in slots
    ]

    assert own == [list(slot.hours()) for slot in slots]
    assert sum(len(list(p.hours())) for p in pieces) == sum(map(len, own))


@given(slots=slots, days=days)
def test_a_stretch_is_of_whole_days_that_are_summed(
    slots: list[Period], days: list[Period]
) -> None:
    by_day, by_hour = split(slots, days)
    fitting = [day for day in days if any(slot.overlap(day) == day for slot in slots)]
    covered = [day for day in days if any(part.overlap(day) == day for part in by_day)]

    assert covered == fitting
    assert sum(part.seconds for part in by_day) == sum(day.seconds for day in fitting)
    assert not any(part.overlap(day) for part in by_hour for day in fitting)


def test_days_of_one_slot_are_one_stretch() -> None:
    month = _hours(5, 24 * DAYS)
    days = [_hours(24 * n, 24 * n + 24) for n in (0, 1, 2, 4)]

    assert split([month], days) == (
        [_hours(24, 72), _hours(96, 120)],
        [_hours(5, 24), _hours(72, 96), _hours(120, 144)],
    )


def test_a_slot_that_is_a_day_is_a_stretch_of_its_own() -> None:
    days = [_hours(24 * n, 24 * n + 24) for n in range(3)]

    assert split(days, days) == (days, [])
    assert split([_hours(0, 36), _hours(36, 72)], days) == (
        [days[0], days[2]],
        [_hours(24, 36), _hours(36, 48)],
    )


def test_pieces_that_follow_one_another_are_read_together() -> None:
    one, two, far = _hours(0, 5), _hours(5, 24), _hours(30, 31)

    assert list(adjacent([one, two, far])) == [[one, two], [far]]
    assert list(adjacent([])) == []
