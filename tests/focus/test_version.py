"""The same lines in the words of 1.4."""

from collections import OrderedDict
from decimal import Decimal
from typing import Any

import pytest

from pricing.bills.export import focus_csv, sorted_rows
from pricing.focus.bundle import file_faults
from pricing.focus.check import all_faults
from pricing.focus.column import Row, cell
from pricing.focus.columns import COLUMNS
from pricing.focus.version import as_version, detail_id
from tests.pricing.month_notation import bill_of, lines_of, month_from

MONTH = """
sub   s1 n1 g4.xlarge.gu10 2026-10-01
hour  h1 n2 g4.xlarge.gu10 2026-10-01
token t1 shared small 2026-10-01
ran   n2 2026-10-06T10 2026-10-06T12
used  2026-10-06T10 shared requests=3 fresh=1234567
"""


def rows() -> list[Row]:
    return sorted_rows(bill_of(month_from(MONTH)).lines)


@pytest.mark.parametrize("version", list(COLUMNS))
def test_our_rows_have_no_faults_and_neither_has_our_file(version: str) -> None:
    told = [as_version(row, version) for row in rows()]

    assert all_faults(told, version) == []
    assert file_faults(focus_csv(rows(), version).splitlines(keepends=True), version) == []


def test_a_row_of_1_4_has_its_columns_in_order() -> None:
    [row] = lines_of(bill_of(month_from(MONTH)), ChargeCategory="Purchase")
    told = as_version(row, "1.4")

    assert list(told) == [column.name for column in COLUMNS["1.4"]]
    assert told["ServiceProviderName"] == row["ProviderName"]


def billed(cost: str, **cells: Any) -> Row:
    return {**rows()[0], "InvoiceId": "INV-1", "BilledCost": Decimal(cost), **cells}


def test_rows_of_one_kind_are_on_one_line_of_an_invoice_and_a_cost_of_zero_is_on_none() -> None:
    assert detail_id(billed("1.0")) == detail_id(billed("2.0"))
    assert detail_id(billed("1.0")) != detail_id(billed("1.0", SkuId="another"))
    assert detail_id(billed("0.0")) is None
    assert detail_id(billed("1.0", InvoiceId=None)) is None


def test_a_tax_has_in_effect_what_it_bills() -> None:
    tax = billed("1.0", ChargeCategory="Tax", EffectiveCost=Decimal("0.5"))

    assert as_version(tax, "1.4")["EffectiveCost"] == Decimal("1.0")
    assert as_version(tax, "1.2")["EffectiveCost"] == Decimal("0.5")


def test_a_row_whose_share_of_a_commitment_is_not_told_names_none() -> None:
    row = next(row for row in rows() if row["CommitmentDiscountQuantity"] is not None)
    untold = row | {"CommitmentDiscountQuantity": None}

    assert as_version(row, "1.4")["ContractApplied"]
    assert as_version(untold, "1.4")["ContractApplied"] is None


def test_cells_of_rarer_types_are_written_too() -> None:
    assert (cell(7), cell(OrderedDict(b=1, a="x"))) == ("7", '{"a":"x","b":1}')
