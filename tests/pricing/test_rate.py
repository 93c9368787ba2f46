from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.period import Period
from metering.resources.schedule import EVER
from pricing.prices.dimension import (
    DIMENSIONS,
    DimensionError,
    HoursError,
    hours_of,
    match_of,
    phrase,
)
from pricing.prices.rate import Item, Model, Rate, RateError, Slice, Tier, charge, slices
from tests.pricing.month_notation import at
from tests.pricing.rate_strategies import SPANS, quantities, rates, tiers

TOKENS = Rate(Item.TOKENS, (), Decimal("0.075"), 10_000, "Tokens")
STEPS = (
    Tier(1000, Decimal("0.5")),
    Tier(5000, Decimal("0.4"), flat=Decimal(10)),
    Tier(None, Decimal("0.3")),
)
GRADUATED = Rate(Item.TOKENS, (), Decimal("0.5"), 1, "Tokens", Model.GRADUATED, STEPS)
VOLUME = replace(GRADUATED, model=Model.VOLUME)
PACKAGE = replace(TOKENS, model=Model.PACKAGE)
CORNERS = (0, 1, 999, 1000, 1001, 4999, 5000, 5001, 9000)


def amounts(rate: Rate, quantity: int) -> list[tuple[int, Fraction, Fraction]]:
    return [(s.tier, s.quantity, s.amount) for s in slices(rate, Fraction(quantity))]


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        (0, []),
        (1, [(0, 1, Fraction(1, 2))]),
        (1000, [(0, 1000, 500)]),
        (1001, [(0, 1000, 500), (1, 1, Fraction(104, 10))]),
        (5000, [(0, 1000, 500), (1, 4000, 1610)]),
        (5001, [(0, 1000, 500), (1, 4000, 1610), (2, 1, Fraction(3, 10))]),
    ],
)
def test_a_graduated_quantity_is_charged_tier_by_tier(
    quantity: int, expected: list[tuple[int, int, Fraction]]
) -> None:
    assert amounts(GRADUATED, quantity) == expected


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        (0, (0, 0, 0)),
        (1, (0, 1, Fraction(1, 2))),
        (1000, (0, 1000, 500)),
        (1001, (1, 1001, Fraction(4104, 10))),
        (5000, (1, 5000, 2010)),
        (5001, (2, 5001, Fraction(15003, 10))),
    ],
)
def test_a_volume_is_charged_whole_at_the_price_of_the_tier_it_ends_in(
    quantity: int, expected: tuple[int, int, Fraction]
) -> None:
    assert amounts(VOLUME, quantity) == [expected]


@pytest.mark.parametrize(
    ("quantity", "packages"), [(0, 0), (1, 1), (9_999, 1), (10_000, 1), (10_001, 2)]
)
def test_every_package_that_is_begun_is_charged(quantity: int, packages: int) -> None:
    assert charge(PACKAGE, Fraction(quantity)) == packages * Fraction("0.075")


def test_packages_are_counted_exactly_above_what_a_float_can_hold() -> None:
    whole = 10_000 * 2**60

    assert charge(PACKAGE, Fraction(whole)) == 2**60 * Fraction("0.075")
    assert charge(PACKAGE, Fraction(whole + 1)) == (2**60 + 1) * Fraction("0.075")
    assert charge(PACKAGE, Fraction(whole) + Fraction(1, 10**30)) == (2**60 + 1) * Fraction("0.075")


def test_a_price_per_ten_thousand_is_no_package() -> None:
    assert charge(TOKENS, Fraction(1)) == Fraction(75, 10_000_000)


def test_a_flat_price_is_charged_once_and_for_nothing_not_at_all() -> None:
    flat = replace(TOKENS, model=Model.FLAT)

    assert [charge(flat, Fraction(q)) for q in (0, 1, 10**9)] == [0, *[Fraction("0.075")] * 2]


def test_time_is_charged_by_the_hour_that_elapsed() -> None:
    hourly = Rate(Item.NODE_HOUR, (), Decimal("13.3456"), 1, "Hours", Model.TIME)

    assert slices(hourly, Fraction(1, 3)) == [
        Slice(0, Fraction(1, 3), Decimal("13.3456"), Fraction("13.3456") / 3)
    ]


def test_an_explicit_zero_is_a_price() -> None:
    free = replace(TOKENS, price=Decimal(0))

    assert amounts(free, 7) == [(0, 7, 0)]


@given(rates(), quantities)
def test_slices_add_up_to_the_quantity_and_the_amount(rate: Rate, quantity: Fraction) -> None:
    found = slices(rate, quantity)

    assert sum(s.quantity for s in found) == quantity
    assert sum(s.amount for s in found) == charge(rate, quantity)


@given(rates(), quantities)
def test_what_is_taken_back_comes_to_what_was_charged(rate: Rate, quantity: Fraction) -> None:
    assert charge(rate, -quantity) == -charge(rate, quantity)


@given(rates(Model.GRADUATED), st.integers(0, 3500))
def test_a_graduated_charge_is_that_of_its_units_one_by_one(rate: Rate, quantity: int) -> None:
    tier_of = [
        next(t for t in rate.tiers if t.up_to is None or u <= t.up_to)
        for u in range(1, quantity + 1)
    ]
    entered = {id(t): Fraction(t.flat) for t in tier_of}
    prices = sum((Fraction(t.price) for t in tier_of), Fraction(0))

    assert charge(rate, Fraction(quantity)) == prices / rate.per + sum(entered.values())


@given(rates(Model.UNIT, Model.TIME), quantities, quantities)
def test_a_unit_price_charges_parts_as_their_sum(
    rate: Rate, one: Fraction, other: Fraction
) -> None:
    assert charge(rate, one) + charge(rate, other) == charge(rate, one + other)


@given(tiers(), quantities)
def test_a_graduated_slice_never_leaves_its_tier(
    steps: tuple[Tier, ...], quantity: Fraction
) -> None:
    rate = replace(GRADUATED, tiers=steps, price=steps[0].price)
    starts = [0, *(t.up_to or 0 for t in steps)]

    for found in slices(rate, quantity):
        step = steps[found.tier]
        assert found.price == step.price
        assert found.quantity > 0
        assert step.up_to is None or found.quantity <= step.up_to - starts[found.tier]


def test_a_rate_has_the_same_id_wherever_it_stands_and_whenever_it_ends() -> None:
    ended = replace(TOKENS, line="a.csv line 2", valid=Period(EVER.start, at("2026-10-01")))

    assert ended.id == TOKENS.id
    assert len(TOKENS.id) == 12
    assert replace(TOKENS, line="b.csv line 9") == TOKENS


@pytest.mark.parametrize(
    "changed",
    [
        {"item": Item.REQUESTS},
        {"match": (("meter", ("output",)),)},
        {"price": Decimal("0.0750000001")},
        {"per": 1000},
        {"unit": "Words"},
        {"model": Model.PACKAGE},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_whatever_changes_a_charge_changes_the_id(changed: dict[str, object]) -> None:
    assert replace(TOKENS, **changed).id != TOKENS.id  # type: ignore[arg-type]


def test_a_price_is_the_same_however_many_zeros_it_is_written_with() -> None:
    assert replace(TOKENS, price=Decimal("0.07500")).id == TOKENS.id


def test_dimensions_are_those_with_one_value() -> None:
    rate = replace(TOKENS, match=(("meter", ("fresh", "output")), ("region", ("cn-hangzhou",))))

    assert rate.dimensions == (("region", "cn-hangzhou"),)
    assert rate.specificity == 2
    assert rate.about == "tokens price for meter=fresh|output, region=cn-hangzhou"
    assert TOKENS.about == "tokens price for anything"


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"per": 0}, "be for 1 unit or more, found 0"),
        ({"per": 10**18}, "be for 1 unit or more"),
        ({"price": Decimal("0.00000000001")}, "have at most 10 decimals, found 0.00000000001"),
        ({"price": Decimal(-1)}, "be a decimal from 0 to below 1000000000000000000"),
        ({"price": Decimal("NaN")}, "found Decimal('NaN')"),
        ({"price": 0.075}, "found 0.075"),
        ({"price": Decimal(10**18)}, "to below 1000000000000000000"),
        ({"match": (("meter", ()),)}, "name dimensions and values in order, each once"),
        ({"match": (("spec", ("a",)), ("meter", ("b",)))}, "in order"),
        ({"match": (("spec", ("b", "a")),)}, "in order"),
        ({"model": Model.VOLUME}, "have tiers where it is graduated or by volume, found volume"),
        ({"tiers": STEPS}, "have tiers where it is graduated or by volume, found unit"),
    ],
    ids=lambda value: value.split(",")[0] if isinstance(value, str) else next(iter(value)),
)
def test_a_rate_that_cannot_be_is_refused(changed: dict[str, object], sentence: str) -> None:
    with pytest.raises(RateError) as refusal:
        replace(TOKENS, line="a.csv line 2", **changed)  # type: ignore[arg-type]

    assert str(refusal.value).startswith("a.csv line 2: the tokens price for ")
    assert sentence in str(refusal.value)


@pytest.mark.parametrize(
    "bounds", [(5, 5, None), (0, None), (5, 3, None), (None, None), (5, 9), (10**19, None)]
)
def test_tiers_must_rise_and_end_nowhere(bounds: tuple[int | None, ...]) -> None:
    steps = tuple(Tier(b, Decimal("0.5")) for b in bounds)

    with pytest.raises(RateError, match="must have rising tiers, the last without an end"):
        replace(GRADUATED, tiers=steps)


def test_a_tiered_rate_has_the_price_of_its_first_tier() -> None:
    with pytest.raises(RateError, match=r"must have the price of its first tier, found 0\.4"):
        replace(GRADUATED, price=Decimal("0.4"))


def test_a_tier_is_refused_by_its_price_too() -> None:
    with pytest.raises(RateError, match="at most 10 decimals"):
        replace(GRADUATED, tiers=(Tier(None, Decimal("0.5"), Decimal("1e-11")),))


@given(st.integers(0, 23), st.integers(1, 23))
def test_a_span_of_hours_and_its_opposite_cover_a_day_once(start: int, length: int) -> None:
    end = (start + length) % 24
    one, other = hours_of(f"{start:02}-{end:02}"), hours_of(f"{end:02}-{start:02}")

    assert one.isdisjoint(other)
    assert one | other == set(range(24))
    assert len(one) == length


def test_hours_until_midnight_may_be_written_as_24() -> None:
    assert hours_of("20-24") == hours_of("20-00") == {20, 21, 22, 23}
    assert len(hours_of("00-24")) == 24


@pytest.mark.parametrize(
    "text", ["8-22", "22-8", "24-08", "08-25", "08-08", "08", "08:00-22:00", ""]
)
def test_hours_that_no_day_has_are_refused(text: str) -> None:
    with pytest.raises(HoursError, match=r"must be from one hour of the day to another"):
        hours_of(text)


def test_a_rate_for_several_spans_holds_in_all_their_hours() -> None:
    rate = replace(TOKENS, match=match_of({"hours": SPANS[:1]}))
    both = replace(TOKENS, match=match_of({"hours": ["22-08", "12-14"]}))

    assert rate.hours == {22, 23, *range(8)}
    assert both.hours == rate.hours | {12, 13}


def test_an_unknown_dimension_is_refused_with_those_there_are() -> None:
    with pytest.raises(DimensionError) as refusal:
        match_of({"colour": ["red"]})

    assert str(refusal.value) == (
        f"a dimension must be one of {', '.join(DIMENSIONS)}, found 'colour'"
    )


def test_the_standard_tier_is_the_one_that_usage_leaves_empty() -> None:
    match = match_of({"tier": ["standard", "batch"], "meter": ["fresh", "fresh"]})

    assert match == (("meter", ("fresh",)), ("tier", ("", "batch")))
    assert phrase(match) == "meter=fresh, tier=standard|batch"
