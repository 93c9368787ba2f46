"""What a line comes to, in figures that anybody can check."""

from dataclasses import replace
from fractions import Fraction

import pytest

from pricing.bills.part import Line, Part
from pricing.bills.posting import Amounts
from pricing.prices.book import PriceBook
from pricing.prices.rate import Model
from pricing.proof.explanation import Explanation, explanations, usage_behind
from pricing.rating.charge import Kind
from tests.pricing.month_notation import bill_of, month_from, small_book
from tests.pricing.rates import book_of, by, tokens

TEXT = """
sub   s1 n1 g4.xlarge.gu10 2026-10-07
hour  h1 n2 g4.xlarge.gu10 2026-10-01
ran   n2 2026-10-06T10:00 2026-10-06T10:20
token t1 shared small 2026-10-01
used  2026-10-06T10 shared requests=3 fresh=1234567
used  2026-10-06T12 shared requests=1 fresh=10
"""


def part_of_month(text: str = TEXT, book: PriceBook | None = None) -> Part:
    """Rate a month."""
    [part] = bill_of(month_from(text, book or small_book())).parts
    return part


def explained(part: Part) -> dict[str, Explanation]:
    """Explain a month's lines, by kind and tier."""
    usage = part.rating.inputs.usage
    found = explanations(part, usage, lambda _line: True)
    return {f"{e.line.key.kind}{e.line.key.tier}" if e.line.key else "": e for e in found}


def test_each_kind_of_line_has_its_arithmetic() -> None:
    found = explained(part_of_month())

    assert {kind: one.arithmetic for kind, one in found.items() if kind} == {
        "tokens0": "1234577 Tokens x 0.075 / 10000 Tokens = 9.2593275",
        "node-time0": "~0.3333333333 Hours x 13.3456 / Hours = ~4.4485333333",
        "term0": "1 Months x 6405.92 / Months = 6405.92",
        "term-unused0": found["term-unused0"].arithmetic,
    }
    assert found[""].arithmetic.endswith(": no price makes it")


def test_usage_is_told_by_hour_and_the_price_beside_those_that_lost() -> None:
    one = explained(part_of_month())["tokens0"]

    assert [count for _, count in one.hours] == [1234567, 10]
    assert next(rate.why for rate in one.rates) == "applies"
    assert len(one.rates) == 2
    assert "account=acme" in one.requests


def test_usage_after_what_is_charged_stands_behind_no_line() -> None:
    part = part_of_month()
    later = month_from("used 2026-11-06T10 shared fresh=1").usage

    assert usage_behind(part.rating.inputs, later) == {}


def test_tiers_and_packages_are_told_as_what_they_are() -> None:
    text = (
        "model m1 shared - 2026-10-01 factors=cached:0.1\nused 2026-10-06T10 shared fresh=1500000"
    )
    tiered = by(tokens("1"), Model.GRADUATED, (1_000_000, "1", "0"), (None, "0.5", "0"))
    found = explained(part_of_month(text, book_of(tiered)))

    assert found["tokens0"].arithmetic == "1000000 Tokens x 1 / 1000000 Tokens = 1"
    assert found["tokens1"].arithmetic == "500000 Tokens x 0.5 / 1000000 Tokens = 0.25"
    cached = text.replace("fresh=", "cached=")
    some = explained(part_of_month(cached, book_of(tokens("1", meter="fresh"))))
    assert some["tokens0"].arithmetic == "1500000 Tokens x 1 / 1000000 Tokens x 0.1 = 0.15"


@pytest.mark.parametrize("share", [Fraction(1, 3), Fraction(1, 4)])
def test_what_earlier_bills_carry_is_told(share: Fraction) -> None:
    part = part_of_month()
    lines = tuple(_shared(line, share) for line in part.lines)

    one = explained(replace(part, lines=lines))["tokens0"]

    assert "; less " in one.arithmetic
    assert "on earlier bills = " in one.arithmetic


def test_a_line_whose_charge_is_gone_takes_back() -> None:
    part = part_of_month()
    gone = tuple(
        replace(line, key=line.key._replace(rate="another")) for line in part.lines if line.key
    )

    found = explanations(replace(part, lines=gone), (), lambda line: line.amounts.billed > 6000)

    assert [one.arithmetic for one in found] == [
        "6405.9200000000: what earlier bills carry is taken back"
    ]


def test_an_adjustment_has_no_price() -> None:
    part = part_of_month()
    [charge, *_] = [c for c in part.rating.rated.charges if c.kind is Kind.TOKENS]
    tax = replace(charge, rate=None, contract=None, kind=Kind.TAX, name="vat", rule="")
    key = tax.key
    rated = part.rating.rated._replace(charges=[tax])
    line = replace(part.lines[0], key=key, amounts=_amounts(part.lines[0], tax.billed))
    made = replace(part, rating=replace(part.rating, rated=rated), lines=(line,))

    [one] = explanations(made, (), lambda _line: True)

    assert one.arithmetic == "tax, of 1234577 = 9.2593275"
    assert one.rates == ()


def _shared(line: Line, share: Fraction) -> Line:
    return replace(line, amounts=_amounts(line, line.amounts.billed * share))


def _amounts(line: Line, billed: Fraction) -> Amounts:
    return replace(line.amounts, billed=billed)
