from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest

from metering.period import Period
from pricing.contracts.contract import Contract
from pricing.contracts.schemes import PerToken
from pricing.rating.charge import Charge, Kind
from pricing.rating.inputs import Inputs
from pricing.rating.rating import rate
from tests.pricing.month_notation import at, month_from, span


def charges_of(inputs: Inputs, kind: Kind) -> list[Charge]:
    return [c for c in rate(inputs).charges if c.kind is kind]


def test_an_hourly_node_pays_for_the_seconds_of_each_clock_hour(inputs: Inputs) -> None:
    """
    hour  h1 n1 g4.xlarge.gu10 2026-10-01
    ran   n1 2026-10-06T10:59:30 2026-10-06T12:50:30
    """
    found = [(c.period, c.quantity * 3600, c.billed) for c in rate(inputs).charges]

    price = Fraction("13.3456")
    assert found == [
        (span("2026-10-06T10:00", "2026-10-06T11:00"), 30, price * 30 / 3600),
        (span("2026-10-06T11:00", "2026-10-06T12:00"), 3600, price),
        (span("2026-10-06T12:00", "2026-10-06T13:00"), 3030, price * 3030 / 3600),
    ]


def test_a_second_that_is_reported_twice_is_charged_once(inputs: Inputs) -> None:
    """
    hour  h1 n1 g4.xlarge.gu10 2026-10-01
    ran   n1 2026-10-06T10:00:00 2026-10-06T10:20:00
    ran   n1 2026-10-06T10:10:00 2026-10-06T10:30:00
    ran   n1 2026-10-06T10:45:00 2026-10-06T10:46:00
    """
    assert [c.quantity * 3600 for c in rate(inputs).charges] == [1860]


def test_only_running_time_of_the_contract_s_own_node_is_charged(inputs: Inputs) -> None:
    """
    hour  h1 n1 g4.xlarge.gu10 2026-10-01
    ran   n1 2026-10-06T10:00:00 2026-10-06T10:06:30 creating
    ran   n1 2026-10-06T10:06:30 2026-10-06T11:00:00
    ran   n1 2026-10-06T11:00:00 2026-10-06T19:00:00 stopped
    ran   n2 2026-10-06T10:00:00 2026-10-06T19:00:00
    """
    assert [c.quantity * 3600 for c in rate(inputs).charges] == [3210]


def test_running_time_outside_the_contract_or_the_month_is_not_charged(inputs: Inputs) -> None:
    """
    month 2026-10
    hour  h1 n1 g4.xlarge.gu10 2026-09-30T23:59:00 until=2026-10-01T00:00:10
    hour  h2 n2 g4.xlarge.gu10 2026-10-31T23:59:50
    ran   n1 2026-09-01 2026-12-01
    ran   n2 2026-09-01 2026-12-01
    """
    found = [(c.contract.id, c.quantity * 3600) for c in rate(inputs).charges]

    assert found == [("h1", 10), ("h2", 10)]


def test_running_time_is_charged_up_to_the_cutoff(inputs: Inputs) -> None:
    """
    month 2026-10 to=2026-10-06T10:15:00
    hour  h1 n1 g4.xlarge.gu10 2026-10-01
    ran   n1 2026-10-06T09:30:00 2026-10-07
    """
    assert [c.quantity * 3600 for c in rate(inputs).charges] == [1800, 900]


@pytest.mark.parametrize("service_to", ["2026-09-01", "2026-10-01"])
def test_a_month_that_has_not_begun_costs_nothing(service_to: str) -> None:
    inputs = month_from(f"""
    month 2026-10 to={service_to}
    sub   s1 n1 g4.xlarge.gu10 2026-09-15
    hour  h1 n2 g4.xlarge.gu10 2026-10-01
    ran   n2 2026-09-01 2026-12-01
    """)

    assert rate(inputs) == ([], [])


def test_what_another_account_holds_or_uses_is_not_charged(inputs: Inputs) -> None:
    """
    hour  h1 n1 g4.xlarge.gu10 2026-10-01 account=borealis
    token t1 shared small 2026-10-01 account=borealis
    ran   n1 2026-10-06 2026-10-07
    used  2026-10-06T10 shared fresh=1000 requests=1 account=borealis
    """
    assert rate(inputs) == ([], [])


def test_an_order_is_billed_once_in_the_month_in_which_it_was_placed() -> None:
    text = "sub s1 n1 g8.xlarge.gu30 2026-10-07T09:00:00 months=12 discount=0.85 region=cn-beijing"
    orders = {
        month: charges_of(month_from(f"month {month}\n{text}"), Kind.TERM)
        for month in ("2026-09", "2026-10", "2026-11")
    }

    assert orders["2026-09"] == orders["2026-11"] == []
    [order] = orders["2026-10"]
    assert order.period == span("2026-10-07T09:00:00", "2027-10-08")
    assert (order.quantity, order.listed) == (12, Fraction("416077.20"))
    assert (order.discount, order.billed) == (Fraction("0.85"), Fraction("353665.62"))


def test_an_order_is_rounded_half_up_to_the_fen(inputs: Inputs) -> None:
    """
    sub s1 n1 g4.xlarge.gu10 2026-10-07 discount=0.53125
    """
    [order] = charges_of(inputs, Kind.TERM)

    assert order.listed * order.discount == Fraction("3403.145")
    assert order.billed == Fraction("3403.15")


def test_a_term_s_months_carry_its_cost_in_used_and_unused_time(inputs: Inputs) -> None:
    """
    month 2026-10
    sub   s1 n1 g4.xlarge.gu10 2026-10-01
    ran   n1 2026-10-02 2026-10-05
    ran   n1 2026-10-31T20:00:00 2026-11-01T20:00:00
    """
    [used] = charges_of(inputs, Kind.TERM_USED)
    [unused] = charges_of(inputs, Kind.TERM_UNUSED)

    assert used.period == unused.period == span("2026-10-01", "2026-11-01")
    assert (used.quantity, unused.quantity) == (76, 744 - 76)
    assert used.billed == unused.billed == 0
    share = Fraction("6405.92") * 744 / 768  # the term is 31 days and the day after its last
    assert abs(used.effective + unused.effective - share) <= Fraction(1, 10**10)
    assert abs(used.effective - share * 76 / 744) <= Fraction(1, 10**10)


@pytest.mark.parametrize(
    ("running", "kinds"),
    [
        ("2026-10-01 2026-11-01", [Kind.TERM, Kind.TERM_USED]),
        ("2026-09-01 2026-10-01", [Kind.TERM, Kind.TERM_UNUSED]),
    ],
)
def test_a_term_all_used_or_never_used_has_no_empty_line(running: str, kinds: list[Kind]) -> None:
    inputs = month_from(f"sub s1 n1 g4.xlarge.gu10 2026-10-01\nran n1 {running}")

    assert [c.kind for c in rate(inputs).charges] == kinds


def test_a_subscription_may_be_drafted_in_its_first_second(inputs: Inputs) -> None:
    """
    month 2026-10 to=2026-10-07T09:00:00.250
    sub   s1 n1 g4.xlarge.gu10 2026-10-07T09:00:00
    """
    assert [(c.kind, c.billed) for c in rate(inputs).charges] == [(Kind.TERM, Fraction("6405.92"))]


def test_tokens_are_charged_by_class_day_model_and_project(inputs: Inputs) -> None:
    """
    token t1 shared small 2026-10-01
    used  2026-10-06T22 shared requests=2 fresh=1000 output=20
    used  2026-10-06T23 shared requests=1 fresh=500
    used  2026-10-07T00 shared requests=4 fresh=7
    used  2026-10-07T00 shared requests=8 fresh=9 model=other
    used  2026-10-07T00 shared requests=16 fresh=11 project=p1
    used  2026-10-07T00 shared requests=32 fresh=13 operation=embeddings
    """
    sixth, seventh = span("2026-10-06", "2026-10-07"), span("2026-10-07", "2026-10-08")
    found = {
        (c.period, c.project, c.model, c.operation, c.meter): (c.quantity, c.requests)
        for c in rate(inputs).charges
    }

    assert found == {
        (sixth, "", "qwen3", "chat", "fresh"): (1500, 3),
        (sixth, "", "qwen3", "chat", "output"): (20, 0),
        (seventh, "", "qwen3", "chat", "fresh"): (7, 4),
        (seventh, "", "other", "chat", "fresh"): (9, 8),
        (seventh, "p1", "qwen3", "chat", "fresh"): (11, 16),
        (seventh, "", "qwen3", "embeddings", "fresh"): (13, 32),
    }
    assert sum(c.billed for c in rate(inputs).charges) == Fraction("0.075") * 1560 / 10_000


def test_failed_requests_are_free_and_aborted_ones_pay_what_was_made(inputs: Inputs) -> None:
    """
    token t1 shared small 2026-10-01
    used  2026-10-06T10 shared fresh=1 requests=1
    used  2026-10-06T10 shared fresh=2 requests=1 outcome=aborted
    used  2026-10-06T10 shared fresh=4 requests=1 outcome=timeout
    used  2026-10-06T10 shared fresh=8 requests=1 outcome=throttled
    used  2026-10-06T10 shared fresh=16 requests=1 outcome=client_error
    used  2026-10-06T10 shared fresh=32 requests=1 outcome=server_error
    """
    charges, blockers = rate(inputs)

    assert ([c.quantity for c in charges], blockers) == ([7], [])


def test_requests_of_a_reserved_node_are_free_whatever_their_counts(inputs: Inputs) -> None:
    """
    sub   s1 n1 g4.xlarge.gu10 2026-10-01 months=1
    token t1 shared small 2026-10-01
    used  2026-10-06T10 dedicated requests=3 fresh=1000 resource=n1
    used  2026-10-06T10 dedicated requests=3 quality=unknown resource=n1
    used  2026-10-06T10 shared    requests=1 fresh=5
    """
    charges, blockers = rate(inputs)

    found = [(c.kind, c.quantity, c.billed, c.requests) for c in charges if c.meter]
    assert found == [
        (Kind.RESERVED, 1000, 0, 3),
        (Kind.TOKENS, 5, Fraction("0.0000375"), 1),
    ]
    assert blockers == []


def test_requests_on_an_hourly_node_that_did_not_run_block_the_bill(inputs: Inputs) -> None:
    """
    hour  h1 n1 g4.xlarge.gu10 2026-10-01
    hour  h2 n2 g4.xlarge.gu10 2026-10-01
    ran   n1 2026-10-06T10:30 2026-10-06T11:30
    used  2026-10-06T10 dedicated requests=3 fresh=1000 resource=n1
    used  2026-10-06T11 dedicated requests=1 fresh=1000
    used  2026-10-06T12 dedicated requests=2 fresh=1000 resource=n1
    used  2026-10-06T10 dedicated requests=4 fresh=1000 resource=n2
    """
    assert rate(inputs).blockers == [
        "2 requests on node 'n1' must fall into hours in which it ran, found other hours",
        "4 requests on node 'n2' must fall into hours in which it ran, found other hours",
    ]


def test_a_reserved_node_goes_before_a_contract_per_token_that_matches_too(inputs: Inputs) -> None:
    """
    token a1 dedicated small 2026-10-01 resource=ep1
    hour  z1 n1 g4.xlarge.gu10 2026-10-01
    used  2026-10-06T10 dedicated requests=1 fresh=5
    used  2026-10-06T10 dedicated requests=1 fresh=7 resource=ep1
    """
    assert [c.quantity for c in rate(inputs).charges] == [7]


def test_usage_is_priced_by_the_contract_of_its_own_endpoint(inputs: Inputs) -> None:
    """
    token a lab small  2026-10-01 resource=ep1
    token b lab medium 2026-10-01 resource=ep2
    used  2026-10-06T10 lab requests=1 fresh=5 resource=ep1
    used  2026-10-06T10 lab requests=1 fresh=7 resource=ep2
    """
    found = [(c.contract.id, c.quantity, c.rate.price) for c in rate(inputs).charges]

    assert found == [("a", 5, Decimal("0.075")), ("b", 7, Decimal("0.15"))]


def test_usage_is_priced_by_the_contract_of_its_own_hour(inputs: Inputs) -> None:
    """
    token a shared small  2026-10-01 until=2026-10-06T10
    token b shared medium 2026-10-06T10
    used  2026-10-06T09 shared requests=1 fresh=5
    used  2026-10-06T10 shared requests=1 fresh=7
    """
    assert [(c.contract.id, c.quantity) for c in rate(inputs).charges] == [("a", 5), ("b", 7)]


def test_usage_outside_the_month_or_from_the_cutoff_on_is_not_charged(inputs: Inputs) -> None:
    """
    month 2026-10 to=2026-10-06T10:30
    token t1 shared small 2026-09-01
    used  2026-09-30T23 shared requests=1 fresh=1
    used  2026-10-01T00 shared requests=1 fresh=2
    used  2026-10-06T10 shared requests=1 fresh=4
    used  2026-10-06T11 shared requests=1 fresh=8
    used  2026-11-01T00 shared requests=1 fresh=16
    """
    assert sum(c.quantity for c in rate(inputs).charges) == 6


def test_usage_under_no_contract_blocks_the_bill_and_is_never_free(inputs: Inputs) -> None:
    """
    token t1 shared small 2026-10-07
    used  2026-10-06T10 shared requests=3 fresh=1000
    used  2026-10-06T11 shared requests=1 fresh=1000
    used  2026-10-06T10 lab    requests=2 output=5 quality=unknown
    """
    charges, blockers = rate(inputs)

    assert charges == []
    assert blockers == [
        "2 requests in pool 'lab' must be under a contract, found none in force",
        "4 requests in pool 'shared' must be under a contract, found none in force",
    ]


def test_unknown_and_estimated_counts_block_the_bill_and_are_not_charged(inputs: Inputs) -> None:
    """
    token t1 shared small 2026-10-01
    used  2026-10-06T10 shared requests=3 quality=unknown
    used  2026-10-06T11 shared requests=2 fresh=7 quality=unknown
    used  2026-10-06T11 shared requests=1 fresh=9 quality=estimated
    used  2026-10-06T11 shared requests=4 fresh=5
    """
    charges, blockers = rate(inputs)

    assert [(c.quantity, c.requests) for c in charges] == [(5, 4)]
    assert blockers == [
        "1 requests must have measured token counts, found estimated ones",
        "5 requests must have measured token counts, found unknown ones",
    ]


def test_usage_without_a_price_blocks_the_bill_and_is_never_zero(inputs: Inputs) -> None:
    """
    token t1 shared small 2026-10-01 region=eu-central-1
    used  2026-10-06T10 shared requests=1 fresh=1000
    used  2026-10-07T10 shared requests=1 fresh=500
    """
    charges, [blocker] = rate(inputs)

    assert charges == []
    assert blocker == (
        "1500 fresh tokens: book polardb-2026 must have a tokens price for region=eu-central-1, "
        "size_class=small, pool=shared, operation=chat, tier=, meter=fresh, found none"
    )


def test_a_contract_per_token_costs_nothing_without_usage() -> None:
    period = Period(at("2026-10-01"), at("2026-11-01"))
    pool = Contract("t1", "acme", PerToken("small"), "cn-hangzhou", "shared", period)

    assert rate(replace(month_from(""), contracts=[pool])) == ([], [])
