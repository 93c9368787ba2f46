"""Terms: what they cost, when they end, how they are renewed."""

from calendar import monthrange
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.period import Period
from pricing.contracts.schemes import KvCacheSubscription, Subscription
from pricing.contracts.term import (
    UnifiedDayError,
    earned,
    is_renewal_due,
    months_run,
    order_amount,
    order_list_price,
    renewal_attempts,
    renewed_period,
    unified_period,
    worth,
)
from pricing.prices.policy import Policy
from tests.pricing.bought import (
    LARGE,
    MAY,
    beijing,
    cache_subscribed,
    priced,
    seconds,
    subscribed,
)
from tests.pricing.month_notation import BEIJING, at, span

TERMS = st.sampled_from([1, 2, 3, 9, 12, 24, 36])
BOOK = priced()


def test_an_order_costs_the_month_price_by_months_nodes_and_discount() -> None:
    scheme = Subscription(LARGE, 12, Decimal("0.85"))
    contract = replace(subscribed(LARGE), scheme=scheme, quantity=3)

    assert order_list_price(contract, scheme, BOOK) == 19_480 * 12 * 3
    assert order_amount(contract, scheme, BOOK) == Decimal("596088.00")


def test_a_kv_cache_is_ordered_by_the_gigabyte() -> None:
    scheme = KvCacheSubscription(200, 3)
    contract = replace(cache_subscribed(), scheme=scheme)

    assert order_amount(contract, scheme, BOOK) == Decimal("5760.00")


def test_what_a_change_made_is_worth_what_the_change_says() -> None:
    contract = subscribed()
    scheme = Subscription(LARGE)

    assert worth(contract, scheme, BOOK) == Decimal("19480.00")
    assert worth(replace(contract, worth=Decimal("7.5")), scheme, BOOK) == Decimal("7.5")


@given(st.data())
def test_what_any_split_of_a_term_earns_adds_up_to_the_whole(data: st.DataObject) -> None:
    term = span("2026-05-07T13:23:56", "2026-06-08")
    amount = Decimal(data.draw(st.integers(0, 10**9))) / 100
    cuts = sorted(data.draw(st.lists(seconds(term), max_size=5)))
    marks = [term.start, *cuts, term.end]
    found = [earned(amount, term, mark) for mark in marks]

    assert sum(b - a for a, b in pairwise(found)) == amount
    assert found == sorted(found)
    assert earned(amount, term, term.end + timedelta(days=1)) == amount
    assert earned(amount, term, term.start - timedelta(days=1)) == 0


def test_a_term_of_no_time_has_earned_its_amount() -> None:
    instant = at(MAY)

    assert earned(Decimal(5), Period(instant, instant), instant) == 5


@settings(max_examples=200, deadline=None)
@given(start=seconds(), months=st.lists(TERMS, min_size=1, max_size=12))
def test_the_expiry_never_drifts_however_a_term_is_renewed(
    start: datetime, months: list[int]
) -> None:
    contract = subscribed(start=beijing(start), months=months[0])
    for more in months[1:]:
        period = renewed_period(contract, more, BEIJING)
        assert period.start == contract.period.end
        contract = replace(contract, period=period, anchor=contract.counted_from)

    at_once = subscribed(start=beijing(start), months=sum(months))
    assert contract.period.end == at_once.period.end
    assert months_run(start, contract.period.end, BEIJING) == sum(months)


@pytest.mark.parametrize(
    ("start", "ends"),
    [
        ("2028-01-31T10:00", ["2028-03-01", "2028-04-01", "2028-05-01"]),
        ("2027-01-31T10:00", ["2027-03-01", "2027-04-01", "2027-05-01"]),
        ("2028-02-29T00:00", ["2028-03-30", "2028-04-30", "2028-05-30"]),
        ("2026-12-31T23:59:59", ["2027-02-01", "2027-03-01", "2027-04-01"]),
    ],
)
def test_a_day_that_a_month_lacks_is_its_last_and_comes_back(start: str, ends: list[str]) -> None:
    contract = subscribed(start=start)
    found = [contract.period.end]
    for _ in ends[1:]:
        renewed = renewed_period(contract, 1, BEIJING)
        contract = replace(contract, period=renewed, anchor=contract.counted_from)
        found.append(contract.period.end)

    assert [beijing(end) for end in found] == [f"{end}T00:00:00" for end in ends]


def test_a_year_from_a_leap_day_ends_on_the_28th_and_four_years_on_the_29th() -> None:
    one, four = (subscribed(start="2028-02-29", months=12 * n) for n in (1, 4))

    assert beijing(one.period.end) == "2029-03-01T00:00:00"
    assert beijing(four.period.end) == "2032-03-01T00:00:00"


def test_renewal_is_tried_on_three_mornings_from_the_ninth_day_before_expiry() -> None:
    attempts = renewal_attempts(at("2026-04-13"), Policy(), BEIJING)

    assert [beijing(instant) for instant in attempts] == [
        "2026-04-04T08:00:00",
        "2026-04-05T08:00:00",
        "2026-04-06T08:00:00",
    ]


@given(
    expiry=seconds(),
    policy=st.builds(
        Policy,
        renew_attempts=st.integers(0, 20),
        renew_first_days_before=st.integers(0, 15),
        renew_hour=st.integers(0, 23),
    ),
    zone=st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/New_York"]),
)
def test_renewal_is_tried_before_expiry_only_and_once_a_day(
    expiry: datetime, policy: Policy, zone: str
) -> None:
    attempts = renewal_attempts(expiry, policy, zone)
    local = [instant.astimezone(ZoneInfo(zone)) for instant in attempts]

    assert len(attempts) <= policy.renew_attempts
    assert all(instant < expiry for instant in attempts)
    assert len({instant.date() for instant in local}) == len(attempts)


def test_renewal_is_due_once_each_attempt_that_has_come() -> None:
    contract = subscribed(start="2026-03-12", auto_renew=True)
    first, day = at("2026-04-04T08:00"), timedelta(days=1)

    assert not is_renewal_due(contract, None, first - timedelta(seconds=1), BOOK)
    assert is_renewal_due(contract, None, first, BOOK)
    assert not is_renewal_due(contract, first, first + timedelta(hours=23), BOOK)
    assert is_renewal_due(contract, first, first + day, BOOK)
    assert is_renewal_due(contract, None, first + 5 * day, BOOK)
    assert not is_renewal_due(contract, first + 2 * day, first + 5 * day, BOOK)
    assert not is_renewal_due(contract, None, contract.period.end, BOOK)
    assert not is_renewal_due(replace(contract, auto_renew=False), None, first, BOOK)
    assert not is_renewal_due(replace(contract, paid_until=first), None, first, BOOK)


@pytest.mark.parametrize(
    ("day", "end"),
    [(1, "2026-08-02"), (15, "2026-07-16"), (12, "2026-07-13"), (31, "2026-08-01")],
)
def test_a_unified_renewal_lasts_a_month_at_least(day: int, end: str) -> None:
    contract = subscribed(start="2026-05-12T10:00")

    assert beijing(contract.period.end) == "2026-06-13T00:00:00"
    assert beijing(unified_period(contract, day, BEIJING).end) == f"{end}T00:00:00"


@given(start=seconds(), day=st.integers(1, 31))
def test_a_unified_renewal_ends_after_its_day_or_the_last_of_a_shorter_month(
    start: datetime, day: int
) -> None:
    period = unified_period(subscribed(start=beijing(start)), day, BEIJING)
    last = period.end.astimezone(ZoneInfo(BEIJING)) - timedelta(days=1)

    assert last.day == min(day, monthrange(last.year, last.month)[1])
    assert 28 <= Fraction(period.seconds, 86_400) <= 62


@pytest.mark.parametrize("day", [0, 32])
def test_a_day_that_no_month_has_is_refused(day: int) -> None:
    with pytest.raises(UnifiedDayError, match=f"must be 1 to 31, found {day}"):
        unified_period(subscribed(), day, BEIJING)
