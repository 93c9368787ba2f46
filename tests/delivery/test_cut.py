"""An exported file is cut at rows: nothing is lost or counted twice, and the same file gives the
same parts."""

import csv
import io
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from pricing.bills.export import Shape, checked, focus_csv, write_focus
from pricing.delivery.cut_store import cut
from pricing.delivery.manifest import Part, Sums
from pricing.focus.column import Row
from tests.pricing.month_notation import bill_of, month_from

MONTH = """
sub   s1 n1 g4.xlarge.gu10 2026-10-01
token t1 shared small 2026-10-01
used  2026-10-06T10 shared requests=3 fresh=1234567
used  2026-10-07T10 shared requests=3 fresh=1234567 output=9
"""
TEXT = st.text(alphabet=st.sampled_from('a,"\r\n文\U0001f600 \u202e'), max_size=5)


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """Return the rows of two bills, of which one has a number."""
    lines = list(bill_of(month_from(MONTH)).lines)
    return [*({**row, "InvoiceId": "INV-2026-000001"} for row in lines), *lines]


def written(rows: list[Row], shape: Shape) -> io.BytesIO:
    file = io.BytesIO()
    write_focus(checked(rows, "1.2"), "1.2", shape, file)
    return file


def read(parts: tuple[Part, ...], shape: Shape) -> list[dict[str, object]]:
    if shape is Shape.PARQUET:
        return [r for p in parts for r in parquet.read_table(io.BytesIO(p.read())).to_pylist()]
    texts = [io.StringIO(part.read().decode(), newline="") for part in parts]
    return [dict(row) for text in texts for row in csv.DictReader(text)]


@pytest.mark.parametrize("shape", [Shape.CSV, Shape.PARQUET])
@pytest.mark.parametrize("most", [1, 3, 1000])
def test_parts_hold_all_rows_in_order(
    rows: list[Row], tmp_path: Path, shape: Shape, most: int
) -> None:
    (whole,), _ = cut(written(rows, shape), shape, tmp_path)
    expected = read((whole,), shape)
    parts, _ = cut(written(rows, shape), shape, tmp_path, most)

    assert whole.rows == len(rows) == sum(part.rows for part in parts)
    assert max(part.rows for part in parts) <= most
    assert read(parts, shape) == expected


@pytest.mark.parametrize("shape", [Shape.CSV, Shape.PARQUET])
def test_what_is_billed_is_added_up_by_currency_and_invoice(
    rows: list[Row], tmp_path: Path, shape: Shape
) -> None:
    half = sum((row["BilledCost"] for row in rows[: len(rows) // 2]), Decimal(0))

    _, sums = cut(written(rows, shape), shape, tmp_path, 2)

    told = [(c, Decimal(amount)) for c, amount in sums.by_currency]
    assert told == [("CNY", 2 * half)]
    assert [name for name, _ in sums.by_invoice] == ["", "INV-2026-000001"]
    assert {Decimal(amount) for _, by in sums.by_invoice for _, amount in by} == {half}


def test_a_csv_file_of_one_part_is_delivered_as_it_is(rows: list[Row], tmp_path: Path) -> None:
    (part,), _ = cut(written(rows, Shape.CSV), Shape.CSV, tmp_path)

    assert part.read() == focus_csv(rows).encode()
    assert part.size == len(part.read())


@pytest.mark.parametrize("shape", [Shape.CSV, Shape.PARQUET])
def test_the_same_file_gives_the_same_parts(rows: list[Row], tmp_path: Path, shape: Shape) -> None:
    first, second = (cut(written(rows, shape), shape, tmp_path, 3)[0] for _ in range(2))

    assert [part.digest for part in first] == [part.digest for part in second]


@pytest.mark.parametrize("shape", [Shape.CSV, Shape.PARQUET])
def test_a_month_without_rows_is_one_part_that_says_so(tmp_path: Path, shape: Shape) -> None:
    (part,), sums = cut(written([], shape), shape, tmp_path)

    assert (part.rows, sums) == (0, Sums())
    assert read((part,), shape) == []


def test_a_data_set_without_costs_is_cut_too(tmp_path: Path) -> None:
    parts, sums = cut(io.BytesIO(b"A,B\r\n1,2\r\n3,4\r\n"), Shape.CSV, tmp_path, 1)

    assert [part.read() for part in parts] == [b"A,B\r\n1,2\r\n", b"A,B\r\n3,4\r\n"]
    assert sums == Sums()


@given(cells=st.lists(st.tuples(TEXT, TEXT), max_size=7), most=st.integers(1, 4))
def test_hostile_text_is_cut_between_rows_only(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str]], most: int
) -> None:
    out = io.StringIO(newline="")
    csv.writer(out).writerows([("InvoiceId", "BillingCurrency"), *cells])

    folder = tmp_path_factory.mktemp("parts")
    parts, _ = cut(io.BytesIO(out.getvalue().encode()), Shape.CSV, folder, most)

    texts = [list(csv.reader(io.StringIO(p.read().decode(), newline="")))[1:] for p in parts]
    assert [tuple(row) for rows in texts for row in rows] == cells
    assert [len(rows) for rows in texts] == [part.rows for part in parts]
