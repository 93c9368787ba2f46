"""Rows as Parquet: exact decimals, UTC instants, the same rows the same bytes."""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, BinaryIO

import pyarrow as pa
from pyarrow import parquet

from pricing.focus.column import Column, Row, Type, cell, schema_name
from pricing.focus.columns import columns_of
from pricing.focus.version import as_version

BATCH = 10_000
"""Rows of a row group: what is held at once."""

OPTIONS: Mapping[str, Any] = {
    "compression": "zstd",
    "compression_level": 3,
    "version": "2.6",
    "use_dictionary": True,
}
"""How files are written: fixed, so that the same rows give the same bytes."""

_TYPES: Mapping[Type, Any] = {
    Type.TEXT: pa.string(),
    Type.NUMBER: pa.decimal128(38, 12),
    Type.INSTANT: pa.timestamp("us", tz="UTC"),
    Type.JSON: pa.string(),
}


def schema_of(version: str) -> Any:
    """Return the Arrow schema of a version; it names the version that it is of.

    Raises:
        FocusVersionError: it is not one that can be written.
    """
    fields = [pa.field(c.name, _TYPES[c.type], nullable=c.nullable) for c in columns_of(version)]
    return pa.schema(fields, metadata={"FocusVersion": version, "SchemaId": schema_id(version)})


def schema_id(version: str) -> str:
    """Return the name of a version's columns; it changes when they do."""
    return schema_name(version, "CostAndUsage", columns_of(version))


def write_parquet(rows: Iterable[Row], file: BinaryIO, version: str = "1.2") -> None:
    """Write rows of a version's columns group by group: as many as there are fit in memory."""
    schema, columns = schema_of(version), columns_of(version)
    with parquet.ParquetWriter(file, schema, **OPTIONS) as writer:
        for batch in batches(rows, BATCH):
            arrays = [pa.array(_cells(column, batch), _TYPES[column.type]) for column in columns]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def focus_parquet(rows: Iterable[Row], version: str = "1.2") -> bytes:
    """Return a bill's rows as one Parquet file."""
    file = io.BytesIO()
    write_parquet((as_version(row, version) for row in rows), file, version)
    return file.getvalue()


def batches(rows: Iterable[Row], size: int) -> Iterator[Sequence[Row]]:
    """Yield rows in lists of at most ``size``.

    >>> [len(batch) for batch in batches([{}] * 5, 2)]
    [2, 2, 1]
    """
    left = iter(rows)
    while batch := list(islice(left, size)):
        yield batch


def _cells(column: Column, rows: Sequence[Row]) -> list[Any]:
    values = [row[column.name] for row in rows]
    if column.type is Type.JSON:
        return [None if value is None else cell(value) for value in values]
    return values
