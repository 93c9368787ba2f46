from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricing.money import (
    CurrencyMismatchError,
    FloatMoneyError,
    Money,
    PriceTextError,
    Rounding,
    UnsharableError,
    WeightsError,
    plain,
    price_of,
    rounded,
    scaled,
    shown,
)

amounts = st.fractions(min_value=-(10**9), max_value=10**9, max_denominator=10**6)
places_of = st.integers(0, 10)
modes = st.sampled_from(Rounding)
weights_of = st.lists(st.integers(0, 10**12), min_size=1, max_size=9).filter(any)
QUIET = settings(deadline=None, max_examples=80)


@QUIET
@given(st.integers(-(10**14), 10**14), st.integers(0, 4), weights_of)
def test_shares_add_up_to_the_whole_to_the_last_unit(
    units: int, places: int, weights: list[int]
) -> None:
    whole = Fraction(units, 10**places)

    parts = Money(whole, "CNY").share(weights, places)

    assert sum(map(Fraction, parts), Fraction(0)) == whole


@QUIET
@given(st.integers(-(10**14), 10**14), st.integers(0, 4), weights_of)
def test_each_share_is_within_one_unit_of_its_exact_part(
    units: int, places: int, weights: list[int]
) -> None:
    whole = Fraction(units, 10**places)

    parts = Money(whole, "CNY").share(weights, places)

    exact = [whole * w / sum(weights) for w in weights]
    unit = Fraction(1, 10**places)
    assert all(abs(Fraction(p) - e) < unit for p, e in zip(parts, exact, strict=True))


@QUIET
@given(st.integers(-(10**9), 10**9), weights_of)
def test_who_has_no_weight_gets_no_share(units: int, weights: list[int]) -> None:
    parts = Money(Fraction(units, 100), "CNY").share(weights, 2)

    assert all(part == 0 for part, w in zip(parts, weights, strict=True) if w == 0)


def test_an_odd_fen_goes_to_the_earlier_of_equal_parts() -> None:
    assert Money(Fraction("0.05"), "CNY").share([1, 1, 1], 2) == [
        Decimal("0.02"),
        Decimal("0.02"),
        Decimal("0.01"),
    ]


def test_a_refund_is_shared_as_the_charge_was() -> None:
    charged = Money(Fraction("15097.02"), "CNY").share([1000001, 600000, 399999], 2)

    refunded = Money(Fraction("-15097.02"), "CNY").share([1000001, 600000, 399999], 2)

    assert refunded == [-part for part in charged]


@QUIET
@given(amounts, places_of)
def test_down_loses_less_than_a_unit_and_never_passes_the_amount(
    amount: Fraction, places: int
) -> None:
    cut = Fraction(rounded(amount, places, Rounding.DOWN))

    assert abs(cut) <= abs(amount) < abs(cut) + Fraction(1, 10**places)
    assert cut * amount >= 0


@QUIET
@given(amounts, places_of)
def test_half_up_is_never_off_by_more_than_half_a_unit(amount: Fraction, places: int) -> None:
    off = abs(Fraction(rounded(amount, places, Rounding.HALF_UP)) - amount)

    assert off <= Fraction(1, 2 * 10**places)


@QUIET
@given(amounts, places_of, modes)
def test_rounding_is_symmetric_about_zero(amount: Fraction, places: int, mode: Rounding) -> None:
    assert rounded(-amount, places, mode) == -rounded(amount, places, mode)


@QUIET
@given(amounts, places_of, modes)
def test_rounding_twice_is_rounding_once(amount: Fraction, places: int, mode: Rounding) -> None:
    once = rounded(amount, places, mode)

    assert rounded(Fraction(once), places, mode) == once
    assert Money(amount, "CNY").cut(places, mode) == once


@pytest.mark.parametrize(
    ("amount", "down", "half_up"),
    [
        ("24.68936", "24.68", "24.69"),
        ("0.005", "0.00", "0.01"),
        ("-0.005", "0.00", "-0.01"),
        ("0.0049999999", "0.00", "0.00"),
        ("-24.68936", "-24.68", "-24.69"),
    ],
)
def test_a_half_goes_away_from_zero_and_a_cut_toward_it(
    amount: str, down: str, half_up: str
) -> None:
    assert str(rounded(Fraction(amount), 2, Rounding.DOWN)) == down
    assert str(rounded(Fraction(amount), 2, Rounding.HALF_UP)) == half_up


@QUIET
@given(st.decimals(allow_nan=False, allow_infinity=False, places=10))
def test_plain_text_reads_back_as_the_same_decimal(value: Decimal) -> None:
    text = plain(value)

    assert Decimal(text) == value
    assert "E" not in text
    assert not text.endswith("00")
    assert text.count(".") == 1


@QUIET
@given(st.integers(), places_of)
def test_scaled_units_keep_their_value_and_decimals(units: int, places: int) -> None:
    value = scaled(units, places)

    assert Fraction(value) == Fraction(units, 10**places)
    assert value.as_tuple().exponent == -places


def test_a_line_shows_ten_decimals_half_up() -> None:
    assert str(shown(Fraction(13_3456 * 30, 10_000 * 3600))) == "0.1112133333"
    assert str(shown(Fraction(2, 3))) == "0.6666666667"


@QUIET
@given(st.decimals(min_value=0, max_value=10**9, places=10))
def test_a_price_written_plainly_is_read_exactly(price: Decimal) -> None:
    assert price_of(plain(price)) == price


@pytest.mark.parametrize(
    "text",
    ["", ".", ".5", "5.", "1.2.3", "-1", "+1", "1e3", "1_000", "1,000", " 1", "1 ", "٣", "NaN"],
)
def test_a_price_that_is_not_plain_digits_is_refused(text: str) -> None:
    with pytest.raises(PriceTextError) as refusal:
        price_of(text)

    assert str(refusal.value) == (
        f'a price must be decimal text in quotes, as in "0.075", found str {text!r}'
    )


@pytest.mark.parametrize("found", [0.075, 1, None, Decimal("0.075"), True])
def test_a_price_that_is_not_text_is_refused(found: object) -> None:
    with pytest.raises(PriceTextError) as refusal:
        price_of(found)

    assert str(refusal.value) == (
        'a price must be decimal text in quotes, as in "0.075", '
        f"found {type(found).__name__} {found!r}"
    )


def test_a_float_is_no_amount() -> None:
    with pytest.raises(FloatMoneyError) as refusal:
        Money(0.1, "CNY")  # type: ignore[arg-type]

    assert str(refusal.value) == "an amount must be exact (Fraction), found the float 0.1"


def test_amounts_of_one_currency_add_exactly() -> None:
    third = Money(Fraction(1, 3), "CNY")

    assert third + third + third == Money(Fraction(1), "CNY")


def test_two_currencies_do_not_add() -> None:
    with pytest.raises(CurrencyMismatchError) as refusal:
        Money(Fraction(1), "CNY") + Money(Fraction(1), "USD")

    assert str(refusal.value) == "cannot add USD to CNY: convert one first"


def test_an_amount_finer_than_the_unit_cannot_be_shared() -> None:
    with pytest.raises(UnsharableError) as refusal:
        Money(Fraction("0.005"), "CNY").share([1, 1], 2)

    assert str(refusal.value) == "only whole units of 10^-2 can be shared, found 1/200"


@pytest.mark.parametrize("weights", [[], [0, 0], [2, -1], [-1, -1]])
def test_weights_that_share_nothing_out_are_refused(weights: list[int]) -> None:
    with pytest.raises(WeightsError) as refusal:
        Money(Fraction(1), "CNY").share(weights, 2)

    assert str(refusal.value) == f"weights must be 0 or more and not all 0, found {weights}"
