"""Taxes: of the exact sum, by what they apply to, and by when they hold."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from metering.period import Period
from pricing.contracts.terms import Discount, Terms
from pricing.prices.policy import TaxRate
from pricing.prices.rate import Item
from pricing.rating.charge import Charge, Kind
from pricing.rating.inputs import Inputs
from pricing.rating.rating import rate
from tests.pricing.month_notation import at, month_from, span
from tests.pricing.rates import OCTOBER, book_of, priced, tokens

VAT = TaxRate("VAT", Decimal("0.06"))


def taxed(inputs: Inputs, *taxes: TaxRate) -> list[Charge]:
    book = book_of(tokens("1"), priced(Item.REQUESTS, "0.5"), taxes=taxes)
    charges = rate(replace(inputs, book=book)).charges
    return [c for c in charges if c.kind is Kind.TAX]


def between(tax: TaxRate, start: str, end: str) -> TaxRate:
    return replace(tax, valid=Period(at(start), at(end)))


def test_a_tax_is_one_line_of_the_account_s_exact_sum(inputs: Inputs) -> None:
    """
    model m1 shared - 2026-10-01
    model m2 lab    - 2026-10-01
    used  2026-10-06T10 shared fresh=1
    used  2026-10-07T10 lab    fresh=2
    """
    [tax] = taxed(inputs, VAT)

    assert (tax.contract, tax.rate, tax.rule) == (None, None, "VAT 0.06")
    assert (tax.period, tax.quantity) == (OCTOBER, Fraction(3, 10**6))
    assert tax.billed == tax.effective == Fraction(18, 10**8)


def test_a_tax_that_changes_is_a_line_for_each_of_its_validities(inputs: Inputs) -> None:
    """
    model m1 shared - 2026-09-01
    used  2026-10-06T10 shared fresh=1000000
    used  2026-10-16T10 shared fresh=2000000
    used  2026-10-26T10 shared fresh=4000000
    """
    before = between(VAT, "2026-01-01", "2026-10-11")
    after = between(replace(VAT, rate=Decimal("0.10")), "2026-10-21", "2027-01-01")
    later = between(VAT, "2027-01-01", "2028-01-01")

    found = [(c.period, c.billed) for c in taxed(inputs, before, after, later)]

    assert found == [
        (span("2026-10-01", "2026-10-11"), Fraction("0.06")),
        (span("2026-10-21", "2026-11-01"), Fraction("0.4")),
    ]


def test_what_began_before_the_month_is_taxed_as_of_its_start() -> None:
    inputs = month_from("model m1 shared - 2026-09-01\nused 2026-10-01T00 shared fresh=1000000")
    book = book_of(tokens("1"), taxes=(between(VAT, "2026-10-01", "2026-10-02"),))

    charges = rate(replace(inputs, book=book, zone="Asia/Tokyo")).charges

    assert charges[0].period.start < inputs.month.start
    assert [c.billed for c in charges if c.kind is Kind.TAX] == [Fraction("0.06")]


def test_a_tax_on_one_item_is_taken_of_it_and_of_its_part_of_the_adjustments(
    inputs: Inputs,
) -> None:
    """
    model m1 shared - 2026-10-01
    used  2026-10-06T10 shared fresh=90000000 requests=20
    """
    terms = Terms(discounts=(Discount("ten", percent=Decimal(10)),))
    discounted = replace(inputs, contracts=[replace(c, terms=terms) for c in inputs.contracts])

    [tax] = taxed(discounted, replace(VAT, applies_to=("tokens",)))

    assert (tax.quantity, tax.billed) == (81, Fraction("4.86"))


def test_two_rates_of_one_tax_are_two_lines(inputs: Inputs) -> None:
    """
    model m1 shared - 2026-10-01
    used  2026-10-06T10 shared fresh=1000000 requests=2
    """
    low, high = (
        replace(VAT, rate=Decimal(part), applies_to=(item,))
        for part, item in (("0.06", "tokens"), ("0.13", "requests"))
    )

    found = taxed(inputs, low, high)

    assert [c.billed for c in found] == [Fraction("0.06"), Fraction("0.13")]
    assert found[0].key != found[1].key


def test_a_minimum_without_usage_is_taxed_as_what_its_contract_sells(inputs: Inputs) -> None:
    """
    model m1 shared - 2026-10-01
    """
    terms = Terms(minimum=Decimal(100))
    committed = replace(inputs, contracts=[replace(c, terms=terms) for c in inputs.contracts])

    assert [c.billed for c in taxed(committed, VAT)] == [6]
    assert [c.billed for c in taxed(committed, replace(VAT, applies_to=("tokens",)))] == [6]
    assert taxed(committed, replace(VAT, applies_to=("requests",))) == []


def test_nothing_is_taxed_where_nothing_is_charged(inputs: Inputs) -> None:
    """
    model m1 shared - 2026-10-01
    """
    assert taxed(inputs, VAT) == []
