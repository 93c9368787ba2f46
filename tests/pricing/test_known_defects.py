"""Defects that other billing systems had, each kept out by a test that is named for it."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from builders import arrivals_of

from metering.period import Period, month_of
from metering.rollup import fold
from pricing.money import Rounding, rounded
from pricing.prices.book import Cut
from pricing.prices.rate import Item, Model, Rate, charge
from pricing.rating.charge import Charge, total
from pricing.rating.inputs import Inputs
from pricing.rating.rating import rate
from tests.pricing.month_notation import at, bill_of, month_from
from tests.pricing.rates import book_of, by, priced, tokens

SPEC = "polar.pg.g4.xlarge.gu10"


def charged(inputs: Inputs, *rates: Rate) -> list[Charge]:
    return rate(replace(inputs, book=book_of(*rates))).charges


@pytest.mark.parametrize(
    ("amount", "percent", "rounded_up"),
    [(200, "7.25", 15), (100, "0.5", 1), (340, "1.25", 4), (5000, "0.01", 1)],
)
def test_a_percentage_never_goes_through_a_float(
    amount: int, percent: str, rounded_up: int
) -> None:
    part = Fraction(amount) * Fraction(percent) / 100

    assert rounded(part - Fraction(1, 10**30), 0, Rounding.HALF_UP) <= rounded_up
    assert rounded(part, 0, Rounding.HALF_UP) == rounded_up


@pytest.mark.parametrize("half", ["8.5", "9.5", "-8.5"])
def test_a_half_goes_away_from_zero_and_never_to_the_even_neighbour(half: str) -> None:
    up = int(Decimal(half).to_integral_value("ROUND_HALF_UP"))

    assert rounded(Fraction(half), 0, Rounding.HALF_UP) == up


def test_prices_leave_no_trace_of_a_binary_fraction(inputs: Inputs) -> None:
    """
    model m1 shared - 2026-10-01
    used  2026-10-06T10 shared fresh=3
    """
    [tenth] = charged(inputs, tokens("0.1", per=1))

    assert tenth.billed == Fraction(3, 10) != Fraction(0.1 * 3)


def test_a_price_per_ten_thousand_is_no_package(inputs: Inputs) -> None:
    """
    token t1 shared small 2026-10-01
    used  2026-10-06T10 shared requests=1000000 fresh=2025585175
    """
    [found] = rate(inputs).charges

    assert found.billed == Fraction("15191.8888125")


def test_packages_are_counted_exactly_above_what_a_float_can_hold() -> None:
    package = by(tokens("1", per=1000), Model.PACKAGE)
    many = 2**53 * 1000

    assert charge(package, Fraction(many)) == 2**53
    assert charge(package, Fraction(many + 1)) == 2**53 + 1


def test_a_correction_larger_than_what_is_left_is_not_lost(inputs: Inputs) -> None:
    """
    model m1 shared - 2026-10-01
    used  2026-10-06T10 shared fresh=1000000
    used  2026-10-07T10 shared fresh=-3000000
    """
    found = charged(inputs, tokens("1"))

    assert [c.billed for c in found] == [1, -3]
    assert bill_of(replace(inputs, book=book_of(tokens("1")))).payable == -2


@pytest.mark.parametrize("model", [Model.GRADUATED, Model.VOLUME], ids=str)
def test_a_negative_month_in_tiers_is_the_opposite_of_the_positive_one(model: Model) -> None:
    tiered = by(tokens("1"), model, (1_000_000, "4", "0"), (None, "2", "1"))
    text = "model m1 shared - 2026-10-01\nused 2026-10-06T10 shared fresh={}3000000"

    up, down = (total(charged(month_from(text.format(sign)), tiered)) for sign in ("", "-"))

    assert down == -up != 0


def test_tiers_are_climbed_by_the_month_and_not_by_bucket_or_group(inputs: Inputs) -> None:
    """
    model m1 shared - 2026-10-01
    used  2026-10-06T10 shared fresh=600000
    used  2026-10-06T11 shared fresh=600000 project=p1
    used  2026-10-09T11 shared fresh=600000 model=other
    """
    tiered = by(tokens("1"), Model.GRADUATED, (1_000_000, "4", "0"), (None, "2", "0"))

    assert total(charged(inputs, tiered)) == Fraction("5.6")


def test_an_explicit_count_of_zero_is_not_replaced_by_a_guess(inputs: Inputs) -> None:
    """
    model m1 shared - 2026-10-01
    used  2026-10-06T10 shared requests=1 fresh=0 output=1000000
    """
    found = charged(inputs, tokens("1"))

    assert [(c.meter, c.billed, c.requests) for c in found] == [("output", 1, 1)]


def test_no_second_is_taken_off_a_period_so_that_periods_do_not_overlap(inputs: Inputs) -> None:
    """
    hour h1 n1 g4.xlarge.gu10 2026-10-01 until=2026-10-01T00:30
    hour h2 n1 g4.xlarge.gu10 2026-10-01T00:30
    ran  n1 2026-10-01T00:00 2026-10-01T01:00
    """
    halves = charged(inputs, priced(Item.NODE_HOUR, "12", spec=SPEC))

    assert [c.billed for c in halves] == [6, 6]


def test_usage_of_the_last_hour_of_a_month_is_in_it_and_of_the_next_hour_is_not(
    inputs: Inputs,
) -> None:
    """
    model m1 shared - 2026-10-01
    used  2026-10-31T23 shared fresh=1000000
    used  2026-11-01T00 shared fresh=2000000
    """
    next_month = Period(inputs.month.end, inputs.month.end + timedelta(days=30))
    then = replace(inputs, month=next_month, service_to=next_month.end)

    assert [c.billed for c in charged(inputs, tokens("1"))] == [1]
    assert [c.billed for c in charged(then, tokens("1"))] == [2]


def test_many_small_requests_are_not_rounded_one_by_one() -> None:
    hours = "\n".join(
        f"used 2026-10-{1 + n // 24:02}T{n % 24:02} shared fresh=1" for n in range(720)
    )
    inputs = month_from(f"token t1 shared small 2026-10-01\n{hours}")

    assert total(rate(inputs).charges) == Fraction("0.0054")


def test_an_id_that_comes_again_with_another_time_or_day_is_the_same_event() -> None:
    arrivals = arrivals_of(
        """
        e1 2026-10-06T10:00Z tenant=acme fresh=900
        e1 2026-10-06T10:59Z tenant=acme fresh=900
        e1 2026-10-07T10:00Z tenant=acme fresh=900
        """
    )

    [(key, sums)] = fold(arrivals).items()
    assert (key.hour, sums.requests, sums.fresh) == (at("2026-10-06T18"), 1, 900)


def test_months_do_not_overlap_and_leave_no_gap_whatever_the_zone() -> None:
    """An account's zone never changes, so that no hour is in two of its months, or in none."""
    for zone in ("Asia/Shanghai", "Europe/Berlin", "America/New_York"):
        months = [month_of(f"2026-{number:02}", zone) for number in range(1, 13)]

        assert all(one.end == other.start for one, other in pairwise(months))


@pytest.mark.parametrize(
    ("mode", "payable"), [(Rounding.HALF_UP, "0.013"), (Rounding.DOWN, "0.012")]
)
def test_a_currency_of_one_s_own_is_rounded_as_its_book_says(
    inputs: Inputs, mode: Rounding, payable: str
) -> None:
    """
    model m1 shared - 2026-10-01
    used  2026-10-06T10 shared fresh=12500
    """
    book = replace(
        book_of(tokens("1")),
        currency="XPT",
        minor_said=3,
        postpaid=Cut(3, mode),
        order=Cut(3, mode),
    )

    assert bill_of(replace(inputs, book=book)).payable == Decimal(payable)
