"""Contracts to be changed: one node of each mode, and KV-caches, in a book that prices them all."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from metering.identity import FOR_EVER
from metering.period import Period, as_utc
from pricing.contracts.contract import Contract, check_disjoint
from pricing.contracts.schemes import (
    Hourly,
    KvCacheHourly,
    KvCacheSubscription,
    PerToken,
    Prepaid,
    Scheme,
    Subscription,
)
from pricing.contracts.turn import Change
from pricing.prices.book import PriceBook
from pricing.prices.rate import Item, Rate
from tests.pricing.month_notation import BEIJING, at, shipped, span, term_of

REGION = "cn-hangzhou"
SMALL = "polar.pg.g8.2xlarge.gu49"
"""9,740 a month."""
LARGE = "polar.pg.g8.4xlarge.gu49"
"""19,480 a month."""
MAY = "2026-05-01"
YEARS = span("2020-01-01", "2040-01-01")


def priced(**policy: Any) -> PriceBook:
    """Return the shipped book with prices of KV-caches and the choices that are given."""
    book = shipped()
    where = (("region", (REGION,)),)
    cache = (
        Rate(Item.KV_CACHE_MONTH, where, Decimal("9.6"), 1, "GB-Months"),
        Rate(Item.KV_CACHE_HOUR, where, Decimal("0.02"), 1, "GB-Hours"),
    )
    return replace(book, rates=(*book.rates, *cache), policy=replace(book.policy, **policy))


def subscribed(spec: str = SMALL, start: str = MAY, months: int = 1, **said: Any) -> Contract:
    """Return a node's subscription."""
    discount = Decimal(said.pop("discount", "1"))
    return bought(Subscription(spec, months, discount), at(start), **said)


def hourly(spec: str = SMALL, start: str = MAY, **said: Any) -> Contract:
    """Return an hourly node."""
    return bought(Hourly(spec), at(start), **said)


def cache_subscribed(gb: int = 100, months: int = 1, **said: Any) -> Contract:
    """Return a KV-cache's subscription."""
    return bought(KvCacheSubscription(gb, months), at(MAY), **said)


def cache_hourly(gb: int = 100) -> Contract:
    """Return an hourly KV-cache."""
    return bought(KvCacheHourly(gb), at(MAY))


def pool() -> Contract:
    """Return a pool that is paid per token."""
    return replace(bought(PerToken("small"), at(MAY)), resource="")


def per_token(size_class: str = "small", **said: Any) -> Contract:
    """Return a node that is paid per token."""
    return bought(PerToken(size_class), at(MAY), **said)


def bought(scheme: Scheme, start: datetime, **said: Any) -> Contract:
    """Return a contract for node n1 from an instant on."""
    is_prepaid = isinstance(scheme, Prepaid)
    period = term_of(scheme, start) if is_prepaid else Period(start, FOR_EVER)
    return replace(Contract("c1", "acme", scheme, REGION, "dedicated", period, "n1"), **said)


def seconds(years: Period = YEARS) -> st.SearchStrategy[datetime]:
    """Draw an instant of a period, to the second: its first and its last one among them."""
    drawn = st.integers(0, years.seconds - 1)
    return drawn.map(lambda n: as_utc(years.start + timedelta(seconds=n)))


def beijing(instant: datetime) -> str:
    """Write an instant by Beijing's clock."""
    return f"{instant.astimezone(ZoneInfo(BEIJING)):%Y-%m-%dT%H:%M:%S}"


def old_and_new(change: Change) -> tuple[Contract, Contract]:
    """Return both contracts, which nobody may charge twice for or have rewritten."""
    old, new = change.contracts
    check_disjoint(change.contracts)
    assert old.period.end == new.period.start == change.at
    assert new.renews == old.id
    return old, new
