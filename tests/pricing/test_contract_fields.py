"""Refusals say which field is wrong, so that a form can point at it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from metering.interval import Resource
from metering.period import Period
from pricing.contracts.change import downgrade, end_early, to_hourly, upgrade
from pricing.contracts.contract import Contract, check_contract, check_disjoint, check_resources
from pricing.contracts.renewal import renew
from pricing.contracts.schemes import Hourly, PerToken, Subscription
from pricing.prices.book import MissingPriceError
from pricing.prices.rate import Item
from tests.pricing.bought import (
    LARGE,
    REGION,
    SMALL,
    cache_hourly,
    hourly,
    per_token,
    pool,
    priced,
    subscribed,
)
from tests.pricing.month_notation import at, shipped

BOOK = priced()
LATE = subscribed().period.end + timedelta(days=60)


def checked(**changed: Any) -> Callable[[], None]:
    """Return the check of an hourly node's contract with something changed."""
    return lambda: check_contract(replace(hourly(), **changed), BOOK)


def node_of(**changed: str) -> Callable[[], None]:
    """Return the check of an hourly node's contract against a node with something changed."""
    said = {"account": "acme", "region": REGION, "spec": SMALL} | changed
    return lambda: check_resources([hourly()], [Resource("n1", **said)])


def short(contract: Contract, seconds: int) -> Contract:
    start = contract.period.start + timedelta(seconds=seconds)
    return replace(contract, period=Period(start, contract.period.end))


REFUSED: list[tuple[Callable[[], object], str]] = [
    (checked(region="mars"), "region"),
    (checked(scheme=Hourly("no.such")), "spec"),
    (checked(scheme=PerToken("no.such")), "size_class"),
    (checked(scheme=Subscription(SMALL, 13)), "months"),
    (checked(scheme=Subscription(SMALL, 1, Decimal(2))), "discount"),
    (checked(resource=""), "resource"),
    (checked(quantity=0), "quantity"),
    (checked(auto_renew=True), "auto_renew"),
    (checked(cash_paid=Decimal(-1)), "cash_paid"),
    (checked(worth=Decimal(-1)), "worth"),
    (checked(factors={"cached": Decimal(-1)}), "factors"),
    (checked(scheme=Subscription(SMALL), own_model="b/p/m"), "mode"),
    (lambda: check_contract(cache_hourly(9), BOOK), "kv_cache_gb"),
    (lambda: check_contract(cache_hourly(10), shipped()), "kv_cache_gb"),
    (lambda: check_contract(short(pool(), 1), BOOK), "start"),
    (node_of(account="umbra"), "account"),
    (node_of(region="cn-beijing"), "region"),
    (node_of(spec=LARGE), "spec"),
    (lambda: check_resources([hourly()], []), "resource"),
    (lambda: check_disjoint([hourly(), hourly(id="c2")]), "resource"),
    (lambda: check_disjoint([pool(), replace(pool(), id="c2")]), "pool"),
    (lambda: upgrade(subscribed(LARGE), SMALL, at("2026-05-16"), BOOK), "spec"),
    (lambda: downgrade(subscribed(), LARGE, at("2026-05-16"), BOOK), "spec"),
    (lambda: to_hourly(hourly(), at("2026-05-16"), BOOK), "kind"),
    (lambda: to_hourly(subscribed(), LATE, BOOK), "at"),
    (lambda: renew(subscribed(), 1, LATE, BOOK), "at"),
    (lambda: end_early(pool(), at("2026-05-16T12:30"), BOOK), "at"),
    (lambda: to_hourly(per_token(), at("2026-05-16T12:30"), BOOK, SMALL), "at"),
]


@pytest.mark.parametrize(("asked", "field"), REFUSED)
def test_a_refusal_names_the_field(asked: Callable[[], object], field: str) -> None:
    with pytest.raises((ValueError, LookupError)) as refusal:
        asked()

    assert refusal.value.field == field  # type: ignore[attr-defined]


def test_a_missing_price_is_of_what_is_sold() -> None:
    by_model = MissingPriceError("b", Item.TOKENS, {"model": "m", "region": REGION})

    assert by_model.field == "model"
    assert MissingPriceError("b", Item.FEE, {}).field == ""
