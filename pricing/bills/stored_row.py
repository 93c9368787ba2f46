"""Rows as the ledger keeps them: one JSON text each, read back to the same values."""

import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any

from metering.period import parse_instant
from pricing.bills.posting import Amounts
from pricing.focus.column import Row, Type, cell
from pricing.focus.columns import COLUMNS
from pricing.rating.charge import LineKey

NAMES = tuple(c.name for c in COLUMNS["1.2"])

COSTS = (
    "BilledCost", "ListCost", "ContractedCost", "EffectiveCost", "PricingCurrencyEffectiveCost",
)  # fmt: skip
ADDED_UP = (
    *COSTS, "PricingQuantity", "ConsumedQuantity", "CommitmentDiscountQuantity", "x_RequestCount",
)  # fmt: skip
"""Columns that may be added up; all others say what a row is about."""

_READ: Mapping[Type, Callable[[str], Any]] = {
    Type.TEXT: str,
    Type.NUMBER: Decimal,
    Type.INSTANT: parse_instant,
    Type.JSON: json.loads,
}
_TYPES = {c.name: c.type for c in COLUMNS["1.2"]}


Told = Sequence[str | None]
"""The cells of a row as text, in the order of the columns; None where they are null."""

_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def told_row(row: Row) -> Told:
    """Return the cells of a row as text."""
    return [
        value if (value := row[name]) is None or type(value) is str else cell(value)
        for name in NAMES
    ]


def written_row(row: Row) -> str:
    """Return a row as text; null cells are left out."""
    return written_told(told_row(row))


def written_told(told: Told) -> str:
    """Return the text of a row whose cells are told."""
    named = zip(NAMES, told, strict=True)
    return _JSON.encode({name: text for name, text in named if text is not None})


def read_told(text: str) -> Told:
    """Return the cells that ``written_told`` was told."""
    return list(map(json.loads(text).get, NAMES))


def read_row(text: str) -> Row:
    """Read what ``written_row`` wrote."""
    told = json.loads(text)
    return {n: _READ[_TYPES[n]](told[n]) if n in told else None for n in NAMES}


@lru_cache(maxsize=4096)
def written_key(key: LineKey) -> str:
    """Return a line's key as text."""
    return _JSON.encode(key)


def read_key(text: str) -> LineKey:
    """Read what ``written_key`` wrote."""
    return LineKey(*json.loads(text))


def written_amounts(amounts: Amounts) -> str:
    """Return exact amounts as text, fractions as ``3703701/400000``.

    >>> written_amounts(Amounts(Fraction(2), Fraction("0.5"), Fraction("0.5"), requests=1))
    '2 1/2 1/2 0 1'
    """
    return " ".join(map(str, amounts.values))


def read_amounts(text: str) -> Amounts:
    """Read what ``written_amounts`` wrote."""
    *exact, requests = text.split()
    quantity, listed, billed, effective = map(Fraction, exact)
    return Amounts(quantity, listed, billed, effective, int(requests))


def taken_back(row: Row) -> Row:
    """Return the row that takes another back: its words, and its numbers below zero.

    Nothing is priced again, so both come to zero in every column.
    """
    told = ((name, row[name]) for name in ADDED_UP)
    return {**row, **{name: value.copy_negate() for name, value in told if value is not None}}
