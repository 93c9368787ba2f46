"""The columns of Cost and Usage, 1.2 to 1.4: header, order, types and checks come from here.

Source: FinOps Open Cost and Usage Specification, https://focus.finops.org/focus-specification/
"""

from collections.abc import Mapping, Sequence

from pricing.focus.column import Ability, Column, Form, Level, Type
from pricing.focus.services import SERVICE_CATEGORIES, SERVICE_SUBCATEGORIES

NULL, SET = True, False
"""Whether a cell may be empty."""

CHARGE_CATEGORIES = frozenset({"Usage", "Purchase", "Tax", "Credit", "Adjustment"})


def _any(*values: str) -> frozenset[str]:
    return frozenset(values)


COST_AND_USAGE: tuple[Column, ...] = (
    Column(
        "AllocatedMethodDetails",
        Type.JSON,
        NULL,
        Level.RECOMMENDED,
        "1.3",
        ability=Ability.SPLIT_COST,
        form=Form.ALLOCATION,
    ),
    Column(
        "AllocatedMethodId", Type.TEXT, NULL, Level.CONDITIONAL, "1.3", ability=Ability.SPLIT_COST
    ),
    Column(
        "AllocatedResourceId", Type.TEXT, NULL, Level.CONDITIONAL, "1.3", ability=Ability.SPLIT_COST
    ),
    Column(
        "AllocatedResourceName",
        Type.TEXT,
        NULL,
        Level.CONDITIONAL,
        "1.3",
        ability=Ability.SPLIT_COST,
    ),
    Column(
        "AllocatedTags",
        Type.JSON,
        NULL,
        Level.CONDITIONAL,
        "1.3",
        form=Form.FLAT,
        ability=Ability.SPLIT_COST,
    ),
    Column("AvailabilityZone", Type.TEXT, NULL, Level.RECOMMENDED, "0.5", ability=Ability.ZONES),
    Column("BilledCost", Type.NUMBER, SET, Level.MANDATORY, "0.5"),
    Column("BillingAccountId", Type.TEXT, SET, Level.MANDATORY, "0.5"),
    Column("BillingAccountName", Type.TEXT, NULL, Level.MANDATORY, "0.5"),
    Column(
        "BillingAccountType",
        Type.TEXT,
        SET,
        Level.CONDITIONAL,
        "1.2",
        ability=Ability.ACCOUNT_TYPES,
    ),
    Column("BillingCurrency", Type.TEXT, SET, Level.MANDATORY, "0.5", form=Form.CURRENCY),
    Column("BillingPeriodEnd", Type.INSTANT, SET, Level.MANDATORY, "0.5"),
    Column("BillingPeriodStart", Type.INSTANT, SET, Level.MANDATORY, "0.5"),
    Column(
        "CapacityReservationId", Type.TEXT, NULL, Level.CONDITIONAL, "1.1", ability=Ability.CAPACITY
    ),
    Column(
        "CapacityReservationStatus",
        Type.TEXT,
        NULL,
        Level.CONDITIONAL,
        "1.1",
        allowed=_any("Used", "Unused"),
        ability=Ability.CAPACITY,
    ),
    Column("ChargeCategory", Type.TEXT, SET, Level.MANDATORY, "0.5", allowed=CHARGE_CATEGORIES),
    Column("ChargeClass", Type.TEXT, NULL, Level.MANDATORY, "1.0", allowed=_any("Correction")),
    Column("ChargeDescription", Type.TEXT, NULL, Level.MANDATORY, "1.0"),
    Column(
        "ChargeFrequency",
        Type.TEXT,
        SET,
        Level.RECOMMENDED,
        "1.0",
        allowed=_any("One-Time", "Recurring", "Usage-Based"),
    ),
    Column("ChargePeriodEnd", Type.INSTANT, SET, Level.MANDATORY, "0.5"),
    Column("ChargePeriodStart", Type.INSTANT, SET, Level.MANDATORY, "0.5"),
    Column(
        "CommitmentDiscountCategory",
        Type.TEXT,
        NULL,
        Level.CONDITIONAL,
        "1.0",
        allowed=_any("Spend", "Usage"),
        ability=Ability.COMMITMENT_DISCOUNTS,
    ),
    Column(
        "CommitmentDiscountId",
        Type.TEXT,
        NULL,
        Level.CONDITIONAL,
        "1.0",
        ability=Ability.COMMITMENT_DISCOUNTS,
    ),
    Column(
        "CommitmentDiscountName",
        Type.TEXT,
        NULL,
        Level.CONDITIONAL,
        "1.0",
        ability=Ability.COMMITMENT_DISCOUNTS,
    ),
    Column(
        "CommitmentDiscountQuantity",
        Type.NUMBER,
        NULL,
        Level.CONDITIONAL,
        "1.1",
        ability=Ability.COMMITMENT_DISCOUNTS,
    ),
    Column(
        "CommitmentDiscountStatus",
        Type.TEXT,
        NULL,
        Level.CONDITIONAL,
        "1.0",
        allowed=_any("Used", "Unused"),
        ability=Ability.COMMITMENT_DISCOUNTS,
    ),
    Column(
        "CommitmentDiscountType",
        Type.TEXT,
        NULL,
        Level.CONDITIONAL,
        "1.0",
        ability=Ability.COMMITMENT_DISCOUNTS,
    ),
    Column(
        "CommitmentDiscountUnit",
        Type.TEXT,
        NULL,
        Level.CONDITIONAL,
        "1.1",
        form=Form.UNIT,
        ability=Ability.COMMITMENT_DISCOUNTS,
    ),
    Column(
        "CommitmentProgramEligibilityDetails",
        Type.JSON,
        NULL,
        Level.CONDITIONAL,
        "1.4",
        ability=Ability.COMMITMENT_PROGRAMS,
        form=Form.PROGRAMS,
    ),
    Column(
        "ConsumedQuantity",
        Type.NUMBER,
        NULL,
        Level.CONDITIONAL,
        "1.0",
        ability=Ability.MEASURED_USAGE,
    ),
    Column(
        "ConsumedUnit",
        Type.TEXT,
        NULL,
        Level.CONDITIONAL,
        "1.0",
        form=Form.UNIT,
        ability=Ability.MEASURED_USAGE,
    ),
    Column(
        "ContractApplied",
        Type.JSON,
        NULL,
        Level.CONDITIONAL,
        "1.3",
        ability=Ability.CONTRACTS,
        form=Form.CONTRACT_APPLIED,
    ),
    Column("ContractedCost", Type.NUMBER, SET, Level.MANDATORY, "1.0"),
    Column(
        "ContractedUnitPrice",
        Type.NUMBER,
        NULL,
        Level.CONDITIONAL,
        "1.0",
        form=Form.NOT_NEGATIVE,
        ability=Ability.NEGOTIATED_PRICES,
    ),
    Column("EffectiveCost", Type.NUMBER, SET, Level.MANDATORY, "0.5"),
    Column("HostProviderName", Type.TEXT, NULL, Level.MANDATORY, "1.3"),
    Column("InvoiceDetailId", Type.TEXT, NULL, Level.CONDITIONAL, "1.4", ability=Ability.INVOICES),
    Column("InvoiceId", Type.TEXT, NULL, Level.CONDITIONAL, "1.2", ability=Ability.INVOICES),
    Column("InvoiceIssuerName", Type.TEXT, SET, Level.MANDATORY, "0.5"),
    Column("ListCost", Type.NUMBER, SET, Level.MANDATORY, "1.0"),
    Column(
        "ListUnitPrice",
        Type.NUMBER,
        NULL,
        Level.CONDITIONAL,
        "1.0",
        form=Form.NOT_NEGATIVE,
        ability=Ability.LIST_PRICES,
    ),
    Column(
        "PricingCategory",
        Type.TEXT,
        NULL,
        Level.CONDITIONAL,
        "1.0",
        allowed=_any("Standard", "Dynamic", "Committed", "Other"),
        ability=Ability.PRICING_CATEGORIES,
    ),
    Column(
        "PricingCurrency",
        Type.TEXT,
        SET,
        Level.CONDITIONAL,
        "1.2",
        form=Form.ANY_CURRENCY,
        ability=Ability.PRICING_CURRENCY,
    ),
    Column(
        "PricingCurrencyContractedUnitPrice",
        Type.NUMBER,
        NULL,
        Level.CONDITIONAL,
        "1.2",
        form=Form.NOT_NEGATIVE,
        ability=Ability.VIRTUAL_CURRENCY,
    ),
    Column(
        "PricingCurrencyEffectiveCost",
        Type.NUMBER,
        SET,
        Level.CONDITIONAL,
        "1.2",
        ability=Ability.VIRTUAL_CURRENCY,
    ),
    Column(
        "PricingCurrencyListUnitPrice",
        Type.NUMBER,
        NULL,
        Level.CONDITIONAL,
        "1.2",
        form=Form.NOT_NEGATIVE,
        ability=Ability.VIRTUAL_CURRENCY,
    ),
    Column("PricingQuantity", Type.NUMBER, NULL, Level.MANDATORY, "1.0"),
    Column("PricingUnit", Type.TEXT, NULL, Level.MANDATORY, "1.0", form=Form.UNIT),
    Column("ProviderName", Type.TEXT, SET, Level.MANDATORY, "0.5", until="1.4"),
    Column("PublisherName", Type.TEXT, SET, Level.MANDATORY, "0.5", until="1.4"),
    Column("RegionId", Type.TEXT, NULL, Level.CONDITIONAL, "1.0", ability=Ability.REGIONS),
    Column("RegionName", Type.TEXT, NULL, Level.CONDITIONAL, "1.0", ability=Ability.REGIONS),
    Column("ResourceId", Type.TEXT, NULL, Level.CONDITIONAL, "0.5", ability=Ability.RESOURCES),
    Column("ResourceName", Type.TEXT, NULL, Level.CONDITIONAL, "0.5", ability=Ability.RESOURCES),
    Column("ResourceType", Type.TEXT, NULL, Level.CONDITIONAL, "1.0", ability=Ability.RESOURCES),
    Column("ServiceCategory", Type.TEXT, SET, Level.MANDATORY, "0.5", allowed=SERVICE_CATEGORIES),
    Column("ServiceName", Type.TEXT, SET, Level.MANDATORY, "0.5"),
    Column("ServiceProviderName", Type.TEXT, SET, Level.MANDATORY, "1.3"),
    Column(
        "ServiceSubcategory",
        Type.TEXT,
        SET,
        Level.RECOMMENDED,
        "1.1",
        allowed=SERVICE_SUBCATEGORIES,
    ),
    Column("SkuId", Type.TEXT, NULL, Level.CONDITIONAL, "1.0", ability=Ability.UNIT_PRICES),
    Column("SkuMeter", Type.TEXT, NULL, Level.CONDITIONAL, "1.1", ability=Ability.UNIT_PRICES),
    Column(
        "SkuPriceDetails",
        Type.JSON,
        NULL,
        Level.CONDITIONAL,
        "1.1",
        form=Form.PRICE_DETAILS,
        ability=Ability.UNIT_PRICES,
    ),
    Column("SkuPriceId", Type.TEXT, NULL, Level.CONDITIONAL, "1.0", ability=Ability.UNIT_PRICES),
    Column("SubAccountId", Type.TEXT, NULL, Level.CONDITIONAL, "0.5", ability=Ability.SUB_ACCOUNTS),
    Column(
        "SubAccountName", Type.TEXT, NULL, Level.CONDITIONAL, "0.5", ability=Ability.SUB_ACCOUNTS
    ),
    Column(
        "SubAccountType",
        Type.TEXT,
        NULL,
        Level.CONDITIONAL,
        "1.2",
        ability=Ability.SUB_ACCOUNT_TYPES,
    ),
    Column("Tags", Type.JSON, NULL, Level.CONDITIONAL, "1.0", form=Form.FLAT, ability=Ability.TAGS),
)
"""Every column of every version, by name."""

OWN_COLUMNS: tuple[Column, ...] = (
    Column("x_BillId", Type.TEXT, SET, Level.MANDATORY, "0.5"),
    Column("x_BookHash", Type.TEXT, SET, Level.MANDATORY, "0.5"),
    Column("x_ChargeDescriptionZh", Type.TEXT, NULL, Level.MANDATORY, "0.5"),
    Column("x_ContractId", Type.TEXT, NULL, Level.MANDATORY, "0.5"),
    Column("x_CorrectsRunId", Type.TEXT, NULL, Level.MANDATORY, "0.5"),
    Column("x_LineId", Type.TEXT, SET, Level.MANDATORY, "0.5"),
    Column("x_Model", Type.TEXT, NULL, Level.MANDATORY, "0.5"),
    Column("x_RequestCount", Type.NUMBER, NULL, Level.MANDATORY, "0.5"),
    Column("x_ResourceId", Type.TEXT, NULL, Level.MANDATORY, "0.5"),
    Column("x_Rule", Type.TEXT, NULL, Level.MANDATORY, "0.5"),
    Column("x_SpillReason", Type.TEXT, NULL, Level.MANDATORY, "0.5"),
)
"""What we say besides; they stand after all others."""

VERSIONS = ("1.2", "1.4")
"""What is written."""
CHECKED = ("1.2", "1.3", "1.4")
"""What is checked."""
FOCUS_COLUMNS: Mapping[str, tuple[Column, ...]] = {
    version: tuple(column for column in COST_AND_USAGE if column.is_in(version))
    for version in CHECKED
}
COLUMNS: Mapping[str, tuple[Column, ...]] = {
    version: FOCUS_COLUMNS[version] + OWN_COLUMNS for version in VERSIONS
}
"""Version -> its columns, in the order they are written; our own come last."""


def checked_columns(version: str) -> tuple[Column, ...]:
    """Return the columns that FOCUS knows in a version that can be checked.

    Raises:
        FocusVersionError: it is not one.
    """
    if version not in FOCUS_COLUMNS:
        raise FocusVersionError(version, CHECKED)
    return FOCUS_COLUMNS[version]


def columns_of(version: str) -> tuple[Column, ...]:
    """Return the columns of a version.

    Raises:
        FocusVersionError: it is not one that can be written.
    """
    if version not in COLUMNS:
        raise FocusVersionError(version)
    return COLUMNS[version]


class FocusVersionError(ValueError):
    """A FOCUS version that cannot be written, or not be checked."""

    def __init__(self, version: str, known: Sequence[str] = VERSIONS) -> None:
        super().__init__(f"the FOCUS version must be one of {', '.join(known)}, found {version!r}")
