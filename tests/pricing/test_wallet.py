from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.period import Period
from pricing.ledger.entry import Unit
from pricing.wallets.wallet import Draw, Grant, GrantError, Holding, draws, expired
from tests.pricing.month_notation import at

FEN = Unit("CNY", 2)
NOW = at("2026-10-10")


def holding(
    name: str, left: int, priority: int = 0, start: str = "2026-10-01", end: str = "2026-12-01"
) -> Holding:
    grant = Grant(name, "acme", FEN, max(left, 1), Period(at(start), at(end)), priority)
    return Holding(grant, left)


holdings = st.lists(
    st.builds(
        holding,
        name=st.sampled_from("abcdefgh"),
        left=st.integers(0, 50),
        priority=st.integers(0, 1),
        start=st.sampled_from(["2026-10-01", "2026-10-05", "2026-10-07"]),
        end=st.sampled_from(["2026-10-09", "2026-10-11", "2026-12-01"]),
    ),
    unique_by=lambda h: h.grant.id,
    max_size=8,
).map(lambda held: [*held, holding("next", 9, start="2026-10-20")])


def test_grants_are_used_by_priority_then_expiry_then_age() -> None:
    held = [
        holding("late", 10, end="2026-12-01"),
        holding("soon", 10, end="2026-11-01"),
        holding("young", 10, start="2026-10-09", end="2026-11-01"),
        holding("first", 10, priority=-1),
    ]

    assert draws(held, 33, NOW) == [
        Draw("first", 10), Draw("soon", 10), Draw("young", 10), Draw("late", 3),
    ]  # fmt: skip


def test_what_has_expired_or_has_not_begun_is_not_used() -> None:
    held = [holding("gone", 10, end="2026-10-10"), holding("next", 10, start="2026-10-11")]

    assert draws(held, 5, NOW) == []


def test_nothing_is_taken_for_a_bill_that_asks_for_nothing() -> None:
    assert draws([holding("a", 10)], 0, NOW) == []
    assert draws([holding("a", 10)], -7, NOW) == []


@given(held=holdings, wanted=st.integers(-10, 300))
def test_a_drawdown_takes_no_more_than_is_wanted_or_left(held: list[Holding], wanted: int) -> None:
    taken = draws(held, wanted, NOW)
    left = {h.grant.id: h.left for h in held}
    usable = sum(h.left for h in held if h.grant.valid.holds(NOW))

    assert all(0 < d.units <= left[d.grant] for d in taken)
    assert sum(d.units for d in taken) == max(0, min(wanted, usable))


@given(held=holdings, wanted=st.integers(1, 300), seed=st.integers(0, 99))
def test_the_order_in_which_grants_are_told_does_not_matter(
    held: list[Holding], wanted: int, seed: int
) -> None:
    shuffled = list(held)
    Random(seed).shuffle(shuffled)

    assert draws(shuffled, wanted, NOW) == draws(held, wanted, NOW)
    assert expired(shuffled, NOW) == expired(held, NOW)


@given(held=holdings, parts=st.lists(st.integers(1, 60), max_size=5))
def test_drawing_in_parts_takes_what_drawing_at_once_takes(
    held: list[Holding], parts: list[int]
) -> None:
    left = {h.grant.id: h.left for h in held}
    for part in parts:
        now_held = [Holding(h.grant, left[h.grant.id]) for h in held]
        for draw in draws(now_held, part, NOW):
            left[draw.grant] -= draw.units
    at_once = {h.grant.id: h.left for h in held}
    for draw in draws(held, sum(parts), NOW):
        at_once[draw.grant] -= draw.units

    assert left == at_once


@given(held=holdings)
def test_what_expired_is_taken_whole_and_is_no_longer_usable(held: list[Holding]) -> None:
    taken = {d.grant: d.units for d in expired(held, NOW)}

    assert taken == {h.grant.id: h.left for h in held if h.grant.valid.end <= NOW and h.left}
    assert not taken.keys() & {d.grant for d in draws(held, 10**6, NOW)}


@pytest.mark.parametrize(("units", "days"), [(0, 1), (-5, 1), (5, 0)], ids=["0", "minus", "time"])
def test_a_grant_is_of_money_and_for_a_time(units: int, days: int) -> None:
    with pytest.raises(GrantError, match="must be of money and expire after it is made"):
        Grant("g", "acme", FEN, units, Period(NOW, NOW + timedelta(days)))
