"""The data sets of 1.4 beside Cost and Usage: billing periods, lines of invoices, commitments.

Bills and contracts -> rows; the same bills give the same rows, whenever they are written.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from pricing.bills.bill import Bill, State
from pricing.contracts.contract import Contract
from pricing.contracts.schemes import KvCache, Prepaid
from pricing.focus.column import Row
from pricing.focus.version import GRAIN, as_version
from pricing.prices.book import PriceBook

_STATUS: Mapping[State, str] = {
    State.ISSUED: "Issued",
    State.SETTLED: "Issued",
    State.VOID: "Voided",
}
_TERMS = "As agreed"
"""When a bill is to be paid is agreed on elsewhere."""


@dataclass(frozen=True, slots=True)
class Invoice:
    """A bill, and when it was issued."""

    bill: Bill
    issued_at: datetime | None = None
    reference: str = ""
    """Of a credit note, the number of the bill that it corrects."""

    @property
    def is_open(self) -> bool:
        """Whether it may still change."""
        return self.bill.state not in _STATUS

    @property
    def as_of(self) -> datetime:
        """The instant up to which it says everything."""
        return self.issued_at or self.bill.cutoffs.service_to


def billing_periods(invoices: Sequence[Invoice], issuer: str) -> list[Row]:
    """Return a row a period; it is open as long as one of its bills is."""
    months = sorted({one.bill.month for one in invoices}, key=lambda m: (m.start, m.end))
    found: list[Row] = []
    for month in months:
        own = [one for one in invoices if one.bill.month == month]
        found.append(
            {
                "BillingPeriodCreated": month.start,
                "BillingPeriodEnd": month.end,
                "BillingPeriodLastUpdated": max(one.as_of for one in own),
                "BillingPeriodStart": month.start,
                "BillingPeriodStatus": "Open" if any(one.is_open for one in own) else "Closed",
                "InvoiceIssuerName": issuer,
            }
        )
    return found


def invoice_details(invoices: Iterable[Invoice]) -> list[Row]:
    """Return the lines of invoices: rows of one grain added up, zeros left out."""
    return [line for one in invoices for line in _lines(one)]


def contract_commitments(
    contracts: Iterable[Contract], book: PriceBook, as_of: datetime
) -> list[Row]:
    """Return a row for each subscription that began before an instant."""
    return [
        _commitment(contract, contract.scheme, book, as_of)
        for contract in sorted(contracts, key=lambda c: c.id)
        if isinstance(contract.scheme, Prepaid) and contract.period.start < as_of
    ]


def _lines(invoice: Invoice) -> Iterator[Row]:
    found: dict[str, dict[str, Any]] = {}
    for kept in invoice.bill.rows:
        row = as_version(kept, "1.4")
        name = row["InvoiceDetailId"]
        if name is None:
            continue
        line = found.setdefault(name, _line(row, invoice))
        line["BilledCost"] += row["BilledCost"]
    for name in sorted(found):
        line = found[name]
        yield line | {"PaymentCurrencyBilledCost": line["BilledCost"]}


def _line(row: Row, invoice: Invoice) -> dict[str, Any]:
    return {
        "BilledCost": Decimal(0),
        "BillingAccountId": row["BillingAccountId"],
        "BillingCurrency": row["BillingCurrency"],
        "BillingPeriodEnd": row["BillingPeriodEnd"],
        "BillingPeriodStart": row["BillingPeriodStart"],
        "ChargeCategory": row["ChargeCategory"],
        "InvoiceDetailCreated": invoice.as_of,
        "InvoiceDetailDescription": row["SkuMeter"] or row["ChargeCategory"],
        "InvoiceDetailGrain": {name: row[name] for name in GRAIN[1:] if row[name]} or None,
        "InvoiceDetailId": row["InvoiceDetailId"],
        "InvoiceDetailLastUpdated": invoice.as_of,
        "InvoiceId": row["InvoiceId"],
        "InvoiceIssueDate": invoice.issued_at,
        "InvoiceIssueStatus": _STATUS.get(invoice.bill.state, "Open"),
        "InvoiceIssuerName": row["InvoiceIssuerName"],
        "PaymentCurrency": row["BillingCurrency"],
        "PaymentCurrencyBilledCost": Decimal(0),
        "PaymentCurrencyInvoiceDetailId": row["InvoiceDetailId"],
        "PaymentDueDate": None,
        "PaymentTerms": _TERMS,
        "PurchaseOrderNumber": None,
        "ReferenceInvoiceId": invoice.reference or row["InvoiceId"],
    }


def _commitment(contract: Contract, scheme: Prepaid, book: PriceBook, as_of: datetime) -> Row:
    term, is_public = contract.prepaid_period, scheme.discount == book.factor(scheme.months)
    what = f"{scheme.gb} GB KV-cache" if isinstance(scheme, KvCache) else f"{scheme.spec} GPU node"
    months = f"{scheme.months} Month{'s' if scheme.months > 1 else ''}"
    return {
        "BillingCurrency": book.currency,
        "ContractCommitmentApplicability": {
            "InclusionOperator": "And",
            "Inclusions": [
                {"Dimension": "ResourceId", "Operator": "In", "Values": [contract.resource]}
            ],
        },
        "ContractCommitmentBenefitCategory": "Discount",
        "ContractCommitmentCategory": "Usage",
        "ContractCommitmentCost": None,
        "ContractCommitmentCreated": contract.period.start,
        "ContractCommitmentDescription": f"{what}, subscription of {months.lower()}",
        "ContractCommitmentDiscountPercentage": None,
        "ContractCommitmentDurationType": months,
        "ContractCommitmentFulfillmentInterval": "Hourly",
        "ContractCommitmentId": contract.id,
        "ContractCommitmentLastUpdated": min(as_of, contract.period.end),
        "ContractCommitmentLifecycleStatus": _lifecycle(contract, as_of),
        "ContractCommitmentModel": "Continuous",
        "ContractCommitmentOfferCategory": "Public" if is_public else "Negotiated",
        "ContractCommitmentPaymentInterval": "One-Time",
        "ContractCommitmentPaymentModel": "All Upfront",
        "ContractCommitmentPaymentUpfrontPercentage": Decimal(1),
        "ContractCommitmentPeriodEnd": term.end,
        "ContractCommitmentPeriodStart": term.start,
        "ContractCommitmentQuantity": Decimal(term.seconds * contract.quantity) / 3600,
        "ContractCommitmentType": "Subscription",
        "ContractCommitmentUnit": "Hours",
        "ContractId": contract.id,
        "ContractPeriodEnd": term.end,
        "ContractPeriodStart": term.start,
        "InvoiceIssuerName": book.provider,
        "PricingCurrency": book.currency,
        "PricingCurrencyContractCommitmentCost": None,
        "ServiceProviderName": book.provider,
    }


def _lifecycle(contract: Contract, as_of: datetime) -> str:
    if as_of < contract.period.end:
        return "Active"
    return "Superseded" if contract.paid_until else "Expired"
