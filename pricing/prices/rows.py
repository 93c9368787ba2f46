"""Rows of a price book's tables, and rates of its header, as rates.

A general row names an item, any dimensions, a price and its ``per``; the two tables of nodes and
of tokens by size class are shorter to write.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from metering.period import InstantTextError, Period, parse_instant, zone_of
from metering.resources.schedule import EVER, instant_of
from pricing.focus.unit import is_unit
from pricing.money import price_of
from pricing.prices.dimension import DIMENSIONS, Match, match_of
from pricing.prices.rate import TIERED, UNITS, Item, Model, Rate, Tier, usual_model
from pricing.prices.text import (
    BookError,
    FieldError,
    Told,
    choice_of,
    mapping_at,
    placed,
    text_of,
    whole,
)

NODE_COLUMNS = ("region_id", "spec", "monthly_cny", "hourly_cny")
TOKEN_COLUMNS = ("size_class", "cny_per_10k_tokens", "where")
"""The columns that the two short tables must have."""

COLUMNS = (
    "item", "price", "per", "unit", "charging", "tiers", "valid_from", "valid_to", *DIMENSIONS,
)  # fmt: skip
"""What a general row may say; ``charging`` is how a quantity is charged."""

_DAY = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True)
class Places:
    """What rows are read with: groups of regions, and the zone in which days begin."""

    areas: Mapping[str, Sequence[str]]
    zone: str


def rate_of_row(row: Told, places: Places) -> Rate:
    """Return the rate of a general row, of a table or of the header.

    Raises:
        BookError, PlacedError: the row is none; the message names file, line and field.
    """
    row.only(COLUMNS)
    item = row.read("item", choice_of(Item))
    model = row.optional("charging", choice_of(Model), usual_model(item))
    tiers = row.read("tiers", _tiers) if "tiers" in row.fields or model in TIERED else ()
    if tiers and "price" in row.fields:
        raise BookError(row.where, "no price beside tiers", repr(row.fields["price"]))
    with placed(row.where):
        return Rate(
            item=item,
            match=_match(row, places),
            price=tiers[0].price if tiers else row.read("price", price_of),
            per=row.read("per", whole),
            unit=row.optional("unit", _unit, UNITS[item]),
            model=model,
            tiers=tiers,
            valid=valid_of(row, places.zone),
            line=row.where,
        )


def node_rates(row: Told, places: Places) -> list[Rate]:
    """Return the month's and the hour's price of a row of the table of nodes."""
    match = match_of({"region": [row.need("region_id")], "spec": [row.need("spec")]})
    valid = valid_of(row, places.zone)
    return [
        _rate(row, Item.NODE_MONTH, match, ("monthly_cny", 1, valid)),
        _rate(row, Item.NODE_HOUR, match, ("hourly_cny", 1, valid)),
    ]


def token_rates(row: Told, places: Places) -> list[Rate]:
    """Return the prices of a row of the table of size classes, one a region of its area."""
    area = row.need("where")
    if area not in places.areas:
        raise BookError(row.where, f"an area of {', '.join(places.areas)}", repr(area))
    matches = (
        match_of({"region": [region], "size_class": [row.need("size_class")]})
        for region in places.areas[area]
    )
    priced = ("cny_per_10k_tokens", 10_000, valid_of(row, places.zone))
    return [_rate(row, Item.TOKENS, match, priced) for match in matches]


def valid_of(told: Told, zone: str) -> Period:
    """Return when something holds: from ``valid_from`` until before ``valid_to``."""
    start = told.optional("valid_from", lambda v: instant_in(v, zone), EVER.start)
    end = told.optional("valid_to", lambda v: instant_in(v, zone), EVER.end)
    if start >= end:
        raise BookError(told.where, "a valid_to after its valid_from", end.isoformat())
    return Period(start, end)


def instant_in(value: Any, zone: str) -> datetime:
    """Read an instant; a day is its midnight in a zone.

    >>> instant_in("2026-10-01", "Asia/Shanghai").isoformat()
    '2026-09-30T16:00:00+00:00'
    """
    text = text_of(value)
    if not _DAY.fullmatch(text):
        return parse_instant(text)
    try:
        midnight = datetime.combine(date.fromisoformat(text), time(0))
        return instant_of(midnight, zone_of(zone))
    except (ValueError, OverflowError):
        raise InstantTextError(text) from None


def _rate(row: Told, item: Item, match: Match, priced: tuple[str, int, Period]) -> Rate:
    column, per, valid = priced
    price = row.read(column, price_of)
    with placed(row.where):
        unit, model = UNITS[item], usual_model(item)
        return Rate(item, match, price, per, unit, model=model, valid=valid, line=row.where)


def _match(row: Told, places: Places) -> Match:
    named = {k: row.read(k, _values) for k in row.fields if k in DIMENSIONS}
    if "region" in named:
        named["region"] = [r for name in named["region"] for r in places.areas.get(name, [name])]
    return match_of(named)


def _values(value: Any) -> list[str]:
    """Return the values of a dimension: a list, or text with ``|`` between them."""
    listed = value if isinstance(value, list) else text_of(value).split("|")
    return [text_of(v.strip() if isinstance(v, str) else v) for v in listed]


def _unit(value: Any) -> str:
    """Read the unit of one: without a number, which ``per`` is."""
    text = text_of(value)
    if not is_unit(f"1 {text}"):
        raise FieldError("a FOCUS unit without a number, as in Tokens or GB-Hours", value)
    return text


def _tiers(value: Any) -> tuple[Tier, ...]:
    """Read tiers: a list of mappings, or ``1000000: 0.5 | 5000000: 0.4 + 10 | *: 0.3``."""
    if isinstance(value, str):
        return tuple(_tier_of_text(part.strip()) for part in value.split("|"))
    if not isinstance(value, list) or not value:
        raise TiersError(value)
    return tuple(_tier(mapping_at("tier", tier)) for tier in value)


def _tier_of_text(text: str) -> Tier:
    bound, colon, priced = text.partition(":")
    price, plus, flat = priced.partition("+")
    if not colon:
        raise TiersError(text)
    up_to = None if bound.strip() == "*" else whole(bound.strip())
    return Tier(up_to, price_of(price.strip()), price_of(flat.strip()) if plus else Decimal(0))


def _tier(told: Told) -> Tier:
    told.only(("up_to", "price", "flat"))
    up_to = told.optional("up_to", whole, None)
    return Tier(up_to, told.read("price", price_of), told.optional("flat", price_of, Decimal(0)))


class TiersError(ValueError):
    """Tiers that are none."""

    def __init__(self, found: object) -> None:
        super().__init__(
            f"tiers must be a list of up_to and price, or text as in 1000000: 0.5 | *: 0.4, "
            f"found {found!r}"
        )
