from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.period import Period
from pricing.bills.posting import Amounts, SameKeyError, amounts_of, delta, posted
from pricing.rating.charge import Charge, Kind, LineKey
from tests.pricing.month_notation import span

DAYS = [span(f"2026-10-0{n}", f"2026-10-0{n + 1}") for n in range(1, 5)]

fractions = st.fractions(-1000, 1000, max_denominator=70)


def charge_of(day: Period, meter: str, amounts: Amounts, tier: int = 0) -> Charge:
    quantity, listed, billed, effective, requests = amounts.values
    return Charge(
        None, Kind.TOKENS, day, None, quantity, listed, billed, effective,
        meter=meter, tier=tier, requests=requests,
    )  # fmt: skip


amounts = st.builds(Amounts, fractions, fractions, fractions, fractions, st.integers(-9, 9))
charges = st.lists(
    st.builds(
        charge_of,
        st.sampled_from(DAYS),
        st.sampled_from(["fresh", "output"]),
        amounts,
        st.integers(0, 1),
    ),
    unique_by=lambda c: c.key,
    max_size=8,
)
"""What a month comes to: few keys, so that runs share them."""


def applied(runs: Sequence[Sequence[Charge]]) -> list[tuple[LineKey, Amounts]]:
    """Post each run's difference to those before, and return all lines."""
    lines: list[tuple[LineKey, Amounts]] = []
    for run in runs:
        lines += [(p.key, p.amounts) for p in delta(run, posted(lines))]
    return lines


def test_what_was_never_posted_is_posted_as_it_is() -> None:
    charge = charge_of(DAYS[0], "fresh", Amounts(Fraction(10), Fraction(1), Fraction(1)))

    [posting] = delta([charge], {})

    assert (posting.key, posting.charge) == (charge.key, charge)
    assert posting.amounts == amounts_of(charge)


def test_more_usage_is_posted_as_the_difference() -> None:
    five = charge_of(DAYS[0], "fresh", Amounts(Fraction(5), Fraction(50), Fraction(50)))
    seven = charge_of(DAYS[0], "fresh", Amounts(Fraction(7), Fraction(70), Fraction(70)))

    [posting] = delta([seven], {five.key: amounts_of(five)})

    assert posting.amounts == Amounts(Fraction(2), Fraction(20), Fraction(20))


def test_a_volume_tier_that_reprices_the_past_is_a_reversal_and_a_new_line() -> None:
    """15 units at 10 were billed; at 16 the whole is at 5."""
    low = charge_of(DAYS[0], "fresh", Amounts(Fraction(15), Fraction(150), Fraction(150)), tier=0)
    high = charge_of(DAYS[0], "fresh", Amounts(Fraction(16), Fraction(80), Fraction(80)), tier=1)

    new, back = delta([high], {low.key: amounts_of(low)})

    assert (new.charge, new.amounts.billed) == (high, 80)
    assert (back.charge, back.key, back.amounts) == (None, low.key, amounts_of(low).negative)


def test_a_correction_below_what_was_billed_is_not_clamped_to_zero() -> None:
    charge = charge_of(DAYS[0], "fresh", Amounts(Fraction(2), Fraction(2), Fraction(2)))
    before = {charge.key: Amounts(Fraction(9), Fraction(9), Fraction(9))}

    [posting] = delta([charge], before)

    assert posting.amounts.billed == -7


def test_a_line_at_price_zero_is_posted_and_a_line_of_nothing_is_not() -> None:
    free = charge_of(DAYS[0], "fresh", Amounts(Fraction(7)))
    nothing = charge_of(DAYS[0], "output", Amounts())

    assert [p.charge for p in delta([free, nothing], {})] == [free]


def test_two_charges_under_one_key_are_refused() -> None:
    charge = charge_of(DAYS[0], "fresh", Amounts(Fraction(1)))

    with pytest.raises(SameKeyError, match=r"found two of kind=tokens, start=.*meter=fresh"):
        delta([charge, replace(charge, quantity=Fraction(2))], {})


@settings(max_examples=50, deadline=None)
@given(runs=st.lists(charges, min_size=1, max_size=5))
def test_whatever_was_posted_on_the_way_the_lines_are_the_last_rating(
    runs: list[list[Charge]],
) -> None:
    assert posted(applied(runs)) == posted((c.key, amounts_of(c)) for c in runs[-1])


@settings(max_examples=50, deadline=None)
@given(runs=st.lists(charges, min_size=1, max_size=3))
def test_posting_twice_posts_nothing(runs: list[list[Charge]]) -> None:
    assert applied([*runs, runs[-1]]) == applied(runs)


@settings(max_examples=50, deadline=None)
@given(first=charges, second=charges)
def test_taking_all_back_and_posting_again_is_as_if_nothing_had_been(
    first: list[Charge], second: list[Charge]
) -> None:
    assert posted(applied([first, [], second])) == posted(applied([second]))


@settings(max_examples=50, deadline=None)
@given(one=amounts, other=amounts)
def test_amounts_add_up_and_take_back(one: Amounts, other: Amounts) -> None:
    assert one.plus(other) == other.plus(one)
    assert one.plus(one.negative).is_nothing
