"""Read a FOCUS CSV file back: rows with values, and what the text itself breaks."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from pricing.focus.column import DECLARED, Ability, Column, Level, Row, Type

_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE]-?[0-9]{1,3})?")
_MOST_DIGITS = 38
"""Of a number, before its point or in all: what the decimals of databases hold."""
_NOT_NULL = frozenset(
    {"", "-", "--", "n/a", "na", "nan", "nil", "none", "not applicable", "null", "undefined"}
)
"""How others write null; in FOCUS it is an empty cell."""
_OF_PEOPLE = frozenset({
    "BillingAccountName", "ChargeDescription", "CommitmentDiscountName", "ResourceName",
    "SubAccountName", "ContractCommitmentDescription", "InvoiceDetailDescription",
})  # fmt: skip
"""Columns that people fill may hold anything."""
_MARK = "\ufeff"


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


@dataclass(slots=True)
class Table:
    """A file of rows as it was read: what its text breaks, and rows with their lines."""

    columns: tuple[Column, ...] = ()
    """Those of FOCUS that the file has."""
    rows: list[tuple[int, Row, list[str]]] = field(default_factory=list)
    """Line, values, and what the line's text breaks; such a cell counts as null."""
    faults: list[str] = field(default_factory=list)


def decoded(content: bytes) -> tuple[list[str], list[str]]:
    r"""Return the lines of a file, and what its encoding breaks.

    >>> decoded(b"a\xff")[1]
    ["line 1: a file must be UTF-8, found b'\\xff'"]
    """
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        wrong = content[error.start : error.end]
        return list(io.StringIO(content.decode(errors="replace"), newline="")), [
            f"line {line}: a file must be UTF-8, found {wrong!r}"
        ]
    return list(io.StringIO(text, newline="")), []


def read_table(lines: Iterable[str], columns: Sequence[Column]) -> Table:
    """Read a CSV file whose first line names columns of a data set and perhaps others."""
    text = list(lines)
    table = Table()
    if text and text[0].startswith(_MARK):
        text[0] = text[0].removeprefix(_MARK)
        table.faults.append("line 1: a file must begin with its header, found a byte order mark")
    cells = _cells(text, table)
    header = next(cells, (1, []))[1]
    if not header:
        table.faults.append("line 1: a header must be there")
    elif len(header) == 1 and any(mark in header[0] for mark in ";\t|"):
        table.faults.append(f"line 1: cells must be set apart by commas, found {header[0][:60]!r}")
    else:
        table.faults += [f"line 1: {fault}" for fault in header_faults(header, columns)]
        table.columns = tuple(column for column in columns if column.name in header)
        table.rows = [(n, *_row(header, told, table.columns)) for n, told in cells]
    return table


def _cells(text: Iterable[str], table: Table) -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of each row with the line that it begins on, as far as it is CSV."""
    reader = csv.reader(text, strict=True)
    begun = 1
    try:
        for told in reader:
            yield begun, told
            begun = reader.line_num + 1
    except csv.Error as error:
        table.faults.append(f"line {begun}: a file must be CSV, found that {error}")


def _row(
    header: Sequence[str], told: Sequence[str], columns: Sequence[Column]
) -> tuple[Row, list[str]]:
    by_name = {column.name: column for column in columns}
    found: list[str] = []
    row: dict[str, Any] = dict.fromkeys(by_name)
    if len(told) != len(header):
        found.append(f"a row must have as many cells as the header, found {len(told)}")
    for name, text in zip(header, told, strict=False):
        if not text:
            continue
        try:
            row[name] = value_of(by_name.get(name) or _unknown(name), text)
        except ValueError as error:
            found.append(f"{name} must be {error}, found {text!r}")
    return row, found


def _unknown(name: str) -> Column:
    return Column(name, Type.TEXT, nullable=True, level=Level.RECOMMENDED, since="")


def _is_own(name: str) -> bool:
    return name.startswith("x_")


def value_of(column: Column, text: str) -> Any:
    """Return the value of a cell that is not empty.

    Raises:
        ValueError: it is none; the message says what it must be.
    """
    return _READ[column.type](column, text)


def _text(column: Column, text: str) -> str:
    if text.strip().casefold() in _NOT_NULL and column.name not in _OF_PEOPLE:
        raise ValueError("empty where there is nothing")
    return text


def _number(column: Column, text: str) -> Decimal:
    del column
    if not _NUMBER.fullmatch(text):
        raise ValueError("a plain decimal")
    number = Decimal(text)
    if max(number.adjusted(), len(number.as_tuple().digits)) > _MOST_DIGITS:
        raise ValueError(f"a decimal of at most {_MOST_DIGITS} digits")
    return number


def is_instant(text: str) -> bool:
    """Return whether a text is an instant as FOCUS writes it."""
    try:
        _instant(None, text)
    except ValueError:
        return False
    return True


def _instant(column: Column | None, text: str) -> datetime:
    del column
    if not _INSTANT.fullmatch(text):
        raise ValueError("UTC as YYYY-MM-DDTHH:MM:SSZ")
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def _json(column: Column, text: str) -> Mapping[str, Any]:
    del column
    found = json.loads(
        text, parse_float=Decimal, parse_constant=_no_number, object_pairs_hook=_told_once
    )
    if not isinstance(found, dict):
        raise ValueError("a JSON object")  # noqa: TRY004 - a cell's text is at fault, not a type
    return found


def _no_number(name: str) -> None:
    raise ValueError(f"JSON, which has no {name}")


def _told_once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    told = dict(pairs)
    if len(told) != len(pairs):
        raise ValueError("JSON with each key once")
    return told


_READ: Mapping[Type, Callable[[Column, str], Any]] = {
    Type.TEXT: _text,
    Type.NUMBER: _number,
    Type.INSTANT: _instant,
    Type.JSON: _json,
}
