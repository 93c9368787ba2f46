"""Rules between the cells of a row of Cost and Usage, each with the columns that it looks at.

A rule is asked only where a file has all of its columns, and only of rows whose single cells are
right. Source: FinOps Open Cost and Usage Specification, https://focus.finops.org/
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext

from pricing.focus.column import Row
from pricing.focus.services import PARENTS

Found = Iterator[str]

_PAIRS = (
    ("ConsumedQuantity", "ConsumedUnit"),
    ("PricingQuantity", "PricingUnit"),
    ("CommitmentDiscountQuantity", "CommitmentDiscountUnit"),
    ("SubAccountId", "SubAccountName"),
    ("SubAccountId", "SubAccountType"),
    ("RegionId", "RegionName"),
    ("ResourceId", "ResourceType"),
    ("CommitmentDiscountId", "CommitmentDiscountType"),
    ("CommitmentDiscountId", "CommitmentDiscountCategory"),
    ("ListUnitPrice", "ContractedUnitPrice"),
)
"""Both are set, or neither is."""
_NEEDS = (
    ("CapacityReservationStatus", "CapacityReservationId"),
    ("ResourceName", "ResourceId"),
    ("CommitmentDiscountName", "CommitmentDiscountId"),
    ("CommitmentDiscountQuantity", "CommitmentDiscountId"),
    ("CommitmentDiscountStatus", "CommitmentDiscountId"),
    ("InvoiceDetailId", "InvoiceId"),
    ("SkuMeter", "SkuId"),
    ("SkuPriceId", "SkuId"),
    ("SkuPriceDetails", "SkuPriceId"),
    ("AllocatedMethodDetails", "AllocatedMethodId"),
    ("AllocatedResourceName", "AllocatedResourceId"),
)
"""The first is null where the second is."""
_PRICES = (
    "ListUnitPrice", "ContractedUnitPrice", "PricingQuantity", "PricingCategory",
    "PricingCurrencyListUnitPrice", "PricingCurrencyContractedUnitPrice",
)  # fmt: skip
_PRICED = (*_PRICES, "SkuId", "SkuPriceId")
"""What a sale says."""
_NO_TAX = (*_PRICED, "ConsumedQuantity", "CommitmentDiscountStatus")
_BY_PRICE = (*_PRICES, "ConsumedQuantity", "CommitmentDiscountQuantity")
_SAME_IN_ONE_CURRENCY = (
    ("PricingCurrencyListUnitPrice", "ListUnitPrice"),
    ("PricingCurrencyContractedUnitPrice", "ContractedUnitPrice"),
    ("PricingCurrencyEffectiveCost", "EffectiveCost"),
)
_COSTS = ("EffectiveCost", "ListCost", "ContractedCost")
HALF = Decimal("0.00000000005")
"""Half of the last decimal that a line shows."""
EXACT = Context(prec=1000)
"""No figure of a file has so many digits that products would be rounded."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What rows must obey in versions from the first up to the last, where columns are there."""

    columns: frozenset[str]
    faults: Callable[[Row], Found]
    since: str = "1.2"
    until: str = ""


def rules_of(version: str, names: Collection[str]) -> list[Callable[[Row], Found]]:
    """Return what rows with columns of these names must obey in a version."""
    return [
        rule.faults
        for rule in _RULES
        if rule.since <= version
        and not (rule.until and rule.until <= version)
        and rule.columns <= set(names)
    ]


def _paired(one: str, other: str) -> Callable[[Row], Found]:
    def faults(row: Row) -> Found:
        if (row[one] is None) != (row[other] is None):
            yield f"{one} and {other} must both be set or both be null"

    return faults


def _needing(one: str, other: str) -> Callable[[Row], Found]:
    def faults(row: Row) -> Found:
        if row[one] is not None and row[other] is None:
            yield f"{one} must be null where {other} is"

    return faults


def _price_faults(row: Row) -> Found:
    """A cost is price x quantity, but for what the ten shown decimals of all three cannot hold."""
    quantity = row["PricingQuantity"]
    for price, cost in (("ListUnitPrice", "ListCost"), ("ContractedUnitPrice", "ContractedCost")):
        if row.get(price) is None or quantity is None:
            continue
        with localcontext(EXACT):
            product = row[price] * quantity
            allowance = (row[price] + abs(quantity) + 1) * HALF
            is_off = abs(product - row[cost]) > allowance
        if is_off:
            yield f"{cost} must be {price} x PricingQuantity = {product:.10f}, found {row[cost]}"


def _price_faults_but_of_corrections(row: Row) -> Found:
    """Until 1.3 a correction may say a cost that its price does not make."""
    if row["ChargeClass"] is None:
        yield from _price_faults(row)


def _currency_faults(row: Row) -> Found:
    if row["PricingCurrency"] != row["BillingCurrency"]:
        return
    for pricing, billing in _SAME_IN_ONE_CURRENCY:
        if pricing in row and billing in row and row[pricing] != row[billing]:
            yield f"{pricing} must be {billing} where both currencies are {row['BillingCurrency']}"


def _period_faults(row: Row) -> Found:
    for period in ("ChargePeriod", "BillingPeriod"):
        if not row[f"{period}Start"] < row[f"{period}End"]:
            yield f"{period}Start must be before {period}End"
    if row["ChargeCategory"] == "Usage" and row["ChargePeriodStart"] >= row["BillingPeriodEnd"]:
        yield "ChargePeriodStart of usage must be before BillingPeriodEnd"


def _correction_faults(row: Row) -> Found:
    """What takes back usage of an earlier period is a Correction."""
    is_earlier = row["ChargePeriodEnd"] <= row["BillingPeriodStart"]
    is_given_back = row["ChargeCategory"] == "Usage" and row["BilledCost"] < 0
    if is_earlier and is_given_back and not row["ChargeClass"]:
        yield "ChargeClass must be Correction where usage of an earlier period is given back"


def _frequency_faults(row: Row) -> Found:
    category = row["ChargeCategory"]
    if row["ChargeFrequency"] == "Usage-Based" and category != "Usage":
        told = "a Purchase" if category == "Purchase" else category
        yield f"ChargeFrequency of {told} must not be Usage-Based"


def _purchase_faults(row: Row) -> Found:
    """What covers later usage costs nothing itself; a plain fee costs what is billed."""
    if row["ChargeCategory"] != "Purchase" or not row["EffectiveCost"]:
        return
    if row.get("CommitmentDiscountId") is not None or row["EffectiveCost"] != row["BilledCost"]:
        yield "EffectiveCost of a Purchase must be 0"


def _commitment_faults(row: Row) -> Found:
    """A commitment is bought by a Purchase, then used or not used by Usage that costs nothing."""
    status = row["CommitmentDiscountStatus"]
    is_usage = row["ChargeCategory"] == "Usage" and row["CommitmentDiscountId"] is not None
    if is_usage != (status is not None):
        yield "CommitmentDiscountStatus must be set on usage of a commitment, and nowhere else"
    if status is None or row["ChargeClass"] is not None:
        return
    if row["BilledCost"]:
        yield "BilledCost of usage that a commitment covers must be 0"


def _covered_faults(row: Row) -> Found:
    is_covered = row["CommitmentDiscountStatus"] is not None
    if is_covered and row["PricingCategory"] != "Committed":
        yield "PricingCategory of a commitment's usage must be Committed"
    if not is_covered and row["PricingCategory"] == "Committed":
        yield "PricingCategory must be Committed on usage of a commitment, and nowhere else"


def _commitment_quantity_faults(row: Row) -> Found:
    is_told = row["CommitmentDiscountQuantity"] is not None
    is_sold = row["ChargeCategory"] in {"Usage", "Purchase"}
    if is_told and not is_sold:
        yield f"CommitmentDiscountQuantity of {row['ChargeCategory']} must be null"
    is_committed = row["CommitmentDiscountId"] is not None and row["ChargeClass"] is None
    if is_committed and is_sold and not is_told:
        yield "CommitmentDiscountQuantity must be set where a commitment is bought or used"


def _commitment_resource_faults(row: Row) -> Found:
    """Who buys a commitment, or does not use it, has the commitment itself as resource."""
    commitment = row["CommitmentDiscountId"]
    is_itself = row["ChargeCategory"] == "Purchase" or row["CommitmentDiscountStatus"] == "Unused"
    if commitment is not None and is_itself and row["ResourceId"] != commitment:
        yield f"ResourceId must be the CommitmentDiscountId {commitment} where it is not used"


def _consumed_faults(row: Row) -> Found:
    category, is_consumed = row["ChargeCategory"], row["ConsumedQuantity"] is not None
    if category != "Usage":
        if is_consumed:
            yield f"ConsumedQuantity of {category} must be null"
    elif row.get("CommitmentDiscountStatus") == "Unused":
        if is_consumed:
            yield "ConsumedQuantity of what was not used must be null"
    elif not is_consumed and row["ChargeClass"] is None:
        yield "ConsumedQuantity of what was used must be set"


def _standard_faults(row: Row) -> Found:
    """Usage that no commitment covers costs what its contract says, now and in effect.

    Somebody else's sale, which the issuer of the invoice does not bill, is billed at nothing.
    """
    if (row["ChargeCategory"], row["PricingCategory"]) != ("Usage", "Standard"):
        return
    if row["EffectiveCost"] != row["ContractedCost"]:
        yield f"EffectiveCost of Standard usage must be its ContractedCost {row['ContractedCost']}"
    if row["BilledCost"] != row["ContractedCost"] and not _is_sold_by_others(row):
        yield f"BilledCost of Standard usage must be its ContractedCost {row['ContractedCost']}"


def _is_sold_by_others(row: Row) -> bool:
    sellers = {row.get(name) for name in ("ProviderName", "ServiceProviderName")} - {None}
    return not row["BilledCost"] and row["InvoiceIssuerName"] not in sellers


def _money_faults(row: Row) -> Found:
    """What no unit price makes, and no other charge, costs the same in every sense.

    But what settles a contract has its effect on what was ordered by it.
    """
    category = row["ChargeCategory"]
    if category not in {"Credit", "Adjustment"} or row.get("ListUnitPrice"):
        return
    is_settlement = category == "Adjustment" and row.get("x_ContractId") is not None
    for name in _COSTS:
        if row[name] != row["BilledCost"] and not (name == "EffectiveCost" and is_settlement):
            yield f"{name} of {row['ChargeCategory']} must be its BilledCost {row['BilledCost']}"


def _kind_faults(row: Row) -> Found:
    """What a kind of charge must say, or must not."""
    category = row["ChargeCategory"]
    if category == "Tax":
        yield from (f"{n} of a Tax must be null" for n in _NO_TAX if row.get(n) is not None)
    elif category in {"Usage", "Purchase"} and row["ChargeClass"] is None:
        yield from (
            f"{n} of {category} must be set" for n in _PRICED if n in row and row[n] is None
        )


def _service_faults(row: Row) -> Found:
    name = row["ServiceSubcategory"]
    if PARENTS[name] != row["ServiceCategory"]:
        yield f"ServiceSubcategory {name} must stand under {PARENTS[name]}"


def _capacity_faults(row: Row) -> Found:
    is_usage = row["ChargeCategory"] == "Usage" and row["CapacityReservationId"] is not None
    if is_usage and row["CapacityReservationStatus"] is None:
        yield "CapacityReservationStatus must be set on usage of a reservation"


def _unpriced_faults(row: Row) -> Found:
    if row["SkuPriceId"] is None:
        yield from (
            f"{name} must be null where SkuPriceId is"
            for name in _BY_PRICE
            if row.get(name) is not None
        )


def _priced_faults(row: Row) -> Found:
    for name in ("ListUnitPrice", "ContractedUnitPrice"):
        if row["SkuPriceId"] is not None and name in row and row[name] is None:
            yield f"{name} must be set where SkuPriceId is"


def _tax_faults(row: Row) -> Found:
    if row["ChargeCategory"] == "Tax" and row["EffectiveCost"] != row["BilledCost"]:
        yield "EffectiveCost of a Tax must be its BilledCost"


def _detail_faults(row: Row) -> Found:
    """An invoice has lines for what it bills; a cost of zero may be on one of them."""
    is_billed = row["InvoiceId"] is not None and row["BilledCost"] != 0
    if is_billed and row["InvoiceDetailId"] is None:
        yield "InvoiceDetailId must be set where an invoice bills a cost"


def _rule(
    columns: str, faults: Callable[[Row], Found], since: str = "1.2", until: str = ""
) -> Rule:
    return Rule(frozenset(columns.split()), faults, since, until)


_RULES: tuple[Rule, ...] = (
    *(Rule(frozenset(pair), _paired(*pair)) for pair in _PAIRS),
    *(Rule(frozenset(pair), _needing(*pair)) for pair in _NEEDS),
    _rule("PricingQuantity ListCost ContractedCost", _price_faults, since="1.3"),
    _rule(
        "ChargeClass PricingQuantity ListCost ContractedCost",
        _price_faults_but_of_corrections,
        until="1.3",
    ),
    _rule("PricingCurrency BillingCurrency", _currency_faults),
    _rule(
        "ChargeCategory ChargePeriodStart ChargePeriodEnd BillingPeriodStart BillingPeriodEnd",
        _period_faults,
    ),
    _rule(
        "BilledCost ChargeCategory ChargeClass"
        " ChargePeriodStart ChargePeriodEnd BillingPeriodStart",
        _correction_faults,
    ),
    _rule("ChargeCategory EffectiveCost BilledCost", _purchase_faults),
    _rule("ChargeCategory ChargeFrequency", _frequency_faults),
    _rule(
        "ChargeCategory ChargeClass CommitmentDiscountId CommitmentDiscountStatus BilledCost",
        _commitment_faults,
    ),
    _rule("CommitmentDiscountStatus PricingCategory", _covered_faults),
    _rule(
        "ChargeCategory ChargeClass CommitmentDiscountId CommitmentDiscountQuantity",
        _commitment_quantity_faults,
    ),
    _rule(
        "ChargeCategory CommitmentDiscountId CommitmentDiscountStatus ResourceId",
        _commitment_resource_faults,
    ),
    _rule("ChargeCategory ChargeClass ConsumedQuantity", _consumed_faults),
    _rule(
        "ChargeCategory PricingCategory BilledCost EffectiveCost ContractedCost InvoiceIssuerName",
        _standard_faults,
    ),
    _rule("ChargeCategory BilledCost EffectiveCost ListCost ContractedCost", _money_faults),
    _rule("ChargeCategory ChargeClass", _kind_faults),
    _rule("ServiceCategory ServiceSubcategory", _service_faults),
    _rule("ChargeCategory CapacityReservationId CapacityReservationStatus", _capacity_faults),
    _rule("SkuPriceId", _unpriced_faults, since="1.4"),
    _rule("SkuPriceId", _priced_faults, since="1.4"),
    _rule("ChargeCategory EffectiveCost BilledCost", _tax_faults, since="1.4"),
    _rule("InvoiceId InvoiceDetailId BilledCost", _detail_faults, since="1.4"),
)
