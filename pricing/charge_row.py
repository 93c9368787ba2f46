"""A charge as a FOCUS row: what is charged, in the words that finance tools read."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from typing import Any

from metering.interval import Resource
from metering.period import Period
from pricing.book import PriceBook
from pricing.focus import COLUMNS, Row
from pricing.money import shown
from pricing.rating import Charge, Kind

SERVICE_NAME = "AI Model Inference"

_TOKEN_METERS: Mapping[str, tuple[str, str]] = {
    "fresh": ("Input Tokens", "输入"),
    "cached": ("Cached Input Tokens", "缓存命中输入"),
    "written_5m": ("Cache Write Tokens (5 min)", "缓存写入(5分钟)"),
    "written_1h": ("Cache Write Tokens (1 h)", "缓存写入(1小时)"),
    "output": ("Output Tokens", "输出"),
    "reasoning": ("Reasoning Tokens", "推理"),
}

_NODE_WORDS: Mapping[Kind, tuple[str, str]] = {
    Kind.TERM: ("{n}-month subscription", "包年包月,{n}个月"),
    Kind.TERM_USED: ("subscription, used", "包年包月,已使用"),
    Kind.TERM_UNUSED: ("subscription, not used", "包年包月,未使用"),
    Kind.NODE_TIME: ("pay as you go", "按量付费"),
}


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
    contract = charge.contract
    region = context.book.region(contract.region)
    price = charge.rate.price
    contracted = shown(Fraction(price) * charge.discount)
    cells = row_frame(context) | {
        "ChargePeriodStart": charge.period.start,
        "ChargePeriodEnd": charge.period.end,
        "BilledCost": shown(charge.billed),
        "ListCost": shown(charge.listed),
        "ContractedCost": shown(charge.listed * charge.discount),
        "EffectiveCost": shown(charge.effective),
        "ListUnitPrice": price,
        "ContractedUnitPrice": contracted,
        "PricingCurrencyListUnitPrice": price,
        "PricingCurrencyContractedUnitPrice": contracted,
        "PricingCurrencyEffectiveCost": shown(charge.effective),
        "PricingQuantity": shown(charge.quantity / charge.rate.per),
        "PricingUnit": _pricing_unit(charge),
        "RegionId": region.id,
        "RegionName": region.name,
        "x_ContractId": contract.id,
    }
    kind_cells = (
        _token_cells(charge) if charge.kind is Kind.TOKENS else _node_cells(charge, context)
    )
    identity = (
        contract.id, charge.kind, charge.period.start.isoformat(), charge.project, charge.model,
        charge.operation, charge.meter, charge.resource or contract.resource,
    )  # fmt: skip
    return cells | kind_cells | own_cells(context, identity)


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


def _token_cells(charge: Charge) -> dict[str, Any]:
    english, chinese = _TOKEN_METERS[charge.meter]
    size_class = dict(charge.rate.dimensions)["size_class"]
    sku = f"tokens-{size_class}-{charge.meter.replace('_', '-')}"
    model = charge.model or "any model"
    resource = charge.resource or charge.contract.pool
    return {
        "ChargeCategory": "Usage",
        "ChargeFrequency": "Usage-Based",
        "ChargeDescription": f"{model}, {english.lower()}, size class {size_class}",
        "x_ChargeDescriptionZh": f"{model} {chinese}Token,规格 {size_class},按Token计费",
        "ConsumedQuantity": Decimal(int(charge.quantity)),
        "ConsumedUnit": "Tokens",
        "PricingCategory": "Standard",
        "ResourceId": resource,
        "ResourceName": resource,
        "ResourceType": "Model Endpoint",
        "SkuId": sku,
        "SkuMeter": english,
        "SkuPriceDetails": {"x_SizeClass": size_class},
        "SkuPriceId": f"{sku}-{charge.contract.region}",
        "SubAccountId": charge.project or None,
        "SubAccountName": charge.project or None,
        "SubAccountType": "Project" if charge.project else None,
        "x_Model": charge.model or None,
        "x_RequestCount": Decimal(charge.requests),
    }


def _node_cells(charge: Charge, context: Context) -> dict[str, Any]:
    contract = charge.contract
    spec = dict(charge.rate.dimensions)["spec"]
    english, chinese = _NODE_WORDS[charge.kind]
    count = int(charge.quantity) if charge.kind is Kind.TERM else 0
    resource = context.resources.get(contract.resource)
    term = "month" if charge.kind is Kind.TERM else "hour"
    cells: dict[str, Any] = {
        "ChargeCategory": "Purchase" if charge.kind is Kind.TERM else "Usage",
        "ChargeFrequency": "Recurring" if charge.kind is Kind.TERM else "Usage-Based",
        "ChargeDescription": f"GPU node {spec}, {english.format(n=count)}",
        "x_ChargeDescriptionZh": f"GPU节点 {spec} {chinese.format(n=count)}",
        "PricingCategory": "Committed" if charge.kind in _COMMITTED else "Standard",
        "ResourceId": contract.resource,
        "ResourceName": (resource.name if resource else "") or contract.resource,
        "ResourceType": "GPU Node",
        "SkuId": f"node-{spec}",
        "SkuMeter": "GPU Node Time",
        "SkuPriceDetails": {"InstanceType": spec},
        "SkuPriceId": f"node-{spec}-{term}-{contract.region}",
    }
    if charge.kind in {Kind.NODE_TIME, Kind.TERM_USED}:
        cells |= {
            "ConsumedQuantity": shown(charge.quantity * 3600),
            "ConsumedUnit": "Seconds",
        }
    return cells | _commitment_cells(charge)


def _commitment_cells(charge: Charge) -> dict[str, Any]:
    """Return the columns that say which subscription a row belongs to."""
    if charge.kind is Kind.NODE_TIME:
        return {}
    is_term = charge.kind is Kind.TERM
    hours = Fraction(charge.period.seconds, 3600) if is_term else charge.quantity
    return {
        "CommitmentDiscountCategory": "Usage",
        "CommitmentDiscountId": charge.contract.id,
        "CommitmentDiscountName": charge.contract.id,
        "CommitmentDiscountQuantity": shown(hours),
        "CommitmentDiscountStatus": _COMMITTED.get(charge.kind),
        "CommitmentDiscountType": "Subscription",
        "CommitmentDiscountUnit": "Hours",
    }


def _pricing_unit(charge: Charge) -> str:
    return charge.rate.unit if charge.rate.per == 1 else f"{charge.rate.per} {charge.rate.unit}"


_COMMITTED: Mapping[Kind, str] = {Kind.TERM_USED: "Used", Kind.TERM_UNUSED: "Unused"}
