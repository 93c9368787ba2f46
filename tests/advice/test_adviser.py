"""Advice over a ledger: what is rated otherwise adds up, and nothing is posted."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from sqlalchemy import Engine

from pricing.advice.advice_store import Adviser, Otherwise
from pricing.advice.simulation import summary
from pricing.contracts.contract import Contract
from pricing.contracts.schemes import PerToken
from tests.pricing.month_notation import BEIJING, SMALL_BOOK, at, small_book
from tests.pricing.office_notation import ACME, LATER, OCTOBER, tell

MONTH = """
token t1 shared small 2026-10-01
hour  h1 n1 g4.xlarge.gu10 2026-10-01
ran   n1 2026-10-06T00 2026-10-06T10
used  2026-10-06T01 shared fresh=1000000 requests=5
used  2026-10-20T01 shared fresh=3000000 requests=5
"""
DEARER = SMALL_BOOK["tokens.csv"].replace("0.075", "0.15")


@pytest.fixture
def adviser(ledger: Engine) -> Adviser:
    return Adviser(tell(ledger, MONTH))


def test_the_book_in_force_changes_nothing(adviser: Adviser) -> None:
    [found] = adviser.simulated([ACME], OCTOBER, Otherwise(small_book()), LATER)

    assert found.difference == 0
    assert found.before == Decimal("163.45")
    assert summary([found]).difference == 0


def test_another_book_has_winners_and_losers(adviser: Adviser) -> None:
    dearer = Otherwise(small_book(tokens=DEARER))
    [found] = adviser.simulated([ACME], OCTOBER, dearer, LATER)
    total = summary([found])

    assert found.difference == Decimal("30.00")
    assert (total.accounts, total.winners, total.losers) == (1, 0, 1)
    assert total.after - total.before == total.difference == found.difference


def test_a_contract_is_tried_in_place_of_the_one_of_its_id(adviser: Adviser) -> None:
    medium = Contract("t1", "acme", PerToken("medium"), "cn-hangzhou", "shared", OCTOBER)
    [found] = adviser.simulated([ACME], OCTOBER, Otherwise(small_book(), (medium,)), LATER)

    assert found.difference == Decimal("30.00")


def test_what_a_book_does_not_price_is_counted(adviser: Adviser) -> None:
    without = Otherwise(
        small_book(tokens="size_class,cny_per_10k_tokens,where\nmedium,0.15,mainland\n")
    )
    outcomes = list(adviser.simulated([ACME], OCTOBER, without, LATER))

    assert outcomes[0].blockers
    assert summary(outcomes).blocked == 1


def test_overflow_stands_beside_the_reservation_that_it_left(ledger: Engine) -> None:
    office = tell(
        ledger,
        """
        hour  h1 n1 g4.xlarge.gu10 2026-10-01
        token t1 shared small 2026-10-01
        ran   n1 2026-10-06T00 2026-10-06T10
        used  2026-10-06T01 dedicated fresh=7000000 requests=5
        used  2026-10-06T02 shared fresh=1000000 requests=5 reason=saturated
        used  2026-10-06T02 shared fresh=1000000 requests=5
        """,
    )
    report = Adviser(office).spilled(ACME, OCTOBER, LATER)

    [node] = report.reservations
    assert (node.tokens, node.fee, report.spilled) == (
        7_000_000,
        Fraction("133.456"),
        Fraction(15, 2),
    )
    assert report.over_one_more(node) == Fraction("7.5") - Fraction("6405.92")


def test_nothing_is_posted(ledger: Engine) -> None:
    office = tell(ledger, MONTH)
    adviser = Adviser(office)
    list(adviser.simulated([ACME], OCTOBER, Otherwise(small_book(tokens=DEARER)), LATER))
    adviser.compared(ACME, OCTOBER, LATER)
    adviser.forecast(ACME, OCTOBER, LATER)

    assert office.billing.runs.of_account("acme") == []


def test_a_month_that_is_over_is_forecast_as_it_is(adviser: Adviser) -> None:
    found = adviser.forecast(ACME, OCTOBER, LATER)

    assert found.low == found.expected == found.high == found.to_date == Decimal("163.45")


def test_an_open_month_goes_on_as_the_weeks_before(adviser: Adviser) -> None:
    """Two weeks to 27 October hold 3 million tokens, all on the 20th: the mean week has half."""
    now = at("2026-10-27T02")
    found = adviser.forecast(ACME, OCTOBER, now)

    assert found.weeks == 3
    assert found.to_date == Decimal("163.45")
    assert found.low <= found.expected <= found.high
    assert found.expected == found.to_date


def test_without_a_week_of_history_the_rest_is_empty(adviser: Adviser) -> None:
    now = at("2026-10-06T00") + timedelta(hours=5)
    found = adviser.forecast(ACME, OCTOBER, now)

    assert found.weeks == 0
    assert found.low == found.expected == found.high


def test_nodes_are_compared_by_the_hour(adviser: Adviser) -> None:
    [node] = adviser.compared(ACME, OCTOBER, LATER)

    assert (node.contract, node.hours, node.tokens) == ("h1", 10, 0)
    assert node.now.payable == Decimal("133.45")
    assert BEIJING


def test_an_open_month_of_a_node_goes_on_by_its_schedule(ledger: Engine) -> None:
    """Ten hours on each of the first 14 days; ten on each of the 17 to come."""
    days = "".join(f"ran n1 2026-10-{day:02}T08 2026-10-{day:02}T18\n" for day in range(1, 15))
    office = tell(ledger, f"hour h1 n1 g4.xlarge.gu10 2026-10-01\n{days}")
    found = Adviser(office).forecast(ACME, OCTOBER, at("2026-10-15T00:00"))

    assert found.to_date == Decimal("1868.38")
    assert found.low <= found.expected == Decimal("4137.13") <= found.high
