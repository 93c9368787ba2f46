"""What is known of one column of a FOCUS data set, and how a cell is written."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from types import NoneType
from typing import Any

from pricing.money import plain

Value = Any
"""A cell: text, Decimal, datetime, a flat mapping, or None."""

Row = Mapping[str, Value]
"""A line of a bill: FOCUS columns by name, then ``x_`` columns."""


class Type(StrEnum):
    """What a column holds."""

    TEXT = "String"
    NUMBER = "Decimal"
    INSTANT = "DateTime"
    JSON = "JSON"


class Level(StrEnum):
    """Whether a file must have a column."""

    MANDATORY = "M"
    CONDITIONAL = "C"
    """Only where its ability is declared."""
    RECOMMENDED = "R"


class Form(StrEnum):
    """What the values of a column look like, beyond their type."""

    ANY = ""
    CURRENCY = "a currency of ISO 4217"
    ANY_CURRENCY = "a currency of ISO 4217 or a virtual one"
    UNIT = "a unit as in Tokens, 1000 Tokens, GB-Hours"
    NOT_NEGATIVE = "not negative"
    SHARE = "from 0 to 1"
    FLAT = "keys with plain values"
    PRICE_DETAILS = "properties of FOCUS or keys that begin with x_, with plain values"
    GRAIN = "columns that make a line of an invoice, with plain values"
    CONTRACT_APPLIED = "Elements, each with a contract, a commitment, and a cost or a quantity"
    PROGRAMS = "CommitmentPrograms, each with its ProgramType"
    ALLOCATION = "Elements, each with an AllocatedRatio from 0 to 1"
    APPLICABILITY = "Inclusions, each with Dimension, Operator and Values, or a scope"


class Ability(StrEnum):
    """What a provider can do, on which some columns hang."""

    ACCOUNT_TYPES = "several types of billing account"
    CAPACITY = "capacity reservations"
    COMMITMENT_DISCOUNTS = "commitment discounts"
    COMMITMENT_PROGRAMS = "commitment programs"
    CONTRACTS = "contract commitments"
    INVOICES = "payable invoices"
    LIST_PRICES = "public unit prices"
    MEASURED_USAGE = "measurement of usage"
    NEGOTIATED_PRICES = "negotiated prices"
    PARTIAL_UPFRONT = "payment of a part upfront"
    PAYMENT_CURRENCY = "payment in another currency"
    PAYMENT_GRAIN = "payment lines of another grain"
    PRICING_CATEGORIES = "several pricing categories"
    PRICING_CURRENCY = "prices in another currency"
    PURCHASE_ORDERS = "purchase order numbers"
    REGIONS = "regions"
    RESOURCES = "provisioned resources"
    SPLIT_COST = "split cost allocation"
    SUB_ACCOUNTS = "sub accounts"
    SUB_ACCOUNT_TYPES = "several types of sub account"
    TAGS = "tags"
    UNIT_PRICES = "unit prices and a price list"
    VIRTUAL_CURRENCY = "prices in a virtual currency"
    ZONES = "availability zones"


DECLARED: frozenset[Ability] = frozenset(Ability) - {
    Ability.CAPACITY,
    Ability.ZONES,
    Ability.SPLIT_COST,
    Ability.PARTIAL_UPFRONT,
    Ability.PAYMENT_CURRENCY,
    Ability.PAYMENT_GRAIN,
    Ability.PURCHASE_ORDERS,
}
"""What this service declares."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a data set: since and until which version, and what its cells may hold."""

    name: str
    type: Type
    nullable: bool
    level: Level
    since: str
    until: str = ""
    """The first version without it, if any."""
    allowed: frozenset[str] = frozenset()
    """The values a text may have; empty is any."""
    ability: Ability | None = None
    form: Form = Form.ANY

    def is_in(self, version: str) -> bool:
        """Tell whether a version has the column."""
        return self.since <= version and (not self.until or version < self.until)

    def is_wanted(self, abilities: frozenset[Ability]) -> bool:
        """Tell whether a file of a provider with these abilities must have the column."""
        if self.level is Level.MANDATORY:
            return True
        return self.level is Level.CONDITIONAL and self.ability in abilities


def schema_name(version: str, dataset: str, columns: Sequence[Column]) -> str:
    """Return the name of the columns of a data set; it changes when one of them or its type does.

    >>> schema_name("1.2", "CostAndUsage", [])
    'focus-1.2-CostAndUsage-e3b0c442'
    """
    told = "\n".join(f"{c.name} {c.type.value} {c.nullable}" for c in columns)
    return f"focus-{version}-{dataset}-{sha256(told.encode()).hexdigest()[:8]}"


def cell(value: Value) -> str:
    """Write one value as FOCUS text: null is empty, numbers have a point, instants are UTC.

    >>> cell(Decimal("6405.92")), cell(None), cell(datetime(2026, 10, 31, 16, tzinfo=UTC))
    ('6405.92', '', '2026-10-31T16:00:00Z')
    """
    writing = _WRITTEN.get(type(value))
    if writing:
        return writing(value)
    return _FLAT.encode(value) if isinstance(value, Mapping) else str(value)


@lru_cache(maxsize=4096)
def _instant(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


_FLAT = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))
_WRITTEN: Mapping[type, Callable[[Any], str]] = {
    NoneType: lambda _: "",
    str: str,
    Decimal: lru_cache(maxsize=1024)(plain),
    datetime: _instant,
    dict: _FLAT.encode,
}
"""The usual types; a bill has a million cells, so theirs is one look."""
