from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.resources.schedule import EVER
from pricing.prices.dimension import match_of
from pricing.prices.overlap import can_meet, first_clash
from pricing.prices.rate import Item, Rate
from tests.pricing.rate_strategies import MONTHS, applies, questions, rates

INSTANTS = (EVER.start, *MONTHS)
"""Validity begins at one of these, so that rates that meet do so at one of them."""


def meet(one: Rate, other: Rate) -> bool:
    """Whether two rates both price anything, tried out."""
    return one.item is other.item and any(
        applies(one, wanted, when, hour) and applies(other, wanted, when, hour)
        for wanted in questions()
        for when in INSTANTS
        for hour in range(24)
    )


@given(rates(), rates())
def test_two_rates_can_meet_if_any_combination_of_values_says_so(one: Rate, other: Rate) -> None:
    assert can_meet(one, other) == can_meet(other, one) == meet(one, other)


@settings(max_examples=50)
@given(st.lists(rates(), max_size=9))
def test_a_clash_is_found_if_and_only_if_two_equals_meet(drawn: Sequence[Rate]) -> None:
    clashing = [
        {id(a), id(b)}
        for a, b in combinations(drawn, 2)
        if a.specificity == b.specificity and can_meet(a, b)
    ]
    found = first_clash(drawn)

    assert (found is not None) == bool(clashing)
    assert found is None or {id(r) for r in found} in clashing


@pytest.mark.parametrize("extra", [0, 1])
def test_one_clash_among_many_rates_is_found(extra: int) -> None:
    many = [
        Rate(
            Item.TOKENS,
            match_of(
                {"model": [f"m{n // 20}"], "region": [f"r{n % 20}", "all"], "meter": [f"{n}"]}
            ),
            Decimal(n),
            1,
            "Tokens",
        )
        for n in range(400)
    ]
    again = [replace(many[7], price=Decimal("0.1"))] * extra

    assert first_clash([*many, *again]) == ((many[7], again[0]) if extra else None)
