"""A charge as a FOCUS row: what is charged, in the words that finance tools read."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from typing import Any

from metering.interval import Resource
from metering.period import Period
from pricing.bills.charge_cells import CATEGORIES, cells_of
from pricing.focus.column import Row
from pricing.focus.columns import COLUMNS
from pricing.money import shown
from pricing.prices.book import PriceBook
from pricing.rating.charge import Charge

SERVICE_NAME = "AI Model Inference"

_AT_NO_PRICE = frozenset({"Credit", "Adjustment", "Tax"})


@dataclass(frozen=True, slots=True)
class Context:
    """What all rows of one bill share."""

    bill_id: str
    account: str
    account_name: str
    month: Period
    book: PriceBook
    book_hash: str
    """``book.digest``, worked out once for all rows."""
    resources: Mapping[str, Resource]


def charge_row(charge: Charge, context: Context) -> Row:
    """Return the row of one charge. Amounts show ten decimals, half up (rule R1)."""
    resource = context.resources.get(charge.contract.resource) if charge.contract else None
    name = (resource.name if resource else "") or _resource_of(charge)
    cells = row_frame(context) | _cost_cells(charge) | _place_cells(charge, context)
    return cells | _price_cells(charge) | cells_of(charge, name) | own_cells(context, charge.key)


def _resource_of(charge: Charge) -> str:
    return charge.contract.resource if charge.contract else ""


def _cost_cells(charge: Charge) -> dict[str, Any]:
    return {
        "ChargePeriodStart": charge.period.start,
        "ChargePeriodEnd": charge.period.end,
        "BilledCost": shown(charge.billed),
        "ListCost": shown(charge.listed),
        "ContractedCost": shown(charge.listed * charge.discount),
        "EffectiveCost": shown(charge.effective),
        "PricingCurrencyEffectiveCost": shown(charge.effective),
        "x_Rule": charge.rule or None,
        "x_SpillReason": charge.reason or None,
    }


def _place_cells(charge: Charge, context: Context) -> dict[str, Any]:
    """Return where a charge arose; a tax is the whole account's, and of no region."""
    if charge.contract is None:
        return {}
    region = context.book.region(charge.contract.region)
    return {
        "RegionId": region.id,
        "RegionName": region.name,
        "x_ContractId": charge.contract.id,
    }


def _price_cells(charge: Charge) -> dict[str, Any]:
    """Return price and quantity; what gives back, adjusts or taxes has neither."""
    category, _ = CATEGORIES[charge.kind]
    if category in _AT_NO_PRICE:
        return {}
    price, quantity, unit = _priced(charge)
    contracted = shown(Fraction(price) * charge.discount)
    return {
        "ListUnitPrice": price,
        "ContractedUnitPrice": contracted,
        "PricingCurrencyListUnitPrice": price,
        "PricingCurrencyContractedUnitPrice": contracted,
        "PricingQuantity": quantity,
        "PricingUnit": unit,
    }


def _priced(charge: Charge) -> tuple[Decimal, Decimal, str]:
    """Return price, quantity and unit; a tier with a flat amount in it is one at its whole price.

    What is given back of such a tier is one less of it.
    """
    price = charge.unit_price
    if price is not None:
        return price, shown(charge.priced_quantity), charge.pricing_unit
    return shown(abs(charge.listed)), Decimal(-1 if charge.listed < 0 else 1), "Tiers"


def row_frame(context: Context) -> dict[str, Any]:
    """Return all columns, empty but for what the bill itself says."""
    frame: dict[str, Any] = dict.fromkeys(c.name for c in COLUMNS["1.2"])
    return frame | {
        "BillingAccountId": context.account,
        "BillingAccountName": context.account_name,
        "BillingAccountType": "Customer",
        "BillingCurrency": context.book.currency,
        "BillingPeriodStart": context.month.start,
        "BillingPeriodEnd": context.month.end,
        "InvoiceIssuerName": context.book.provider,
        "PricingCurrency": context.book.currency,
        "ProviderName": context.book.provider,
        "PublisherName": context.book.provider,
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": SERVICE_NAME,
        "ServiceSubcategory": "Generative AI",
    }


def own_cells(context: Context, identity: tuple[str, ...]) -> dict[str, Any]:
    """Return the columns that tie a row to its bill: the line id is stable over re-runs."""
    digest = sha256("\0".join((context.bill_id, *identity)).encode()).hexdigest()
    return {
        "x_BillId": context.bill_id,
        "x_BookHash": context.book_hash,
        "x_LineId": digest[:20],
    }
