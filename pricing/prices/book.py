"""The price book: dated, content-addressed prices, and the one way to look one up.

files -> book_file.parse_book -> PriceBook -> rate_for(item, at, region=..., ...) -> Rate
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from metering.period import Period, zone_of
from metering.resources.schedule import EVER
from pricing.money import Rounding, plain
from pricing.prices.currency import minor_places
from pricing.prices.lookup import Explained, Lookup, Moment, explained
from pricing.prices.policy import DEFAULT, Policy, TaxRate, told_of
from pricing.prices.rate import Item, Rate

_KV_CACHE = frozenset({Item.KV_CACHE_HOUR, Item.KV_CACHE_MONTH})


class Scope(StrEnum):
    """What is rounded."""

    PERIOD = "period"
    """The sum of a period, or of an order: once."""
    LINE = "line"
    """Every line of a bill."""


@dataclass(frozen=True, slots=True)
class Cut:
    """How amounts become whole minor units."""

    places: int
    mode: Rounding
    scope: Scope = Scope.PERIOD


@dataclass(frozen=True, slots=True)
class Region:
    """A region that the book names."""

    id: str
    name: str
    name_zh: str


@dataclass(frozen=True, slots=True)
class PriceBook:
    """All prices of one list with the rounding, zone and terms that belong to them."""

    name: str
    source: str
    checked: str
    currency: str
    zone: str
    provider: str
    postpaid: Cut
    order: Cut
    terms: tuple[int, ...]
    regions: tuple[Region, ...]
    rates: tuple[Rate, ...]
    minor_said: int | None = None
    """Decimals of the currency's minor unit, where its file says so and not ISO 4217."""
    term_factors: Mapping[int, Decimal] = field(default_factory=dict, hash=False)
    """Months of a term -> what it leaves to pay of the list price."""
    bands: tuple[int, ...] = ()
    """Lower bounds, in input tokens, of the context bands that requests are put in."""
    class_models: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    """Size class -> the models that it is for; any, where nothing is said of it."""
    valid: Period = EVER
    policy: Policy = DEFAULT
    taxes: tuple[TaxRate, ...] = ()
    _lookup: Lookup = field(init=False, compare=False, repr=False)
    _digest: list[str] = field(init=False, compare=False, repr=False)
    """The hash, once it was asked for."""
    _region: Mapping[str, Region] = field(init=False, compare=False, repr=False)
    _clock: ZoneInfo = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_clock", zone_of(self.zone))
        object.__setattr__(self, "_region", {r.id: r for r in self.regions})
        object.__setattr__(self, "_digest", [])
        object.__setattr__(self, "_lookup", Lookup(self.rates))

    @property
    def minor(self) -> int:
        """Decimals of the currency: 2 for CNY, 0 for JPY, 3 for KWD."""
        return minor_places(self.currency) if self.minor_said is None else self.minor_said

    def factor(self, months: int) -> Decimal:
        """Return what a term of so many months leaves to pay of the list price."""
        return self.term_factors.get(months, Decimal(1))

    def fits(self, size_class: str, model: str) -> bool:
        """Whether a size class is for a model."""
        return model in self.class_models.get(size_class, (model,))

    def rates_of(self, item: Item) -> tuple[Rate, ...]:
        """Return all rates of an item, in order."""
        return self._lookup.of(item)

    def rate_for(self, item: Item, at: datetime | None = None, **wanted: str) -> Rate:
        """Return the one rate that applies at an instant; the most specific wins.

        Without an instant the price must be one that never changes.

        Raises:
            UnknownRegionError: the book does not name this region.
            MissingPriceError: there is no such price. It is never guessed.
            ChangingPriceError: no instant was given, and the price depends on it.
        """
        region = wanted.get("region")
        if region is not None and region not in self._region:
            raise UnknownRegionError(region, list(self._region))
        candidates = self._lookup.candidates(item, wanted)
        if candidates and at is None:
            return self._unchanging(candidates)
        found = self._holding(candidates, at) if at else None
        if found is None:
            raise MissingPriceError(self.name, item, wanted, at)
        return found

    def versions(self, item: Item, period: Period, **wanted: str) -> list[tuple[Period, Rate]]:
        """Return the rates in force over a period, in order, each with its part of the period.

        Raises:
            PriceGapError: there is no price in a part of it.
            UnknownRegionError, MissingPriceError: as ``rate_for``.
        """
        candidates = self._lookup.candidates(item, wanted)
        if not candidates:
            return [(period, self.rate_for(item, period.start, **wanted))]
        found: list[tuple[Period, Rate]] = []
        for part in self._parts(candidates, period):
            rate = self._holding(candidates, part.start)
            if rate is None:
                raise PriceGapError(self.name, item, wanted, part)
            if found and found[-1][1] is rate:
                part = Period(found.pop()[0].start, part.end)  # noqa: PLW2901 - it grows
            found.append((part, rate))
        return found

    def explain(self, item: Item, at: datetime, **wanted: str) -> list[Explained]:
        """Return every rate of an item, and that it applies at an instant or why it lost."""
        if not self.valid.holds(at):
            why = f"its book holds from {' to '.join(_ends(self.valid))}"
            return [Explained(r, why) for r in self.rates if r.item is item]
        return explained(self.rates, item, wanted, Moment(at, self._hour(at)))

    def region(self, region_id: str) -> Region:
        """Return a region by id."""
        if region_id not in self._region:
            raise UnknownRegionError(region_id, [r.id for r in self.regions])
        return self._region[region_id]

    def canonical(self) -> str:
        """Return the book as the one JSON text that its hash is made of.

        What is as usual is left out, so that a book's hash outlives what later books may say.
        """
        return json.dumps(_content(self), ensure_ascii=False, separators=(",", ":"))

    @property
    def digest(self) -> str:
        """The hash that bills name the book by."""
        if not self._digest:
            self._digest.append(sha256(self.canonical().encode()).hexdigest())
        return self._digest[0]

    def _holding(self, candidates: Sequence[Rate], at: datetime) -> Rate | None:
        if not self.valid.start <= at < self.valid.end:
            return None
        hour = -1
        for rate in candidates:  # a plain loop: this is asked for every group of usage
            if rate.hours and hour < 0:
                hour = self._hour(at)
            if rate.holds(at, hour):
                return rate
        return None

    def _unchanging(self, candidates: Sequence[Rate]) -> Rate:
        best = candidates[0]
        if best.hours or any(r.valid.overlap(best.valid) != r.valid for r in candidates):
            raise ChangingPriceError(best)
        return best

    def _parts(self, candidates: Sequence[Rate], period: Period) -> Iterator[Period]:
        """Cut a period where a price may change: at ends of validity, and of hours."""
        spans = [self.valid, *(r.valid for r in candidates)]
        cuts = {i for span in spans for i in (span.start, span.end) if period.holds(i)}
        if any(r.hours for r in candidates):
            cuts |= {hour.start for hour in period.hours()}
        return (Period(a, b) for a, b in pairwise(sorted({*cuts, period.start, period.end})))

    def _hour(self, at: datetime) -> int:
        return at.astimezone(self._clock).hour


def _content(book: PriceBook) -> dict[str, Any]:
    return {
        "name": book.name,
        "source": book.source,
        "checked": book.checked,
        "currency": book.currency,
        "zone": book.zone,
        "provider": book.provider,
        "postpaid": _cut(book.postpaid),
        "order": _cut(book.order),
        "terms": book.terms,
        "regions": [[r.id, r.name, r.name_zh] for r in book.regions],
        "rates": [r.content() for r in book.rates],
    } | {name: value for name, value in _choices(book).items() if value not in (None, [], {})}


def _choices(book: PriceBook) -> dict[str, Any]:
    """Return what a book may say, empty where it does not."""
    return {
        "minor": book.minor_said,
        "term_factors": [[m, plain(f)] for m, f in sorted(book.term_factors.items())],
        "bands": list(book.bands),
        "class_models": [
            [name, list(models)] for name, models in sorted(book.class_models.items())
        ],
        "valid": [] if book.valid == EVER else _ends(book.valid),
        "policy": told_of(book.policy),
        "taxes": [[t.name, plain(t.rate), _ends(t.valid), list(t.applies_to)] for t in book.taxes],
    }


def _cut(cut: Cut) -> list[Any]:
    rounding = [cut.places, cut.mode]
    return rounding if cut.scope is Scope.PERIOD else [*rounding, cut.scope]


def _ends(period: Period) -> list[str]:
    return [period.start.isoformat(), period.end.isoformat()]


class UnknownRegionError(LookupError):
    """A region that the book does not name."""

    field = "region"

    def __init__(self, region: str, known: Sequence[str]) -> None:
        super().__init__(f"the region must be one of {', '.join(known)}, found {region!r}")


class MissingPriceError(LookupError):
    """A price that the book does not have. It blocks the bill; it is never zero."""

    def __init__(
        self, book: str, item: Item, wanted: Mapping[str, str], at: datetime | None = None
    ) -> None:
        about = ", ".join(f"{k}={v}" for k, v in wanted.items())
        when = f" at {at.isoformat()}" if at else ""
        super().__init__(f"book {book} must have a {item} price for {about}{when}, found none")
        self.item = item
        self.wanted = dict(wanted)

    @property
    def field(self) -> str:
        """What is not sold, as contracts and orders call it."""
        sold = next((name for name in ("spec", "size_class", "model") if name in self.wanted), "")
        return sold or ("kv_cache_gb" if self.item in _KV_CACHE else "")


class PriceGapError(MissingPriceError):
    """A part of a period in which the book has no price."""

    def __init__(self, book: str, item: Item, wanted: Mapping[str, str], gap: Period) -> None:
        super().__init__(book, item, wanted, gap.start)
        about = ", ".join(f"{k}={v}" for k, v in wanted.items())
        when = " to ".join(_ends(gap))
        self.args = (f"book {book} must have a {item} price for {about} from {when}, found none",)
        self.gap = gap


class ChangingPriceError(LookupError):
    """A price that depends on when, asked for without an instant."""

    def __init__(self, rate: Rate) -> None:
        super().__init__(
            f"the {rate.about} must be asked for at an instant, found none: it changes"
        )
