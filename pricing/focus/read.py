"""Read a FOCUS CSV file back: rows with values, and what the text itself breaks."""

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from pricing.focus.column import DECLARED, Ability, Column, Level, Row, Type

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE]-?\d+)?")
_NOT_NULL = frozenset({"N/A", "NA", "NULL", "null", "None", "NaN"})
"""How others write null; in FOCUS it is an empty cell."""

_WORDS = ("Name", "Description")
"""Columns that people fill may hold anything."""


def header_faults(
    header: Sequence[str],
    columns: Sequence[Column],
    abilities: frozenset[Ability] = DECLARED,
) -> Iterator[str]:
    """Yield what a header breaks: lacking, unknown and repeated columns, and their order."""
    known = {column.name for column in columns}
    for column in columns:
        if column.name not in header and column.is_wanted(abilities) and not _is_own(column.name):
            yield f"the column {column.name} must be there"
    for name in header:
        if name not in known and not _is_own(name):
            yield f"a column must be one of FOCUS or begin with x_, found {name!r}"
    if len(set(header)) != len(header):
        yield "each column must be there once"
    if sorted(header, key=_is_own) != list(header):
        yield "columns that begin with x_ must come after all others"


def read_rows(lines: Iterable[str], columns: Sequence[Column]) -> Iterator[tuple[Row, list[str]]]:
    """Yield each row of a CSV file with what its text breaks; such a cell counts as null."""
    by_name = {column.name: column for column in columns}
    for told in csv.DictReader(lines, restkey="", restval=None):
        found: list[str] = []
        row: dict[str, Any] = dict.fromkeys(by_name)
        if "" in told or None in told.values():
            found.append("a row must have as many cells as the header")
        for name, text in told.items():
            if not name or not text:
                continue
            column = by_name.get(name) or _unknown(name)
            try:
                row[name] = _value(column, text)
            except ValueError as error:
                found.append(f"{name} must be {error}, found {text!r}")
        yield row, found


def _unknown(name: str) -> Column:
    return Column(name, Type.TEXT, nullable=True, level=Level.RECOMMENDED, since="")


def _is_own(name: str) -> bool:
    return name.startswith("x_")


def _value(column: Column, text: str) -> Any:
    return _READ[column.type](column, text)


def _text(column: Column, text: str) -> str:
    if text in _NOT_NULL and not column.name.endswith(_WORDS):
        raise ValueError("empty where there is nothing")
    return text


def _number(column: Column, text: str) -> Decimal:
    del column
    if not _NUMBER.fullmatch(text):
        raise ValueError("a plain decimal")
    return Decimal(text)


def _instant(column: Column, text: str) -> datetime:
    del column
    if not _INSTANT.fullmatch(text):
        raise ValueError("UTC as YYYY-MM-DDTHH:MM:SSZ")
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def _json(column: Column, text: str) -> Mapping[str, Any]:
    del column
    found = json.loads(text, parse_float=Decimal)
    if not isinstance(found, dict):
        raise ValueError("a JSON object")  # noqa: TRY004 - a cell's text is at fault, not a type
    return found


_READ: Mapping[Type, Callable[[Column, str], Any]] = {
    Type.TEXT: _text,
    Type.NUMBER: _number,
    Type.INSTANT: _instant,
    Type.JSON: _json,
}
