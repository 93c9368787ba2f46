"""What the JSON of a column looks like: which keys it has, and what stands behind them.

Keys that FOCUS does not define begin with ``x_``. Values are whole numbers, decimals, text, truth
values, null, objects and lists, as they were read.

Source: FOCUS 1.4, JSON Object Format and the schemas of its columns, https://focus.finops.org/
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from pricing.focus.unit import is_unit

Json = Mapping[str, Any]

_NUMBERS_OF_A_PRICE = frozenset({
    "CoreCount", "DiskMaxIops", "DiskSpace", "GpuCount", "MemorySize", "NetworkMaxIops",
    "NetworkMaxThroughput",
})  # fmt: skip
_TEXTS_OF_A_PRICE = frozenset({
    "DiskType", "InstanceSeries", "InstanceType", "OperatingSystem", "Redundancy", "StorageClass",
})  # fmt: skip
_GRAIN = frozenset({
    "ContractId", "RegionId", "ResourceId", "ResourceType", "ServiceName", "SkuId", "SkuMeter",
    "SkuPriceId", "SubAccountId",
})  # fmt: skip
_OPERATORS = frozenset({
    "In", "NotIn", "StartsWith", "NotStartsWith", "Contains", "NotContains", "EndsWith", "Exists",
    "DoesNotExist",
})  # fmt: skip
_OF_ANYTHING = frozenset({"In", "Contains", "Exists", "DoesNotExist"})
"""Operators that may be asked about ``*``, which stands for every value."""
_OF_NOTHING_ELSE = frozenset({"Exists", "DoesNotExist"})


def is_flat(pairs: Json) -> bool:
    """Return whether no value holds further values."""
    return not any(isinstance(value, Mapping | list) for value in pairs.values())


def is_price_details(pairs: Json) -> bool:
    """Return whether keys are properties of a price, with values of their type.

    >>> is_price_details({"GpuCount": 1, "x_Band": "32000"}), is_price_details({"GpuCount": "1"})
    (True, False)
    """
    return is_flat(pairs) and all(_is_of_a_price(*pair) for pair in pairs.items())


def is_grain(pairs: Json) -> bool:
    """Return whether keys are columns that may make a line of an invoice."""
    return is_flat(pairs) and all(key in _GRAIN or key.startswith("x_") for key in pairs)


def is_contract_applied(told: Json) -> bool:
    """Return whether contracts are applied, each by a cost or by a quantity with its unit."""
    return _is_list_of(told, "Elements", _is_applied)


def is_programs(told: Json) -> bool:
    """Return whether programs are told, each by its type."""
    return _is_list_of(told, "CommitmentPrograms", _is_program)


def is_allocation(told: Json) -> bool:
    """Return whether shares are told, each from 0 to 1, with what they are measured by."""
    return _is_list_of(told, "Elements", _is_share)


def is_applicability(told: Json) -> bool:
    """Return whether it is told what a commitment covers: all, some, or what words cannot say."""
    known = {
        "IsGlobalScope", "IsComplexScope", "Applicability", "InclusionOperator", "Inclusions",
        "ExclusionOperator", "Exclusions",
    }  # fmt: skip
    scopes = [told.get("IsGlobalScope", False), told.get("IsComplexScope", False)]
    inclusions, exclusions = told.get("Inclusions", []), told.get("Exclusions")
    if not _has_keys(told, known) or not all(isinstance(scope, bool) for scope in scopes):
        return False
    if not _are(inclusions, _is_rule) or not (exclusions is None or _are(exclusions, _is_rule)):
        return False
    if exclusions is not None and told.get("ExclusionOperator") not in {"And", "Or"}:
        return False
    if any(scopes):
        return not all(scopes) and not inclusions and "InclusionOperator" not in told
    return bool(inclusions) and told.get("InclusionOperator") in {"And", "Or"}


def _is_of_a_price(key: str, value: Any) -> bool:
    if key in _NUMBERS_OF_A_PRICE:
        return value is None or _is_number(value)
    if key in _TEXTS_OF_A_PRICE:
        return value is None or isinstance(value, str)
    return key.startswith("x_")


def _is_list_of(told: Json, name: str, is_one: Callable[[Any], bool]) -> bool:
    return _has_keys(told, {name}) and bool(told.get(name)) and _are(told[name], is_one)


def _are(values: Any, is_one: Callable[[Any], bool]) -> bool:
    return isinstance(values, list | tuple) and all(
        isinstance(value, Mapping) and is_one(value) for value in values
    )


def _has_keys(told: Json, known: set[str]) -> bool:
    return all(key in known or key.startswith("x_") for key in told)


def _is_applied(element: Json) -> bool:
    ids = ("ContractId", "ContractCommitmentId")
    cost, quantity, unit = (f"ContractCommitmentApplied{x}" for x in ("Cost", "Quantity", "Unit"))
    if not _has_keys(element, {*ids, cost, quantity, unit}):
        return False
    if not all(isinstance(element.get(name), str) and element[name] for name in ids):
        return False
    if element.get(cost) is not None:
        others = (element.get(quantity), element.get(unit))
        return _is_number(element[cost]) and others == (None, None)
    by = element.get(unit)
    return _is_number(element.get(quantity)) and isinstance(by, str) and is_unit(by)


def _is_program(program: Json) -> bool:
    kind = program.get("ProgramType")
    return _has_keys(program, {"ProgramType"}) and isinstance(kind, str) and bool(kind)


def _is_share(element: Json) -> bool:
    ratio: Any = element.get("AllocatedRatio")
    quantity = element.get("UsageQuantity")
    if not _has_keys(element, {"AllocatedRatio", "UsageQuantity", "UsageUnit"}):
        return False
    has_unit = isinstance(element.get("UsageUnit"), str)
    is_measured = quantity is None or (_is_number(quantity) and has_unit)
    return _is_number(ratio) and 0 <= ratio <= 1 and is_measured


def _is_rule(rule: Json) -> bool:
    operator, values = rule.get("Operator"), rule.get("Values")
    known = {"Dimension", "Operator", "Values", "Applicability"}
    if not _has_keys(rule, known) or not isinstance(rule.get("Dimension"), str):
        return False
    if not isinstance(values, list | tuple) or not values or operator not in _OPERATORS:
        return False
    if not all(isinstance(value, str) for value in values):
        return False
    if "*" in values:
        return len(values) == 1 and operator in _OF_ANYTHING
    return operator not in _OF_NOTHING_ELSE


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)
