"""The columns of the data sets that 1.4 has beside Cost and Usage.

Source: FinOps Open Cost and Usage Specification 1.4, https://focus.finops.org/
"""

from collections.abc import Mapping

from pricing.focus.column import Ability, Column, Form, Level, Type
from pricing.focus.columns import CHARGE_CATEGORIES, NULL, SET


def _any(*values: str) -> frozenset[str]:
    return frozenset(values)


BILLING_PERIOD: tuple[Column, ...] = (
    Column("BillingPeriodCreated", Type.INSTANT, SET, Level.MANDATORY, "1.4"),
    Column("BillingPeriodEnd", Type.INSTANT, SET, Level.MANDATORY, "1.4"),
    Column("BillingPeriodLastUpdated", Type.INSTANT, SET, Level.MANDATORY, "1.4"),
    Column("BillingPeriodStart", Type.INSTANT, SET, Level.MANDATORY, "1.4"),
    Column(
        "BillingPeriodStatus",
        Type.TEXT,
        SET,
        Level.MANDATORY,
        "1.4",
        allowed=_any("Open", "Closed"),
    ),
    Column("InvoiceIssuerName", Type.TEXT, SET, Level.MANDATORY, "1.4"),
)

INVOICE_DETAIL: tuple[Column, ...] = (
    Column("BilledCost", Type.NUMBER, SET, Level.MANDATORY, "1.4"),
    Column("BillingAccountId", Type.TEXT, SET, Level.MANDATORY, "1.4"),
    Column("BillingCurrency", Type.TEXT, SET, Level.MANDATORY, "1.4", form=Form.CURRENCY),
    Column("BillingPeriodEnd", Type.INSTANT, SET, Level.MANDATORY, "1.4"),
    Column("BillingPeriodStart", Type.INSTANT, SET, Level.MANDATORY, "1.4"),
    Column("ChargeCategory", Type.TEXT, SET, Level.MANDATORY, "1.4", allowed=CHARGE_CATEGORIES),
    Column("InvoiceDetailCreated", Type.INSTANT, SET, Level.MANDATORY, "1.4"),
    Column("InvoiceDetailDescription", Type.TEXT, NULL, Level.MANDATORY, "1.4"),
    Column("InvoiceDetailGrain", Type.JSON, NULL, Level.MANDATORY, "1.4", form=Form.GRAIN),
    Column("InvoiceDetailId", Type.TEXT, SET, Level.MANDATORY, "1.4"),
    Column("InvoiceDetailLastUpdated", Type.INSTANT, SET, Level.MANDATORY, "1.4"),
    Column("InvoiceId", Type.TEXT, SET, Level.MANDATORY, "1.4"),
    Column("InvoiceIssueDate", Type.INSTANT, NULL, Level.MANDATORY, "1.4"),
    Column(
        "InvoiceIssueStatus",
        Type.TEXT,
        SET,
        Level.MANDATORY,
        "1.4",
        allowed=_any("Open", "Issued", "Voided"),
    ),
    Column("InvoiceIssuerName", Type.TEXT, SET, Level.MANDATORY, "1.4"),
    Column(
        "PaymentCurrency",
        Type.TEXT,
        SET,
        Level.CONDITIONAL,
        "1.4",
        form=Form.CURRENCY,
        ability=Ability.PAYMENT_CURRENCY,
    ),
    Column(
        "PaymentCurrencyBilledCost",
        Type.NUMBER,
        SET,
        Level.CONDITIONAL,
        "1.4",
        ability=Ability.PAYMENT_CURRENCY,
    ),
    Column(
        "PaymentCurrencyInvoiceDetailId",
        Type.TEXT,
        SET,
        Level.CONDITIONAL,
        "1.4",
        ability=Ability.PAYMENT_GRAIN,
    ),
    Column("PaymentDueDate", Type.INSTANT, NULL, Level.MANDATORY, "1.4"),
    Column("PaymentTerms", Type.TEXT, SET, Level.MANDATORY, "1.4"),
    Column(
        "PurchaseOrderNumber",
        Type.TEXT,
        NULL,
        Level.CONDITIONAL,
        "1.4",
        ability=Ability.PURCHASE_ORDERS,
    ),
    Column("ReferenceInvoiceId", Type.TEXT, SET, Level.MANDATORY, "1.4"),
)

CONTRACT_COMMITMENT: tuple[Column, ...] = (
    Column("BillingCurrency", Type.TEXT, NULL, Level.MANDATORY, "1.3", form=Form.CURRENCY),
    Column(
        "ContractCommitmentApplicability",
        Type.JSON,
        SET,
        Level.MANDATORY,
        "1.4",
        form=Form.APPLICABILITY,
    ),
    Column(
        "ContractCommitmentBenefitCategory",
        Type.TEXT,
        SET,
        Level.MANDATORY,
        "1.4",
        allowed=_any("Discount", "Entitlement", "Availability", "Other"),
    ),
    Column(
        "ContractCommitmentCategory",
        Type.TEXT,
        SET,
        Level.MANDATORY,
        "1.3",
        allowed=_any("Spend", "Usage"),
    ),
    Column("ContractCommitmentCost", Type.NUMBER, NULL, Level.MANDATORY, "1.3"),
    Column("ContractCommitmentCreated", Type.INSTANT, SET, Level.MANDATORY, "1.4"),
    Column("ContractCommitmentDescription", Type.TEXT, NULL, Level.MANDATORY, "1.3"),
    Column(
        "ContractCommitmentDiscountPercentage",
        Type.NUMBER,
        NULL,
        Level.MANDATORY,
        "1.4",
        form=Form.SHARE,
    ),
    Column("ContractCommitmentDurationType", Type.TEXT, SET, Level.MANDATORY, "1.4"),
    Column(
        "ContractCommitmentFulfillmentInterval",
        Type.TEXT,
        SET,
        Level.MANDATORY,
        "1.4",
        allowed=_any(
            "Hourly",
            "Daily",
            "Weekly",
            "Monthly",
            "Quarterly",
            "Semi-Annual",
            "Annual",
            "Full Period",
            "Transactional",
            "Custom",
        ),
    ),
    Column("ContractCommitmentId", Type.TEXT, SET, Level.MANDATORY, "1.3"),
    Column("ContractCommitmentLastUpdated", Type.INSTANT, SET, Level.MANDATORY, "1.4"),
    Column(
        "ContractCommitmentLifecycleStatus",
        Type.TEXT,
        SET,
        Level.MANDATORY,
        "1.4",
        allowed=_any(
            "Proposed", "Pending", "Active", "Exhausted", "Expired", "Canceled", "Superseded"
        ),
    ),
    Column(
        "ContractCommitmentModel",
        Type.TEXT,
        SET,
        Level.MANDATORY,
        "1.4",
        allowed=_any("Continuous", "Discontinuous"),
    ),
    Column(
        "ContractCommitmentOfferCategory",
        Type.TEXT,
        SET,
        Level.MANDATORY,
        "1.4",
        allowed=_any("Negotiated", "Public"),
    ),
    Column(
        "ContractCommitmentPaymentInterval",
        Type.TEXT,
        SET,
        Level.MANDATORY,
        "1.4",
        allowed=_any("One-Time", "Monthly", "Quarterly", "Semi-Annual", "Annual", "Custom"),
    ),
    Column(
        "ContractCommitmentPaymentModel",
        Type.TEXT,
        SET,
        Level.MANDATORY,
        "1.4",
        allowed=_any("No Upfront", "Partial Upfront", "All Upfront"),
    ),
    Column(
        "ContractCommitmentPaymentUpfrontPercentage",
        Type.NUMBER,
        SET,
        Level.CONDITIONAL,
        "1.4",
        form=Form.SHARE,
        ability=Ability.PARTIAL_UPFRONT,
    ),
    Column("ContractCommitmentPeriodEnd", Type.INSTANT, SET, Level.MANDATORY, "1.3"),
    Column("ContractCommitmentPeriodStart", Type.INSTANT, SET, Level.MANDATORY, "1.3"),
    Column("ContractCommitmentQuantity", Type.NUMBER, NULL, Level.MANDATORY, "1.3"),
    Column("ContractCommitmentType", Type.TEXT, SET, Level.MANDATORY, "1.3"),
    Column("ContractCommitmentUnit", Type.TEXT, NULL, Level.MANDATORY, "1.3", form=Form.UNIT),
    Column("ContractId", Type.TEXT, SET, Level.MANDATORY, "1.3"),
    Column("ContractPeriodEnd", Type.INSTANT, SET, Level.MANDATORY, "1.3"),
    Column("ContractPeriodStart", Type.INSTANT, SET, Level.MANDATORY, "1.3"),
    Column("InvoiceIssuerName", Type.TEXT, SET, Level.MANDATORY, "1.4"),
    Column(
        "PricingCurrency",
        Type.TEXT,
        SET,
        Level.CONDITIONAL,
        "1.4",
        form=Form.ANY_CURRENCY,
        ability=Ability.PRICING_CURRENCY,
    ),
    Column(
        "PricingCurrencyContractCommitmentCost",
        Type.NUMBER,
        NULL,
        Level.CONDITIONAL,
        "1.4",
        ability=Ability.PRICING_CURRENCY,
    ),
    Column("ServiceProviderName", Type.TEXT, SET, Level.MANDATORY, "1.4"),
)
DATASETS: Mapping[str, tuple[Column, ...]] = {
    "BillingPeriod": BILLING_PERIOD,
    "InvoiceDetail": INVOICE_DETAIL,
    "ContractCommitment": CONTRACT_COMMITMENT,
}
"""Data set -> its columns, in order."""
