"""Rates as rows for people: those that may price something, and why one of them applies."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from metering.identity import FOR_EVER
from metering.period import Period
from metering.resources.schedule import EVER
from pricing.prices.book import PriceBook
from pricing.prices.diff import Difference, priced
from pricing.prices.dimension import HOURS, meant, phrase
from pricing.prices.rate import Item, Rate
from pricing.prices.text import choice_of

COLUMNS = ("item", "dimensions", "price", "charging", "valid_from", "valid_to")


def asked_rows(book: PriceBook, item: str, wanted: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the rates of an item, or of all, that do not ask for something else.

    Raises:
        FieldError: there is no such item.
    """
    items = [choice_of(Item)(item)] if item else list(Item)
    said = _meant(wanted)
    return [_row(r) for r in book.rates if r.item in items and _allows(r, said)]


def explained_rows(
    book: PriceBook, item: str, at: datetime, wanted: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return all rates of an item: the one that applies at an instant, then why others lost.

    Raises:
        FieldError: there is no such item.
    """
    found = book.explain(choice_of(Item)(item), at, **_meant(wanted))
    return [{"why": one.why, **_row(one.rate)} for one in found]


def difference_row(one: Difference) -> dict[str, Any]:
    """Return a difference of prices as a row; decimals are text."""
    return {
        "change": one.change,
        "from": one.period.start.isoformat(),
        "to": _end(one.period),
        "item": one.rate.item,
        "dimensions": phrase(one.rate.match),
        "old": priced(one.old) if one.old else None,
        "new": priced(one.new) if one.new else None,
        "percent": None if one.percent is None else f"{one.percent:+f}",
    }


def _meant(wanted: Mapping[str, str]) -> dict[str, str]:
    return {name: meant(name, value) for name, value in wanted.items()}


def _allows(rate: Rate, wanted: Mapping[str, str]) -> bool:
    named = {k: v for k, v in rate.match if k != HOURS}
    return all(wanted[name] in values for name, values in named.items() if name in wanted)


def _row(rate: Rate) -> dict[str, Any]:
    start = rate.valid.start
    return {
        "item": rate.item,
        "dimensions": phrase(rate.match),
        "price": priced(rate),
        "charging": rate.model,
        "valid_from": None if start == EVER.start else start.isoformat(),
        "valid_to": _end(rate.valid),
    }


def _end(period: Period) -> str | None:
    return None if period.end == FOR_EVER else period.end.isoformat()
