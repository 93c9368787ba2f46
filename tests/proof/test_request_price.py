"""What single requests cost: together they are what their lines come to."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.usage import Usage
from pricing.bills.part import Rating
from pricing.prices.book import PriceBook
from pricing.prices.rate import Item, Model
from pricing.proof.request_price import request_price
from pricing.rating.charge import Kind
from tests.pricing.month_notation import bill_of, month_from, small_book, usage_of
from tests.pricing.rates import book_of, by, priced, tokens

MODEL = "model m1 shared - 2026-10-01 factors=cached:0.1\n"
TIERS = ((1000, "2", "0.5"), (5000, "1", "0"), (None, "0.5", "3"))
RATES = {
    "unit": tokens("1.5", meter="fresh"),
    "graduated": by(tokens("1", per=1000, meter="fresh"), Model.GRADUATED, *TIERS),
    "volume": by(tokens("1", per=1000, meter="fresh"), Model.VOLUME, *TIERS),
    "package": replace(tokens("0.7", per=1000, meter="fresh"), model=Model.PACKAGE),
    "flat": replace(tokens("9", meter="fresh"), model=Model.FLAT),
}
EACH = st.tuples(st.integers(1, 30), st.integers(0, 4000), st.integers(0, 4000)).filter(
    lambda one: one[1] + one[2] > 0
)


def used(day: int, fresh: int, cached: int, **said: str) -> list[Usage]:
    """Return what one request counts for."""
    counts = {"requests": "1", "fresh": str(fresh), "cached": str(cached)}
    return usage_of(f"2026-10-{day:02}T10", "shared", counts | said)


def rating_of(text: str, requests: list[list[Usage]], book: PriceBook | None = None) -> Rating:
    """Rate a month of these requests."""
    inputs = month_from(text, book or small_book())
    told = replace(inputs, usage=[row for rows in requests for row in rows])
    [part] = bill_of(told).parts
    return part.rating


@pytest.mark.parametrize("model", RATES)
@given(counts=st.lists(EACH, min_size=1, max_size=5))
def test_requests_together_cost_what_their_lines_come_to(
    model: str, counts: list[tuple[int, int, int]]
) -> None:
    each = priced(Item.REQUESTS, "0.01")
    requests = [used(*one) for one in counts]
    rating = rating_of(MODEL, requests, book_of(RATES[model], each))

    found = [request_price(rating, rows) for rows in requests]

    assert all(one.why == () for one in found)
    assert sum(one.amount for one in found) == sum(c.billed for c in rating.rated.charges)
    assert {key for one in found for m in one.meters for key in m.charges} == {
        charge.key for charge in rating.rated.charges
    }


def test_a_share_of_tiers_is_told_as_one() -> None:
    requests = [used(6, 1500, 0), used(7, 500, 0)]
    rating = rating_of(MODEL, requests, book_of(RATES["graduated"]))

    [meter] = request_price(rating, requests[1]).meters

    assert meter.arithmetic == "500 of 2000 Tokens, by graduated 3.5 together = 0.875"
    assert [rate.why for rate in meter.rates] == ["applies"]


def test_a_request_inside_a_reservation_costs_nothing_beside_it() -> None:
    rows = usage_of("2026-10-08T10", "dedicated", {"requests": "1", "fresh": "10"})
    rating = rating_of("sub s1 n1 g4.xlarge.gu10 2026-10-07", [rows])

    found = request_price(rating, rows)

    assert found.amount == 0
    assert [(m.arithmetic, m.rates, m.contract) for m in found.meters] == [
        ("10 Tokens x 0 / Tokens = 0", (), "s1")
    ]
    assert {key.kind for m in found.meters for key in m.charges} == {Kind.RESERVED.value}


def test_what_has_no_contract_or_no_price_says_so() -> None:
    rows = used(6, 10, 5)
    free = rating_of("token t1 other small 2026-10-01", [rows])
    gap = rating_of(MODEL.replace(" factors=cached:0.1", ""), [rows], book_of(RATES["unit"]))

    [why] = request_price(free, rows).why
    assert why == "1 requests in pool 'shared' must be under a contract, found none in force"
    found = request_price(gap, rows)
    assert found.amount == Fraction("0.000015")
    assert found.why[0].startswith("5 cached tokens: ")


def test_what_is_not_charged_costs_nothing() -> None:
    failed = used(6, 10, 0, outcome="server_error")
    later = usage_of("2026-11-06T10", "shared", {"requests": "1", "fresh": "10"})
    rating = rating_of(MODEL, [failed], book_of(RATES["unit"]))

    assert request_price(rating, failed).why == ("a request that ends in server_error is free",)
    assert request_price(rating, later).why == ("it ended after what is charged up to now",)


def test_a_line_that_corrections_emptied_has_nothing_to_share() -> None:
    rows = used(6, 10, 0)
    rating = rating_of(MODEL, [], book_of(RATES["graduated"]))

    [meter] = request_price(rating, rows).meters

    assert (meter.amount, meter.charges) == (0, ())
