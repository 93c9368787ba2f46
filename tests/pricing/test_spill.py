"""Hybrid: reservations, overflow with its reason, and what one more node would have cost."""

from dataclasses import replace
from fractions import Fraction

from pricing.prices.rate import Item
from pricing.rating.inputs import Inputs
from pricing.rating.rating import rate
from pricing.rating.spill import Overflow, Reservation, spill_report
from tests.pricing.month_notation import month_from
from tests.pricing.rates import book_of, priced, tokens

SPEC = "polar.pg.g8.2xlarge.gu49"


def test_a_report_shows_what_was_reserved_and_what_overflowed_and_why(inputs: Inputs) -> None:
    """
    hour  h1 n1 g8.2xlarge.gu49 2026-10-01
    model m1 bailian - 2026-10-01
    ran   n1 2026-10-06T10:00 2026-10-06T14:00
    used  2026-10-06T10 dedicated requests=9 fresh=900000000 resource=n1
    used  2026-10-06T11 bailian   requests=1 fresh=120000000 reason=queue_full
    used  2026-10-06T12 bailian   requests=1 output=30000000 reason=queue_full
    used  2026-10-06T12 bailian   requests=1 fresh=5000000   reason=long_context
    used  2026-10-06T12 bailian   requests=1 fresh=7000000
    """
    book = book_of(
        priced(Item.NODE_HOUR, "20", spec=SPEC),
        priced(Item.NODE_MONTH, "100", spec=SPEC),
        tokens("0.8", meter="fresh"),
        tokens("2", meter="output"),
    )

    report = spill_report(rate(replace(inputs, book=book)).charges, book)

    [node] = report.reservations
    assert node == Reservation("h1", Fraction(80), 900_000_000, Fraction(100), Fraction(20))
    assert report.overflows == (
        Overflow("m1", "long_context", 5_000_000, Fraction(4)),
        Overflow("m1", "queue_full", 150_000_000, Fraction(156)),
    )
    assert (report.fee, report.spilled, report.tokens) == (80, 160, 1_055_000_000)
    assert report.blended_per_million == Fraction(240, 1055)
    assert report.over_one_more(node) == 60


def test_a_subscription_s_fee_is_its_month_s_share_of_the_term(inputs: Inputs) -> None:
    """
    sub   s1 n1 g8.2xlarge.gu49 2026-10-01
    kvsub k1 n1 100 2026-10-01
    used  2026-10-06T10 dedicated requests=9 fresh=1000000
    """
    book = book_of(
        priced(Item.NODE_HOUR, "20", spec=SPEC),
        priced(Item.NODE_MONTH, "768", spec=SPEC),
        priced(Item.KV_CACHE_MONTH, "9.6"),
        priced(Item.KV_CACHE_HOUR, "0.02"),
    )

    report = spill_report(rate(replace(inputs, book=book)).charges, book)

    assert [(r.contract, r.fee, r.tokens) for r in report.reservations] == [("s1", 744, 1_000_000)]


def test_a_node_that_is_not_sold_by_the_month_has_no_such_price(inputs: Inputs) -> None:
    """
    hour  h1 n1 g8.2xlarge.gu49 2026-10-01
    ran   n1 2026-10-06T10:00 2026-10-06T14:00
    """
    book = book_of(priced(Item.NODE_HOUR, "20", spec=SPEC))

    report = spill_report(rate(replace(inputs, book=book)).charges, book)

    [node] = report.reservations
    assert (node.node_month, report.over_one_more(node)) == (None, None)


def test_a_month_without_tokens_has_no_price_a_million() -> None:
    inputs = month_from("")

    assert spill_report(rate(inputs).charges, inputs.book).blended_per_million is None
