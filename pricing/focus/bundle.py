"""Check files: one of Cost and Usage, or the four data sets of 1.4 against each other."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, localcontext

from pricing.focus.across import Numbered, faults_across
from pricing.focus.check import Checker, cell_faults, checker
from pricing.focus.column import Column, Row
from pricing.focus.columns import checked_columns
from pricing.focus.datasets import DATASETS
from pricing.focus.json_form import is_contract_applied
from pricing.focus.read import Table, read_table
from pricing.focus.row_rules import EXACT
from pricing.focus.set_rules import set_faults

COST_AND_USAGE = "CostAndUsage"
_KEYS: Mapping[str, tuple[str, ...]] = {
    "BillingPeriod": ("InvoiceIssuerName", "BillingPeriodStart", "BillingPeriodEnd"),
    "InvoiceDetail": ("InvoiceDetailId",),
    "ContractCommitment": ("ContractCommitmentId",),
}
"""Data set -> what no two of its rows share."""
_AGREED = (
    "InvoiceId", "ChargeCategory", "BillingAccountId", "BillingCurrency", "InvoiceIssuerName",
    "BillingPeriodStart", "BillingPeriodEnd",
)  # fmt: skip
"""What a line of an invoice and the rows on it say alike."""
_OF_AN_INVOICE = (
    "BillingAccountId", "BillingCurrency", "BillingPeriodStart", "BillingPeriodEnd",
    "InvoiceIssueDate", "InvoiceIssueStatus", "InvoiceIssuerName", "PaymentCurrency",
    "PaymentDueDate", "PaymentTerms", "ReferenceInvoiceId",
)  # fmt: skip
"""What all lines of an invoice say alike."""


@dataclass(slots=True)
class _Read:
    """Rows of a file with their lines, and what they break."""

    rows: list[tuple[int, Row]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def file_faults(lines: Iterable[str], version: str = "1.2") -> list[str]:
    """Return what a Cost and Usage CSV breaks, each with its line; an empty list for a good one.

    Raises:
        FocusVersionError: it is not a version that can be checked.
    """
    read = _cost_and_usage(lines, version)
    return read.faults + faults_across(read.rows)


def table_faults(table: Table, version: str) -> list[str]:
    """Return what rows of Cost and Usage break that were read from anywhere."""
    read = _held_to(table, checker(version, table.columns))
    return read.faults + faults_across(read.rows)


def bundle_faults(files: Mapping[str, Iterable[str]]) -> list[str]:
    """Return what the data sets of 1.4 break, by data set name; those not given count as empty."""
    costs = _cost_and_usage(files.get(COST_AND_USAGE, ()), "1.4")
    found = costs.faults + faults_across(costs.rows)
    sets: dict[str, list[Row]] = {}
    for name, columns in DATASETS.items():
        read = _data_set(files.get(name, ()), columns)
        found += [f"{name} {fault}" for fault in (*read.faults, *_key_faults(name, read.rows))]
        sets[name] = [row for _, row in read.rows]
    rows, details = [row for _, row in costs.rows], sets["InvoiceDetail"]
    with localcontext(EXACT):
        found += _detail_faults(costs.rows, details)
    found += _invoice_faults(details)
    found += _period_faults([*rows, *details], sets["BillingPeriod"])
    found += _closed_faults(costs.rows, details, sets["BillingPeriod"])
    return found + list(_contract_faults(costs.rows, sets["ContractCommitment"]))


def _cost_and_usage(lines: Iterable[str], version: str) -> _Read:
    table = read_table(lines, checked_columns(version))
    return _held_to(table, checker(version, table.columns))


def _held_to(table: Table, by: Checker) -> _Read:
    read = _Read(faults=list(table.faults))
    for number, row, broken in table.rows:
        read.faults += [f"line {number}: {fault}" for fault in broken or by.faults(row)]
        read.rows.append((number, row))
    return read


def _data_set(lines: Iterable[str], columns: Sequence[Column]) -> _Read:
    table = read_table(lines, columns)
    read = _Read(faults=list(table.faults))
    for number, row, broken in table.rows:
        wrong = broken or list(cell_faults(row, table.columns)) or set_faults(row)
        read.faults += [f"line {number}: {fault}" for fault in wrong]
        read.rows.append((number, row))
    return read


def _key_faults(name: str, rows: Numbered) -> Iterator[str]:
    seen: set[tuple[object, ...]] = set()
    for _, row in rows:
        key = tuple(row.get(column) for column in _KEYS[name])
        if key in seen:
            yield f"{' '.join(map(str, key))} must be there once"
        seen.add(key)


def _detail_faults(rows: Numbered, details: Sequence[Row]) -> Iterator[str]:
    """An invoice's lines are what its rows come to: nothing lacks, nothing is too much."""
    by_id = {detail.get("InvoiceDetailId"): detail for detail in details}
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for number, row in rows:
        detail = row.get("InvoiceDetailId")
        if detail is None:
            continue
        sums[detail] += row.get("BilledCost") or 0
        line = by_id.get(detail)
        if line is None:
            yield f"line {number}: InvoiceDetailId {detail} must be in InvoiceDetail"
            continue
        yield from (
            f"line {number}: {name} of {detail} must be {wanted} as in InvoiceDetail, found {found}"
            for name, wanted, found in _told_otherwise(row, line)
        )
    for name, line in by_id.items():
        if name is not None and line.get("BilledCost") != sums[name]:
            found = line.get("BilledCost")
            yield f"InvoiceDetail: BilledCost of {name} must be {sums[name]}, found {found}"


def _told_otherwise(row: Row, line: Row) -> Iterator[tuple[str, object, object]]:
    """Yield what a row and its line of an invoice do not say alike, nor its grain."""
    wanted = {name: line.get(name) for name in _AGREED} | dict(line.get("InvoiceDetailGrain") or {})
    for name, value in wanted.items():
        if name in row and row[name] != value:
            yield name, value, row[name]


def _invoice_faults(details: Sequence[Row]) -> Iterator[str]:
    """The lines of an invoice were issued together, to one account, in one currency."""
    for name in _OF_AN_INVOICE:
        said: dict[str, Counter[object]] = defaultdict(Counter)
        for line in details:
            if line.get("InvoiceId") is not None and name in line:
                said[line["InvoiceId"]][line[name]] += 1
        for invoice, told in said.items():
            if len(told) > 1:
                (wanted, _), (found, _), *_ = told.most_common()
                yield (f"InvoiceDetail: {invoice} must have one {name}, found {wanted} and {found}")


def _period_key(row: Row) -> tuple[object, ...]:
    return tuple(row.get(name) for name in _KEYS["BillingPeriod"])


def _period_faults(rows: Sequence[Row], periods: Sequence[Row]) -> Iterator[str]:
    known = {_period_key(period) for period in periods}
    used = {_period_key(row) for row in rows}
    for issuer, start, _ in sorted(used - known, key=str):
        yield f"the billing period of {issuer} from {start} must be in BillingPeriod"


def _closed_faults(rows: Numbered, details: Sequence[Row], periods: Sequence[Row]) -> Iterator[str]:
    """In a closed period every cost is on an invoice, and none of those is open."""
    closed = {_period_key(p) for p in periods if p.get("BillingPeriodStatus") == "Closed"}
    for number, row in rows:
        if row.get("BilledCost") and row.get("InvoiceId") is None and _period_key(row) in closed:
            yield f"line {number}: InvoiceId must be set in a billing period that is closed"
    is_open = {d["InvoiceId"] for d in details if d.get("InvoiceIssueStatus") == "Open"
               and d.get("InvoiceId") and _period_key(d) in closed}  # fmt: skip
    for invoice in sorted(is_open):
        yield f"InvoiceDetail: {invoice} must not be Open in a billing period that is closed"


def _contract_faults(rows: Numbered, commitments: Sequence[Row]) -> Iterator[str]:
    """What is applied is a commitment of the data set, of the contract that is told."""
    known = {row.get("ContractCommitmentId"): row for row in commitments}
    for number, row in rows:
        applied = row.get("ContractApplied") or {}
        if not applied and "ContractApplied" in row and row.get("CommitmentDiscountId") in known:
            yield f"line {number}: ContractApplied must be set where a commitment is"
        for element in applied["Elements"] if is_contract_applied(applied) else ():
            where, name = f"line {number}:", element["ContractCommitmentId"]
            commitment = known.get(name)
            if commitment is None:
                yield f"{where} ContractCommitmentId {name} must be in ContractCommitment"
                continue
            for column, cell in (
                ("ContractId", "ContractId"),
                ("ContractCommitmentUnit", "ContractCommitmentAppliedUnit"),
            ):
                wanted, found = commitment.get(column), element.get(cell)
                if None not in (wanted, found) and wanted != found:
                    yield f"{where} {cell} of {name} must be {wanted}, found {found}"
