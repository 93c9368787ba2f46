"""Renewals, and what follows an expiry that nobody renews, or a bill that nobody pays."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricing.contracts.contract import TermError, check_disjoint
from pricing.contracts.overdue import Standing, overdue_of, owed, stages_of
from pricing.contracts.renewal import renew, renew_to_day, to_be_renewed
from pricing.contracts.schemes import KvCacheSubscription, Subscription
from pricing.contracts.turn import Change, ChangeError, Rule
from pricing.prices.policy import Overdue, Policy
from tests.pricing.bought import (
    MAY,
    SMALL,
    beijing,
    cache_subscribed,
    hourly,
    pool,
    priced,
    seconds,
    subscribed,
)
from tests.pricing.month_notation import BEIJING, at

BOOK = replace(priced(), term_factors={12: Decimal("0.85")})
EXPIRY = subscribed().period.end


def test_a_renewal_begins_where_the_term_ends_and_costs_a_new_purchase() -> None:
    contract = subscribed(auto_renew=True, cash_paid=Decimal(1))
    change = renew(contract, 1, at("2026-05-24T08:00"), BOOK)
    old, new = change.contracts

    assert (change.rule, change.amount) == ("R6 renewal", Decimal("9740.00"))
    assert change.settlement is None
    assert old == contract
    assert (new.id, new.renews) == ("c1.2", "c1")
    assert (new.period.start, beijing(new.period.end)) == (EXPIRY, "2026-07-02T00:00:00")
    assert new.auto_renew
    assert (new.cash_paid, new.worth) == (None, None)


def test_a_renewal_for_the_same_term_keeps_its_agreed_discount() -> None:
    same = renew(subscribed(discount="0.9"), 1, EXPIRY, BOOK)
    longer = renew(subscribed(discount="0.9"), 12, EXPIRY, BOOK)

    assert same.contracts[1].scheme == Subscription(SMALL, 1, Decimal("0.9"))
    assert longer.contracts[1].scheme == Subscription(SMALL, 12, Decimal("0.85"))


def test_a_kv_cache_is_renewed_as_a_node_is() -> None:
    change = renew(cache_subscribed(200), 3, EXPIRY, BOOK)

    assert change.contracts[1].scheme == KvCacheSubscription(200, 3)
    assert change.amount == Decimal("5760.00")


@settings(deadline=None, max_examples=50)
@given(late=st.integers(0, 7 * 86_400 - 1))
def test_a_late_renewal_begins_at_the_expiry(late: int) -> None:
    change = renew(subscribed(), 1, EXPIRY + timedelta(seconds=late), BOOK)

    assert change.contracts[1].period.start == EXPIRY


REFUSED: dict[str, tuple[Callable[[], Change], str]] = {
    "released": (
        lambda: renew(subscribed(), 1, EXPIRY + timedelta(days=7), BOOK),
        (
            "must be renewed before it is released at 2026-06-08T16:00:00+00:00, "
            "found 2026-06-08T16:00:00+00:00"
        ),
    ),
    "an hourly node": (
        lambda: renew(hourly(), 1, EXPIRY, BOOK),
        "must be a subscription to be renewed, found Hourly",
    ),
    "ended": (
        lambda: renew_to_day(subscribed(paid_until=EXPIRY), 15, EXPIRY, BOOK),
        (
            "must run to its expiry to be renewed, found one that was ended at "
            "2026-06-01T16:00:00+00:00"
        ),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_renewed_is_refused(name: str) -> None:
    change, said = REFUSED[name]

    with pytest.raises(ChangeError) as refusal:
        change()

    assert str(refusal.value) == f"contract 'c1' {said}"


def test_a_renewal_is_for_a_term_that_is_sold() -> None:
    with pytest.raises(TermError, match="found 10"):
        renew(subscribed(), 10, EXPIRY, BOOK)


def test_a_renewal_to_a_unified_day_is_paid_by_hours_of_a_month_of_720() -> None:
    change = renew_to_day(subscribed(), 15, EXPIRY, BOOK)
    new = change.contracts[1]

    assert change.rule is Rule.UNIFIED_RENEWAL
    assert change.working == "9740 / 720 x 1056 h = 14285.33"
    assert beijing(new.period.end) == "2026-07-16T00:00:00"
    assert new.worth == change.amount == Decimal("14285.33")
    assert change.settlement
    assert beijing(renew(new, 1, EXPIRY, BOOK).contracts[1].period.end) == "2026-08-16T00:00:00"


@given(day=st.integers(1, 31), more=st.integers(1, 9))
def test_renewals_after_a_unified_one_keep_its_day(day: int, more: int) -> None:
    new = renew_to_day(subscribed(), day, EXPIRY, BOOK).contracts[1]
    chain = [subscribed(), new]
    for _ in range(more):
        chain.append(renew(chain[-1], 1, chain[-1].period.start, BOOK).contracts[1])
    last = chain[-1].period.end - timedelta(days=1)

    check_disjoint(chain)
    assert all(a.period.end == b.period.start for a, b in pairwise(chain))
    assert int(beijing(last)[8:10]) in {day, 28, 29, 30}


def test_an_unpaid_node_runs_15_days_is_locked_and_released_on_the_31st() -> None:
    stages = stages_of(at("2026-01-10"), Policy().postpaid_overdue, BEIJING)

    assert beijing(stages.charged_until) == "2026-01-25T00:00:00"
    assert beijing(stages.locked_at) == "2026-01-25T00:00:00"
    assert beijing(stages.released_at) == "2026-02-09T00:00:00"


def test_an_expired_subscription_locks_at_once_and_is_released_on_the_8th_day() -> None:
    stages = stages_of(at("2026-06-02"), Policy().subscription_overdue, BEIJING)

    assert stages.locked_at == stages.charged_until == stages.overdue_at
    assert beijing(stages.released_at) == "2026-06-09T00:00:00"


def test_the_days_that_hold_depend_on_how_it_is_paid() -> None:
    policy = Policy()

    for prepaid in (subscribed(), cache_subscribed()):
        assert overdue_of(prepaid, policy) == policy.subscription_overdue
    for postpaid in (hourly(), pool()):
        assert overdue_of(postpaid, policy) == policy.postpaid_overdue


def test_a_clock_change_does_not_move_the_hour_of_the_lock() -> None:
    stages = stages_of(
        datetime.fromisoformat("2026-03-28T12:00+01:00"), Overdue(1, 2, 3), "Europe/Berlin"
    )

    assert stages.locked_at == datetime.fromisoformat("2026-03-30T12:00+02:00")


@given(
    since=seconds(),
    days=st.lists(st.integers(0, 90), min_size=3, max_size=3).map(sorted),
    after=st.integers(-86_400, 100 * 86_400),
)
def test_a_resource_runs_then_locks_then_goes(since: datetime, days: list[int], after: int) -> None:
    stages = stages_of(since, Overdue(*days), BEIJING)
    now = since + timedelta(seconds=after)
    standing = stages.standing(now)

    assert stages.overdue_at <= stages.charged_until <= stages.locked_at <= stages.released_at
    assert (standing is Standing.PAID) == (now < since)
    assert (standing is Standing.RUNNING) == (since <= now < stages.locked_at)
    assert (standing is Standing.LOCKED) == (stages.locked_at <= now < stages.released_at)
    assert (standing is Standing.RELEASED) == (now >= max(since, stages.released_at))


def test_a_term_that_ran_out_is_owed_for_unless_it_was_renewed_or_changed() -> None:
    expired, now = subscribed(), EXPIRY + timedelta(days=2)
    renewed = renew(subscribed(id="c2"), 1, EXPIRY, BOOK).contracts
    changed = replace(subscribed(id="c3"), paid_until=EXPIRY)

    [one] = owed([expired, *renewed, changed], {"acme": at(MAY)}, now, BOOK)
    assert (one.contract, one.why) == (expired, "expired")
    assert one.stages.standing(now) is Standing.LOCKED
    assert owed([expired], {}, EXPIRY - timedelta(seconds=1), BOOK) == []


def test_an_unpaid_resource_runs_on_until_it_is_locked() -> None:
    since = at("2026-06-03T12:00")
    stages = stages_of(since, Overdue(15, 15, 31), BEIJING)
    hour = timedelta(hours=1)

    instants = (since - hour, since, stages.locked_at - hour, stages.locked_at, stages.released_at)
    assert [stages.standing(now) for now in instants] == [
        Standing.PAID, Standing.RUNNING, Standing.RUNNING, Standing.LOCKED, Standing.RELEASED,
    ]  # fmt: skip


def test_what_is_paid_afterwards_is_owed_for_once_its_account_owes_a_bill() -> None:
    since = at("2026-06-03T12:00")
    told = [hourly(id="h"), pool(), replace(hourly(id="over"), period=subscribed().period)]

    found = owed(told, {"acme": since}, at("2026-06-20"), BOOK)
    assert [(one.contract.id, one.why) for one in found] == [("h", "unpaid"), ("c1", "unpaid")]
    assert {beijing(one.stages.locked_at) for one in found} == {"2026-06-18T12:00:00"}
    assert owed(told, {"umbra": since}, at("2026-06-20"), BOOK) == []


def test_only_what_renews_itself_and_has_no_next_term_is_to_be_renewed() -> None:
    term, now = subscribed(auto_renew=True, months=3), at("2026-07-30")
    others = [hourly(id="h"), subscribed(id="s")]
    renewed = renew(term, 3, now, BOOK).contracts

    assert list(to_be_renewed([term, *others], {}, now, BOOK)) == [(term, 3)]
    assert list(to_be_renewed([*renewed, *others], {}, now, BOOK)) == []
