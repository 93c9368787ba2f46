"""Lines as files: FOCUS as CSV or JSON, from one column table; the same lines, the same bytes.

Files are written row by row, so that as many rows as there are fit in memory.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, BinaryIO, TextIO

from metering.sheet import guarded
from pricing.focus.check import faults
from pricing.focus.column import Column, Row, Type, cell
from pricing.focus.columns import columns_of
from pricing.focus.parquet import write_parquet
from pricing.focus.version import as_version
from pricing.money import plain


class Shape(StrEnum):
    """How a file of FOCUS rows is written."""

    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


MEDIA_TYPES: Mapping[Shape, str] = {
    Shape.CSV: "text/csv; charset=utf-8",
    Shape.JSON: "application/json",
    Shape.PARQUET: "application/vnd.apache.parquet",
}


def write_focus(rows: Iterable[Row], version: str, shape: Shape, file: BinaryIO) -> None:
    """Write rows of a version's columns, as :func:`checked` yields them.

    CSV is UTF-8 with CRLF, a header, and null as an empty cell; text that a spreadsheet would run
    as a formula gets a leading apostrophe, numbers never do. JSON is a list with a row a line;
    decimals are text, null is null.
    """
    _WRITERS[shape](rows, version, file)


def checked(rows: Iterable[Row], version: str) -> Iterator[Row]:
    """Yield rows in the columns of a version, each after it was held to the rules of FOCUS.

    Raises:
        BadRowsError: a row breaks a rule.
        FocusVersionError: it is not a version that can be written.
    """
    for row in rows:
        told = as_version(row, version)
        found = faults(told, version)
        if found:
            raise BadRowsError(row["x_LineId"], found)
        yield told


def focus_csv(rows: Iterable[Row], version: str = "1.2") -> str:
    """Return a bill's rows as FOCUS CSV."""
    return dataset_csv((as_version(row, version) for row in rows), columns_of(version))


def dataset_csv(rows: Iterable[Row], columns: Sequence[Column]) -> str:
    """Return rows of any data set as FOCUS CSV, by the data set's columns."""
    out = io.StringIO()
    _write_csv(rows, columns, out)
    return out.getvalue()


def focus_json(rows: Iterable[Row], version: str = "1.2") -> str:
    """Return a bill's rows as a JSON list of objects."""
    out = io.StringIO()
    _write_json((as_version(row, version) for row in rows), columns_of(version), out)
    return out.getvalue()


def json_row(row: Row, columns: Sequence[Column]) -> dict[str, object]:
    """Return one row for JSON: decimals and instants as text, key-value columns as objects."""
    return {
        c.name: row[c.name] if row[c.name] is None or c.type is Type.JSON else cell(row[c.name])
        for c in columns
    }


def sorted_rows(rows: Iterable[Row]) -> list[Row]:
    """Return rows in the order that files have: account, time, price, line."""
    return sorted(
        rows,
        key=lambda r: (
            r["BillingAccountId"],
            r["ChargePeriodStart"],
            r["SkuPriceId"] or "",
            r["x_LineId"],
        ),
    )


_TextWriter = Callable[[Iterable[Row], Sequence[Column], TextIO], None]
_Writer = Callable[[Iterable[Row], str, BinaryIO], None]


def _write_csv(rows: Iterable[Row], columns: Sequence[Column], out: TextIO) -> None:
    writer = csv.writer(out)
    writer.writerow(c.name for c in columns)
    written = [(c.name, _WRITTEN[c.type]) for c in columns]
    writer.writerows(
        ["" if row[name] is None else write(row[name]) for name, write in written] for row in rows
    )


def _write_json(rows: Iterable[Row], columns: Sequence[Column], out: TextIO) -> None:
    between, end = "[\n", "[]"
    for row in rows:
        out.write(between)
        out.write(json.dumps(json_row(row, columns), ensure_ascii=False))
        between, end = ",\n", "\n]"
    out.write(end)


def _in_utf8(write: _TextWriter) -> _Writer:
    def writer(rows: Iterable[Row], version: str, file: BinaryIO) -> None:
        out = io.TextIOWrapper(file, "utf-8", newline="")
        write(rows, columns_of(version), out)
        out.detach()

    return writer


_WRITERS: Mapping[Shape, _Writer] = {
    Shape.CSV: _in_utf8(_write_csv),
    Shape.JSON: _in_utf8(_write_json),
    Shape.PARQUET: lambda rows, version, file: write_parquet(rows, file, version),
}


_WRITTEN: Mapping[Type, Callable[[Any], str]] = {
    Type.TEXT: guarded,
    Type.NUMBER: plain,
    Type.INSTANT: cell,
    Type.JSON: cell,
}
"""How a cell that is not null is written as CSV."""


class BadRowsError(RuntimeError):
    """Rows that break FOCUS. They are not handed out."""

    def __init__(self, line: str, found: Sequence[str]) -> None:
        super().__init__(f"all rows must obey FOCUS, found that line {line} does not: {found[0]}")
