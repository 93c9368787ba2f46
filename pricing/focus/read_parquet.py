"""Read a FOCUS Parquet file back: rows with values, and columns of another type than FOCUS has."""

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import pyarrow as pa
from pyarrow import parquet

from pricing.focus.column import Column, Row, Type
from pricing.focus.read import Table, header_faults, value_of

_NAMES = {
    Type.TEXT: "text",
    Type.NUMBER: "a decimal",
    Type.INSTANT: "a timestamp in UTC",
    Type.JSON: "text",
}
"""Type -> what a file must hold it as: no floating point, which is never exact."""


def read_parquet(file: BinaryIO, columns: Sequence[Column]) -> Table:
    """Read a Parquet file; a column of a wrong type is told once and left out."""
    table = Table()
    try:
        held = parquet.ParquetFile(file)
    except (pa.ArrowInvalid, OSError) as error:
        table.faults.append(f"a file must be Parquet, found that {error}")
        return table
    schema = held.schema_arrow
    table.faults += header_faults(schema.names, columns)
    found = [column for column in columns if column.name in schema.names]
    wrong = [c for c in found if not _is_right(c.type, schema.field(c.name).type)]
    for column in wrong:
        as_found = schema.field(column.name).type
        table.faults.append(f"{column.name} must be {_NAMES[column.type]}, found {as_found}")
    table.columns = tuple(column for column in found if column not in wrong)
    own = [name for name in schema.names if name.startswith("x_")]
    for number, told in enumerate(_rows(held, [*(c.name for c in table.columns), *own]), 1):
        row, broken = _row(told, table.columns)
        table.rows.append((number, row, broken))
    return table


def _rows(held: parquet.ParquetFile, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    for batch in held.iter_batches(columns=list(names)):
        yield from batch.cast(pa.schema(map(_readable, batch.schema)), safe=False).to_pylist()


def _readable(field: pa.Field) -> pa.Field:
    """Return a field whose values Python has: its instants end at microseconds."""
    if pa.types.is_timestamp(field.type) and field.type.unit == "ns":
        return field.with_type(pa.timestamp("us", field.type.tz))
    return field


def _row(told: dict[str, Any], columns: Sequence[Column]) -> tuple[Row, list[str]]:
    row, broken = dict(told), []
    for column in columns:
        cell = told[column.name]
        if isinstance(cell, str):
            try:
                row[column.name] = value_of(column, cell) if cell else None
            except ValueError as error:
                row[column.name] = None
                broken.append(f"{column.name} must be {error}, found {cell!r}")
            if not cell:
                broken.append(f"{column.name} must be null where there is nothing, found ''")
    return row, broken


def _is_right(of: Type, found: pa.DataType) -> bool:
    if pa.types.is_dictionary(found):
        found = found.value_type
    match of:
        case Type.NUMBER:
            return bool(pa.types.is_decimal(found))
        case Type.INSTANT:
            return bool(pa.types.is_timestamp(found)) and found.tz in {"UTC", "+00:00", "Z"}
        case _:
            return bool(pa.types.is_string(found) or pa.types.is_large_string(found))
