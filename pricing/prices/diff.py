"""What differs between two versions of a book, and whether one may follow the other.

A book in force never changes: what it says of the time before now must stay as it was. A new price
is a new validity: the old rate gets an end, and the new one begins there.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from metering.identity import FOR_EVER
from metering.period import Period
from metering.resources.schedule import EVER
from pricing.money import Rounding, plain, rounded
from pricing.prices.book import PriceBook
from pricing.prices.dimension import Match
from pricing.prices.policy import TaxRate
from pricing.prices.rate import Item, Rate

FROZEN = ("currency", "minor", "zone", "postpaid", "order", "bands", "policy")
"""Fields that have no validity: with another, a book needs another name."""
LOOSE = (
    "source", "checked", "provider", "terms", "term_factors", "class_models", "valid", "regions",
    "taxes",
)  # fmt: skip
"""Fields that may differ from now on."""


class Change(StrEnum):
    """What becomes of a price."""

    ADDED = "added"
    ENDED = "ended"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Difference:
    """A price that differs for a period; without an old one it is added, without a new it ends."""

    period: Period
    old: Rate | None
    new: Rate | None

    @property
    def change(self) -> Change:
        """What becomes of the price."""
        if self.old is None:
            return Change.ADDED
        return Change.ENDED if self.new is None else Change.CHANGED

    @property
    def rate(self) -> Rate:
        """The rate that says what is priced: the new one where there is one."""
        rate = self.new or self.old
        assert rate is not None
        return rate

    @property
    def percent(self) -> Decimal | None:
        """By how much a price rises, in percent with two decimals, where that can be said."""
        if not (self.old and self.new and self.old.price) or self.old.tiers or self.new.tiers:
            return None
        old, new = (Fraction(r.price) / r.per for r in (self.old, self.new))
        return rounded((new / old - 1) * 100, 2, Rounding.HALF_UP)

    @property
    def sentence(self) -> str:
        """The difference in words."""
        prices = " -> ".join(priced(r) for r in (self.old, self.new) if r)
        percent = "" if self.percent is None else f" ({self.percent:+f} %)"
        span = f"from {self.period.start.isoformat()}"
        if self.period.end != FOR_EVER:
            span += f" to {self.period.end.isoformat()}"
        return f"{self.change} {span}: the {self.rate.about}, {prices}{percent}"


class FieldDifference(NamedTuple):
    """A field of the header that differs."""

    name: str
    old: str
    new: str


def differences(old: PriceBook, new: PriceBook) -> list[Difference]:
    """Return where prices differ, in the order of time."""
    before, after = _by_key(old), _by_key(new)
    found = [
        difference
        for key in {**before, **after}
        for difference in _differences(before.get(key, ()), after.get(key, ()))
    ]
    return sorted(found, key=lambda d: (d.period.start, d.rate.item, d.rate.match))


def field_differences(old: PriceBook, new: PriceBook) -> list[FieldDifference]:
    """Return which fields of the header differ."""
    said = [json.loads(book.canonical()) for book in (old, new)]
    return [
        FieldDifference(name, *(_text(told.get(name)) for told in said))
        for name in (*FROZEN, *LOOSE)
        if getattr(old, name) != getattr(new, name)
    ]


def check_succession(old: PriceBook, new: PriceBook, now: datetime) -> None:
    """Refuse a version that says something else of the time before now.

    Raises:
        ChangedFieldError, ChangedPastError: what differs.
    """
    if old.valid.start >= now:
        return
    taxed = [_taxes_before(book.taxes, now) for book in (old, new)]
    frozen = FROZEN if taxed[0] == taxed[1] else (*FROZEN, "taxes")
    for field in field_differences(old, new):
        if field.name in frozen:
            raise ChangedFieldError(new.name, field)
    for difference in differences(old, new):
        if difference.period.start < now:
            raise ChangedPastError(difference, now)


def priced(rate: Rate) -> str:
    """Write a rate's price.

    >>> priced(Rate(Item.TOKENS, (), Decimal("0.075"), 10_000, "Tokens"))
    '0.075 per 10000 Tokens'
    """
    price = plain(rate.price)
    if rate.tiers:
        price = " | ".join(_tier(t.up_to, plain(t.price), plain(t.flat)) for t in rate.tiers)
    return f"{price} per {rate.per} {rate.unit}"


def _tier(up_to: int | None, price: str, flat: str) -> str:
    bound = "*" if up_to is None else up_to
    return f"{bound}: {price}" + ("" if flat == "0.0" else f" + {flat}")


def _by_key(book: PriceBook) -> Mapping[tuple[Item, Match], list[Rate]]:
    """Return a book's rates by what they price, each cut to the validity of the book."""
    found: dict[tuple[Item, Match], list[Rate]] = {}
    for rate in book.rates:
        valid = rate.valid.overlap(book.valid)
        if valid:
            found.setdefault((rate.item, rate.match), []).append(replace(rate, valid=valid))
    return found


def _differences(olds: Sequence[Rate], news: Sequence[Rate]) -> Iterator[Difference]:
    """Yield the periods in which one thing is priced otherwise, neighbours that agree as one."""
    cuts = sorted({i for r in (*olds, *news) for i in (r.valid.start, r.valid.end)})
    last: Difference | None = None
    for start, end in pairwise(cuts):
        old, new = _at(olds, start), _at(news, start)
        if _same(old, new):
            continue
        if last and last.period.end == start and _same(last.old, old) and _same(last.new, new):
            last = replace(last, period=Period(last.period.start, end))
            continue
        if last:
            yield last
        last = Difference(Period(start, end), old, new)
    if last:
        yield last


def _at(rates: Sequence[Rate], instant: datetime) -> Rate | None:
    return next((r for r in rates if r.valid.holds(instant)), None)


def _same(one: Rate | None, other: Rate | None) -> bool:
    """Whether two rates charge the same, whenever they do."""
    return (one and one.id) == (other and other.id)


def _taxes_before(taxes: Sequence[TaxRate], now: datetime) -> list[TaxRate]:
    past = Period(EVER.start, max(EVER.start, now))
    cut = ((tax, tax.valid.overlap(past)) for tax in taxes)
    return sorted((replace(t, valid=v) for t, v in cut if v), key=lambda t: (t.name, t.valid))


def _text(said: object) -> str:
    return "as usual" if said is None else json.dumps(said, ensure_ascii=False)


class ChangedPastError(ValueError):
    """A version that prices the past otherwise."""

    def __init__(self, difference: Difference, now: datetime) -> None:
        super().__init__(
            f"prices before {now.isoformat()} must stay as they are (let the old rate end and the "
            f"new one begin later), found {difference.sentence}"
        )


class ChangedFieldError(ValueError):
    """A version of which a field differs that may not."""

    def __init__(self, book: str, field: FieldDifference) -> None:
        super().__init__(
            f"book {book} must keep its {field.name} of the time before now, {field.old} "
            f"(or have another name), found {field.new}"
        )
