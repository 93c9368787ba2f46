import csv
import io
import json
from collections.abc import Callable
from decimal import Decimal

import pytest

from metering.interval import Resource
from pricing.bills.export import (
    BadRowsError,
    Shape,
    checked,
    focus_csv,
    focus_json,
    json_row,
    sorted_rows,
    write_focus,
)
from pricing.focus.check import all_faults
from pricing.focus.column import Row
from pricing.focus.columns import FocusVersionError, columns_of
from pricing.rating.inputs import Inputs
from tests.pricing.month_notation import bill_of, month_from


def read_csv(rows: list[Row]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(focus_csv(rows), newline="")))


def token_month(**said: str) -> list[Row]:
    pairs = " ".join(f"{k}={v}" for k, v in said.items())
    return sorted_rows(
        bill_of(
            month_from(f"""
            token t1 shared small 2026-10-01
            used  2026-10-06T10 shared requests=1 fresh=1234567 {pairs}
            """)
        ).lines
    )


def test_a_hybrid_month_and_an_hourly_node_as_a_focus_file(
    inputs: Inputs, golden: Callable[[str, str], None]
) -> None:
    """
    month 2026-10
    sub   sub-1 n1 g8.2xlarge.gu49 2026-10-01T09:30:00 months=3 discount=0.95
    hour  hour-1 n2 g8.2xlarge.gu49 2026-10-06 region=cn-wulanchabu
    token pool-1 shared medium 2026-10-01
    ran   n1 2026-10-01T09:36:30 2026-10-20
    ran   n2 2026-10-06T10:59:30 2026-10-06T12:50:30
    used  2026-10-06T10 dedicated requests=90 fresh=900000 output=40000 resource=n1
    used  2026-10-06T10 shared requests=12 fresh=120000 cached=30000 output=7001 project=search
    used  2026-10-06T23 shared requests=3 fresh=4500 output=900 reasoning=2100 project=search
    used  2026-10-07T00 shared requests=1 fresh=17
    """
    nodes = [
        Resource("n1", "acme", "cn-hangzhou", "polar.pg.g8.2xlarge.gu49", "推理一号"),
        Resource("n2", "acme", "cn-wulanchabu", "polar.pg.g8.2xlarge.gu49"),
    ]

    bill = bill_of(inputs, "Acme 有限公司", nodes)

    assert (bill.state, all_faults(bill.lines)) == ("draft", [])
    golden("focus-1.2.csv", focus_csv(sorted_rows(bill.lines)))


def test_a_file_begins_with_the_columns_in_order_and_ends_lines_with_crlf() -> None:
    text = focus_csv(token_month())

    lines = text.split("\r\n")
    assert lines[0] == ",".join(c.name for c in columns_of("1.2"))
    assert (len(lines), lines[-1]) == (4, "")


def test_a_file_of_no_rows_is_its_header() -> None:
    assert focus_csv([]) == ",".join(c.name for c in columns_of("1.2")) + "\r\n"
    assert focus_json([]) == "[]"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_text_that_a_spreadsheet_would_run_gets_an_apostrophe(start: str) -> None:
    rows = bill_of(month_from(""), f'{start}cmd|" /C calc"!A1').lines

    [row] = read_csv(list(rows))

    assert row["BillingAccountName"] == f'\'{start}cmd|" /C calc"!A1'


def test_a_model_of_a_hostile_name_cannot_run_in_a_spreadsheet() -> None:
    token, _ = sorted(
        read_csv(token_month(model="=1+1", project="@SUM")), key=lambda r: r["SkuId"]
    )[::-1]

    assert token["x_Model"] == "'=1+1"
    assert (token["SubAccountId"], token["SubAccountName"]) == ("'@SUM", "'@SUM")
    assert token["ChargeDescription"].startswith("'=1+1, input tokens")


def test_a_negative_number_is_a_number_and_gets_no_apostrophe() -> None:
    [rounding] = [r for r in read_csv(token_month()) if r["ChargeCategory"] == "Adjustment"]

    assert rounding["BilledCost"] == "-0.0092525"
    assert Decimal(rounding["EffectiveCost"]) == Decimal("-0.0092525")


def test_ordinary_text_is_left_as_it_is() -> None:
    [row] = read_csv(list(bill_of(month_from(""), "Müller, \"A\" & 'B'\n= next line").lines))

    assert row["BillingAccountName"] == "Müller, \"A\" & 'B'\n= next line"


def test_json_keeps_decimals_as_text_null_as_null_and_details_as_objects() -> None:
    rows = token_month()

    [row] = [r for r in json.loads(focus_json(rows)) if r["ChargeCategory"] == "Usage"]

    assert list(row) == [c.name for c in columns_of("1.2")]
    assert (row["BilledCost"], row["InvoiceId"]) == ("9.2592525", None)
    assert row["SkuPriceDetails"] == {"x_SizeClass": "small"}
    assert row["ChargePeriodStart"] == "2026-10-05T16:00:00Z"
    assert row in [json_row(r, columns_of("1.2")) for r in rows]


def test_json_text_gets_no_apostrophe() -> None:
    [row] = json.loads(focus_json(bill_of(month_from(""), "=1+1").lines))

    assert row["BillingAccountName"] == "=1+1"


def test_rows_stand_by_account_then_time_then_price(inputs: Inputs) -> None:
    """
    hour  h1 n1 g4.xlarge.gu10 2026-10-01
    token t1 shared small 2026-10-01
    ran   n1 2026-10-06T09:00 2026-10-06T11:00
    used  2026-10-07T10 shared requests=1 output=1 fresh=1
    used  2026-10-06T10 shared requests=1 output=1
    """
    rows = bill_of(inputs).lines
    other = [{**row, "BillingAccountId": "aaa"} for row in rows]

    found = [(r["BillingAccountId"], r["SkuPriceId"]) for r in sorted_rows([*rows, *other])]

    node = "node-polar.pg.g4.xlarge.gu10-hour-cn-hangzhou"
    fresh, output = (f"tokens-small-{meter}-cn-hangzhou" for meter in ("fresh", "output"))
    order = [None, output, node, node, fresh, output]
    assert found == [("aaa", sku) for sku in order] + [("acme", sku) for sku in order]


@pytest.mark.parametrize("write", [focus_csv, focus_json])
def test_a_version_that_cannot_be_written_is_refused(write: Callable[..., str]) -> None:
    with pytest.raises(FocusVersionError, match=r"must be one of 1\.2, 1\.4, found '1\.0'"):
        write([], "1.0")


@pytest.mark.parametrize("shape", list(Shape))
def test_a_row_that_breaks_focus_stops_the_file(shape: Shape) -> None:
    good, *_ = rows = bill_of(month_from("sub s1 n1 g4.xlarge.gu10 2026-10-01")).lines
    broken = {**good, "EffectiveCost": Decimal(1), "x_LineId": "line-7"}

    with pytest.raises(BadRowsError, match="found that line line-7 does not: "):
        write_focus(checked([*rows, broken], "1.2"), "1.2", shape, io.BytesIO())
