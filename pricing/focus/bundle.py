"""Check files: one of Cost and Usage, or the four data sets of 1.4 against each other."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

from pricing.focus.across import faults_across
from pricing.focus.check import cell_faults, row_faults
from pricing.focus.column import Column, Row
from pricing.focus.columns import FOCUS_COLUMNS
from pricing.focus.datasets import DATASETS
from pricing.focus.read import header_faults, read_rows

COST_AND_USAGE = "CostAndUsage"
_KEYS: Mapping[str, tuple[str, ...]] = {
    "BillingPeriod": ("InvoiceIssuerName", "BillingPeriodStart", "BillingPeriodEnd"),
    "InvoiceDetail": ("InvoiceDetailId",),
    "ContractCommitment": ("ContractCommitmentId",),
}
"""Data set -> what no two of its rows share."""

_ORDERED = (
    ("BillingPeriodStart", "BillingPeriodEnd"),
    ("ContractPeriodStart", "ContractPeriodEnd"),
    ("ContractCommitmentPeriodStart", "ContractCommitmentPeriodEnd"),
)
_AGREED = (
    "InvoiceId", "ChargeCategory", "BillingAccountId", "BillingCurrency", "InvoiceIssuerName",
    "BillingPeriodStart", "BillingPeriodEnd",
)  # fmt: skip
"""What a line of an invoice and the rows on it say alike."""


def file_faults(lines: Iterable[str], version: str = "1.2") -> list[str]:
    """Return what a Cost and Usage CSV breaks, each with its line; an empty list for a good one."""
    rows, found = _read(lines, FOCUS_COLUMNS[version], version)
    return found + faults_across(rows)


def bundle_faults(files: Mapping[str, Iterable[str]]) -> list[str]:
    """Return what the data sets of 1.4 break, by data set name; those not given count as empty."""
    rows, found = _read(files.get(COST_AND_USAGE, ()), FOCUS_COLUMNS["1.4"], "1.4")
    found += faults_across(rows)
    sets: dict[str, list[Row]] = {}
    for name, columns in DATASETS.items():
        sets[name], broken = _read(files.get(name, ()), columns, "")
        found += [f"{name} {fault}" for fault in (*broken, *_own_faults(name, sets[name]))]
    found += _detail_faults(rows, sets["InvoiceDetail"])
    found += _period_faults(rows, sets["BillingPeriod"])
    return found + list(_contract_faults(rows, sets["ContractCommitment"]))


def _read(
    lines: Iterable[str], columns: Sequence[Column], version: str
) -> tuple[list[Row], list[str]]:
    """Return rows and their own faults; ``version`` is that of Cost and Usage, else empty."""
    text = list(lines)
    if not text:
        return [], ["line 1: a header must be there"]
    header = text[0].rstrip("\r\n").split(",")
    found = [f"line 1: {fault}" for fault in header_faults(header, columns)]
    rows: list[Row] = []
    for number, (row, broken) in enumerate(read_rows(text, columns), start=2):
        wrong = broken or (
            row_faults(row, version, columns) if version else cell_faults(row, columns)
        )
        found += [f"line {number}: {fault}" for fault in wrong]
        rows.append(row)
    return rows, found


def _own_faults(name: str, rows: Sequence[Row]) -> Iterator[str]:
    seen: set[tuple[object, ...]] = set()
    for row in rows:
        key = tuple(row[column] for column in _KEYS[name])
        if key in seen:
            yield f"{' '.join(map(str, key))} must be there once"
        seen.add(key)
        for start, end in _ORDERED:
            if row.get(start) and row.get(end) and row[start] >= row[end]:
                yield f"{start} must be before {end}"


def _detail_faults(rows: Sequence[Row], details: Sequence[Row]) -> Iterator[str]:
    """An invoice's lines are what its rows come to: nothing lacks, nothing is too much."""
    by_id = {detail["InvoiceDetailId"]: detail for detail in details}
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        detail = row.get("InvoiceDetailId")
        if detail is None:
            continue
        sums[detail] += row["BilledCost"] or 0
        line = by_id.get(detail)
        if line is None:
            yield f"InvoiceDetailId {detail} must be in InvoiceDetail"
            continue
        yield from (
            f"{name} of {detail} must be {line[name]} as in InvoiceDetail, found {row[name]}"
            for name in _AGREED
            if row[name] != line[name]
        )
    for name, line in by_id.items():
        if line["BilledCost"] != sums[name]:
            yield f"BilledCost of {name} must be {sums[name]}, found {line['BilledCost']}"


def _period_faults(rows: Sequence[Row], periods: Sequence[Row]) -> Iterator[str]:
    known = {tuple(period[name] for name in _KEYS["BillingPeriod"]) for period in periods}
    used = {tuple(row[name] for name in _KEYS["BillingPeriod"]) for row in rows}
    for issuer, start, _ in sorted(used - known, key=str):
        yield f"the billing period of {issuer} from {start} must be in BillingPeriod"


def _contract_faults(rows: Sequence[Row], commitments: Sequence[Row]) -> Iterator[str]:
    known = {row["ContractCommitmentId"] for row in commitments}
    applied = {
        element.get("ContractCommitmentId")
        for row in rows
        for element in (row.get("ContractApplied") or {}).get("Elements", ())
    }
    for commitment in sorted(applied - known, key=str):
        yield f"ContractCommitmentId {commitment} must be in ContractCommitment"
