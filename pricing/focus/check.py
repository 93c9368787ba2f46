"""What is wrong with a row of Cost and Usage, seen alone: cells first, then rules between them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

from pricing.focus import json_form
from pricing.focus.column import Column, Form, Row, Type
from pricing.focus.columns import columns_of
from pricing.focus.currency import is_any_currency, is_currency
from pricing.focus.row_rules import rules_of
from pricing.focus.unit import is_unit

_PYTHON_TYPES: Mapping[Type, type[Any]] = {
    Type.TEXT: str,
    Type.NUMBER: Decimal,
    Type.INSTANT: datetime,
    Type.JSON: Mapping,
}


@dataclass(frozen=True, slots=True)
class Checker:
    """What rows of a file are held to: the columns that it has, and the rules between those."""

    columns: tuple[Column, ...]
    rules: tuple[Callable[[Row], Iterator[str]], ...] = ()

    def faults(self, row: Row) -> list[str]:
        """Return what is wrong with a row, one sentence a fault.

        The rules between cells are left out where a cell is broken by itself.
        """
        found = list(cell_faults(row, self.columns))
        return found or [fault for rule in self.rules for fault in rule(row)]


def checker(version: str, columns: Iterable[Column]) -> Checker:
    """Return what rows of Cost and Usage with these columns are held to."""
    own = tuple(columns)
    return Checker(own, tuple(rules_of(version, [column.name for column in own])))


def faults(row: Row, version: str = "1.2") -> list[str]:
    """Return what is wrong with a row of all columns; an empty list for a good row."""
    return _whole(version).faults(row)


@cache
def _whole(version: str) -> Checker:
    return checker(version, columns_of(version))


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
    Form.CURRENCY: is_currency,
    Form.ANY_CURRENCY: is_any_currency,
    Form.NOT_NEGATIVE: lambda number: bool(number >= 0),
    Form.SHARE: lambda number: bool(0 <= number <= 1),
    Form.FLAT: json_form.is_flat,
    Form.PRICE_DETAILS: json_form.is_price_details,
    Form.GRAIN: json_form.is_grain,
    Form.CONTRACT_APPLIED: json_form.is_contract_applied,
    Form.PROGRAMS: json_form.is_programs,
    Form.ALLOCATION: json_form.is_allocation,
    Form.APPLICABILITY: json_form.is_applicability,
}
