"""The cells of a row of tokens or requests."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from metering.rollup import REQUESTS
from pricing.contracts.schemes import PerToken
from pricing.prices.rate import Rate
from pricing.rating.charge import Charge, Kind

_METERS: Mapping[str, tuple[str, str]] = {
    "": ("Tokens", ""),
    "fresh": ("Input Tokens", "输入"),
    "cached": ("Cached Input Tokens", "缓存命中输入"),
    "written_5m": ("Cache Write Tokens (5 min)", "缓存写入(5分钟)"),
    "written_1h": ("Cache Write Tokens (1 h)", "缓存写入(1小时)"),
    "output": ("Output Tokens", "输出"),
    "reasoning": ("Reasoning Tokens", "推理"),
    REQUESTS: ("Requests", "请求"),
}

_UNITS_ZH: Mapping[str, str] = {"Tokens": "Token", "Requests": ""}
_PLAIN = ("region", "size_class")


def usage_cells(charge: Charge, resource_name: str) -> dict[str, Any]:
    """Return the cells of tokens and requests; their resource is an endpoint."""
    del resource_name
    contract, rate = charge.sold
    meter = REQUESTS if charge.kind is Kind.REQUESTS else charge.meter
    english, chinese = _METERS[meter]
    size_class = contract.scheme.size_class if isinstance(contract.scheme, PerToken) else ""
    unit = "Requests" if meter == REQUESTS else "Tokens"
    sku = "-".join(filter(None, (unit.lower(), size_class or charge.model, _dashed(meter))))
    model = charge.model or "any model"
    resource = charge.resource or contract.pool
    about, about_zh = _sold_as(charge, size_class)
    return {
        "ChargeDescription": ", ".join((model, english.lower(), *about)),
        "x_ChargeDescriptionZh": ",".join((f"{model} {chinese}{_UNITS_ZH[unit]}", *about_zh)),
        "ConsumedQuantity": Decimal(int(charge.quantity)),
        "ConsumedUnit": unit,
        "PricingCategory": "Standard",
        "ResourceId": resource,
        "ResourceName": resource,
        "ResourceType": "Model Endpoint",
        "SkuId": sku,
        "SkuMeter": english,
        "SkuPriceDetails": _price_details(charge, size_class),
        "SkuPriceId": f"{sku}-{contract.region}{_told_apart(charge, rate)}",
        "SubAccountId": charge.project or None,
        "SubAccountName": charge.project or None,
        "SubAccountType": "Project" if charge.project else None,
        "x_Model": charge.model or None,
        "x_RequestCount": Decimal(charge.requests),
    }


def _sold_as(charge: Charge, size_class: str) -> tuple[list[str], list[str]]:
    """Return what sets a line of usage apart, in English and in Chinese."""
    if charge.kind is Kind.RESERVED:
        return ["served inside the reservation"], ["预留资源内"]
    said = [
        (size_class, f"size class {size_class}", f"规格 {size_class}"),
        (charge.service_tier, f"{charge.service_tier} tier", f"服务层级 {charge.service_tier}"),
        (charge.band, f"context from {charge.band} tokens", f"上下文 {charge.band} 起"),
        (charge.tier, f"price tier {charge.tier + 1}", f"第 {charge.tier + 1} 阶梯"),
        (charge.reason, f"overflow: {charge.reason}", f"溢出 {charge.reason}"),
    ]
    english = [english for value, english, _ in said if value]
    chinese = [chinese for value, _, chinese in said if value]
    return english, [*chinese, "按Token计费" if charge.kind is Kind.TOKENS else "按次计费"]


def _price_details(charge: Charge, size_class: str) -> Mapping[str, str]:
    named = {
        "x_SizeClass": size_class,
        "x_Band": charge.band,
        "x_ServiceTier": charge.service_tier,
        "x_Tier": str(charge.tier + 1) if charge.rate and charge.rate.tiers else "",
    }
    return {name: value for name, value in named.items() if value}


def _told_apart(charge: Charge, rate: Rate) -> str:
    """Return what tells a price id apart where region and size class do not."""
    if tuple(name for name, _ in rate.match) == _PLAIN and not rate.tiers:
        return ""
    return f"-{rate.id}" + (f"-{charge.tier + 1}" if rate.tiers else "")


def _dashed(meter: str) -> str:
    return "" if meter == REQUESTS else meter.replace("_", "-")
