"""What contracts carry beside node, price and period, and what of it is refused."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from itertools import permutations

import pytest

from metering.interval import Resource, ResourceKind
from metering.period import Period
from pricing.contracts.contract import (
    Contract,
    ContractError,
    OverlappingContractsError,
    check_contract,
    check_disjoint,
    check_resources,
    check_unchanged,
    ended,
)
from pricing.contracts.schemes import (
    Hourly,
    KvCacheHourly,
    KvCacheSubscription,
    PerModelToken,
    PerToken,
    Scheme,
    Subscription,
    priced_by,
    rate_of,
    spec_of,
    units_of,
)
from pricing.prices.book import UnknownRegionError
from pricing.prices.rate import Item
from tests.pricing.bought import (
    LARGE,
    REGION,
    SMALL,
    cache_hourly,
    cache_subscribed,
    hourly,
    pool,
    priced,
    subscribed,
)
from tests.pricing.month_notation import at, shipped

BOOK = priced()

SOLD: Mapping[Scheme, tuple[Item, str, int]] = {
    Subscription(SMALL): (Item.NODE_MONTH, SMALL, 1),
    Hourly(SMALL): (Item.NODE_HOUR, SMALL, 1),
    KvCacheSubscription(200): (Item.KV_CACHE_MONTH, "", 200),
    KvCacheHourly(200): (Item.KV_CACHE_HOUR, "", 200),
    PerToken("small"): (Item.TOKENS, "", 1),
    PerModelToken(): (Item.TOKENS, "", 1),
}


@pytest.mark.parametrize("scheme", SOLD, ids=lambda scheme: type(scheme).__name__)
def test_every_scheme_sells_an_item_by_its_units(scheme: Scheme) -> None:
    assert (priced_by(scheme)[0], spec_of(scheme), units_of(scheme)) == SOLD[scheme]


def test_a_scheme_is_charged_by_the_rate_of_its_region() -> None:
    assert rate_of(KvCacheHourly(), REGION, BOOK).price == Decimal("0.02")
    assert rate_of(Hourly(LARGE), REGION, BOOK, at("2026-05-01")).price == Decimal("40.5835")


@pytest.mark.parametrize(
    "contract",
    [
        subscribed(quantity=3, auto_renew=True, cash_paid=Decimal(0)),
        hourly(window="nights", own_model="bucket/path"),
        cache_subscribed(10),
        cache_hourly(100_000),
        replace(pool(), scheme=PerModelToken(), factors={"cached": Decimal("0.1")}),
        replace(pool(), factors={"batch": Decimal("0.5"), "output": Decimal(0)}),
    ],
    ids=["nodes", "own model", "cache", "hourly cache", "by model", "tiers"],
)
def test_a_contract_of_any_scheme_is_accepted(contract: Contract) -> None:
    check_contract(contract, BOOK)


REFUSED: dict[str, tuple[Contract, str]] = {
    "no node": (hourly(quantity=0), "have a quantity of 1 or more, found 0"),
    "an hourly renewal": (
        hourly(auto_renew=True),
        "be a subscription to renew itself, found another scheme",
    ),
    "negative cash": (
        subscribed(cash_paid=Decimal(-1)),
        "have a cash_paid of 0 or more, found -1",
    ),
    "a negative worth": (subscribed(worth=Decimal(-1)), "have a worth of 0 or more, found -1"),
    "a factor of nothing": (
        replace(pool(), factors={"cachd": Decimal(1)}),
        (
            "have factors of 0 or more for fresh, cached, written_5m, written_1h, output, "
            "reasoning, batch, flex, priority, scale, found cachd: 1"
        ),
    ),
    "a small cache": (cache_hourly(9), "have 10 to 100000 GB, found 9"),
    "a big cache": (cache_subscribed(100_001), "have 10 to 100000 GB, found 100001"),
    "a prepaid own model": (
        subscribed(own_model="bucket/path"),
        "be hourly for a model of one's own, found another scheme",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_contract_that_makes_no_sense_is_refused(name: str) -> None:
    contract, said = REFUSED[name]

    with pytest.raises(ContractError) as refusal:
        check_contract(contract, BOOK)

    assert str(refusal.value) == f"contract 'c1' must {said}"


def test_a_negative_factor_is_refused() -> None:
    with pytest.raises(ContractError, match="found cached: -1"):
        check_contract(replace(pool(), factors={"cached": Decimal(-1)}), BOOK)


def test_prices_by_model_still_need_a_region_of_the_book() -> None:
    with pytest.raises(UnknownRegionError):
        check_contract(replace(pool(), scheme=PerModelToken(), region="cn-atlantis"), shipped())


def test_a_kv_cache_stands_beside_its_node_and_serves_nothing() -> None:
    node, cache = hourly(), replace(cache_hourly(), id="c2")
    check_disjoint([node, cache])

    day = Period(at("2026-05-05"), at("2026-05-06"))
    assert node.covers("dedicated", "n1", day)
    assert not cache.covers("dedicated", "n1", day)


def test_two_kv_caches_on_one_node_are_refused() -> None:
    for both in permutations([cache_hourly(), replace(cache_subscribed(), id="c2")]):
        with pytest.raises(OverlappingContractsError, match="n1 must be under one contract"):
            check_disjoint(both)


def test_a_contract_that_ends_early_knows_what_it_was_paid_until() -> None:
    node = subscribed()
    early = ended(node, at("2026-05-10"))

    check_unchanged(node, early)
    assert early.period.end == at("2026-05-10")
    assert early.prepaid_period == node.period == node.prepaid_period
    assert ended(hourly(), at("2026-05-10")).paid_until is None


def test_a_contract_for_a_kv_cache_agrees_on_account_and_region_alone() -> None:
    cache = Resource("n1", "acme", REGION, "100 GB", kind=ResourceKind.KV_CACHE)
    check_resources([cache_hourly()], [cache])
    check_resources([replace(pool(), resource="n1")], [replace(cache, kind=ResourceKind.ENDPOINT)])

    with pytest.raises(ContractError, match="must charge n1 as KV-cache, found another scheme"):
        check_resources([hourly()], [replace(cache, spec=SMALL)])
    with pytest.raises(ContractError, match="must agree with n1"):
        check_resources([cache_hourly()], [replace(cache, region="cn-beijing")])
