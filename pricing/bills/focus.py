"""FOCUS: one table of columns drives the header, the order, the types and the row checker.

Source: FinOps Open Cost and Usage Specification 1.2, https://focus.finops.org/focus-specification/v1-2/
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
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


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the Cost and Usage data set."""

    name: str
    type: Type = Type.TEXT
    nullable: bool = True
    allowed: frozenset[str] = frozenset()


def _text(name: str, *allowed: str, nullable: bool = True) -> Column:
    return Column(name, Type.TEXT, nullable, frozenset(allowed))


def _number(name: str, *, nullable: bool = True) -> Column:
    return Column(name, Type.NUMBER, nullable)


def _instant(name: str) -> Column:
    return Column(name, Type.INSTANT, nullable=False)


COLUMNS_1_2: tuple[Column, ...] = (
    _text("AvailabilityZone"),
    _number("BilledCost", nullable=False),
    _text("BillingAccountId", nullable=False),
    _text("BillingAccountName"),
    _text("BillingAccountType", nullable=False),
    _text("BillingCurrency", nullable=False),
    _instant("BillingPeriodEnd"),
    _instant("BillingPeriodStart"),
    _text("CapacityReservationId"),
    _text("CapacityReservationStatus", "Used", "Unused"),
    _text("ChargeCategory", "Usage", "Purchase", "Tax", "Credit", "Adjustment", nullable=False),
    _text("ChargeClass", "Correction"),
    _text("ChargeDescription"),
    _text("ChargeFrequency", "One-Time", "Recurring", "Usage-Based", nullable=False),
    _instant("ChargePeriodEnd"),
    _instant("ChargePeriodStart"),
    _text("CommitmentDiscountCategory", "Spend", "Usage"),
    _text("CommitmentDiscountId"),
    _text("CommitmentDiscountName"),
    _number("CommitmentDiscountQuantity"),
    _text("CommitmentDiscountStatus", "Used", "Unused"),
    _text("CommitmentDiscountType"),
    _text("CommitmentDiscountUnit"),
    _number("ConsumedQuantity"),
    _text("ConsumedUnit"),
    _number("ContractedCost", nullable=False),
    _number("ContractedUnitPrice"),
    _number("EffectiveCost", nullable=False),
    _text("InvoiceId"),
    _text("InvoiceIssuerName", nullable=False),
    _number("ListCost", nullable=False),
    _number("ListUnitPrice"),
    _text("PricingCategory", "Standard", "Dynamic", "Committed", "Other"),
    _text("PricingCurrency", nullable=False),
    _number("PricingCurrencyContractedUnitPrice"),
    _number("PricingCurrencyEffectiveCost", nullable=False),
    _number("PricingCurrencyListUnitPrice"),
    _number("PricingQuantity"),
    _text("PricingUnit"),
    _text("ProviderName", nullable=False),
    _text("PublisherName", nullable=False),
    _text("RegionId"),
    _text("RegionName"),
    _text("ResourceId"),
    _text("ResourceName"),
    _text("ResourceType"),
    _text("ServiceCategory", "AI and Machine Learning", nullable=False),
    _text("ServiceName", nullable=False),
    _text("ServiceSubcategory", "Generative AI", nullable=False),
    _text("SkuId"),
    _text("SkuMeter"),
    Column("SkuPriceDetails", Type.JSON),
    _text("SkuPriceId"),
    _text("SubAccountId"),
    _text("SubAccountName"),
    _text("SubAccountType"),
    Column("Tags", Type.JSON),
)

OWN_COLUMNS: tuple[Column, ...] = (
    _text("x_BillId", nullable=False),
    _text("x_BookHash", nullable=False),
    _text("x_ChargeDescriptionZh"),
    _text("x_ContractId"),
    _text("x_CorrectsRunId"),
    _text("x_LineId", nullable=False),
    _text("x_Model"),
    _number("x_RequestCount"),
    _text("x_Rule"),
    _text("x_SpillReason"),
)

COLUMNS: Mapping[str, tuple[Column, ...]] = {"1.2": COLUMNS_1_2 + OWN_COLUMNS}
"""Version -> its columns, in the order they are written; our own come last."""

_PAIRS = (
    ("ConsumedQuantity", "ConsumedUnit"),
    ("PricingQuantity", "PricingUnit"),
    ("CommitmentDiscountQuantity", "CommitmentDiscountUnit"),
    ("SubAccountId", "SubAccountType"),
    ("RegionId", "RegionName"),
)
_HALF = Fraction(1, 2 * 10**10)
"""Half of the last decimal that a line shows."""


def columns_of(version: str) -> tuple[Column, ...]:
    """Return the columns of a version.

    Raises:
        FocusVersionError: it is not one that can be written.
    """
    if version not in COLUMNS:
        raise FocusVersionError(version)
    return COLUMNS[version]


def cell(value: Value) -> str:
    """Write one value as FOCUS text: null is empty, numbers have a point, instants are UTC.

    >>> cell(Decimal("6405.92")), cell(None), cell(datetime(2026, 10, 31, 16, tzinfo=UTC))
    ('6405.92', '', '2026-10-31T16:00:00Z')
    """
    match value:
        case None:
            return ""
        case Decimal():
            return plain(value)
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case Mapping():
            return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        case _:
            return str(value)


def faults(row: Row, version: str = "1.2") -> list[str]:
    """Return what is wrong with a row, one sentence a fault; an empty list for a good row."""
    found = [fault for column in columns_of(version) for fault in _cell_faults(column, row)]
    found += [
        f"{one} and {other} must both be set or both be null"
        for one, other in _PAIRS
        if (row.get(one) is None) != (row.get(other) is None)
    ]
    found += _price_faults(row, "ListUnitPrice", "ListCost")
    found += _price_faults(row, "ContractedUnitPrice", "ContractedCost")
    if row.get("ChargeCategory") == "Purchase" and row.get("EffectiveCost"):
        found.append("EffectiveCost of a Purchase must be 0")
    if row.get("ChargeCategory") == "Purchase" and row.get("ChargeFrequency") == "Usage-Based":
        found.append("ChargeFrequency of a Purchase must not be Usage-Based")
    return found


def all_faults(rows: Iterable[Row], version: str = "1.2") -> list[str]:
    """Return the faults of all rows, each with its line id."""
    return [f"{row.get('x_LineId')}: {fault}" for row in rows for fault in faults(row, version)]


def _cell_faults(column: Column, row: Row) -> Iterable[str]:
    value = row.get(column.name)
    if value is None:
        if not column.nullable:
            yield f"{column.name} must not be null"
        return
    if not isinstance(value, _PYTHON_TYPES[column.type]):
        yield f"{column.name} must be {column.type}, found {value!r}"
    elif column.allowed and value not in column.allowed:
        yield f"{column.name} must be one of {sorted(column.allowed)}, found {value!r}"


def _price_faults(row: Row, price: str, cost: str) -> Iterable[str]:
    """A cost is price x quantity, but for what the ten shown decimals of all three cannot hold."""
    quantity = row.get("PricingQuantity")
    if row.get(price) is None or quantity is None or row.get(cost) is None:
        return
    product = Fraction(row[price]) * Fraction(quantity)
    allowance = (Fraction(row[price]) + abs(Fraction(quantity)) + 1) * _HALF
    if abs(product - Fraction(row[cost])) > allowance:
        yield f"{cost} must be {price} x PricingQuantity = {float(product):.10f}, found {row[cost]}"


_PYTHON_TYPES: Mapping[Type, type[Any]] = {
    Type.TEXT: str,
    Type.NUMBER: Decimal,
    Type.INSTANT: datetime,
    Type.JSON: Mapping,
}


class FocusVersionError(ValueError):
    """A FOCUS version that cannot be written."""

    def __init__(self, version: str) -> None:
        super().__init__(
            f"the FOCUS version must be one of {', '.join(COLUMNS)}, found {version!r}"
        )
