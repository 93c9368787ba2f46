"""Conversions: subscription to hourly and back, either to tokens, and early ends."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.identity import FOR_EVER
from metering.period import Period, month_of
from pricing.bills.posting import Amounts, amounts_of, delta, posted
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
from pricing.prices.book import MissingPriceError
from pricing.rating.charge import Kind, LineKey
from pricing.rating.inputs import Inputs
from pricing.rating.rating import rate
from tests.pricing.bought import (
    MAY,
    SMALL,
    beijing,
    cache_hourly,
    cache_subscribed,
    hourly,
    old_and_new,
    per_token,
    pool,
    priced,
    seconds,
    subscribed,
)
from tests.pricing.month_notation import BEIJING, at, month_from, span

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
    with pytest.raises(ContractError, match="start and end on a whole hour") as refusal:
        to_tokens(hourly(), PerToken("small"), at("2026-05-16T12:30"), BOOK)

    assert refusal.value.field == "at"
    assert str(refusal.value) == (
        "contract 'c1' must start and end on a whole hour, by which usage is kept, "
        "as 2026-05-16T04:00:00+00:00 or 2026-05-16T05:00:00+00:00, "
        "found 2026-05-16T04:30:00+00:00"
    )


def test_tokens_become_hourly_and_an_agreed_end_stays() -> None:
    end = at("2026-07-01")
    contract = per_token(factors={"cached": Decimal("0.1")}, period=Period(at(MAY), end))
    change = to_hourly(contract, at("2026-05-16T12:00"), BOOK, SMALL)
    old, new = old_and_new(change)

    assert (change.rule, change.amount, change.settlement) == (Rule.TOKENS_TO_HOURLY, 0, None)
    assert change.rule == "R4 tokens to hourly"
    assert (new.scheme, new.period.end, new.factors) == (Hourly(SMALL), end, {})
    assert (old.scheme, old.factors) == (contract.scheme, contract.factors)


def test_tokens_become_a_subscription_whose_order_is_due() -> None:
    book = replace(BOOK, term_factors={12: Decimal("0.85")})
    contract = replace(per_token(), scheme=PerModelToken())
    change = to_subscription(contract, at("2026-05-10T14:00"), 12, book, SMALL)
    new = old_and_new(change)[1]

    assert change.rule == "R6 tokens to subscription"
    assert (change.amount, change.settlement) == (Decimal("99348.00"), None)
    assert new.scheme == Subscription(SMALL, 12, Decimal("0.85"))
    assert beijing(new.period.end) == "2027-05-11T00:00:00"


def test_tokens_that_become_something_else_obey_the_rules_of_what_they_become() -> None:
    now = at("2026-05-16")

    with pytest.raises(TermError, match="found 10"):
        to_subscription(per_token(), now, 10, BOOK, SMALL)
    with pytest.raises(MissingPriceError, match=r"spec=no\.such"):
        to_hourly(per_token(), now, BOOK, "no.such")
    with pytest.raises(ContractError, match="be hourly for a model of one's own"):
        to_subscription(per_token(own_model="bucket/path"), now, 1, BOOK, SMALL)
    for instant in ("2026-05-16T12:30", "2026-05-16T12:00:01"):
        with pytest.raises(ContractError, match="on a whole hour"):
            to_hourly(per_token(), at(instant), BOOK, SMALL)
        with pytest.raises(ContractError, match="on a whole hour"):
            to_subscription(per_token(), at(instant), 1, BOOK, SMALL)
    with pytest.raises(ContractError, match="must be in force"):
        to_hourly(per_token(), at("2026-04-30"), BOOK, SMALL)


def test_there_and_back_again_is_the_contract_that_it_was() -> None:
    first = to_tokens(hourly(quantity=2), PerToken("small"), at("2026-05-10"), BOOK).contracts[1]
    second = to_hourly(first, at("2026-05-20"), BOOK, SMALL).contracts[1]

    begun = Period(at("2026-05-20"), FOR_EVER)
    assert second == replace(hourly(quantity=2), id="c1.3", renews="c1.2", period=begun)


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


@settings(deadline=None, max_examples=40)
@given(
    hours=st.integers(1, 47),
    months=st.sampled_from([None, 1, 12]),
    used=st.lists(st.integers(1, 10**9), min_size=48, max_size=48),
    cutoffs=st.lists(seconds(span(MAY, "2026-06-01")), max_size=3),
)
def test_tokens_are_paid_before_the_turn_and_time_from_it_on_however_often_it_is_billed(
    hours: int, months: int | None, used: list[int], cutoffs: list[datetime]
) -> None:
    turn = at(MAY) + timedelta(hours=hours)
    if months is None:
        change = to_hourly(per_token(), turn, BOOK, SMALL)
    else:
        change = to_subscription(per_token(), turn, months, BOOK, SMALL)
    month = with_usage(change.contracts, used)
    charges = rate(month).charges
    carried: dict[LineKey, Amounts] = {}
    for service_to in (*sorted(cutoffs), month.month.end):
        rated = rate(replace(month, service_to=service_to))
        postings = delta(rated.charges, carried)
        carried = posted([*carried.items(), *((p.key, p.amounts) for p in postings)])

    timed = (Kind.NODE_TIME, Kind.TERM_USED, Kind.TERM_UNUSED)
    assert not rate(month).blockers
    assert sum(c.quantity for c in charges if c.kind is Kind.TOKENS) == sum(used[:hours])
    assert sum(c.quantity for c in charges if c.kind is Kind.RESERVED) == sum(used[hours:])
    assert sum(c.quantity for c in charges if c.kind in timed) == 31 * 24 - hours
    assert carried == {c.key: amounts_of(c) for c in charges if not amounts_of(c).is_nothing}


def with_usage(contracts: tuple[Contract, ...], used: list[int]) -> Inputs:
    """Return a May in which n1 ran all the time and served so many tokens an hour."""
    begun = at(MAY)
    rows = (
        f"used {(begun + timedelta(hours=n)).isoformat()} dedicated resource=n1 fresh={count}"
        for n, count in enumerate(used)
    )
    text = "\n".join(["month 2026-05", f"ran n1 {MAY} 2026-06-01", *rows])
    return replace(month_from(text, BOOK), contracts=contracts)
