"""The three ways to charge: 包年包月, 按量付费, 按Token计费."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import assert_never

from pricing.book import Item, PriceBook, Rate


@dataclass(frozen=True, slots=True)
class Subscription:
    """包年包月: a node prepaid for a term of months."""

    spec: str
    months: int = 1
    discount: Decimal = Decimal(1)
    """What the term leaves to pay of the list price: 0.85 is 15 % off. A contract term: the
    product page names no rate."""


@dataclass(frozen=True, slots=True)
class Hourly:
    """按量付费: a node paid afterwards for the seconds it ran."""

    spec: str


@dataclass(frozen=True, slots=True)
class PerToken:
    """按Token计费: tokens paid afterwards at the price of a size class."""

    size_class: str


Scheme = Subscription | Hourly | PerToken


def rate_of(scheme: Scheme, region: str, book: PriceBook) -> Rate:
    """Return the rate that a scheme charges by.

    Raises:
        MissingPriceError: the book does not price this.
    """
    match scheme:
        case Subscription():
            return book.rate_for(Item.NODE_MONTH, region=region, spec=scheme.spec)
        case Hourly():
            return book.rate_for(Item.NODE_HOUR, region=region, spec=scheme.spec)
        case PerToken():
            return book.rate_for(Item.TOKENS, region=region, size_class=scheme.size_class)
        case _:
            assert_never(scheme)


def charge(rate: Rate, quantity: Fraction) -> Fraction:
    """Return the exact price of a quantity: divided once, never rounded here.

    >>> from pricing.book import Item, Rate
    >>> charge(Rate(Item.TOKENS, (), Decimal("0.075"), 10_000, "Tokens"), Fraction(1_234_567))
    Fraction(3703701, 400000)
    """
    return Fraction(rate.price) * quantity / rate.per
