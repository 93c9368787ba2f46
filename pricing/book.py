"""The price book: dated, content-addressed prices, and the one way to look one up.

book.yaml + nodes.csv + tokens.csv -> PriceBook -> rate_for(item, region=..., ...) -> Rate
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from typing import Any

import yaml

from metering.period import zone_of
from pricing.money import Rounding, plain, price_of

NODE_COLUMNS = ("region_id", "spec", "monthly_cny", "hourly_cny")
TOKEN_COLUMNS = ("size_class", "where", "cny_per_10k_tokens")
"""The columns that a table must have; the first two tell its rows apart."""


class Item(StrEnum):
    """What is sold."""

    NODE_MONTH = "node-month"
    """One node for one month, 包年包月."""
    NODE_HOUR = "node-hour"
    """One node for one hour, 按量付费."""
    TOKENS = "tokens"
    """Tokens of one size class, 按Token计费."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A price and its ``per``: so much money for ``per`` units, where every dimension matches."""

    item: Item
    dimensions: tuple[tuple[str, str], ...]
    price: Decimal
    per: int
    unit: str
    """FOCUS unit of one: ``Months``, ``Hours``, ``Tokens``."""

    def matches(self, item: Item, wanted: Mapping[str, str]) -> bool:
        """Whether this rate applies to what is wanted."""
        return item is self.item and all(wanted.get(k) == v for k, v in self.dimensions)


@dataclass(frozen=True, slots=True)
class Cut:
    """How amounts become whole minor units."""

    places: int
    mode: Rounding


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

    def rate_for(self, item: Item, **wanted: str) -> Rate:
        """Return the one rate that applies; the most specific wins.

        Raises:
            UnknownRegionError: the book does not name this region.
            MissingPriceError: there is no such price. It is never guessed.
        """
        if "region" in wanted:
            self.region(wanted["region"])
        matching = [r for r in self.rates if r.matches(item, wanted)]
        if not matching:
            raise MissingPriceError(self.name, item, wanted)
        return max(matching, key=lambda r: len(r.dimensions))

    def region(self, region_id: str) -> Region:
        """Return a region by id."""
        for region in self.regions:
            if region.id == region_id:
                return region
        raise UnknownRegionError(region_id, [r.id for r in self.regions])

    def canonical(self) -> str:
        """Return the book as the one JSON text that its hash is made of."""
        return json.dumps(
            {
                "name": self.name,
                "source": self.source,
                "checked": self.checked,
                "currency": self.currency,
                "zone": self.zone,
                "provider": self.provider,
                "postpaid": [self.postpaid.places, self.postpaid.mode],
                "order": [self.order.places, self.order.mode],
                "terms": self.terms,
                "regions": [[r.id, r.name, r.name_zh] for r in self.regions],
                "rates": [
                    [r.item, r.dimensions, plain(r.price), r.per, r.unit] for r in self.rates
                ],
            },
            ensure_ascii=False,
            separators=(",", ":"),
        )

    @property
    def digest(self) -> str:
        """The hash that bills name the book by."""
        return sha256(self.canonical().encode()).hexdigest()


def parse_book(files: Mapping[str, str]) -> PriceBook:
    """Read a book from the texts of its files, ``book.yaml`` first.

    Raises:
        BookError: a file or field is missing or wrong; the message names it.
        PriceTextError: a price is not decimal text.
    """
    header = yaml.safe_load(_file(files, "book.yaml"))
    if not isinstance(header, dict):
        raise BookError("book.yaml", "a mapping", type(header).__name__)
    nodes = _table(files, _field(header, "nodes"), NODE_COLUMNS)
    tokens = _table(files, _field(header, "tokens"), TOKEN_COLUMNS)
    zone = str(_field(header, "zone"))
    zone_of(zone)
    rates = [r for row in nodes for r in _node_rates(row)]
    rates += [r for row in tokens for r in _token_rates(row, _field(header, "areas"))]
    book = PriceBook(
        name=str(_field(header, "name")),
        source=str(_field(header, "source")),
        checked=str(_field(header, "checked")),
        currency=str(_field(header, "currency")),
        zone=zone,
        provider=str(_field(header, "provider")),
        postpaid=_cut(_field(header, "rounding"), "postpaid"),
        order=_cut(_field(header, "rounding"), "order"),
        terms=tuple(_field(header, "terms")),
        regions=tuple(
            Region(k, _field(v, "name"), _field(v, "name_zh"))
            for k, v in _field(header, "regions").items()
        ),
        rates=tuple(rates),
    )
    _check(book)
    return book


def _check(book: PriceBook) -> None:
    """Refuse two rates for the same thing, and rates in regions that the book does not name."""
    seen: set[tuple[Item, tuple[tuple[str, str], ...]]] = set()
    for rate in book.rates:
        key = (rate.item, rate.dimensions)
        if key in seen:
            raise AmbiguousRateError(rate)
        seen.add(key)
        book.region(dict(rate.dimensions)["region"])


def _node_rates(row: Mapping[str, str]) -> Sequence[Rate]:
    where = (("region", row["region_id"]), ("spec", row["spec"]))
    return (
        Rate(Item.NODE_MONTH, where, price_of(row["monthly_cny"]), 1, "Months"),
        Rate(Item.NODE_HOUR, where, price_of(row["hourly_cny"]), 1, "Hours"),
    )


def _token_rates(row: Mapping[str, str], areas: Mapping[str, Sequence[str]]) -> Sequence[Rate]:
    if row["where"] not in areas:
        raise BookError("tokens.csv", f"an area of {', '.join(areas)}", repr(row["where"]))
    price = price_of(row["cny_per_10k_tokens"])
    return [
        Rate(
            Item.TOKENS, (("region", region), ("size_class", row["size_class"])), price, 10_000,
            "Tokens",
        )
        for region in areas[row["where"]]
    ]  # fmt: skip


def _table(files: Mapping[str, str], name: str, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """Read a CSV file; every row must have all cells, and no key (two columns) twice."""
    reader = csv.DictReader(io.StringIO(_file(files, name), newline=""))
    for column in columns:
        if column not in (reader.fieldnames or ()):
            found = ", ".join(reader.fieldnames or ()) or "nothing"
            raise BookError(name, f"the column {column}", found)
    rows = []
    seen: dict[tuple[str, ...], int] = {}
    for row in reader:
        number = reader.line_num
        if None in row or None in row.values():
            raise BookError(f"{name} line {number}", "one cell per column", repr(row))
        value = tuple(row[k] for k in columns[:2])
        if value in seen:
            raise DuplicateRowError(name, number, seen[value], value)
        seen[value] = number
        rows.append(row)
    return rows


def _file(files: Mapping[str, str], name: str) -> str:
    if name not in files:
        raise BookError("a price book", f"the file {name}", ", ".join(sorted(files)) or "nothing")
    return files[name].removeprefix("\ufeff")


def _field(header: Mapping[str, Any], name: str) -> Any:
    if name not in header:
        raise BookError("book.yaml", f"the field {name}", ", ".join(header))
    return header[name]


def _cut(rounding: Mapping[str, Any], name: str) -> Cut:
    cut = _field(rounding, name)
    mode = _field(cut, "mode")
    if mode not in list(Rounding):
        raise BookError("book.yaml", f"a rounding mode of {', '.join(Rounding)}", repr(mode))
    return Cut(int(_field(cut, "places")), Rounding(mode))


class BookError(ValueError):
    """A price book that cannot be read."""

    def __init__(self, where: str, required: str, found: str) -> None:
        super().__init__(f"{where} must have {required}, found {found}")


class DuplicateRowError(ValueError):
    """Two rows of a table price the same thing."""

    def __init__(self, name: str, line: int, first: int, key: tuple[str, ...]) -> None:
        super().__init__(
            f"{name} must price {' '.join(key)} once, found it on line {first} and line {line}"
        )


class AmbiguousRateError(ValueError):
    """Two rates match the same thing equally well."""

    def __init__(self, rate: Rate) -> None:
        about = ", ".join(f"{k}={v}" for k, v in rate.dimensions)
        super().__init__(f"a book must have one {rate.item} price for {about}, found two")


class UnknownRegionError(LookupError):
    """A region that the book does not name."""

    def __init__(self, region: str, known: Sequence[str]) -> None:
        super().__init__(f"the region must be one of {', '.join(known)}, found {region!r}")


class MissingPriceError(LookupError):
    """A price that the book does not have. It blocks the bill; it is never zero."""

    def __init__(self, book: str, item: Item, wanted: Mapping[str, str]) -> None:
        about = ", ".join(f"{k}={v}" for k, v in wanted.items())
        super().__init__(f"book {book} must have a {item} price for {about}, found none")
        self.item = item
        self.wanted = dict(wanted)
