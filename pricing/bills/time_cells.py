"""The cells of a row of time: nodes and KV-caches, bought for a term or by the hour."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from pricing.contracts.contract import Contract
from pricing.contracts.schemes import KvCache, spec_of
from pricing.money import shown
from pricing.rating.charge import Charge, Kind

_TIME_WORDS: Mapping[Kind, tuple[str, str]] = {
    Kind.TERM: ("{n}-month subscription", "包年包月,{n}个月"),
    Kind.TERM_USED: ("subscription, used", "包年包月,已使用"),
    Kind.TERM_UNUSED: ("subscription, not used", "包年包月,未使用"),
    Kind.NODE_TIME: ("pay as you go", "按量付费"),
    Kind.KV_CACHE: ("pay as you go", "按量付费"),
}

_COMMITTED: Mapping[Kind, str] = {Kind.TERM_USED: "Used", Kind.TERM_UNUSED: "Unused"}
_MEASURED = frozenset({Kind.NODE_TIME, Kind.KV_CACHE, Kind.TERM_USED})


def time_cells(charge: Charge, resource_name: str) -> dict[str, Any]:
    """Return the cells of nodes and KV-caches, bought for a term or by the hour."""
    contract, rate = charge.sold
    english, chinese = _TIME_WORDS[charge.kind]
    is_term = charge.kind is Kind.TERM
    months = getattr(contract.scheme, "months", 0)
    sku, thing, thing_zh = _thing(contract)
    by = "month" if is_term else "hour"
    apart = f"-{rate.id}-{charge.tier + 1}" if rate.tiers else ""
    cells = _thing_cells(contract) | {
        "ChargeDescription": f"{thing}, {english.format(n=months)}",
        "x_ChargeDescriptionZh": f"{thing_zh} {chinese.format(n=months)}",
        "PricingCategory": "Committed" if charge.kind in _COMMITTED else "Standard",
        "ResourceName": resource_name,
        "SkuPriceId": f"{sku}-{by}-{contract.region}{apart}",
    }
    if charge.kind in _MEASURED:
        cells |= {
            "ConsumedQuantity": shown(charge.quantity * 3600 / _gigabytes(contract)),
            "ConsumedUnit": "Seconds",
        }
    return cells | _commitment_cells(charge, contract)


def _thing(contract: Contract) -> tuple[str, str, str]:
    """Return the SKU of what is charged by time, and its words."""
    scheme = contract.scheme
    if isinstance(scheme, KvCache):
        return "kv-cache", f"KV-cache {scheme.gb} GB", f"KV缓存 {scheme.gb} GB"
    spec = spec_of(scheme)
    return f"node-{spec}", f"GPU node {spec}", f"GPU节点 {spec}"


def _thing_cells(contract: Contract) -> dict[str, Any]:
    sku, _, _ = _thing(contract)
    is_cache = contract.is_kv_cache
    details = {"x_Gigabytes": f"{_gigabytes(contract)}"} if is_cache else {}
    return {
        "ResourceId": contract.resource,
        "ResourceType": "KV Cache" if is_cache else "GPU Node",
        "x_ResourceId": contract.resource,
        "SkuId": sku,
        "SkuMeter": "KV Cache Time" if is_cache else "GPU Node Time",
        "SkuPriceDetails": details or {"InstanceType": spec_of(contract.scheme)},
    }


def _gigabytes(contract: Contract) -> int:
    return contract.scheme.gb if isinstance(contract.scheme, KvCache) else 1


def _commitment_cells(charge: Charge, contract: Contract) -> dict[str, Any]:
    """Return the columns that say which subscription a row belongs to."""
    if charge.kind not in {Kind.TERM, *_COMMITTED}:
        return {}
    term = Fraction(charge.period.seconds, 3600) * contract.quantity
    hours = term if charge.kind is Kind.TERM else charge.quantity / _gigabytes(contract)
    return {
        "CommitmentDiscountCategory": "Usage",
        "CommitmentDiscountId": contract.id,
        "CommitmentDiscountName": contract.id,
        "CommitmentDiscountQuantity": shown(hours),
        "CommitmentDiscountStatus": _COMMITTED.get(charge.kind),
        "CommitmentDiscountType": "Subscription",
        "CommitmentDiscountUnit": "Hours",
        **(_itself(contract) if charge.kind is not Kind.TERM_USED else {}),
    }


def _itself(contract: Contract) -> dict[str, Any]:
    """Return the resource of what is bought or not used: the subscription, not its node."""
    return {"ResourceId": contract.id, "ResourceType": "Subscription"}
