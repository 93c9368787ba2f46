"""What rows of the data sets beside Cost and Usage must obey, each seen alone.

Source: FinOps Open Cost and Usage Specification 1.4, https://focus.finops.org/
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal

from pricing.focus.column import Row

Found = Iterator[str]

_ORDERED = (
    ("BillingPeriodStart", "BillingPeriodEnd"),
    ("ContractPeriodStart", "ContractPeriodEnd"),
    ("ContractCommitmentPeriodStart", "ContractCommitmentPeriodEnd"),
)
_NOT_AFTER = (
    ("BillingPeriodCreated", "BillingPeriodLastUpdated"),
    ("InvoiceDetailCreated", "InvoiceDetailLastUpdated"),
    ("ContractCommitmentCreated", "ContractCommitmentLastUpdated"),
    ("InvoiceIssueDate", "PaymentDueDate"),
    ("ContractPeriodStart", "ContractCommitmentPeriodStart"),
    ("ContractCommitmentPeriodEnd", "ContractPeriodEnd"),
)
_ONE_CURRENCY: Mapping[str, tuple[tuple[str, str], ...]] = {
    "PaymentCurrency": (("PaymentCurrencyBilledCost", "BilledCost"),),
    "PricingCurrency": (("PricingCurrencyContractCommitmentCost", "ContractCommitmentCost"),),
}
"""Currency column -> what is the same where it is the billing currency."""
_UPFRONT: Mapping[str, Callable[[Decimal], bool]] = {
    "All Upfront": lambda share: share == 1,
    "No Upfront": lambda share: share == 0,
    "Partial Upfront": lambda share: 0 < share < 1,
}


def set_faults(row: Row) -> Found:
    """Yield what a row breaks whose single cells are right."""
    for start, end in _ORDERED:
        if _are_set(row, start, end) and row[start] >= row[end]:
            yield f"{start} must be before {end}"
    for first, then in _NOT_AFTER:
        if _are_set(row, first, then) and row[first] > row[then]:
            yield f"{then} must not be before {first}"
    for currency, pairs in _ONE_CURRENCY.items():
        for one, other in pairs:
            if _is_of_one_currency(row, currency, one) and row[one] != row.get(other):
                yield f"{one} must be {other} where both currencies are {row[currency]}"
    yield from _issue_faults(row)
    yield from _commitment_faults(row)


def _are_set(row: Row, *names: str) -> bool:
    return all(row.get(name) is not None for name in names)


def _is_of_one_currency(row: Row, currency: str, name: str) -> bool:
    return _are_set(row, currency, name) and row[currency] == row.get("BillingCurrency")


def _issue_faults(row: Row) -> Found:
    is_issued = row.get("InvoiceIssueStatus") == "Issued"
    if is_issued and "InvoiceIssueDate" in row and row["InvoiceIssueDate"] is None:
        yield "InvoiceIssueDate must be set where an invoice is issued"
    if row.get("InvoiceIssueStatus") == "Open" and row.get("InvoiceIssueDate") is not None:
        yield "InvoiceIssueDate must be null where an invoice is open"


def _commitment_faults(row: Row) -> Found:
    share = row.get("ContractCommitmentPaymentUpfrontPercentage")
    model = row.get("ContractCommitmentPaymentModel") or ""
    if share is not None and model in _UPFRONT and not _UPFRONT[model](share):
        yield f"ContractCommitmentPaymentUpfrontPercentage must fit {model}, found {share}"
    quantity, unit = (row.get(f"ContractCommitment{name}") for name in ("Quantity", "Unit"))
    if (quantity is None) != (unit is None):
        yield "ContractCommitmentQuantity and ContractCommitmentUnit must both be set or both null"
    what = row.get("ContractCommitmentCategory")
    if what == "Usage" and quantity is None:
        yield "ContractCommitmentQuantity must be set where the commitment is to usage"
    cost = row.get("ContractCommitmentCost")
    if what == "Spend" and "ContractCommitmentCost" in row and cost is None:
        yield "ContractCommitmentCost must be set where the commitment is to spend"
    if cost is not None and "BillingCurrency" in row and row["BillingCurrency"] is None:
        yield "BillingCurrency must be set where ContractCommitmentCost is"
