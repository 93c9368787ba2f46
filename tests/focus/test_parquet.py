"""Parquet holds what CSV holds, exactly, and the same rows give the same bytes."""

import io
import tracemalloc
from collections.abc import Iterator
from decimal import Decimal

import pyarrow as pa
import pytest
from pyarrow import parquet

from pricing.focus.column import Row, Type
from pricing.focus.columns import COLUMNS
from pricing.focus.parquet import BATCH, focus_parquet, schema_id, write_parquet
from pricing.focus.version import as_version
from tests.pricing.month_notation import bill_of, month_from

MONTH = """
sub   s1 n1 g4.xlarge.gu10 2026-10-01
token t1 shared small 2026-10-01
used  2026-10-06T10 shared requests=3 fresh=1234567
"""


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return list(bill_of(month_from(MONTH)).lines)


@pytest.mark.parametrize("version", list(COLUMNS))
def test_what_is_read_back_is_what_was_written(rows: list[Row], version: str) -> None:
    table = parquet.read_table(io.BytesIO(focus_parquet(rows, version)))

    names = [c.name for c in COLUMNS[version] if c.type is not Type.JSON]
    told = [as_version(row, version) for row in rows]
    assert table.column_names == [c.name for c in COLUMNS[version]]
    assert table.select(names).to_pylist() == [{n: row[n] for n in names} for row in told]
    assert table.schema.metadata[b"SchemaId"].decode() == schema_id(version)
    assert table.schema.field("BilledCost").type == pa.decimal128(38, 12)


def test_the_same_rows_give_the_same_bytes(rows: list[Row]) -> None:
    assert focus_parquet(rows) == focus_parquet(list(rows))


def test_memory_does_not_grow_with_the_number_of_rows(rows: list[Row]) -> None:
    def many(count: int) -> Iterator[Row]:
        for n in range(count):
            yield {**rows[n % len(rows)], "BilledCost": Decimal(n)}

    peaks = []
    for count in (2 * BATCH, 6 * BATCH):
        tracemalloc.start()
        write_parquet(many(count), io.BytesIO())
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert peaks[1] < 1.25 * peaks[0]
