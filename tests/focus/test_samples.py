"""The samples of both versions: those that are right have no faults, planted faults are found."""

from collections.abc import Callable

import pytest

from pricing.focus.bundle import bundle_faults, file_faults
from pricing.focus.columns import CHARGE_CATEGORIES
from tests.focus import planted
from tests.focus.planted import bundle, lines


def changed(text: list[str], number: int, **cells: str) -> list[str]:
    """Return lines of a file with some cells of one line changed."""
    return planted.changed(text, number, cells)


def header_1_4() -> list[str]:
    return lines("focus-1.4/cost_and_usage.csv")[0].strip().split(",")


@pytest.mark.parametrize("name", ["focus-1.2.csv", "focus-1.2-chinese.csv"])
def test_a_right_file_has_no_faults(name: str) -> None:
    assert file_faults(lines(name)) == []


def test_a_right_bundle_has_no_faults() -> None:
    assert bundle_faults(bundle("focus-1.4")) == []


MONTH_AFTER = "2026-11-01T16:00:00Z"
PLANTED = [
    "line 2: EffectiveCost of a Purchase must be 0",
    "line 44: ListCost must be ListUnitPrice x PricingQuantity = 16.8301400000, found 16.84014",
    "line 47: ConsumedQuantity and ConsumedUnit must both be set or both be null",
    f"line 48: ChargeCategory must be one of {sorted(CHARGE_CATEGORIES)}, found 'Tokens'",
    "line 49: ServiceSubcategory Virtual Machines must stand under Compute",
]


@pytest.mark.parametrize(
    "found",
    [
        lambda: file_faults(lines("focus-1.2-fail.csv")),
        lambda: bundle_faults(bundle("focus-1.4-fail")),
    ],
    ids=["1.2", "1.4"],
)
def test_every_planted_fault_is_found(found: Callable[[], list[str]]) -> None:
    assert set(PLANTED) <= set(found())


@pytest.mark.parametrize(
    ("line", "cells"),
    [
        (2, {"ChargeFrequency": "Usage-Based"}),
        (2, {"BilledCost": "6405.93"}),
        (2, {"BillingCurrency": "yuan"}),
        (2, {"ChargePeriodEnd": "2026-10-31 16:00:00"}),
        (3, {"CommitmentDiscountStatus": ""}),
        (3, {"PricingCategory": "Standard"}),
        (3, {"EffectiveCost": "1.0", "PricingCurrencyEffectiveCost": "1.0"}),
        (13, {"ConsumedQuantity": "1.0", "ConsumedUnit": "Hours"}),
        (60, {"ConsumedQuantity": "1.0", "ConsumedUnit": "Tokens"}),
        (61, {"ChargeFrequency": "Usage-Based"}),
        (62, {"PricingCategory": "Standard"}),
        (62, {"SkuId": "tax"}),
        (44, {"Tags": "[]"}),
        (44, {"BilledCost": ""}),
        (44, {"BilledCost": "1,000.00"}),
        (44, {"BilledCost": "16.84014"}),
        (44, {"CommitmentDiscountStatus": "Used"}),
        (44, {"ListUnitPrice": "-2.0"}),
        (44, {"ListUnitPrice": ""}),
        (44, {"PricingUnit": ""}),
        (44, {"SkuId": "another"}),
        (44, {"SkuPriceId": ""}),
        (44, {"InvoiceId": "N/A"}),
        (44, {"Tags": "env=prod"}),
        (44, {"Tags": '{"a":{"b":1}}'}),
        (44, {"ChargeClass": "Late"}),
        (44, {"RegionName": ""}),
        (44, {"SubAccountType": ""}),
        (44, {"x_LineId": "202610-000000"}),
        (44, {"ServiceName": "Another", "ServiceCategory": "Compute"}),
        (44, {"BillingAccountName": "Another"}),
        (44, {"ChargePeriodEnd": "2026-10-01T16:00:00Z"}),
        (44, {"ChargePeriodEnd": "2026-12-01T16:00:00Z", "ChargePeriodStart": MONTH_AFTER}),
    ],
)
def test_a_fault_of_the_same_kind_is_found(line: int, cells: dict[str, str]) -> None:
    assert file_faults(changed(lines("focus-1.2.csv"), line, **cells)) != []


@pytest.mark.parametrize(
    ("name", "line", "cells"),
    [
        ("InvoiceDetail", 2, {"BilledCost": "1.0"}),
        ("InvoiceDetail", 2, {"InvoiceDetailId": "another"}),
        ("InvoiceDetail", 2, {"InvoiceIssueStatus": "Paid"}),
        ("InvoiceDetail", 2, {"ReferenceInvoiceId": ""}),
        ("BillingPeriod", 2, {"BillingPeriodStatus": "Done"}),
        ("BillingPeriod", 2, {"BillingPeriodStart": "2026-08-31T16:00:00Z"}),
        ("BillingPeriod", 2, {"BillingPeriodStart": "2026-12-31T16:00:00Z"}),
        ("ContractCommitment", 2, {"ContractCommitmentId": "another"}),
        ("ContractCommitment", 2, {"ContractCommitmentDiscountPercentage": "1.5"}),
        ("CostAndUsage", 3, {"InvoiceDetailId": "INV-202610-0001-GPUNodeTime-Purchase"}),
        ("CostAndUsage", 44, {"InvoiceDetailId": ""}),
        ("CostAndUsage", 62, {"EffectiveCost": "1.0", "PricingCurrencyEffectiveCost": "1.0"}),
    ],
)
def test_a_fault_between_data_sets_is_found(name: str, line: int, cells: dict[str, str]) -> None:
    files = bundle("focus-1.4")

    assert bundle_faults(files | {name: changed(files[name], line, **cells)}) != []


@pytest.mark.parametrize("lacking", ["AvailabilityZone", "AllocatedTags", "ChargeFrequency"])
def test_a_column_of_what_is_not_declared_may_lack(lacking: str) -> None:
    names = [name for name in header_1_4() if name != lacking]

    assert file_faults([",".join(names) + "\r\n"], "1.4") == []


@pytest.mark.parametrize("lacking", ["BilledCost", "SkuMeter", "Tags"])
def test_a_column_that_must_be_there_is_missed(lacking: str) -> None:
    names = [name for name in header_1_4() if name != lacking]

    found = file_faults([",".join(names) + "\r\n"], "1.4")

    assert found == [f"line 1: the column {lacking} must be there"]


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ([], ["Extra"], "a column must be one of FOCUS or begin with x_, found 'Extra'"),
        ([], ["x_LineId"], "each column must be there once"),
        (["x_First"], [], "columns that begin with x_ must come after all others"),
    ],
)
def test_a_header_that_is_not_focus_is_told(
    before: list[str], after: list[str], fault: str
) -> None:
    found = file_faults([",".join((*before, *header_1_4(), *after)) + "\r\n"], "1.4")

    assert f"line 1: {fault}" in found


def test_a_file_without_a_header_and_a_row_of_another_length_are_told() -> None:
    text = lines("focus-1.2.csv")

    assert file_faults([]) == ["line 1: a header must be there"]
    assert any("as many cells" in f for f in file_faults([text[0], "a,b\r\n"]))


def test_another_pricing_currency_may_have_other_prices() -> None:
    cells = {"PricingCurrency": "USD", "PricingCurrencyListUnitPrice": "0.3"}

    assert file_faults(changed(lines("focus-1.2.csv"), 44, **cells)) == []


def test_a_line_of_a_data_set_is_there_once() -> None:
    files = bundle("focus-1.4")
    twice = [*files["ContractCommitment"], files["ContractCommitment"][-1]]

    assert bundle_faults(files | {"ContractCommitment": twice}) == [
        "ContractCommitment sub-8f2c must be there once"
    ]
