from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from pricing.focus.check import all_faults, faults
from pricing.focus.column import cell
from pricing.focus.columns import FOCUS_COLUMNS, OWN_COLUMNS, FocusVersionError, columns_of
from tests.pricing.month_notation import bill_of, lines_of, month_from

BOTH = "must both be set or both be null"
PRODUCT = "x PricingQuantity = 9.2592525000"
COSTS = ("BilledCost", "ContractedCost", "EffectiveCost", "PricingCurrencyEffectiveCost")
MONTH = """
sub   s1 n1 g4.xlarge.gu10 2026-10-01
token t1 shared small 2026-10-01
used  2026-10-06T10 shared requests=3 fresh=1234567
"""


def good(**cells: Any) -> Mapping[str, Any]:
    """Return the token row of a small month, with some cells changed."""
    [row] = lines_of(bill_of(month_from(MONTH)), SkuMeter="Input Tokens")
    return {**row, **cells}


def purchase(**cells: Any) -> Mapping[str, Any]:
    """Return the order's row, with some cells changed."""
    [row] = lines_of(bill_of(month_from(MONTH)), ChargeCategory="Purchase")
    return {**row, **cells}


def test_the_rows_of_a_small_month_have_no_faults() -> None:
    assert all_faults(bill_of(month_from(MONTH)).lines) == []


def test_focus_has_57_columns_in_order_and_ours_come_after_them() -> None:
    names = [c.name for c in FOCUS_COLUMNS["1.2"]]

    assert len(names) == 57
    assert names == sorted(names)
    assert all(c.name.startswith("x_") for c in OWN_COLUMNS)
    assert columns_of("1.2") == FOCUS_COLUMNS["1.2"] + OWN_COLUMNS


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"BilledCost": None}, "BilledCost must not be null"),
        ({"ServiceName": None}, "ServiceName must not be null"),
        ({"BilledCost": 9.25}, "BilledCost must be Decimal, found 9.25"),
        ({"ConsumedQuantity": 7}, "ConsumedQuantity must be Decimal, found 7"),
        ({"ChargePeriodStart": "now"}, "ChargePeriodStart must be DateTime, found 'now'"),
        ({"SkuPriceDetails": "{}"}, "SkuPriceDetails must be JSON, found '{}'"),
        ({"ResourceId": 7}, "ResourceId must be String, found 7"),
        (
            {"CommitmentDiscountStatus": "Idle"},
            "CommitmentDiscountStatus must be one of ['Unused', 'Used'], found 'Idle'",
        ),
        ({"ChargeClass": "Late"}, "ChargeClass must be one of ['Correction'], found 'Late'"),
        ({"ConsumedUnit": None}, f"ConsumedQuantity and ConsumedUnit {BOTH}"),
        ({"PricingUnit": None}, f"PricingQuantity and PricingUnit {BOTH}"),
        (
            {"CommitmentDiscountUnit": "Hours"},
            f"CommitmentDiscountQuantity and CommitmentDiscountUnit {BOTH}",
        ),
        (
            {"SubAccountId": "p1", "SubAccountName": "p1"},
            f"SubAccountId and SubAccountType {BOTH}",
        ),
        ({"RegionName": None}, f"RegionId and RegionName {BOTH}"),
        (
            {"ListCost": Decimal("9.26")},
            f"ListCost must be ListUnitPrice {PRODUCT}, found 9.26",
        ),
        (
            dict.fromkeys(
                COSTS,
                Decimal("9.2592526"),
            ),
            f"ContractedCost must be ContractedUnitPrice {PRODUCT}, found 9.2592526",
        ),
    ],
)
def test_a_broken_row_is_told_in_one_sentence(changed: Mapping[str, Any], fault: str) -> None:
    assert faults(good(**changed)) == [fault]


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        (
            {
                "EffectiveCost": Decimal("0.01"),
                "PricingCurrencyEffectiveCost": Decimal("0.01"),
            },
            "EffectiveCost of a Purchase must be 0",
        ),
        (
            {"ChargeFrequency": "Usage-Based"},
            "ChargeFrequency of a Purchase must not be Usage-Based",
        ),
    ],
)
def test_a_broken_purchase_is_told_in_one_sentence(changed: Mapping[str, Any], fault: str) -> None:
    assert faults(purchase(**changed)) == [fault]


def test_usage_of_a_commitment_says_how_much_was_used() -> None:
    bill = bill_of(month_from(f"{MONTH}ran n1 2026-10-06T10 2026-10-06T11"))
    [row] = lines_of(bill, CommitmentDiscountStatus="Used")
    unused = {**row, "CommitmentDiscountStatus": "Unused", "ResourceId": "s1"}
    nothing = {**row, "ConsumedQuantity": None, "ConsumedUnit": None}

    assert faults(row) == []
    assert faults(unused) == ["ConsumedQuantity of what was not used must be null"]
    assert faults(nothing) == ["ConsumedQuantity of what was used must be set"]


@pytest.mark.parametrize("unit", ["Tokens", "10000 Tokens", "GB-Hours", "Requests/Second"])
def test_a_unit_may_have_a_quantity_and_a_time(unit: str) -> None:
    assert faults(good(PricingUnit=unit)) == []


@pytest.mark.parametrize("unit", ["per 1M", "1M Tokens", "tokens", "10,000 Tokens", "0 Tokens"])
def test_a_unit_that_no_program_can_read_is_told(unit: str) -> None:
    [fault] = faults(good(PricingUnit=unit))

    assert fault.endswith(f"must be a unit as in Tokens, 1000 Tokens, GB-Hours, found {unit!r}")


@pytest.mark.parametrize("name", ["ListUnitPrice", "ListCost", "PricingQuantity"])
def test_a_row_without_price_cost_or_quantity_is_not_multiplied_out(name: str) -> None:
    found = faults(good(**{name: None}))

    assert not any(" x " in fault for fault in found if fault.startswith("ListCost"))


def test_a_row_with_no_cells_lacks_every_column_that_must_not_be_null() -> None:
    required = [c.name for c in columns_of("1.2") if not c.nullable]

    assert faults({}) == [f"{name} must not be null" for name in required]


def test_faults_of_many_rows_each_name_their_line() -> None:
    rows = [good(), good(BilledCost=None, x_LineId="line-7"), good(ServiceName=None)]

    assert all_faults(rows) == [
        "line-7: BilledCost must not be null",
        f"{good()['x_LineId']}: ServiceName must not be null",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (Decimal("6405.9200"), "6405.92"),
        (Decimal("1E+3"), "1000.0"),
        (Decimal("-0.00936"), "-0.00936"),
        (Decimal(0), "0.0"),
        (datetime(2026, 10, 31, 16, tzinfo=UTC), "2026-10-31T16:00:00Z"),
        (datetime(2026, 11, 1, tzinfo=timezone(timedelta(hours=8))), "2026-10-31T16:00:00Z"),
        ({"b": "2", "a": "一"}, '{"a":"一","b":"2"}'),
        ("抹零", "抹零"),
    ],
)
def test_a_cell_is_written_as_focus_asks(value: object, text: str) -> None:
    assert cell(value) == text


def test_a_version_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(FocusVersionError) as refusal:
        columns_of("0.9")

    assert str(refusal.value) == "the FOCUS version must be one of 1.2, 1.4, found '0.9'"
