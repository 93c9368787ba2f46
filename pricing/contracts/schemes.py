"""The ways to charge: 包年包月, 按量付费, 按Token计费, for nodes, KV-caches and pools."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import assert_never

from pricing.prices.book import PriceBook
from pricing.prices.rate import Item, Rate

KV_CACHE_GB = range(10, 100_001)
"""The sizes of a KV-cache that are sold, in GB (取值范围:10~100000)."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """包年包月: a node prepaid for a term of months."""

    spec: str
    months: int = 1
    discount: Decimal = Decimal(1)
    """What the term leaves to pay of the list price: 0.85 is 15 % off."""


@dataclass(frozen=True, slots=True)
class KvCacheSubscription:
    """包年包月: gigabytes of KV-cache prepaid for a term of months."""

    gb: int = 100
    months: int = 1
    discount: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class Hourly:
    """按量付费: a node paid afterwards for the seconds it ran."""

    spec: str


@dataclass(frozen=True, slots=True)
class KvCacheHourly:
    """按量付费: gigabytes of KV-cache paid afterwards by the hour."""

    gb: int = 100


@dataclass(frozen=True, slots=True)
class PerToken:
    """按Token计费: tokens paid afterwards at the price of a size class."""

    size_class: str


@dataclass(frozen=True, slots=True)
class PerModelToken:
    """按Token计费: tokens paid afterwards at the prices of their models and token classes."""


Prepaid = Subscription | KvCacheSubscription
Timed = Hourly | KvCacheHourly
Used = PerToken | PerModelToken
KvCache = KvCacheSubscription | KvCacheHourly
Scheme = Prepaid | Timed | Used


def priced_by(scheme: Scheme) -> tuple[Item, Mapping[str, str]]:
    """Return what a scheme sells, and what its price depends on beside region and time.

    The price of ``PerModelToken`` depends on the usage as well.

    >>> priced_by(Hourly("polar.pg.g4.xlarge.gu10"))
    (<Item.NODE_HOUR: 'node-hour'>, {'spec': 'polar.pg.g4.xlarge.gu10'})
    """
    match scheme:
        case Subscription():
            return Item.NODE_MONTH, {"spec": scheme.spec}
        case Hourly():
            return Item.NODE_HOUR, {"spec": scheme.spec}
        case PerToken():
            return Item.TOKENS, {"size_class": scheme.size_class}
        case PerModelToken():
            return Item.TOKENS, {}
        case KvCacheSubscription():
            return Item.KV_CACHE_MONTH, {}
        case KvCacheHourly():
            return Item.KV_CACHE_HOUR, {}
        case _:
            assert_never(scheme)


def rate_of(scheme: Scheme, region: str, book: PriceBook, at: datetime | None = None) -> Rate:
    """Return the rate that a scheme charges by at an instant.

    Raises:
        MissingPriceError: the book does not price this.
        ChangingPriceError: no instant was given, and the price depends on it.
    """
    item, dimensions = priced_by(scheme)
    return book.rate_for(item, at, region=region, **dimensions)


def units_of(scheme: Scheme) -> int:
    """Return how many priced units one of a contract's quantity is: gigabytes, or one node."""
    return scheme.gb if isinstance(scheme, KvCache) else 1


def spec_of(scheme: Scheme) -> str:
    """Return the node specification that is charged, empty where no node is."""
    return scheme.spec if isinstance(scheme, Subscription | Hourly) else ""
