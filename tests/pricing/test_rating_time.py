"""Hours of nodes and KV-caches, and fees: rounding, versions of a price, quantities."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest

from pricing.prices.book import PriceBook
from pricing.prices.rate import Item, Model, Rate
from pricing.rating.charge import Charge, Kind, total
from pricing.rating.inputs import Inputs
from pricing.rating.rating import rate
from tests.pricing.month_notation import at, month_from, span
from tests.pricing.rates import book_of, by, priced, valid

SPEC = "polar.pg.g4.xlarge.gu10"
HOURLY = priced(Item.NODE_HOUR, "12", spec=SPEC)
GB_HOUR = priced(Item.KV_CACHE_HOUR, "0.02")
GB_MONTH = priced(Item.KV_CACHE_MONTH, "9.6")


def node_hours(inputs: Inputs, *rates: Rate, rounding: str = "second") -> list[Charge]:
    book = book_of(*(rates or (HOURLY,)), policy={"hour_rounding": rounding})
    charges, blockers = rate(replace(inputs, book=book))

    assert blockers == []
    return charges


def with_kv_cache(when: str) -> PriceBook:
    return book_of(GB_HOUR, GB_MONTH, policy={"kv_cache_when": when})


@pytest.mark.parametrize(
    ("rounding", "seconds"),
    [("second", [30, 3600, 3030]), ("minute", [60, 3600, 3060]), ("hour_ceil", [3600] * 3)],
    ids=["second", "minute", "hour_ceil"],
)
def test_running_time_of_a_clock_hour_is_rounded_up_as_the_book_says(
    rounding: str, seconds: list[int]
) -> None:
    inputs = month_from("""
    hour h1 n1 g4.xlarge.gu10 2026-10-01
    ran  n1 2026-10-06T10:59:30 2026-10-06T12:50:30
    """)

    assert [c.quantity * 3600 for c in node_hours(inputs, rounding=rounding)] == seconds


def test_a_clock_hour_is_rounded_once_however_often_its_node_started(inputs: Inputs) -> None:
    """
    hour h1 n1 g4.xlarge.gu10 2026-10-01
    ran  n1 2026-10-06T10:00:00 2026-10-06T10:00:20
    ran  n1 2026-10-06T10:10:00 2026-10-06T10:10:20
    ran  n1 2026-10-06T10:20:00 2026-10-06T10:20:30
    """
    assert [c.quantity * 3600 for c in node_hours(inputs, rounding="minute")] == [120]


def test_a_contract_for_several_nodes_pays_for_each(inputs: Inputs) -> None:
    """
    hour h1 n1 g4.xlarge.gu10 2026-10-01 quantity=3
    ran  n1 2026-10-06T10:00 2026-10-06T10:30
    """
    [charge] = node_hours(inputs)

    assert (charge.quantity, charge.billed) == (Fraction("1.5"), 18)


def test_another_price_from_an_instant_on_makes_a_line_of_its_own(inputs: Inputs) -> None:
    """
    hour h1 n1 g4.xlarge.gu10 2026-10-01
    ran  n1 2026-10-06T10:00 2026-10-06T12:00
    """
    old = valid(HOURLY, end="2026-10-06T11:15")
    new = valid(replace(HOURLY, price=Decimal(24)), start="2026-10-06T11:15")

    found = [(c.period, c.billed) for c in node_hours(inputs, old, new)]

    assert found == [
        (span("2026-10-06T10:00", "2026-10-06T11:00"), 12),
        (span("2026-10-06T11:00", "2026-10-06T11:15"), 3),
        (span("2026-10-06T11:15", "2026-10-06T12:00"), 18),
    ]


def test_a_begun_hour_in_which_the_price_changed_is_charged_at_both_and_is_one_hour(
    inputs: Inputs,
) -> None:
    """
    hour h1 n1 g4.xlarge.gu10 2026-10-01
    ran  n1 2026-10-06T11:10 2026-10-06T11:20
    """
    old = valid(HOURLY, end="2026-10-06T11:15")
    new = valid(replace(HOURLY, price=Decimal(24)), start="2026-10-06T11:15")

    found = node_hours(inputs, old, new, rounding="hour_ceil")

    assert [(c.quantity * 60, c.billed) for c in found] == [(15, 3), (45, 18)]


def test_a_night_tariff_of_a_node_holds_in_its_local_hours(inputs: Inputs) -> None:
    """
    hour h1 n1 g4.xlarge.gu10 2026-10-01
    ran  n1 2026-10-06T21:00 2026-10-06T23:00
    """
    night = priced(Item.NODE_HOUR, "5", spec=SPEC, hours="22-08")

    assert [c.billed for c in node_hours(inputs, HOURLY, night)] == [12, 5]


def test_running_time_without_a_price_blocks_the_bill_and_names_the_gap(inputs: Inputs) -> None:
    """
    hour h1 n1 g4.xlarge.gu10 2026-10-01
    ran  n1 2026-10-06T10:00 2026-10-06T12:00
    """
    book = book_of(valid(HOURLY, end="2026-10-06T11:00"))

    charges, [blocker] = rate(replace(inputs, book=book))

    assert charges == []
    assert blocker == (
        "contract 'h1': book small must have a node-hour price for region=cn-hangzhou, "
        f"spec={SPEC} from 2026-10-06T03:00:00+00:00 to 2026-10-06T04:00:00+00:00, found none"
    )


def test_hours_in_tiers_are_counted_over_the_month(inputs: Inputs) -> None:
    """
    hour h1 n1 g4.xlarge.gu10 2026-10-01
    ran  n1 2026-10-06T10:00 2026-10-06T12:00
    ran  n1 2026-10-08T10:00 2026-10-08T13:00
    """
    tiered = by(HOURLY, Model.GRADUATED, (4, "12", "0"), (None, "6", "0"))

    found = [(c.tier, c.quantity, c.billed, c.period) for c in node_hours(inputs, tiered)]

    assert found == [(0, 4, 48, inputs.month), (1, 1, 6, inputs.month)]


@pytest.mark.parametrize(
    ("when", "gigabyte_hours"), [("running", 100), ("always", 100 * 24 * 31)], ids=str
)
def test_a_kv_cache_is_charged_as_its_node_runs_or_always(when: str, gigabyte_hours: int) -> None:
    inputs = month_from("""
    kvhour k1 n1 100 2026-10-01
    ran    n1 2026-10-06T10:00 2026-10-06T11:00
    """)

    charges, blockers = rate(replace(inputs, book=with_kv_cache(when)))

    assert {c.kind for c in charges} == {Kind.KV_CACHE}
    assert sum(c.quantity for c in charges) == gigabyte_hours
    assert total(charges) == Fraction("0.02") * gigabyte_hours
    assert blockers == []


@pytest.mark.parametrize(
    ("when", "kinds"),
    [
        ("running", [Kind.TERM, Kind.TERM_USED, Kind.TERM_UNUSED]),
        ("always", [Kind.TERM, Kind.TERM_USED]),
    ],
    ids=["running", "always"],
)
def test_a_kv_cache_is_bought_for_a_term_by_the_gigabyte(when: str, kinds: list[Kind]) -> None:
    inputs = month_from("""
    kvsub k1 n1 200 2026-10-01 months=2 discount=0.9
    ran   n1 2026-10-06T10:00 2026-10-06T11:00
    """)

    charges, _ = rate(replace(inputs, book=with_kv_cache(when)))

    order = charges[0]
    assert [c.kind for c in charges] == kinds
    assert (order.quantity, order.listed, order.billed) == (400, 3840, 3456)
    assert sum(c.quantity for c in charges[1:]) == 200 * 24 * 31


def test_a_kv_cache_serves_no_requests(inputs: Inputs) -> None:
    """
    kvhour k1 n1 100 2026-10-01
    used   2026-10-06T10 dedicated requests=1 fresh=5
    """
    blockers = rate(replace(inputs, book=with_kv_cache("always"))).blockers

    assert blockers == [
        "1 requests in pool 'dedicated' must be under a contract, found none in force"
    ]


def test_a_fee_is_charged_for_the_seconds_of_the_month_in_which_its_contract_is_in_force() -> None:
    inputs = month_from("""
    month 2026-10 to=2026-10-21
    token t1 shared small 2026-10-11
    token t2 lab    small 2026-10-11
    """)
    fee = priced(Item.FEE, "310", pool="shared")

    [charge] = rate(replace(inputs, book=book_of(fee))).charges

    assert (charge.kind, charge.quantity, charge.billed) == (Kind.FEE, Fraction(10, 31), 100)
    assert charge.period == span("2026-10-11", "2026-11-01")


def test_a_fee_that_changes_is_a_line_for_each_price_and_none_where_there_was_none() -> None:
    inputs = month_from("token t1 shared small 2026-09-01")
    fee = priced(Item.FEE, "310", size_class="small")
    first = valid(fee, "2026-10-11", "2026-10-21")
    then = valid(replace(fee, price=Decimal(620)), "2026-10-21")
    other = valid(priced(Item.FEE, "1", pool="lab"), "2026-10-15")

    charges = rate(replace(inputs, book=book_of(first, then, other))).charges

    assert [(c.period, c.billed) for c in charges] == [
        (span("2026-10-11", "2026-10-21"), 100),
        (span("2026-10-21", "2026-11-01"), 220),
    ]


def test_a_month_in_which_clocks_change_has_the_hours_that_elapsed() -> None:
    inputs = month_from("hour h1 n1 g4.xlarge.gu10 2026-10-01\nran n1 2026-10-24 2026-10-27")
    berlin = replace(inputs, zone="Europe/Berlin")
    book = book_of(HOURLY, priced(Item.NODE_HOUR, "5", spec=SPEC, hours="02-03"))
    book = replace(book, zone="Europe/Berlin")

    charges = rate(replace(berlin, book=book)).charges

    assert sum(c.quantity for c in charges) == 72
    assert [c.period.start for c in charges if c.billed == 5] == [
        at("2026-10-24T08:00"),
        at("2026-10-25T08:00"),
        at("2026-10-25T09:00"),
        at("2026-10-26T09:00"),
    ]
