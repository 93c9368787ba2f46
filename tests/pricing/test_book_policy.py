from dataclasses import fields
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.money import PriceTextError
from pricing.prices.currency import PLACES, UnknownCurrencyError, minor_places
from pricing.prices.policy import DEFAULT, Overdue, Policy, PolicyError, policy_of, told_of

DAYS = {"grace_days": 1, "lock_days": 2, "release_days": 3}


def test_the_defaults_are_part_of_every_hash_and_stay() -> None:
    """A default that changes would change what stored books mean: give the field another name."""
    assert Policy() == Policy(
        hour_rounding="second",
        kv_cache_when="running",
        token_lines="day",
        subscription_overdue=Overdue(0, 0, 8),
        postpaid_overdue=Overdue(15, 15, 31),
        renew_attempts=3,
        renew_first_days_before=9,
        renew_hour=8,
        conversion_refund="remaining_days",
        downgrade="product",
        max_bill=None,
        max_lines=100_000,
    )
    assert told_of(DEFAULT) == {}


@given(
    st.builds(
        Policy,
        hour_rounding=st.sampled_from(["second", "minute", "hour_ceil"]),
        kv_cache_when=st.sampled_from(["running", "always"]),
        downgrade=st.sampled_from(["product", "expenses_and_costs"]),
        subscription_overdue=st.builds(
            Overdue, st.integers(0, 5), st.integers(5, 9), st.integers(9, 3650)
        ),
        renew_hour=st.integers(0, 23),
        max_bill=st.none() | st.decimals(0, 10**9, places=4),
    )
)
def test_a_policy_is_read_back_as_it_was_told(policy: Policy) -> None:
    assert policy_of(told_of(policy)) == policy


def test_every_field_can_be_told() -> None:
    told = {
        "hour_rounding": "minute",
        "kv_cache_when": "always",
        "token_lines": "month",
        "subscription_overdue": DAYS,
        "postpaid_overdue": DAYS,
        "renew_attempts": 1,
        "renew_first_days_before": 7,
        "renew_hour": 9,
        "conversion_refund": "seconds",
        "downgrade": "expenses_and_costs",
        "max_bill": "1000.00",
        "max_lines": 5,
    }
    policy = policy_of(told)

    assert {f.name for f in fields(Policy)} <= set(told)
    assert policy.max_bill == Decimal(1000)
    assert policy.postpaid_overdue == Overdue(1, 2, 3)
    assert policy_of({"max_bill": None}) == DEFAULT


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ({"colour": "red"}, "a policy must have only hour_rounding, "),
        ({"hour_rounding": "day"}, "hour_rounding must have one of second, minute, hour_ceil, "),
        ({"hour_rounding": ["day"]}, "hour_rounding must have one of second, minute, hour_ceil, "),
        ({"max_lines": -1}, "max_lines must have a whole number, 0 or more, found -1"),
        ({"max_lines": True}, "max_lines must have a whole number, 0 or more, found True"),
        ({"max_lines": "5"}, "max_lines must have a whole number, 0 or more, found '5'"),
        ({"postpaid_overdue": 3}, "grace_days, lock_days, release_days, found 3"),
        ({"postpaid_overdue": {"grace_days": 3}}, "grace_days, lock_days, release_days, found"),
        ({"postpaid_overdue": DAYS | {"lock_days": "x"}}, "postpaid_overdue.lock_days must have"),
        ({"postpaid_overdue": DAYS | {"lock_days": 9}}, "0 <= grace <= lock <= release <= 3650"),
        ({"postpaid_overdue": DAYS | {"release_days": 9999}}, "<= 3650"),
        ({"renew_hour": 24}, "renewal must have 3650 days and an hour below 24, found (9, 24)"),
        ({"renew_first_days_before": 9999}, "renewal must have"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else next(iter(value)),
)
def test_a_policy_that_cannot_be_is_refused(told: dict[str, object], sentence: str) -> None:
    with pytest.raises(PolicyError) as refusal:
        policy_of(told)

    assert sentence in str(refusal.value)


def test_money_of_a_policy_is_text() -> None:
    with pytest.raises(PriceTextError):
        policy_of({"max_bill": 1000.5})


def test_every_currency_is_listed_once() -> None:
    assert len(PLACES) > 150
    assert all(len(code) == 3 and code.isupper() for code in PLACES)
    assert {minor_places(c) for c in ("CNY", "USD", "EUR")} == {2}


def test_a_currency_that_nobody_knows_is_refused() -> None:
    with pytest.raises(UnknownCurrencyError, match=r"\(minor: 2\), found 'QQQ'"):
        minor_places("QQQ")
