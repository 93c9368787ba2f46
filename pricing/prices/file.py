"""Read a price book from its files: ``book.yaml`` and the tables that it names.

texts -> header + rows (book_text) -> rates (book_rows) -> PriceBook, checked as a whole
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import combinations
from typing import Any

from metering.period import billing_zone, zone_of
from pricing.money import SHOWN_PLACES, Rounding, plain, price_of
from pricing.prices.book import Cut, PriceBook, Region, Scope
from pricing.prices.overlap import first_clash
from pricing.prices.policy import DEFAULT, Policy, TaxRate, policy_of
from pricing.prices.rate import Item, Rate
from pricing.prices.rows import (
    COLUMNS,
    NODE_COLUMNS,
    TOKEN_COLUMNS,
    Places,
    node_rates,
    rate_of_row,
    token_rates,
    valid_of,
)
from pricing.prices.text import (
    HEADER,
    BookError,
    FieldError,
    Told,
    check_known,
    choice_of,
    header_of,
    list_of,
    mapping_at,
    placed,
    table_of,
    text_of,
    whole,
)

FIELDS = (
    "name", "title", "source", "checked", "currency", "minor", "zone", "provider", "rounding",
    "terms", "term_factors", "regions", "areas", "nodes", "tokens", "tables", "rates", "bands",
    "class_models", "valid_from", "valid_to", "policy", "taxes",
)  # fmt: skip
"""What a header may say."""

TAX_FIELDS = ("name", "rate", "applies_to", "valid_from", "valid_to")

KEYS: Mapping[str, tuple[str, ...]] = {
    "nodes": ("region_id", "spec", "valid_from", "valid_to"),
    "tokens": ("size_class", "where", "valid_from", "valid_to"),
}
"""What tells the rows of a short table apart."""

MOST_MONTHS = 120
"""The longest term that may be sold."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_CURRENCY = re.compile(r"[A-Z][A-Z0-9]{2,11}")

NO_AREAS: Mapping[str, Sequence[str]] = {}


def parse_book(files: Mapping[str, str]) -> PriceBook:
    """Read a book from the texts of its files, ``book.yaml`` first.

    Raises:
        BookError, PlacedError, RateError: something is missing or wrong; the message says where.
        ClashingRatesError: two rates price the same thing.
    """
    header, told = header_of(files)
    header.only(FIELDS)
    zone = header.read("zone", text_of)
    zone_of(zone)
    rounding = header.part("rounding")
    book = PriceBook(
        name=header.read("name", _name),
        source=header.read("source", text_of),
        checked=header.read("checked", text_of),
        currency=header.read("currency", _currency),
        zone=zone,
        provider=header.read("provider", text_of),
        postpaid=_cut(rounding.part("postpaid")),
        order=_cut(rounding.part("order")),
        terms=header.read("terms", _wholes),
        regions=_regions(header.part("regions")),
        rates=tuple(_rates(header, told, files)),
        minor_said=header.optional("minor", _minor, None),
        term_factors=header.optional("term_factors", _factors, {}),
        bands=header.optional("bands", _wholes, ()),
        class_models=header.optional("class_models", _class_models, {}),
        valid=valid_of(header, zone),
        policy=header.optional("policy", _policy, DEFAULT),
        taxes=tuple(_tax(tax, zone) for tax in header.parts("taxes")),
    )
    check_book(book)
    return book


def check_book(book: PriceBook) -> None:
    """Refuse a book that contradicts itself.

    Raises:
        BookError, PlacedError, ClashingRatesError: and where.
    """
    with placed(f"{HEADER} currency"):
        minor = book.minor
    for cut in (book.postpaid, book.order):
        if cut.places > minor:
            required = f"at most the {minor} places of {book.currency} in its rounding"
            raise BookError(HEADER, required, str(cut.places))
    if list(book.bands) != sorted(set(book.bands)):
        raise BookError(HEADER, "rising bands", repr(list(book.bands)))
    if not all(1 <= months <= MOST_MONTHS for months in book.terms):
        raise BookError(HEADER, f"terms of 1 to {MOST_MONTHS} months", repr(list(book.terms)))
    for months in book.term_factors:
        if months not in book.terms:
            raise BookError(HEADER, "factors of terms that are sold", f"{months} months")
    _check_classes(book)
    for rate in book.rates:
        with placed(rate.line or HEADER):
            _check_rate(rate, book)
    clash = first_clash(book.rates)
    if clash:
        raise ClashingRatesError(*clash)
    _check_taxes(book.taxes)
    if any("\ud800" <= sign <= "\udfff" for sign in book.canonical()):
        raise BookError(HEADER, "text of whole characters", "half of one")


def _check_rate(rate: Rate, book: PriceBook) -> None:
    """Refuse a rate for what its book does not have."""
    named = dict(rate.match)
    for region in named.get("region", ()):
        book.region(region)
    for band in named.get("band", ()):
        check_known([str(bound) for bound in book.bands], band)
    if rate.hours:  # usage is kept by the UTC hour, which must be one hour of the day
        billing_zone(book.zone)


def _check_classes(book: PriceBook) -> None:
    """Refuse to say which models a size class is for that has no price, or is for none."""
    tokens = (dict(rate.match) for rate in book.rates_of(Item.TOKENS))
    priced = {name for match in tokens for name in match.get("size_class", ())}
    for name, models in book.class_models.items():
        if name not in priced:
            raise BookError(HEADER, "class_models of size classes that it prices", repr(name))
        if not models:
            raise BookError(HEADER, f"a model that size class {name} is for", "none")


def _check_taxes(taxes: Sequence[TaxRate]) -> None:
    for tax, other in combinations(taxes, 2):
        same = tax.name == other.name and tax.valid.overlap(other.valid)
        if same and (set(tax.applies_to or Item) & set(other.applies_to or Item)):
            raise BookError(HEADER, f"the tax {tax.name} once at a time", "it twice")


def _rates(header: Told, told: Sequence[Told], files: Mapping[str, str]) -> Iterator[Rate]:
    """Yield the rates of all tables and of the header, in this order."""
    places = Places(header.optional("areas", _areas, NO_AREAS), header.read("zone", text_of))
    for row in _unique(header, files, "nodes", NODE_COLUMNS):
        yield from node_rates(row, places)
    for row in _unique(header, files, "tokens", TOKEN_COLUMNS):
        yield from token_rates(row, places)
    for name in header.optional("tables", _texts, ()):
        for row in table_of(files, name, ("item", "price", "per"), COLUMNS):
            yield rate_of_row(row, places)
    for row in told:
        yield rate_of_row(row, places)


def _unique(
    header: Told, files: Mapping[str, str], kind: str, columns: Sequence[str]
) -> list[Told]:
    """Return the rows of a short table, which price each thing once."""
    name = header.optional(kind, text_of, "")
    rows = table_of(files, name, columns) if name else []
    seen: dict[tuple[str, ...], Told] = {}
    for row in rows:
        key = tuple(str(row.fields.get(column, "")) for column in KEYS[kind])
        if key in seen:
            raise DuplicateRowError(seen[key], row, key)
        seen[key] = row
    return rows


def _cut(told: Told) -> Cut:
    told.only(("places", "mode", "scope"))
    mode = told.read("mode", choice_of(Rounding))
    scope = told.optional("scope", choice_of(Scope), Scope.PERIOD)
    return Cut(told.read("places", whole), mode, scope)


def _regions(told: Told) -> tuple[Region, ...]:
    parts = ((name, told.part(name)) for name in told.fields)
    return tuple(
        Region(name, p.read("name", text_of), p.read("name_zh", text_of)) for name, p in parts
    )


def _tax(told: Told, zone: str) -> TaxRate:
    told.only(TAX_FIELDS)
    applies_to = told.optional("applies_to", _items, ())
    rate = told.read("rate", price_of)
    if rate > 1:
        raise BookError(told.where, "a rate of 1 at most (6 % is 0.06)", str(rate))
    return TaxRate(told.read("name", text_of), rate, valid_of(told, zone), applies_to)


def _policy(said: Any) -> Policy:
    return policy_of(mapping_at("policy", said).fields)


def _factors(said: Any) -> dict[int, Decimal]:
    told = mapping_at("term_factors", said)
    found = {whole(months): told.read(months, price_of) for months in told.fields}
    for months, factor in found.items():
        if not 0 < factor <= 1:
            raise BookError(f"the factor of {months} months", "more than 0, at most 1", str(factor))
    return found


def _areas(said: Any) -> dict[str, tuple[str, ...]]:
    return _lists("areas", said)


def _class_models(said: Any) -> dict[str, tuple[str, ...]]:
    return _lists("class_models", said)


def _lists(field: str, said: Any) -> dict[str, tuple[str, ...]]:
    told = mapping_at(field, said)
    return {name: told.read(name, _texts) for name in told.fields}


def _name(said: Any) -> str:
    name = text_of(said)
    if not _NAME.fullmatch(name):
        raise FieldError("1 to 80 letters, digits, points, dashes", name)
    return name


def _currency(said: Any) -> str:
    code = text_of(said)
    if not _CURRENCY.fullmatch(code):
        raise FieldError("3 to 12 capital letters or digits", code)
    return code


def _minor(said: Any) -> int:
    places = whole(said)
    if places > SHOWN_PLACES:
        raise FieldError(f"{SHOWN_PLACES} at most", places)
    return places


def _wholes(said: Any) -> tuple[int, ...]:
    return tuple(whole(number) for number in list_of(said))


def _texts(said: Any) -> tuple[str, ...]:
    return tuple(text_of(text) for text in list_of(said))


def _items(said: Any) -> tuple[Item, ...]:
    return tuple(choice_of(Item)(item) for item in list_of(said))


class DuplicateRowError(ValueError):
    """Two rows of a short table price the same thing."""

    def __init__(self, first: Told, second: Told, key: Sequence[str]) -> None:
        found = f"{first.where} and {second.where}"
        super().__init__(f"{' '.join(filter(None, key))} must be priced once, found {found}")


class ClashingRatesError(ValueError):
    """Two rates price the same thing at the same time, and neither is more specific."""

    def __init__(self, one: Rate, other: Rate) -> None:
        found = " and ".join(
            f"{plain(r.price)} per {r.per} in {r.line or HEADER} (the {r.about})"
            for r in (one, other)
        )
        super().__init__(f"one rate must apply, found {found}: let one name more, or end")
