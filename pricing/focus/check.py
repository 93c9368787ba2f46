"""What is wrong with a row of Cost and Usage, seen alone: cells first, then rules between them."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Context, Decimal, localcontext
from typing import Any

from pricing.focus.column import Column, Form, Row, Type
from pricing.focus.columns import columns_of
from pricing.focus.services import PARENTS
from pricing.focus.unit import is_unit

_PAIRS = (
    ("ConsumedQuantity", "ConsumedUnit"),
    ("PricingQuantity", "PricingUnit"),
    ("CommitmentDiscountQuantity", "CommitmentDiscountUnit"),
    ("SubAccountId", "SubAccountType"),
    ("RegionId", "RegionName"),
    ("CommitmentDiscountId", "CommitmentDiscountType"),
    ("CommitmentDiscountId", "CommitmentDiscountCategory"),
    ("CapacityReservationId", "CapacityReservationStatus"),
    ("ListUnitPrice", "ContractedUnitPrice"),
)
_NEEDS = (
    ("ResourceName", "ResourceId"),
    ("ResourceType", "ResourceId"),
    ("SubAccountName", "SubAccountId"),
    ("CommitmentDiscountName", "CommitmentDiscountId"),
    ("CommitmentDiscountQuantity", "CommitmentDiscountId"),
    ("CommitmentDiscountStatus", "CommitmentDiscountId"),
    ("InvoiceDetailId", "InvoiceId"),
    ("SkuPriceId", "SkuId"),
)
_PRICED = ("PricingQuantity", "PricingCategory", "SkuId", "SkuPriceId")
"""What a sale says. Its unit price may be null: a flat amount of a tier has none."""
_PRICES = ("ListUnitPrice", "ContractedUnitPrice", "PricingQuantity", "PricingCategory")
_NO_TAX = (*_PRICES, "SkuId", "SkuPriceId", "ConsumedQuantity", "CommitmentDiscountStatus")
_BY_PRICE = (*_PRICES, "ConsumedQuantity", "CommitmentDiscountQuantity")
_SAME_IN_ONE_CURRENCY = (
    ("PricingCurrencyListUnitPrice", "ListUnitPrice"),
    ("PricingCurrencyContractedUnitPrice", "ContractedUnitPrice"),
    ("PricingCurrencyEffectiveCost", "EffectiveCost"),
)
_CURRENCY = re.compile(r"[A-Z]{3}")
_HALF = Decimal("0.00000000005")
"""Half of the last decimal that a line shows."""
_EXACT = Context(prec=1000)
"""No figure of a file has so many digits that products would be rounded."""

_PYTHON_TYPES: Mapping[Type, type[Any]] = {
    Type.TEXT: str,
    Type.NUMBER: Decimal,
    Type.INSTANT: datetime,
    Type.JSON: Mapping,
}


def faults(row: Row, version: str = "1.2") -> list[str]:
    """Return what is wrong with a row, one sentence a fault; an empty list for a good row."""
    return row_faults(row, version, columns_of(version))


def row_faults(row: Row, version: str, columns: Sequence[Column]) -> list[str]:
    """Return the faults of a row of which only some columns are looked at.

    The rules between cells are left out where a cell is broken by itself.
    """
    found = list(cell_faults(row, columns))
    if found:
        return found
    rules = _RULES if version < "1.4" else (*_RULES, *_RULES_1_4)
    return [fault for rule in rules for fault in rule(row)]


def all_faults(rows: Iterable[Row], version: str = "1.2") -> list[str]:
    """Return the faults of all rows, each with its line id."""
    return [f"{row.get('x_LineId')}: {fault}" for row in rows for fault in faults(row, version)]


def cell_faults(row: Row, columns: Sequence[Column]) -> Iterator[str]:
    """Yield what single cells break: null, type, allowed values, form."""
    for column in columns:
        value = row.get(column.name)
        if value is None:
            if not column.nullable:
                yield f"{column.name} must not be null"
        elif column.allowed or column.form or not isinstance(value, _PYTHON_TYPES[column.type]):
            yield from _value_faults(column, value)


def _value_faults(column: Column, value: Any) -> Iterator[str]:
    if not isinstance(value, _PYTHON_TYPES[column.type]):
        yield f"{column.name} must be {column.type}, found {value!r}"
    elif column.allowed and value not in column.allowed:
        wanted = sorted(column.allowed)
        told = wanted if len(wanted) < _MANY else f"the {len(wanted)} values of the specification"
        yield f"{column.name} must be one of {told}, found {value!r}"
    elif not _FORMS.get(column.form, _is_any)(value):
        yield f"{column.name} must be {column.form}, found {value!r}"


def _is_any(value: Any) -> bool:
    del value
    return True


_MANY = 20
_FORMS: Mapping[Form, Callable[[Any], bool]] = {
    Form.UNIT: is_unit,
    Form.CURRENCY: lambda text: bool(_CURRENCY.fullmatch(text)),
    Form.NOT_NEGATIVE: lambda number: bool(number >= 0),
    Form.SHARE: lambda number: bool(0 <= number <= 1),
    Form.FLAT: lambda pairs: not any(isinstance(v, Mapping | list) for v in pairs.values()),
}


def _pair_faults(row: Row) -> Iterator[str]:
    for one, other in _PAIRS:
        if (row.get(one) is None) != (row.get(other) is None):
            yield f"{one} and {other} must both be set or both be null"
    for one, other in _NEEDS:
        if row.get(one) is not None and row.get(other) is None:
            yield f"{one} must be null where {other} is"


def _price_faults(row: Row) -> Iterator[str]:
    """A cost is price x quantity, but for what the ten shown decimals of all three cannot hold."""
    quantity = row.get("PricingQuantity")
    for price, cost in (("ListUnitPrice", "ListCost"), ("ContractedUnitPrice", "ContractedCost")):
        if row.get(price) is None or quantity is None:
            continue
        with localcontext(_EXACT):
            product = row[price] * quantity
            allowance = (row[price] + abs(quantity) + 1) * _HALF
            is_off = abs(product - row[cost]) > allowance
        if is_off:
            yield f"{cost} must be {price} x PricingQuantity = {product:.10f}, found {row[cost]}"


def _currency_faults(row: Row) -> Iterator[str]:
    if row["PricingCurrency"] != row["BillingCurrency"]:
        return
    for pricing, billing in _SAME_IN_ONE_CURRENCY:
        if row.get(pricing) != row.get(billing):
            yield f"{pricing} must be {billing} where both currencies are {row['BillingCurrency']}"


def _period_faults(row: Row) -> Iterator[str]:
    for period in ("ChargePeriod", "BillingPeriod"):
        if not row[f"{period}Start"] < row[f"{period}End"]:
            yield f"{period}Start must be before {period}End"
    if row["ChargeCategory"] == "Usage" and row["ChargePeriodStart"] >= row["BillingPeriodEnd"]:
        yield "ChargePeriodStart of usage must be before BillingPeriodEnd"


def _purchase_faults(row: Row) -> Iterator[str]:
    if row["ChargeCategory"] != "Purchase":
        return
    if row["EffectiveCost"]:
        yield "EffectiveCost of a Purchase must be 0"
    if row["ChargeFrequency"] == "Usage-Based":
        yield "ChargeFrequency of a Purchase must not be Usage-Based"


def _commitment_faults(row: Row) -> Iterator[str]:
    """A commitment is bought by a Purchase, then used or not used by Usage that costs nothing."""
    status = row.get("CommitmentDiscountStatus")
    is_usage = row["ChargeCategory"] == "Usage" and row.get("CommitmentDiscountId") is not None
    if is_usage != (status is not None):
        yield "CommitmentDiscountStatus must be set on usage of a commitment, and nowhere else"
    if status is None:
        return
    if row.get("PricingCategory") != "Committed":
        yield "PricingCategory of a commitment's usage must be Committed"
    is_consumed = row.get("ConsumedQuantity") is not None
    if status == "Unused" and is_consumed:
        yield "ConsumedQuantity of what was not used must be null"
    if status == "Used" and not is_consumed and row.get("ChargeClass") is None:
        yield "ConsumedQuantity of what was used must be set"


def _standard_faults(row: Row) -> Iterator[str]:
    """Usage that no commitment covers costs what its contract says, now and in effect."""
    if (row["ChargeCategory"], row.get("PricingCategory")) != ("Usage", "Standard"):
        return
    for name in ("BilledCost", "EffectiveCost"):
        if row[name] != row["ContractedCost"]:
            yield f"{name} of Standard usage must be its ContractedCost {row['ContractedCost']}"


def _kind_faults(row: Row) -> Iterator[str]:
    """What a kind of charge must say, or must not."""
    category = row["ChargeCategory"]
    if category == "Tax":
        yield from (f"{n} of a Tax must be null" for n in _NO_TAX if row.get(n) is not None)
    elif category in {"Usage", "Purchase"} and row.get("ChargeClass") is None:
        yield from (f"{n} of {category} must be set" for n in _PRICED if row.get(n) is None)
    if category != "Usage" and row.get("ConsumedQuantity") is not None:
        yield f"ConsumedQuantity of {category} must be null"
    if category != "Usage" and row["ChargeFrequency"] == "Usage-Based" and category != "Purchase":
        yield f"ChargeFrequency of {category} must not be Usage-Based"


def _service_faults(row: Row) -> Iterator[str]:
    name = row["ServiceSubcategory"]
    if PARENTS[name] != row["ServiceCategory"]:
        yield f"ServiceSubcategory {name} must stand under {PARENTS[name]}"


def _unpriced_faults(row: Row) -> Iterator[str]:
    if row.get("SkuPriceId") is None:
        yield from (
            f"{name} must be null where SkuPriceId is"
            for name in _BY_PRICE
            if row.get(name) is not None
        )


def _tax_faults(row: Row) -> Iterator[str]:
    if row["ChargeCategory"] == "Tax" and row["EffectiveCost"] != row["BilledCost"]:
        yield "EffectiveCost of a Tax must be its BilledCost"


def _detail_faults(row: Row) -> Iterator[str]:
    """An invoice has lines for what it bills: a cost of zero is on none of them."""
    is_billed = row.get("InvoiceId") is not None and row["BilledCost"] != 0
    if is_billed != (row.get("InvoiceDetailId") is not None):
        yield "InvoiceDetailId must be set where an invoice bills a cost, and nowhere else"


_Rule = Callable[[Row], Iterator[str]]
_RULES: tuple[_Rule, ...] = (
    _pair_faults,
    _price_faults,
    _currency_faults,
    _period_faults,
    _purchase_faults,
    _commitment_faults,
    _standard_faults,
    _kind_faults,
    _service_faults,
)
_RULES_1_4: tuple[_Rule, ...] = (_unpriced_faults, _tax_faults, _detail_faults)
