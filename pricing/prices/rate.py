"""A rate: a price, its ``per``, what it is for and when; and what a quantity comes to under it.

rate + quantity -> slices (one a tier) -> their sum, exact
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from hashlib import sha256
from itertools import pairwise
from typing import Any, assert_never

from metering.period import Period
from metering.resources.schedule import EVER
from pricing.money import SHOWN_PLACES, plain
from pricing.prices.dimension import HOURS, Match, hours_of, match_of, phrase

_ID_DIGITS = 12

MOST = 10**18
"""Prices, their ``per`` and the ends of tiers stay below."""


class Item(StrEnum):
    """What is sold."""

    NODE_MONTH = "node-month"
    """One node for one month, 包年包月."""
    NODE_HOUR = "node-hour"
    """One node for one hour, 按量付费."""
    TOKENS = "tokens"
    """Tokens, 按Token计费: of one size class, or of a model and a token class."""
    REQUESTS = "requests"
    KV_CACHE_HOUR = "kv-cache-hour"
    """One GB of KV-cache for one hour."""
    KV_CACHE_MONTH = "kv-cache-month"
    """One GB of KV-cache for one month."""
    FEE = "fee"
    """What a contract costs a month, whatever is used."""


UNITS: Mapping[Item, str] = {
    Item.NODE_MONTH: "Months",
    Item.NODE_HOUR: "Hours",
    Item.TOKENS: "Tokens",
    Item.REQUESTS: "Requests",
    Item.KV_CACHE_HOUR: "GB-Hours",
    Item.KV_CACHE_MONTH: "GB-Months",
    Item.FEE: "Months",
}
"""FOCUS unit of one of each, unless its book says another."""


class Model(StrEnum):
    """How a quantity becomes an amount."""

    UNIT = "unit"
    """Price x quantity / per."""
    GRADUATED = "graduated"
    """Each part of the quantity at the price of the tier that it falls in."""
    VOLUME = "volume"
    """All of it at the price of the tier that its end falls in."""
    PACKAGE = "package"
    """The price for every package of ``per`` that is begun."""
    FLAT = "flat"
    """The price once, however much."""
    TIME = "time"
    """Price x elapsed hours / per."""


TIERED = frozenset({Model.GRADUATED, Model.VOLUME})
TIMED = frozenset({Item.NODE_HOUR, Item.KV_CACHE_HOUR})


@dataclass(frozen=True, slots=True)
class Tier:
    """A price from where the tier before ends (exclusive) up to a quantity (inclusive)."""

    up_to: int | None
    """The last quantity of the tier; None where it has no end."""
    price: Decimal
    flat: Decimal = Decimal(0)
    """Charged once when the tier is entered."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So much money for ``per`` units, where every dimension matches, while it is valid."""

    item: Item
    match: Match
    price: Decimal
    """Of the first tier, where there are tiers."""
    per: int
    unit: str
    """FOCUS unit of one: ``Months``, ``Hours``, ``Tokens``."""
    model: Model = Model.UNIT
    tiers: tuple[Tier, ...] = ()
    valid: Period = EVER
    line: str = field(default="", compare=False)
    """Where it stands in the book's files."""
    id: str = field(init=False, compare=False, repr=False)
    """A digest of everything but its validity: a price that ends is the same price."""
    hours: frozenset[int] = field(init=False, compare=False, repr=False)
    """Hours of the day in which it holds; empty for all."""
    _allowed: tuple[tuple[str, frozenset[str]], ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        _check(self)
        allowed = tuple((k, frozenset(v)) for k, v in self.match if k != HOURS)
        spans = (hours_of(span) for span in dict(self.match).get(HOURS, ()))
        object.__setattr__(self, "hours", frozenset(hour for span in spans for hour in span))
        object.__setattr__(self, "_allowed", allowed)
        object.__setattr__(self, "id", _id(self))

    @property
    def dimensions(self) -> tuple[tuple[str, str], ...]:
        """The dimensions that have one value, with it."""
        return tuple((name, values[0]) for name, values in self.match if len(values) == 1)

    @property
    def specificity(self) -> int:
        """How many dimensions it names: of the rates that match, the one with most applies."""
        return len(self.match)

    @property
    def about(self) -> str:
        """What it prices, for a sentence: ``tokens price for region=cn-hangzhou``."""
        return f"{self.item} price for {phrase(self.match) or 'anything'}"

    def matches(self, item: Item, wanted: Mapping[str, str]) -> bool:
        """Whether it prices what is wanted, at some time."""
        return item is self.item and all(wanted.get(k) in v for k, v in self._allowed)

    def holds(self, at: datetime, hour: int) -> bool:
        """Whether it holds at an instant, of which the book's zone says the hour of the day."""
        return self.valid.start <= at < self.valid.end and (not self.hours or hour in self.hours)

    def content(self) -> list[Any]:
        """Return what it says, as JSON has it; what is as usual is left out."""
        always = self.valid == EVER
        valid = [] if always else [self.valid.start.isoformat(), self.valid.end.isoformat()]
        return _content(self, {"valid": valid} if valid else {})


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a quantity at one price. The amount is exact."""

    tier: int
    quantity: Fraction
    price: Decimal
    amount: Fraction


def usual_model(item: Item) -> Model:
    """Return how an item is charged where its book does not say."""
    return Model.TIME if item in TIMED else Model.UNIT


def charge(rate: Rate, quantity: Fraction) -> Fraction:
    """Return the exact price of a quantity: divided once, never rounded here.

    >>> charge(Rate(Item.TOKENS, (), Decimal("0.075"), 10_000, "Tokens"), Fraction(1_234_567))
    Fraction(3703701, 400000)
    """
    return sum((s.amount for s in slices(rate, quantity)), Fraction(0))


def slices(rate: Rate, quantity: Fraction) -> list[Slice]:
    """Return what a period's whole quantity comes to: one slice, or one an entered tier.

    A negative quantity, which a correction may leave, comes to the negative of its opposite.

    >>> tiers = (Tier(100, Decimal("0.5")), Tier(None, Decimal("0.4")))
    >>> graduated = Rate(Item.TOKENS, (), Decimal("0.5"), 1, "Tokens", Model.GRADUATED, tiers)
    >>> [(s.tier, int(s.quantity), str(s.amount)) for s in slices(graduated, Fraction(101))]
    [(0, 100, '50'), (1, 1, '2/5')]
    """
    if quantity < 0:
        opposite = slices(rate, -quantity)
        return [Slice(s.tier, -s.quantity, s.price, -s.amount) for s in opposite]
    match rate.model:
        case Model.UNIT | Model.TIME:
            return [Slice(0, quantity, rate.price, _each(rate.price, rate.per) * quantity)]
        case Model.PACKAGE:
            begun = -(-quantity // rate.per)
            return [Slice(0, quantity, rate.price, Fraction(rate.price) * begun)]
        case Model.FLAT:
            return [Slice(0, quantity, rate.price, Fraction(rate.price) * (quantity > 0))]
        case Model.VOLUME:
            reached = next(i for i, t in enumerate(rate.tiers) if _reaches(t, quantity))
            return [_slice(rate, reached, quantity)]
        case Model.GRADUATED:
            return _graduated(rate, quantity)
        case _:
            assert_never(rate.model)


@lru_cache(maxsize=4096)
def _each(price: Decimal, per: int) -> Fraction:
    """Return the exact price of one unit: a book has few, and bills ask for them by the million."""
    return Fraction(price) / per


def _graduated(rate: Rate, quantity: Fraction) -> list[Slice]:
    found: list[Slice] = []
    start = Fraction(0)
    for number, tier in enumerate(rate.tiers):
        end = quantity if _reaches(tier, quantity) else Fraction(tier.up_to or 0)
        if end > start:
            found.append(_slice(rate, number, end - start))
        start = end
    return found


def _reaches(tier: Tier, quantity: Fraction) -> bool:
    return tier.up_to is None or quantity <= tier.up_to


def _slice(rate: Rate, number: int, quantity: Fraction) -> Slice:
    tier = rate.tiers[number]
    flat = Fraction(tier.flat) if quantity else Fraction(0)
    return Slice(number, quantity, tier.price, Fraction(tier.price) * quantity / rate.per + flat)


def _id(rate: Rate) -> str:
    text = json.dumps(_content(rate, {}), ensure_ascii=False, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()[:_ID_DIGITS]


def _content(rate: Rate, more: dict[str, Any]) -> list[Any]:
    match = [[k, v[0] if len(v) == 1 else list(v)] for k, v in rate.match]
    if rate.model is not usual_model(rate.item):
        more["model"] = rate.model
    if rate.tiers:
        more["tiers"] = [[t.up_to, plain(t.price), plain(t.flat)] for t in rate.tiers]
    said = [rate.item, match, plain(rate.price), rate.per, rate.unit]
    return [*said, more] if more else said


def _check(rate: Rate) -> None:
    """Refuse a rate that could not be charged by."""
    if rate.match != match_of(dict(rate.match)) or not all(v for _, v in rate.match):
        raise RateError(rate, "name dimensions and values in order, each once", repr(rate.match))
    if not 1 <= rate.per < MOST:
        raise RateError(rate, "be for 1 unit or more", str(rate.per))
    for price in (rate.price, *(p for t in rate.tiers for p in (t.price, t.flat))):
        _check_price(rate, price)
    if bool(rate.tiers) is not (rate.model in TIERED):
        raise RateError(rate, "have tiers where it is graduated or by volume", rate.model)
    if rate.tiers:
        _check_tiers(rate)


def _check_price(rate: Rate, price: object) -> None:
    if not isinstance(price, Decimal) or not price.is_finite() or not 0 <= price < MOST:
        raise RateError(rate, f"be a decimal from 0 to below {MOST}", repr(price))
    if len(plain(price).partition(".")[2]) > SHOWN_PLACES:
        raise RateError(rate, f"have at most {SHOWN_PLACES} decimals", plain(price))


def _check_tiers(rate: Rate) -> None:
    *bounded, last = (t.up_to for t in rate.tiers)
    bounds = [0, *(b or 0 for b in bounded), MOST]
    if last is not None or any(a >= b for a, b in pairwise(bounds)):
        found = ", ".join(str(t.up_to) for t in rate.tiers)
        raise RateError(rate, "have rising tiers, the last without an end", found)
    if rate.price != rate.tiers[0].price:
        raise RateError(rate, "have the price of its first tier", plain(rate.price))


class RateError(ValueError):
    """A rate that cannot be."""

    def __init__(self, rate: Rate, required: str, found: str) -> None:
        where = f"{rate.line}: " if rate.line else ""
        super().__init__(f"{where}the {rate.about} must {required}, found {found}")
