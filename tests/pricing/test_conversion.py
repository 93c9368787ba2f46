"""Conversions: subscription to hourly and back, either to tokens, and early ends."""

from dataclasses import replace
from decimal import Decimal

import pytest

from metering.identity import FOR_EVER
from metering.period import month_of
from pricing.contracts.change import end_early, to_hourly, to_subscription, to_tokens
from pricing.contracts.contract import (
    Contract,
    ContractError,
    TermError,
    check_disjoint,
    check_unchanged,
)
from pricing.contracts.schemes import (
    Hourly,
    KvCacheHourly,
    KvCacheSubscription,
    PerModelToken,
    PerToken,
    Subscription,
)
from pricing.contracts.turn import Rule
from pricing.rating.charge import Kind
from pricing.rating.rating import rate
from tests.pricing.bought import (
    SMALL,
    beijing,
    cache_hourly,
    cache_subscribed,
    hourly,
    old_and_new,
    pool,
    priced,
    subscribed,
)
from tests.pricing.month_notation import BEIJING, at, month_from

BOOK = priced()


def test_a_subscription_becomes_hourly_and_the_remaining_days_go_back() -> None:
    change = to_hourly(subscribed(start="2026-03-12T13:23:56"), at("2026-03-20T10:00"), BOOK)
    old, new = old_and_new(change)

    assert change.rule == "R8 subscription to hourly"
    assert change.amount == Decimal("-7226.45")
    assert change.working == "23 of 31 days left x 9740.0 paid in cash = -7226.45"
    assert (new.scheme, new.period.end) == (Hourly(SMALL), FOR_EVER)
    assert beijing(old.prepaid_period.end) == "2026-04-13T00:00:00"


def test_the_remaining_seconds_go_back_where_the_policy_says_so() -> None:
    book = priced(conversion_refund="seconds")
    change = to_hourly(subscribed(), at("2026-05-17"), book)

    assert change.amount == Decimal("-4870.00")
    assert change.working == "1382400 of 2764800 seconds left x 9740.0 paid in cash = -4870.00"


def test_vouchers_are_never_refunded() -> None:
    contract = subscribed(start="2026-03-12T13:23:56", cash_paid=Decimal("0.00"))
    change = to_hourly(contract, at("2026-03-20T10:00"), BOOK)

    assert change.amount == 0
    assert change.settlement
    assert change.settlement.expensed > 0


def test_a_free_node_gives_nothing_back() -> None:
    change = end_early(subscribed(worth=Decimal(0)), at("2026-05-16"), BOOK)

    assert change.amount == 0


def test_a_kv_cache_becomes_hourly_too() -> None:
    change = to_hourly(cache_subscribed(), at("2026-05-16"), BOOK)

    assert change.contracts[1].scheme == KvCacheHourly(100)


def test_an_hourly_node_becomes_a_subscription_from_the_second_it_is_paid() -> None:
    book = replace(BOOK, term_factors={12: Decimal("0.85")})
    contract = hourly(window="nights")
    change = to_subscription(contract, at("2026-05-10T14:20"), 12, book)
    old, new = old_and_new(change)

    assert change.amount == Decimal("99348.00")
    assert change.working == "116880 list x 0.85 = 99348.00"
    assert change.settlement is None
    assert new.scheme == Subscription(SMALL, 12, Decimal("0.85"))
    assert beijing(new.period.end) == "2027-05-11T00:00:00"
    assert (old.window, new.window) == ("nights", "")


def test_an_hourly_kv_cache_becomes_a_subscription() -> None:
    change = to_subscription(cache_hourly(), at("2026-05-10"), 3, BOOK)

    assert change.amount == Decimal("2880.00")
    assert change.contracts[1].scheme == KvCacheSubscription(100, 3)


def test_a_term_that_is_not_sold_is_refused() -> None:
    with pytest.raises(TermError, match="found 10"):
        to_subscription(hourly(), at("2026-05-10"), 10, BOOK)


def test_an_own_model_stays_hourly() -> None:
    with pytest.raises(ContractError, match="be hourly for a model of one's own"):
        to_subscription(hourly(own_model="bucket/path"), at("2026-05-10"), 1, BOOK)


def test_a_subscription_becomes_tokens_and_the_rest_goes_back() -> None:
    change = to_tokens(subscribed(), PerToken("small"), at("2026-05-16T12:00"), BOOK)

    assert change.rule is Rule.SUBSCRIPTION_TO_TOKENS
    assert change.amount == Decimal("-4712.90")
    assert old_and_new(change)[1].scheme == PerToken("small")


def test_an_hourly_node_becomes_tokens_by_model() -> None:
    change = to_tokens(hourly(), PerModelToken(), at("2026-05-16T12:00"), BOOK)

    assert (change.rule, change.amount) == (Rule.HOURLY_TO_TOKENS, 0)
    assert change.contracts[1].scheme == PerModelToken()


def test_tokens_begin_on_a_whole_hour() -> None:
    with pytest.raises(ContractError, match="start and end on a whole hour"):
        to_tokens(hourly(), PerToken("small"), at("2026-05-16T12:30"), BOOK)


def test_a_subscription_that_ends_early_has_no_successor() -> None:
    change = end_early(subscribed(), at("2026-05-16T12:00"), BOOK)

    assert change.rule is Rule.END_EARLY
    assert change.amount == Decimal("-4712.90")
    [ended] = change.contracts
    check_unchanged(subscribed(), ended)


@pytest.mark.parametrize("contract", [hourly(), cache_hourly(), pool()])
def test_what_is_paid_afterwards_ends_without_a_refund(contract: Contract) -> None:
    change = end_early(contract, at("2026-05-16T12:00"), BOOK)

    assert (change.rule, change.amount, change.settlement) == (Rule.RELEASE, 0, None)


def test_a_month_of_changes_charges_each_second_once() -> None:
    """Of one node: hourly until the 10th, a subscription until the 20th, then hourly again."""
    first = to_subscription(hourly(), at("2026-05-10"), 1, BOOK)
    second = to_hourly(first.contracts[1], at("2026-05-20"), BOOK)
    contracts = (first.contracts[0], *second.contracts)
    assert second.settlement
    text = "month 2026-05\nran n1 2026-05-01 2026-06-01"
    month = replace(month_from(text, BOOK), contracts=contracts, settlements=(second.settlement,))
    charges = rate(month).charges
    timed = (Kind.NODE_TIME, Kind.TERM_USED, Kind.TERM_UNUSED)

    check_disjoint(contracts)
    hours = sum(c.quantity for c in charges if c.kind in timed)
    assert hours * 3600 == month_of("2026-05", BEIJING).seconds
