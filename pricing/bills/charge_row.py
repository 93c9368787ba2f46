"""A charge as a FOCUS row: what is charged, in the words that finance tools read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from hashlib import sha256
from typing import Any

from metering.interval import Resource
from metering.period import Period
from pricing.bills.charge_cells import CATEGORIES, cells_of
from pricing.focus.column import Row
from pricing.focus.columns import COLUMNS
from pricing.money import shown
from pricing.prices.book import PriceBook
from pricing.rating.charge import Charge, LineKey

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
    frame: Row = field(init=False, compare=False, repr=False)
    """All columns, empty but for what the bill itself says."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "frame", _frame(self))


def charge_row(charge: Charge, key: LineKey, context: Context) -> Row:
    """Return the row of one charge. Amounts show ten decimals, half up (rule R1)."""
    resource = context.resources.get(charge.contract.resource) if charge.contract else None
    name = (resource.name if resource else "") or _resource_of(charge)
    cells = dict(context.frame)
    cells.update(_cost_cells(charge))
    cells.update(_place_cells(charge, context))
    cells.update(_price_cells(charge))
    cells.update(cells_of(charge, name))
    cells.update(own_cells(context, key))
    return cells


def _resource_of(charge: Charge) -> str:
    return charge.contract.resource if charge.contract else ""


def _cost_cells(charge: Charge) -> dict[str, Any]:
    billed, listed = shown(charge.billed), shown(charge.listed)
    is_whole = charge.effective is charge.billed
    effective = billed if is_whole else shown(charge.effective)
    return {
        "ChargePeriodStart": charge.period.start,
        "ChargePeriodEnd": charge.period.end,
        "BilledCost": billed,
        "ListCost": listed,
        "ContractedCost": listed
        if charge.discount == 1
        else shown(charge.listed * charge.discount),
        "EffectiveCost": effective,
        "PricingCurrencyEffectiveCost": effective,
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
    contracted = _contracted(price, charge.discount)
    return {
        "ListUnitPrice": price,
        "ContractedUnitPrice": contracted,
        "PricingCurrencyListUnitPrice": price,
        "PricingCurrencyContractedUnitPrice": contracted,
        "PricingQuantity": quantity,
        "PricingUnit": unit,
    }


@lru_cache(maxsize=4096)
def _contracted(price: Decimal, discount: Fraction) -> Decimal:
    return shown(Fraction(price) * discount)


def _priced(charge: Charge) -> tuple[Decimal, Decimal, str]:
    """Return price, quantity and unit; a tier with a flat amount in it is one at its whole price.

    What is given back of such a tier is one less of it.
    """
    price = charge.unit_price
    if price is not None:
        return price, shown(charge.priced_quantity), charge.pricing_unit
    return shown(abs(charge.listed)), Decimal(-1 if charge.listed < 0 else 1), "Tiers"


def _frame(context: Context) -> dict[str, Any]:
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
