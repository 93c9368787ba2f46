"""Changes of contracts: what ends, what begins, and what is due at once."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.identity import FOR_EVER
from pricing.contracts.change import (
    downgrade,
    end_early,
    resize_kv_cache,
    to_hourly,
    to_subscription,
    to_tokens,
    upgrade,
)
from pricing.contracts.contract import Contract, ContractError
from pricing.contracts.schemes import (
    Hourly,
    KvCacheHourly,
    KvCacheSubscription,
    PerToken,
    Subscription,
)
from pricing.contracts.turn import Change, ChangeError, Rule
from pricing.rating.charge import Kind, total
from pricing.rating.rating import rate
from tests.pricing.bought import (
    LARGE,
    MAY,
    SMALL,
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
from tests.pricing.month_notation import at, month_from

BOOK = priced()
TERM = subscribed().period


def test_an_upgrade_pays_the_difference_for_the_unused_time() -> None:
    change = upgrade(subscribed(), LARGE, at("2026-05-16T12:00"), BOOK)
    old, new = old_and_new(change)

    assert change.rule == "R7 upgrade"
    assert change.unused_hours == 396
    assert change.amount == Decimal("5357.00")
    assert change.working == "(19480 - 9740) / 720 x 396 h unused = 5357.00"
    assert old.paid_until == new.period.end == TERM.end
    assert new.scheme == Subscription(LARGE)
    assert new.anchor == TERM.start
    assert (old.id, new.id) == ("c1", "c1.2")


def test_a_settlement_says_who_pays_what_by_which_rule() -> None:
    change = upgrade(subscribed(), LARGE, at("2026-05-16T12:00"), BOOK)

    settlement = change.settlement
    assert settlement
    assert settlement.id == "c1@20260516T040000Z"
    assert (settlement.account, settlement.contract) == ("acme", "c1")
    assert (settlement.amount, settlement.expensed) == (Decimal("5357.00"), 0)
    assert (settlement.rule, settlement.working) == (change.rule, change.working)


def test_a_downgrade_gives_the_difference_back() -> None:
    change = downgrade(subscribed(LARGE), SMALL, at("2026-05-16T12:00"), BOOK)

    assert change.rule is Rule.DOWNGRADE
    assert change.amount == Decimal("-5357.00")
    assert change.working == "(9740 - 19480) / 720 x 396 h unused = -5357.00"


def test_a_downgrade_gives_back_only_the_part_that_was_cash() -> None:
    contract = subscribed(LARGE, cash_paid=Decimal("9740.00"))
    change = downgrade(contract, SMALL, at("2026-05-16T12:00"), BOOK)

    assert change.amount == Decimal("-2678.50")
    assert change.working.endswith("h unused x 0.5 paid in cash = -2678.50")


def test_a_discount_holds_for_the_difference_too() -> None:
    change = upgrade(subscribed(discount="0.5"), LARGE, at("2026-05-16T12:00"), BOOK)

    assert change.amount == Decimal("2678.50")


def test_all_nodes_of_a_contract_are_upgraded() -> None:
    change = upgrade(subscribed(quantity=3), LARGE, at("2026-05-16T12:00"), BOOK)

    assert change.amount == Decimal("16071.00")
    assert change.contracts[1].quantity == 3


def test_a_downgrade_by_expenses_and_costs_charges_the_used_days_first() -> None:
    book = priced(downgrade="expenses_and_costs")
    change = downgrade(subscribed(LARGE), SMALL, at("2026-05-16T12:00"), book)

    assert change.rule is Rule.EXPENSES_AND_COSTS
    assert change.working.startswith("(19480.0 paid - 19480 / 30 x 16 days x 1) x ")
    assert change.amount == Decimal("-4545.33")


@pytest.mark.parametrize(("start", "factor"), [("2025-03-01", "0.85"), ("2026-03-01", "1")])
def test_used_days_are_charged_with_the_discount_of_so_long_a_term(start: str, factor: str) -> None:
    book = replace(priced(downgrade="expenses_and_costs"), term_factors={12: Decimal("0.85")})
    contract = subscribed(LARGE, start, months=36)
    change = downgrade(contract, SMALL, at("2026-05-01"), book)

    assert f" days x {factor}) x " in change.working


@settings(deadline=None, max_examples=60)
@given(when=seconds(TERM), nodes=st.integers(1, 9))
def test_an_upgrade_undone_at_once_gives_the_same_amount_back(when: datetime, nodes: int) -> None:
    there = upgrade(subscribed(quantity=nodes), LARGE, when, BOOK)
    back = downgrade(there.contracts[1], SMALL, when, BOOK)

    assert back.amount == -there.amount
    assert back.contracts[1].id == "c1.3"


Step = Callable[[Contract, datetime], Change]

STEPS: tuple[Step, ...] = (
    lambda c, when: upgrade(c, LARGE, when, BOOK),
    lambda c, when: downgrade(c, SMALL, when, BOOK),
)
ENDS: tuple[Step, ...] = (
    lambda c, when: to_hourly(c, when, BOOK),
    lambda c, when: end_early(c, when, priced(conversion_refund="seconds")),
)


@settings(deadline=None, max_examples=150)
@given(data=st.data(), months=st.sampled_from([1, 3, 12]), discount=st.integers(1, 100))
def test_no_chain_of_changes_gives_back_more_than_was_paid(
    data: st.DataObject, months: int, discount: int
) -> None:
    contract = subscribed(months=months, discount=str(Decimal(discount) / 100))
    cash = Decimal(data.draw(st.integers(0, 10**7))) / 100
    contract = replace(contract, cash_paid=cash)
    marks = sorted(data.draw(st.lists(seconds(contract.period), min_size=2, max_size=5)))
    paid, back, expensed = cash, Decimal(0), Decimal(0)
    for mark in marks[:-1]:
        is_small = isinstance(contract.scheme, Subscription) and contract.scheme.spec == SMALL
        change = STEPS[0 if is_small else 1](contract, mark)
        contract = change.contracts[1]
        paid, back = paid + max(change.amount, Decimal(0)), back + max(-change.amount, Decimal(0))
    change = data.draw(st.sampled_from(ENDS))(contract, marks[-1])
    back -= change.amount
    assert change.settlement
    expensed = change.settlement.expensed

    assert change.amount <= 0
    assert 0 <= back <= paid
    assert expensed >= 0


@settings(deadline=None, max_examples=40)
@given(when=seconds(TERM), step=st.sampled_from([*STEPS[:1], *ENDS]))
def test_what_the_bills_earn_adds_up_to_what_they_take(when: datetime, step: Step) -> None:
    change = step(subscribed(), when)
    assert change.settlement
    earned, billed = Fraction(0), Fraction(0)
    for name in ("2026-05", "2026-06"):
        empty = month_from(f"month {name}", BOOK)
        inputs = replace(
            empty, contracts=change.contracts, settlements=(change.settlement,), intervals=()
        )
        charges = [c for c in rate(inputs).charges if c.kind is not Kind.NODE_TIME]
        earned += sum((c.effective for c in charges), Fraction(0))
        billed += total(charges)

    assert earned == billed == Fraction("9740.00") + Fraction(change.amount)


def test_a_change_at_the_second_of_purchase_still_pays_the_order() -> None:
    change = upgrade(subscribed(), LARGE, at(MAY), BOOK)
    empty = month_from("month 2026-05", BOOK)
    assert change.settlement
    inputs = replace(empty, contracts=change.contracts, settlements=(change.settlement,))

    assert total(rate(inputs).charges) == Fraction("9740.00") + Fraction("10389.33")


def test_an_hourly_node_changes_its_price_at_once_and_owes_nothing_now() -> None:
    change = upgrade(hourly(), LARGE, at("2026-05-16T12:00"), BOOK)
    old, new = old_and_new(change)

    assert (change.rule, change.amount, change.settlement) == (Rule.HOURLY_CHANGE, 0, None)
    assert change.working == "paid afterwards: nothing is due now"
    assert old.paid_until is None
    assert new.scheme == Hourly(LARGE)
    assert new.period.end == FOR_EVER


def test_a_prepaid_kv_cache_is_resized_by_the_same_rule() -> None:
    grown = resize_kv_cache(cache_subscribed(), 200, at("2026-05-16T12:00"), BOOK)
    shrunk = resize_kv_cache(cache_subscribed(200), 100, at("2026-05-16T12:00"), BOOK)

    assert (grown.rule, grown.amount) == (Rule.UPGRADE, Decimal("528.00"))
    assert (shrunk.rule, shrunk.amount) == (Rule.DOWNGRADE, Decimal("-528.00"))
    assert grown.contracts[1].scheme == KvCacheSubscription(200)


def test_an_hourly_kv_cache_is_resized_from_that_second() -> None:
    change = resize_kv_cache(cache_hourly(), 200, at("2026-05-16T12:00"), BOOK)

    assert (change.rule, change.amount) == (Rule.HOURLY_CHANGE, 0)
    assert old_and_new(change)[1].scheme == KvCacheHourly(200)


@pytest.mark.parametrize("gb", [9, 100_001])
def test_a_kv_cache_is_resized_to_a_size_that_is_sold(gb: int) -> None:
    with pytest.raises(ContractError, match=f"must have 10 to 100000 GB, found {gb}"):
        resize_kv_cache(cache_hourly(), gb, at("2026-05-16"), BOOK)


REFUSED: dict[str, tuple[Callable[[], Change], str]] = {
    "an upgrade to less": (
        lambda: upgrade(subscribed(LARGE), SMALL, at("2026-05-16"), BOOK),
        f"must be upgraded to what costs as much or more, found {SMALL}",
    ),
    "a downgrade to more": (
        lambda: downgrade(subscribed(), LARGE, at("2026-05-16"), BOOK),
        f"must be downgraded to what costs as much or less, found {LARGE}",
    ),
    "a specification of a pool": (
        lambda: upgrade(pool(), LARGE, at("2026-05-16"), BOOK),
        "must be for a node to change its specification, found PerToken",
    ),
    "a size of a node": (
        lambda: resize_kv_cache(hourly(), 200, at("2026-05-16"), BOOK),
        "must be for a KV-cache to be resized, found Hourly",
    ),
    "hourly to hourly": (
        lambda: to_hourly(hourly(), at("2026-05-16"), BOOK),
        "must be a subscription or per token to become hourly, found Hourly",
    ),
    "subscription to subscription": (
        lambda: to_subscription(subscribed(), at("2026-05-16"), 1, BOOK),
        "must be hourly or per token to become a subscription, found Subscription",
    ),
    "a KV-cache to tokens": (
        lambda: to_tokens(cache_hourly(), PerToken("small"), at("2026-05-16"), BOOK),
        "must be for a node to be paid per token, found KvCacheHourly",
    ),
    "a pool to hourly": (
        lambda: to_hourly(pool(), at("2026-05-16"), BOOK, SMALL),
        "must be for a node to be charged by time, found pool dedicated",
    ),
    "tokens of a node that nobody knows": (
        lambda: to_subscription(per_token(), at("2026-05-16"), 1, BOOK),
        "must be told the specification of its node, found none",
    ),
    "a mode and a node at once": (
        lambda: to_hourly(subscribed(), at("2026-05-16"), BOOK, LARGE),
        f"must keep its node when its mode changes, found {LARGE}",
    ),
    "a term and a node at once": (
        lambda: to_subscription(hourly(), at("2026-05-16"), 1, BOOK, LARGE),
        f"must keep its node when its mode changes, found {LARGE}",
    ),
    "a second change": (
        lambda: end_early(
            end_early(subscribed(), at("2026-05-16"), BOOK).contracts[0], at("2026-05-10"), BOOK
        ),
        "must be changed as it was bought, found one that was changed at 2026-05-15T16:00:00+00:00",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_change_that_a_contract_does_not_allow_is_refused(name: str) -> None:
    change, said = REFUSED[name]

    with pytest.raises(ChangeError) as refusal:
        change()

    assert str(refusal.value) == f"contract 'c1' {said}"


@pytest.mark.parametrize("when", [TERM.start - timedelta(seconds=1), TERM.end])
def test_a_contract_is_changed_while_it_is_in_force(when: datetime) -> None:
    with pytest.raises(ContractError, match=r"must be in force .* when it ends"):
        end_early(subscribed(), when, BOOK)


@pytest.mark.parametrize("when", ["2026-04-30T23:59:59", "2026-06-02T00:00", "2026-07-01T00:00"])
def test_a_term_is_changed_while_it_runs_and_the_sentence_says_when_that_is(when: str) -> None:
    with pytest.raises(ContractError, match=r"'c1' must be in force \(.*\) when it ends, found"):
        upgrade(subscribed(), LARGE, at(when), BOOK)


def test_a_pool_per_token_ends_on_a_whole_hour() -> None:
    released = end_early(pool(), at("2026-05-16T12:00"), BOOK)

    assert released.contracts[0].period.end == at("2026-05-16T12:00")
    with pytest.raises(ContractError, match="must start and end on a whole hour"):
        end_early(pool(), at("2026-05-16T12:00:01"), BOOK)
