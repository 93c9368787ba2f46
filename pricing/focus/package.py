"""A month in the data sets of FOCUS 1.4: four files, their metadata and their checksums."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from metering.period import Period
from pricing.bills.export import dataset_csv, focus_csv, sorted_rows
from pricing.contracts.contract import Contract
from pricing.focus.bundle import COST_AND_USAGE, bundle_faults
from pricing.focus.columns import columns_of
from pricing.focus.datasets import DATASETS
from pricing.focus.metadata import Made, metadata
from pricing.focus.sets import (
    Invoice,
    billing_periods,
    contract_commitments,
    invoice_details,
)
from pricing.prices.book import PriceBook

FILES: Mapping[str, str] = {
    COST_AND_USAGE: "cost_and_usage.csv",
    "BillingPeriod": "billing_period.csv",
    "InvoiceDetail": "invoice_detail.csv",
    "ContractCommitment": "contract_commitment.csv",
}
"""Data set -> its file."""


@dataclass(frozen=True, slots=True)
class Package:
    """What is told of a month: bills with all their rows, and the contracts of their accounts."""

    month: Period
    name: str
    """As in 202610."""
    invoices: Sequence[Invoice]
    contracts: Sequence[Contract]
    book: PriceBook

    @property
    def blocked(self) -> list[str]:
        """Return the bills that lack usage nobody can price yet."""
        return [one.bill.id for one in self.invoices if one.bill.blockers]

    @property
    def complete_until(self) -> datetime | None:
        """Return up to when usage is on all of the bills."""
        return min((one.bill.cutoffs.service_to for one in self.invoices), default=None)


def package_files(package: Package) -> dict[str, bytes]:
    """Return the files by name: the same bills give the same bytes.

    Raises:
        BadPackageError: the files break the specification. They are not handed out.
    """
    invoices = package.invoices
    as_of = max((one.as_of for one in invoices), default=package.month.start)
    issuer = package.book.provider
    texts = {
        COST_AND_USAGE: focus_csv(
            sorted_rows(row for one in invoices for row in one.bill.rows), "1.4"
        )
    }
    sets = {
        "BillingPeriod": billing_periods(invoices, issuer),
        "InvoiceDetail": invoice_details(invoices),
        "ContractCommitment": contract_commitments(package.contracts, package.book, as_of),
    }
    texts |= {name: dataset_csv(rows, DATASETS[name]) for name, rows in sets.items()}
    faults = bundle_faults({name: io.StringIO(text, newline="") for name, text in texts.items()})
    if faults:
        raise BadPackageError(faults)
    made = Made(issuer, package.month, package.name, as_of, not any(i.is_open for i in invoices))
    files = {FILES[name]: text.encode() for name, text in texts.items()}
    columns = {COST_AND_USAGE: columns_of("1.4"), **DATASETS}
    files["metadata.json"] = metadata(made, columns).encode()
    sums = (f"{sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    return files | {"SHA256SUMS": "".join(sums).encode()}


class BadPackageError(RuntimeError):
    """Data sets that break FOCUS, or one another."""

    def __init__(self, found: Sequence[str]) -> None:
        super().__init__(
            f"all data sets must obey FOCUS, found {len(found)} faults, the first: {found[0]}"
        )
