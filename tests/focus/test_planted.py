"""Every kind of fault that FOCUS knows is found where it is planted, and named."""

import csv
from pathlib import Path

import pytest

from pricing.focus.bundle import bundle_faults, file_faults
from pricing.focus.columns import FOCUS_COLUMNS, FocusVersionError
from pricing.focus.read import decoded
from tests.focus.planted import bundle, changed, lines, without

BOUGHT, USED, UNUSED, HOURLY, TOKENS = 2, 3, 13, 34, 44
CORRECTION, CREDIT, ROUNDING, TAX = 59, 60, 61, 62
"""Lines of the sample by what they charge."""

CELLS = {
    "BilledCost": ("", "16,83", "+1.0", "1.0 CNY", "1/2", "1e+5", "NaN", "12%", "1.", ".5", "１２"),
    "ListCost": ("9" * 40, "1E50"),
    "BillingPeriodStart": ("2026-10-01", "2026-10-01T16:00:00", "2026-10-01T16:00:00+08:00"),
    "ChargePeriodEnd": ("2026-02-30T00:00:00Z", "2026-10-01T24:00:00Z", "1760000000"),
    "Tags": ("[]", "env=prod", "{", '{"a":1,"a":2}', '{"a":NaN}', '{"a":[1]}'),
    "SkuPriceDetails": ('{"Model":"qwen"}', '{"GpuCount":"1"}', '{"InstanceType":1}'),
    "BillingCurrency": ("cny", "RMB", "XYZ", "¥", "CN"),
    "PricingCurrency": ("RMB", "cny", " "),
    "PricingUnit": ("tokens", "1,000 Tokens", "per 1M", "1.5 Tokens", " Tokens"),
    "ListUnitPrice": ("-2.0", ""),
    "ChargeCategory": ("usage", "Usage ", "Levy", ""),
    "PricingCategory": ("OnDemand", "", "Committed"),
    "SkuId": ("N/A", "null", "-", "Not Applicable", ""),
    "ServiceName": ("n/a", ""),
    "ServiceSubcategory": ("Virtual Machines", "Cats"),
    "ResourceType": ("",),
    "SubAccountName": ("",),
    "ConsumedUnit": ("",),
    "ConsumedQuantity": ("",),
    "CommitmentDiscountStatus": ("Used",),
    "ChargeClass": ("Correction", "Late"),
    "InvoiceIssuerName": ("Another",),
    "EffectiveCost": ("16.0",),
    "x_LineId": ("202610-000000",),
}


@pytest.mark.parametrize(
    ("column", "text"), [(column, text) for column, texts in CELLS.items() for text in texts]
)
def test_a_broken_cell_is_found_on_its_line(column: str, text: str) -> None:
    found = file_faults(changed(lines("focus-1.2.csv"), TOKENS, {column: text}))

    assert any(fault.startswith(f"line {TOKENS}: ") and column in fault for fault in found), found


@pytest.mark.parametrize(
    ("line", "cells", "fault"),
    [
        (BOUGHT, {"ResourceId": "node-01"}, "ResourceId must be the CommitmentDiscountId sub-8f2c"),
        (BOUGHT, {"ChargeFrequency": "Usage-Based"}, "ChargeFrequency of a Purchase must not be"),
        (
            BOUGHT,
            {"CommitmentDiscountQuantity": "", "CommitmentDiscountUnit": ""},
            "CommitmentDiscountQuantity must be set where a commitment is bought or used",
        ),
        (USED, {"BilledCost": "1.0"}, "BilledCost of usage that a commitment covers must be 0"),
        (USED, {"ConsumedQuantity": "", "ConsumedUnit": ""}, "of what was used must be set"),
        (UNUSED, {"ResourceId": "node-01"}, "must be the CommitmentDiscountId sub-8f2c"),
        (TOKENS, {"ConsumedQuantity": "", "ConsumedUnit": ""}, "of what was used must be set"),
        (TOKENS, {"SkuPriceId": ""}, "SkuPriceDetails must be null where SkuPriceId is"),
        (TOKENS, {"RegionId": ""}, "RegionId and RegionName must both be set or both be null"),
        (TOKENS, {"CapacityReservationId": "r1"}, "CapacityReservationStatus must be set on usage"),
        (CORRECTION, {"ChargeClass": ""}, "ChargeClass must be Correction where usage of an ear"),
        (CREDIT, {"ListCost": "0.0"}, "ListCost of Credit must be its BilledCost -10.0"),
        (CREDIT, {"SkuMeter": "Tokens"}, "SkuMeter must be null where SkuId is"),
        (
            CREDIT,
            {"CommitmentDiscountQuantity": "1.0", "CommitmentDiscountUnit": "Hours"},
            "CommitmentDiscountQuantity of Credit must be null",
        ),
        (ROUNDING, {"EffectiveCost": "0.0"}, "EffectiveCost of Adjustment must be its BilledCost"),
        (TAX, {"PricingCurrencyListUnitPrice": "1.0"}, "must be ListUnitPrice where both"),
        (TAX, {"ConsumedQuantity": "1.0", "ConsumedUnit": "Tokens"}, "of a Tax must be null"),
    ],
)
def test_a_rule_between_cells_is_found_on_its_line(
    line: int, cells: dict[str, str], fault: str
) -> None:
    found = file_faults(changed(lines("focus-1.2.csv"), line, cells))

    assert any(told.startswith(f"line {line}: ") and fault in told for told in found), found


@pytest.mark.parametrize(
    ("line", "cells", "fault"),
    [
        (
            USED,
            {"EffectiveCost": "1.0", "PricingCurrencyEffectiveCost": "1.0"},
            "its price 6405.92",
        ),
        (USED, {"CommitmentDiscountQuantity": "23.0"}, "come to what was bought, 744.0"),
        (ROUNDING, dict.fromkeys(("BilledCost", "EffectiveCost"), "0.0"), "whole coins of CNY"),
    ],
)
def test_sums_that_do_not_come_out_are_found(line: int, cells: dict[str, str], fault: str) -> None:
    found = file_faults(changed(lines("focus-1.2.csv"), line, cells))

    assert any(fault in told for told in found), found


def test_the_row_that_differs_from_most_is_named_once() -> None:
    found = file_faults(changed(lines("focus-1.2.csv"), TOKENS, {"BillingAccountName": "Another"}))

    one = "BillingAccountId acct-1001 must have one BillingAccountName"
    assert found == [f"line {TOKENS}: {one}, Example Research Ltd, found Another"]


@pytest.mark.parametrize(
    ("name", "line", "cells", "fault"),
    [
        ("CostAndUsage", TOKENS, {"ListUnitPrice": "", "ContractedUnitPrice": ""}, "ListUnitPrice"),
        ("CostAndUsage", TOKENS, {"InvoiceDetailId": ""}, "InvoiceDetailId must be set where"),
        ("CostAndUsage", TOKENS, {"SkuId": "other"}, "SkuId of INV-202610-0002-InputTokens"),
        ("CostAndUsage", CORRECTION, {"ListCost": "-0.53"}, "ListCost must be ListUnitPrice x"),
        ("CostAndUsage", CREDIT, {"EffectiveCost": "0.0"}, "EffectiveCost of Credit must be its"),
        ("CostAndUsage", BOUGHT, {"ContractApplied": ""}, "ContractApplied must be set where"),
        ("CostAndUsage", BOUGHT, {"ContractApplied": '{"a":"b"}'}, "must be Elements, each with"),
        (
            "CostAndUsage",
            BOUGHT,
            {"CommitmentProgramEligibilityDetails": '{"CommitmentPrograms":[]}'},
            "must be CommitmentPrograms, each with its ProgramType",
        ),
        ("BillingPeriod", 2, {"BillingPeriodStatus": "Done"}, "must be one of"),
        (
            "BillingPeriod",
            2,
            {"BillingPeriodLastUpdated": "2026-09-01T00:00:00Z"},
            "BillingPeriodLastUpdated must not be before BillingPeriodCreated",
        ),
        ("InvoiceDetail", 2, {"InvoiceIssueDate": ""}, "InvoiceIssueDate must be set where"),
        ("InvoiceDetail", 2, {"InvoiceIssueStatus": "Open"}, "InvoiceIssueDate must be null where"),
        ("InvoiceDetail", 2, {"PaymentDueDate": "2026-11-01T00:00:00Z"}, "PaymentDueDate must not"),
        (
            "InvoiceDetail",
            2,
            {"PaymentCurrencyBilledCost": "1.0"},
            "PaymentCurrencyBilledCost must",
        ),
        ("InvoiceDetail", 3, {"PaymentTerms": "Net 60"}, "must have one PaymentTerms, found"),
        ("InvoiceDetail", 2, {"InvoiceDetailGrain": '{"Model":"x"}'}, "InvoiceDetailGrain must be"),
        (
            "ContractCommitment",
            2,
            {"ContractCommitmentPaymentUpfrontPercentage": "0.5"},
            "must fit All Upfront, found 0.5",
        ),
        ("ContractCommitment", 2, {"ContractCommitmentUnit": ""}, "must both be set or both null"),
        (
            "ContractCommitment",
            2,
            {"ContractCommitmentQuantity": "", "ContractCommitmentUnit": ""},
            "must be set where the commitment is to usage",
        ),
        (
            "ContractCommitment",
            2,
            {"ContractCommitmentCategory": "Spend"},
            "ContractCommitmentCost must be set where the commitment is to spend",
        ),
        (
            "ContractCommitment",
            2,
            {"ContractCommitmentCost": "1.0", "BillingCurrency": ""},
            "BillingCurrency must be set where ContractCommitmentCost is",
        ),
        ("ContractCommitment", 2, {"ContractId": "other"}, "ContractId of sub-8f2c must be other"),
        (
            "ContractCommitment",
            2,
            {"ContractPeriodEnd": "2026-10-15T00:00:00Z"},
            "ContractPeriodEnd must not be before ContractCommitmentPeriodEnd",
        ),
        ("ContractCommitment", 2, {"ContractCommitmentApplicability": "{}"}, "must be Inclusions"),
    ],
)
def test_a_fault_of_a_data_set_is_found_and_named(
    name: str, line: int, cells: dict[str, str], fault: str
) -> None:
    files = bundle()
    found = bundle_faults(files | {name: changed(files[name], line, cells)})

    assert any(fault in told for told in found), found


def test_a_column_that_a_data_set_lacks_is_told_once() -> None:
    files = bundle()
    details = without(files["InvoiceDetail"], "PaymentTerms")

    assert bundle_faults(files | {"InvoiceDetail": details}) == [
        "InvoiceDetail line 1: the column PaymentTerms must be there"
    ]


def test_a_cost_on_no_invoice_and_an_open_invoice_are_found_in_a_closed_period() -> None:
    files = bundle()
    costs = changed(files["CostAndUsage"], TOKENS, {"InvoiceId": "", "InvoiceDetailId": ""})
    details = changed(
        files["InvoiceDetail"], 2, {"InvoiceIssueStatus": "Open", "InvoiceIssueDate": ""}
    )
    found = bundle_faults(files | {"CostAndUsage": costs, "InvoiceDetail": details})

    assert f"line {TOKENS}: InvoiceId must be set in a billing period that is closed" in found
    assert (
        "InvoiceDetail: INV-202610-0001 must not be Open in a billing period that is closed"
        in found
    )


@pytest.mark.parametrize("column", ["ServiceSubcategory", "ChargeFrequency", "AvailabilityZone"])
def test_a_column_that_is_only_recommended_may_lack(column: str) -> None:
    assert file_faults(without(lines("focus-1.2.csv"), column)) == []


@pytest.mark.parametrize("column", [c.name for c in FOCUS_COLUMNS["1.2"] if c.level == "M"])
def test_a_column_that_lacks_is_told_once_and_the_rest_is_checked(column: str) -> None:
    text = changed(lines("focus-1.2.csv"), TOKENS, {"Tags": "{"})
    found = file_faults(without(text, column))

    assert found[0] == f"line 1: the column {column} must be there"
    assert any(fault.startswith(f"line {TOKENS}: Tags must be") for fault in found)
    assert len(found) == 2 + any("x_" in fault for fault in found)


def test_a_correction_of_its_own_period_is_right_where_a_whole_invoice_is_one() -> None:
    text = lines("focus-1.2.csv")
    note = {"ChargeClass": "Correction", "InvoiceId": "CN-1"}

    assert file_faults(changed(text, CREDIT, {"ChargeClass": "Correction"})) != []
    assert file_faults(changed([text[0], text[CREDIT - 1]], 2, note)) == []


def test_until_1_3_a_correction_may_cost_what_its_price_does_not_make() -> None:
    cells = {"ListCost": "-0.53"}

    assert file_faults(changed(lines("focus-1.2.csv"), CORRECTION, cells)) == []


def test_a_fee_without_usage_behind_it_costs_what_is_billed() -> None:
    """Source: FOCUS 1.2, example Simple SaaS."""
    text = lines("focus-1.2.csv")
    row = dict(zip(*csv.reader([text[0], text[1]]), strict=True))
    fee = {name: "" for name in row if name.startswith("CommitmentDiscount")}
    fee |= dict.fromkeys(("EffectiveCost", "PricingCurrencyEffectiveCost"), row["BilledCost"])

    assert file_faults(changed(text[:2], 2, fee)) == []
    assert file_faults(changed(text[:2], 2, fee | {"EffectiveCost": "1.0"})) != []


def test_what_others_sell_is_billed_at_nothing() -> None:
    cells = {"BilledCost": "0.0", "InvoiceId": "", "ProviderName": "Market", "x_LineId": "other"}

    text = lines("focus-1.2.csv")

    assert file_faults(changed([text[0], text[TOKENS - 1]], 2, cells)) == []


@pytest.mark.parametrize("provider", ["aws", "azure", "gcp"])
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_files_as_other_providers_write_them_have_no_faults(
    provider: str, version: str, tmp_path: Path
) -> None:
    cli = pytest.importorskip("focus_data_toolkit.cli", reason="focus-data-toolkit is missing")
    cli.main(
        ["generate", "--provider", provider, "--focus-version", version, "--rows", "60",
         "--out", str(tmp_path)]
    )  # fmt: skip
    [path] = [p for p in tmp_path.iterdir() if "cost_and_usage" in p.name]

    assert file_faults(decoded(path.read_bytes())[0], version) == []


def test_a_quoted_header_and_lines_that_end_otherwise_are_right() -> None:
    text = lines("focus-1.2.csv")
    quoted = ",".join(f'"{name}"' for name in text[0].rstrip("\r\n").split(",")) + "\n"
    ended = [line.replace("\r\n", "\n") for line in text[1:]]

    assert file_faults([quoted, *ended]) == []


def test_what_a_file_s_text_breaks_is_told() -> None:
    text = "".join(lines("focus-1.2.csv"))

    def found(content: str) -> list[str]:
        return file_faults(decoded(content.encode())[0])

    assert found("\ufeff" + text) == [
        "line 1: a file must begin with its header, found a byte order mark"
    ]
    assert "line 1: cells must be set apart by commas" in found(text.replace(",", ";"))[0]
    assert found(text + '"open')[0].startswith("line 65: a file must be CSV, found that ")
    assert found(text + "\r\n")[0] == (
        "line 65: a row must have as many cells as the header, found 0"
    )
    assert decoded(b"a,b\n\xff")[1] == ["line 2: a file must be UTF-8, found b'\\xff'"]


def test_a_version_that_cannot_be_checked_is_refused() -> None:
    with pytest.raises(FocusVersionError, match=r"one of 1\.2, 1\.3, 1\.4, found '1\.1'"):
        file_faults([], "1.1")


def test_lines_of_several_text_lines_are_counted_by_where_they_begin() -> None:
    text = changed(lines("focus-1.2.csv"), 3, {"ChargeDescription": "two\nlines"})
    found = file_faults(changed(text, TOKENS, {"Tags": "{"}))

    assert found[0].startswith(f"line {TOKENS + 1}: Tags")
