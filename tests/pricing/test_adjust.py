"""A contract's terms: included usage, commitments and discounts, in their fixed order."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from pricing.contracts.terms import SCOPES, Discount, Included, Terms, TermsError
from pricing.money import Rounding, rounded
from pricing.prices.rate import Item, Model
from pricing.rating.charge import PREPAID, Charge, Kind, total
from pricing.rating.inputs import Inputs
from pricing.rating.rating import rate
from tests.pricing.month_notation import at, month_from
from tests.pricing.rates import OCTOBER, book_of, by, priced, tokens

D = Decimal
ONE_LINE = """
    model m1 shared - 2026-10-01
    used  2026-10-06T10 shared fresh=100000000 requests=10
"""
"""A hundred million tokens at 1 a million."""


def adjusted(text: str, terms: Terms, **changed: Any) -> list[Charge]:
    """Return the adjustments of a month whose contracts all have these terms."""
    inputs = replace(month_from(text, book_of(tokens("1"))), **changed)
    contracts = [replace(c, terms=terms) for c in inputs.contracts]
    charges = rate(replace(inputs, contracts=contracts)).charges
    return [c for c in charges if c.rate is None or c.kind is Kind.INCLUDED]


def test_a_contract_without_terms_is_charged_at_the_book_s_prices() -> None:
    assert adjusted(ONE_LINE, Terms()) == []


def test_included_tokens_are_given_back_in_order_of_time() -> None:
    text = """
    model m1 shared - 2026-10-01
    used  2026-10-08T10 shared fresh=3000000 requests=7
    used  2026-10-06T10 shared fresh=2000000 output=1000000
    used  2026-10-07T10 shared fresh=4000000 project=p1
    """

    found = adjusted(text, Terms(included=(Included(5_000_000),)))

    assert [(c.meter, c.project, c.quantity, c.billed, c.rule) for c in found] == [
        ("fresh", "", -2_000_000, -2, "included: 2000000 of 2000000"),
        ("output", "", -1_000_000, -1, "included: 1000000 of 1000000"),
        ("fresh", "p1", -2_000_000, -2, "included: 2000000 of 4000000"),
    ]
    assert all(c.kind is Kind.INCLUDED and not c.requests for c in found)


def test_included_usage_of_one_class_goes_first_and_of_all_classes_to_the_rest() -> None:
    text = """
    model m1 shared - 2026-10-01
    used  2026-10-06T10 shared fresh=3000000 output=3000000
    """
    terms = Terms(included=(Included(1_000_000, "fresh"), Included(4_000_000)))

    found = adjusted(text, terms)

    assert {c.meter: c.quantity for c in found} == {"fresh": -3_000_000, "output": -2_000_000}


def test_included_requests_are_given_back_at_their_price() -> None:
    text = """
    model m1 shared - 2026-10-01
    used  2026-10-06T10 shared requests=10 fresh=1
    """
    book = book_of(priced(Item.REQUESTS, "0.5"), tokens("1"))

    [found] = adjusted(text, Terms(included=(Included(4, "requests"),)), book=book)

    assert (found.quantity, found.billed) == (-4, -2)


def test_included_tokens_are_counted_by_tiers_all_the_same() -> None:
    graduated = by(tokens("4"), Model.GRADUATED, (10_000_000, "4", "0"), (None, "2", "0"))

    found = adjusted(ONE_LINE, Terms(included=(Included(20_000_000),)), book=book_of(graduated))

    assert [(c.tier, c.billed) for c in found] == [(0, -40), (1, -20)]


def test_a_usage_discount_is_taken_of_usage_less_what_is_included() -> None:
    book = book_of(tokens("1"), priced(Item.FEE, "500"))
    terms = Terms(included=(Included(20_000_000),), usage_discount=D("12.5"))

    [_, found] = adjusted(ONE_LINE, terms, book=book)

    assert (found.kind, found.quantity, found.billed) == (Kind.USAGE_DISCOUNT, 80, -10)
    assert found.rule == "usage discount 12.5 %"


@pytest.mark.parametrize(
    ("terms", "kind", "amount"),
    [
        (Terms(minimum=D(150)), Kind.TRUE_UP, 50),
        (Terms(maximum=D(70)), Kind.CAP, -30),
    ],
    ids=["minimum", "maximum"],
)
def test_a_month_is_made_up_to_its_minimum_and_capped_at_its_maximum(
    terms: Terms, kind: Kind, amount: int
) -> None:
    [found] = adjusted(ONE_LINE, terms)

    assert (found.kind, found.quantity, found.billed) == (kind, 100, amount)
    assert (found.period, found.rate, found.effective) == (OCTOBER, None, amount)


@pytest.mark.parametrize("limits", [(D(100), D(100)), (D(0), None), (None, D(1000))], ids=str)
def test_a_month_within_its_limits_is_not_adjusted(limits: tuple[Decimal, Decimal]) -> None:
    minimum, maximum = limits

    assert adjusted(ONE_LINE, Terms(minimum=minimum, maximum=maximum)) == []


def test_an_explicit_maximum_of_zero_is_a_maximum() -> None:
    [found] = adjusted(ONE_LINE, Terms(maximum=D(0)))

    assert found.billed == -100


def test_a_minimum_waits_for_the_end_of_the_month_and_a_maximum_does_not() -> None:
    almost = at("2026-10-31T23:59:59")

    waiting = adjusted(ONE_LINE, Terms(minimum=D(150)), service_to=almost)
    capped = adjusted(ONE_LINE, Terms(maximum=D(70)), service_to=almost)

    assert waiting == []
    assert [c.billed for c in capped] == [-30]


def test_a_month_without_any_usage_owes_its_minimum() -> None:
    [found] = adjusted("model m1 shared - 2026-09-01", Terms(minimum=D(150)))

    assert found.billed == 150


def test_of_a_part_of_a_month_a_part_is_committed() -> None:
    text = """
    model m1 shared - 2026-10-01 until=2026-10-11
    used  2026-10-06T10 shared fresh=100000000
    """

    [more] = adjusted(text, Terms(minimum=D(620)))
    [less] = adjusted(text, Terms(maximum=D(155)))

    assert (more.billed, less.billed) == (200 - 100, 50 - 100)


def test_percentages_go_before_amounts_and_each_is_taken_of_what_is_left() -> None:
    discounts = (
        Discount("voucher", amount=D(15)),
        Discount("volume", percent=D(20)),
        Discount("partner", percent=D("12.5")),
    )

    found = adjusted(ONE_LINE, Terms(discounts=discounts))

    assert [(c.name, c.quantity, c.billed) for c in found] == [
        ("volume", 100, -20),
        ("partner", 80, -10),
        ("voucher", 70, -15),
    ]
    assert found[0].rule == "discount 'volume': 20 %"
    assert found[2].rule == "discount 'voucher': 15 a month"


def test_an_amount_takes_no_more_off_than_there_is() -> None:
    discounts = (Discount("a", amount=D(90)), Discount("b", amount=D(90)), Discount("c", D(5)))

    found = adjusted(ONE_LINE, Terms(discounts=discounts))

    assert [(c.name, c.billed) for c in found] == [("c", -5), ("a", -90), ("b", -5)]


def test_a_discount_with_a_scope_is_taken_of_charges_of_that_kind() -> None:
    book = book_of(tokens("1"), priced(Item.FEE, "60"))
    discounts = (
        Discount("fee", percent=D(50), scope=("fee",)),
        Discount("more", percent=D(10)),
        Discount("none", percent=D(10), scope=("node-time",)),
    )

    found = adjusted(ONE_LINE, Terms(discounts=discounts), book=book)

    assert [(c.name, c.quantity, c.billed) for c in found] == [
        ("fee", 60, -30),
        ("more", 130, -13),
    ]


def test_terms_are_applied_in_their_documented_order() -> None:
    terms = Terms(
        included=(Included(20_000_000),),
        usage_discount=D(10),
        minimum=D(100),
        discounts=(Discount("ten", amount=D(10)), Discount("half", percent=D(50))),
    )

    found = adjusted(ONE_LINE, terms)

    assert [(c.kind, c.billed) for c in found] == [
        (Kind.INCLUDED, -20),
        (Kind.USAGE_DISCOUNT, -8),
        (Kind.TRUE_UP, 28),
        (Kind.DISCOUNT, -50),
        (Kind.DISCOUNT, -10),
    ]


def test_an_order_is_left_alone_by_terms(inputs: Inputs) -> None:
    """
    sub s1 n1 g4.xlarge.gu10 2026-10-01
    """
    terms = Terms(maximum=D(1), discounts=(Discount("all", percent=D(100)),))
    contracts = [replace(c, terms=terms) for c in inputs.contracts]

    charges = rate(replace(inputs, contracts=contracts)).charges

    assert total(charges) == Fraction("6405.92")


def test_a_percentage_of_an_exact_half_is_rounded_up_at_the_end_and_never_before() -> None:
    """200 at 7.25 % is 14.5: a float falls short of it, and rounding half to even loses it."""
    [found] = adjusted(
        "model m1 shared - 2026-10-01\nused 2026-10-06T10 shared fresh=200000000",
        Terms(discounts=(Discount("partner", percent=D("7.25")),)),
    )

    assert found.billed == Fraction("-14.5")
    assert rounded(-found.billed, 0, Rounding.HALF_UP) == 15
    assert rounded(Fraction("8.5"), 0, Rounding.HALF_UP) == 9


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: Included(-1), "included usage must be at least 0, found -1"),
        (lambda: Included(1, "input"), "included usage must be of tokens, requests, fresh, "),
        (
            lambda: Discount("d", D(1), scope=("tokens", "term")),
            "the scope of 'd' must be of node-time, kv-cache, fee, tokens, requests, included, ",
        ),
        (lambda: Discount("", D(1)), "a discount must have a name, found none"),
        (lambda: Discount("d", D(101)), "discount 'd' must be 0 to 100 percent, found 101"),
        (lambda: Discount("d", amount=D(-1)), "discount 'd' must be an amount of at least 0"),
        (lambda: Discount("d", D(1), D(1)), "discount 'd' must be a percentage or an amount"),
        (lambda: Discount("d"), "discount 'd' must be a percentage or an amount, found both or"),
        (lambda: Terms(usage_discount=D(101)), "a usage discount must be 0 to 100 percent"),
        (lambda: Terms(minimum=D(-1)), "a commitment must be at least 0, found -1, None"),
        (lambda: Terms(minimum=D(2), maximum=D(1)), "a minimum must be at most the maximum 1"),
        (
            lambda: Terms(discounts=(Discount("d", D(1)), Discount("d", D(2)))),
            "discounts must have names of their own, found d, d",
        ),
    ],
    ids=range(12),
)
def test_terms_that_cannot_be_applied_are_refused(build: Any, said: str) -> None:
    with pytest.raises(TermsError) as refusal:
        build()

    assert str(refusal.value).startswith(said)


def test_a_discount_may_be_taken_off_every_kind_that_comes_before_it() -> None:
    after = {Kind.DISCOUNT, Kind.TAX, Kind.CREDIT}

    assert set(SCOPES) == set(Kind) - PREPAID - after - {Kind.RESERVED}
