"""A folder of FOCUS 1.4 is held to its metadata and its checksums, a Parquet file to its types."""

import io
import json
from collections.abc import Callable
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from pricing.focus.bundle import table_faults
from pricing.focus.column import Column
from pricing.focus.columns import checked_columns
from pricing.focus.folder import CHECKSUMS, METADATA, folder_faults
from pricing.focus.json_form import is_allocation, is_applicability, is_contract_applied
from pricing.focus.parquet import focus_parquet
from pricing.focus.read_parquet import read_parquet
from tests.focus.planted import folder
from tests.pricing.month_notation import bill_of, month_from, small_book

MONTH = """
sub   s1 n1 g4.xlarge.gu10 2026-10-01
hour  h1 n2 g4.xlarge.gu10 2026-10-01
token t1 shared small 2026-10-01
ran   n2 2026-10-06T10 2026-10-06T12
used  2026-10-06T10 shared requests=3 fresh=1234567
"""
COLUMNS = checked_columns("1.2")


def summed(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return files with the checksums that they have."""
    others = {name: content for name, content in files.items() if name != CHECKSUMS}
    sums = (f"{sha256(others[name]).hexdigest()}  {name}\n" for name in sorted(others))
    return others | {CHECKSUMS: "".join(sums).encode()}


def told(change: Callable[[Any], object]) -> list[str]:
    """Return the faults of the sample whose metadata are changed."""
    files = folder()
    said = json.loads(files[METADATA])
    change(said)
    return folder_faults(summed(files | {METADATA: json.dumps(said).encode()}))


def test_a_right_folder_has_no_faults_with_or_without_checksums() -> None:
    files = folder()

    assert folder_faults(files) == []
    assert folder_faults({k: v for k, v in files.items() if k != CHECKSUMS}) == []


def test_a_file_that_was_changed_removed_or_not_summed_is_named() -> None:
    files = folder()
    period = files["billing_period.csv"]
    closed = files | {"billing_period.csv": period.replace(b"Closed", b"Open")}
    gone = {name: content for name, content in files.items() if name != METADATA}
    unsummed = files | {CHECKSUMS: files[CHECKSUMS].split(b"\n", 1)[1] + b"what\n"}

    assert folder_faults(closed) == [
        "SHA256SUMS: billing_period.csv must be as it was summed, found other content"
    ]
    assert folder_faults(gone) == [
        "metadata.json: must be there, found none",
        "SHA256SUMS: metadata.json must be there, found none",
    ]
    assert folder_faults(unsummed) == [
        "SHA256SUMS line 5 must be a SHA-256 and a name, found 'what\\n'",
        "SHA256SUMS: billing_period.csv must have a sum, found none",
    ]


def test_a_data_set_that_is_not_there_is_missed() -> None:
    files = folder()
    del files["invoice_detail.csv"]

    assert "InvoiceDetail line 1: a header must be there" in folder_faults(summed(files))


def test_text_that_is_not_utf_8_is_told() -> None:
    files = folder()
    wrong = summed(files | {"billing_period.csv": files["billing_period.csv"] + b"\xff"})

    assert folder_faults(wrong)[0] == "BillingPeriod line 3: a file must be UTF-8, found b'\\xff'"


@pytest.mark.parametrize("content", [b"{", b"[]"])
def test_metadata_must_be_an_object(content: bytes) -> None:
    [fault] = folder_faults(summed(folder() | {METADATA: content}))

    assert fault.startswith("metadata.json: must be ")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda m: m.pop("DataGenerator"), "DataGenerator must be named"),
        (lambda m: m["DatasetInstance"].pop(0), "DatasetInstance of CostAndUsage must be there"),
        (
            lambda m: m["DatasetInstance"].append(m["DatasetInstance"][0]),
            "DatasetInstance 202610-CostAndUsage must be there once",
        ),
        (lambda m: m["DatasetInstance"].append(7), "must be of a data set of FOCUS, found 'None'"),
        (lambda m: m.update(Recency=7), "Recency of 202610-CostAndUsage must be there"),
        (
            lambda m: m["Recency"][0].update(DatasetInstanceComplete="yes"),
            "DatasetInstanceComplete must be true or false, found 'yes'",
        ),
        (
            lambda m: m["Recency"][0]["TimeSectors"][0].update(TimeSectorComplete=False),
            "all time sectors must be complete where the data set is",
        ),
        (
            lambda m: m["Recency"][0]["TimeSectors"][0].update(
                TimeSectorEnd="2026-01-01T00:00:00Z"
            ),
            "TimeSectorStart must be before TimeSectorEnd",
        ),
        (lambda m: m["Recency"][0].update(TimeSectors=[]), "TimeSectors must be told"),
        (
            lambda m: m["Recency"][0].update(RecencyLastUpdated="2026-11-02"),
            "RecencyLastUpdated must be UTC as YYYY-MM-DDTHH:MM:SSZ, found '2026-11-02'",
        ),
        (lambda m: m["Recency"][0].update(DatasetInstanceId="x"), "must be of a DatasetInstance"),
        (lambda m: m["Schema"].pop(0), "Schema of 202610-CostAndUsage must be there"),
        (lambda m: m["Schema"][0].update(DatasetInstanceId="x"), "must be of a DatasetInstance"),
        (lambda m: m["Schema"][0].update(FocusVersion="1.2"), "FocusVersion must be 1.4, found"),
        (
            lambda m: m["Schema"][0].update(SchemaId=m["Schema"][1]["SchemaId"]),
            "must be there once",
        ),
        (
            lambda m: m["Schema"][0]["ColumnDefinition"].pop(6),
            "BilledCost must be defined, found none",
        ),
        (
            lambda m: m["Schema"][0]["ColumnDefinition"][6].update(DataType="STRING"),
            "BilledCost must be DECIMAL, found 'STRING'",
        ),
        (
            lambda m: m["Schema"][0]["ColumnDefinition"].append({"ColumnName": "x_More"}),
            "x_More must be a column of the file, found none",
        ),
    ],
)
def test_metadata_that_do_not_fit_the_files_are_told(
    change: Callable[[Any], object], fault: str
) -> None:
    found = told(change)

    assert any(fault in one for one in found), found
    assert all(one.startswith("metadata.json: ") for one in found), found


def parquet_faults(table: pa.Table) -> list[str]:
    out = io.BytesIO()
    parquet.write_table(table, out)
    return table_faults(read_parquet(out, COLUMNS), "1.2")


@pytest.fixture(name="month")
def month_of_rows() -> pa.Table:
    rows = bill_of(month_from(MONTH, small_book())).lines
    return parquet.read_table(io.BytesIO(focus_parquet(rows)))


def with_column(table: pa.Table, name: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, values)


def test_our_own_parquet_has_no_faults(month: pa.Table) -> None:
    names = month.column("ServiceName")

    assert parquet_faults(month) == []
    assert parquet_faults(with_column(month, "ServiceName", names.dictionary_encode())) == []


def test_instants_may_be_finer_than_ours(month: pa.Table) -> None:
    """As others write them: in nanoseconds, with more of them than Python has places for."""
    fine = pa.timestamp("ns", "UTC")
    start = month.column("ChargePeriodStart").cast(fine)
    own = pa.array([1_790_000_000_000_000_001] * len(month), fine)

    found = with_column(month, "ChargePeriodStart", start).append_column("x_Seen", own)

    assert parquet_faults(found) == []


@pytest.mark.parametrize(
    ("name", "to", "fault"),
    [
        ("BilledCost", pa.float64(), "BilledCost must be a decimal, found double"),
        ("ListUnitPrice", pa.string(), "ListUnitPrice must be a decimal, found string"),
        (
            "ChargePeriodStart",
            pa.timestamp("us"),
            "ChargePeriodStart must be a timestamp in UTC, found timestamp[us]",
        ),
        ("ChargePeriodEnd", pa.string(), "ChargePeriodEnd must be a timestamp in UTC, found"),
        ("ServiceName", pa.binary(), "ServiceName must be text, found binary"),
    ],
)
def test_a_column_of_another_type_is_told_once(
    month: pa.Table, name: str, to: pa.DataType, fault: str
) -> None:
    [found] = parquet_faults(with_column(month, name, month.column(name).cast(to)))

    assert found.startswith(fault)


def test_cells_of_parquet_are_held_to_the_same_rules(month: pa.Table) -> None:
    def first(name: str, value: object) -> list[str]:
        values = [value, *month.column(name).to_pylist()[1:]]
        return parquet_faults(with_column(month, name, pa.array(values, month.field(name).type)))

    assert first("BilledCost", Decimal("1.5"))
    assert first("Tags", "{")[0].startswith("line 1: Tags must be ")
    assert (
        first("RegionId", "")[0] == "line 1: RegionId must be null where there is nothing, found ''"
    )
    assert first("ServiceName", "N/A")[0].startswith("line 1: ServiceName must be empty")


def test_what_is_not_parquet_is_told() -> None:
    faults = table_faults(read_parquet(io.BytesIO(b"a,b\r\n"), COLUMNS), "1.2")

    assert faults[0].startswith("a file must be Parquet, found that ")


RULE = {"Dimension": "SkuId", "Operator": "In", "Values": ["a"]}
ELEMENT = {"ContractId": "c", "ContractCommitmentId": "m"}


@pytest.mark.parametrize(
    ("value", "is_right"),
    [
        ({"InclusionOperator": "And", "Inclusions": [RULE]}, True),
        ({"IsGlobalScope": True}, True),
        ({"IsGlobalScope": True, "x_Why": "all"}, True),
        ({"IsGlobalScope": True, "IsComplexScope": True}, False),
        ({"IsGlobalScope": True, "Inclusions": [RULE]}, False),
        ({"IsGlobalScope": "yes"}, False),
        ({"InclusionOperator": "Nor", "Inclusions": [RULE]}, False),
        ({"InclusionOperator": "And", "Inclusions": []}, False),
        ({"InclusionOperator": "And", "Inclusions": RULE}, False),
        ({"InclusionOperator": "And", "Inclusions": ["SkuId"]}, False),
        ({"InclusionOperator": "And", "Inclusions": [RULE], "Other": 1}, False),
        ({"InclusionOperator": "And", "Inclusions": [RULE], "Exclusions": [RULE]}, False),
        ({"InclusionOperator": "And", "Inclusions": [RULE], "Exclusions": [{}]}, False),
        (
            {"InclusionOperator": "Or", "Inclusions": [RULE], "Exclusions": [RULE]}
            | {"ExclusionOperator": "Or"},
            True,
        ),
        *(
            ({"InclusionOperator": "And", "Inclusions": [RULE | more]}, is_right)
            for more, is_right in (
                ({"Values": []}, False),
                ({"Values": [1]}, False),
                ({"Values": ["*"]}, True),
                ({"Values": ["*", "a"]}, False),
                ({"Values": ["*"], "Operator": "StartsWith"}, False),
                ({"Values": ["a"], "Operator": "Exists"}, False),
                ({"Operator": "Like"}, False),
                ({"Dimension": 1}, False),
                ({"More": 1}, False),
            )
        ),
    ],
)
def test_what_a_commitment_covers_has_a_form(value: dict[str, Any], *, is_right: bool) -> None:
    assert is_applicability(value) is is_right


@pytest.mark.parametrize(
    ("more", "is_right"),
    [
        ({"ContractCommitmentAppliedCost": Decimal("1.5")}, True),
        ({"ContractCommitmentAppliedCost": "1.5"}, False),
        ({"ContractCommitmentAppliedCost": 1, "ContractCommitmentAppliedUnit": "Hours"}, False),
        (
            {"ContractCommitmentAppliedQuantity": 1, "ContractCommitmentAppliedUnit": "Hours"},
            True,
        ),
        ({"ContractCommitmentAppliedQuantity": True, "ContractCommitmentAppliedUnit": "H"}, False),
        ({"ContractCommitmentAppliedQuantity": 1}, False),
        ({"ContractId": ""}, False),
        ({"Contract": "c"}, False),
    ],
)
def test_what_is_applied_has_a_cost_or_a_quantity(more: dict[str, Any], *, is_right: bool) -> None:
    assert is_contract_applied({"Elements": [ELEMENT | more]}) is is_right


@pytest.mark.parametrize(
    ("element", "is_right"),
    [
        ({"AllocatedRatio": Decimal("0.5")}, True),
        ({"AllocatedRatio": 1, "UsageQuantity": 3, "UsageUnit": "GB"}, True),
        ({"AllocatedRatio": 1, "UsageQuantity": 3}, False),
        ({"AllocatedRatio": 2}, False),
        ({"AllocatedRatio": "1"}, False),
        ({"AllocatedRatio": 1, "Share": 1}, False),
    ],
)
def test_a_share_has_a_ratio(element: dict[str, Any], *, is_right: bool) -> None:
    assert is_allocation({"Elements": [element]}) is is_right


def test_columns_that_files_lack_are_not_read(month: pa.Table) -> None:
    few: list[Column] = [column for column in COLUMNS if column.name != "Tags"]
    out = io.BytesIO()
    parquet.write_table(month.drop_columns(["Tags"]), out)

    assert table_faults(read_parquet(out, few), "1.2") == []
    assert table_faults(read_parquet(out, COLUMNS), "1.2") == ["the column Tags must be there"]
