"""The cells of a row that depend on its kind of charge: what it is for, in two languages."""

from collections.abc import Callable, Mapping
from typing import Any

from pricing.bills.time_cells import time_cells
from pricing.bills.usage_cells import usage_cells
from pricing.money import shown
from pricing.rating.charge import Charge, Kind

Cells = dict[str, Any]

CATEGORIES: Mapping[Kind, tuple[str, str]] = {
    Kind.TERM: ("Purchase", "Recurring"),
    Kind.TERM_USED: ("Usage", "Usage-Based"),
    Kind.TERM_UNUSED: ("Usage", "Usage-Based"),
    Kind.CHANGE: ("Adjustment", "One-Time"),
    Kind.NODE_TIME: ("Usage", "Usage-Based"),
    Kind.KV_CACHE: ("Usage", "Usage-Based"),
    Kind.FEE: ("Usage", "Recurring"),
    Kind.TOKENS: ("Usage", "Usage-Based"),
    Kind.REQUESTS: ("Usage", "Usage-Based"),
    Kind.RESERVED: ("Usage", "Usage-Based"),
    Kind.INCLUDED: ("Credit", "One-Time"),
    Kind.USAGE_DISCOUNT: ("Credit", "One-Time"),
    Kind.TRUE_UP: ("Adjustment", "One-Time"),
    Kind.CAP: ("Credit", "One-Time"),
    Kind.DISCOUNT: ("Credit", "One-Time"),
    Kind.TAX: ("Tax", "One-Time"),
    Kind.CREDIT: ("Credit", "One-Time"),
}
"""Kind -> FOCUS charge category and frequency."""

_MONEY_WORDS: Mapping[Kind, str] = {
    Kind.CHANGE: "变更结算",
    Kind.INCLUDED: "包含用量抵扣",
    Kind.USAGE_DISCOUNT: "用量折扣",
    Kind.TRUE_UP: "最低消费补足",
    Kind.CAP: "封顶减免",
    Kind.DISCOUNT: "折扣",
    Kind.TAX: "税费",
    Kind.CREDIT: "预付余额抵扣",
}


SETTLEMENT_ZH = _MONEY_WORDS[Kind.CHANGE]
"""How a row begins of what a change of contract made due."""


def cells_of(charge: Charge, resource_name: str) -> Cells:
    """Return the cells that say what a charge is for."""
    category, frequency = CATEGORIES[charge.kind]
    cells = _CELLS.get(charge.kind, _money_cells)(charge, resource_name)
    return {"ChargeCategory": category, "ChargeFrequency": frequency} | cells


def _fee_cells(charge: Charge, resource_name: str) -> Cells:
    contract, rate = charge.sold
    return {
        "ChargeDescription": f"Fee of contract {contract.id}",
        "x_ChargeDescriptionZh": f"合同 {contract.id} 月费",
        "ConsumedQuantity": shown(charge.priced_quantity),
        "ConsumedUnit": charge.pricing_unit,
        "PricingCategory": "Standard",
        "ResourceId": contract.resource or contract.pool,
        "ResourceName": resource_name or contract.pool,
        "ResourceType": "GPU Node" if contract.resource else "Model Endpoint",
        "SkuId": "fee",
        "SkuMeter": "Fee",
        "SkuPriceId": f"fee-{contract.region}-{rate.id}",
    }


def _money_cells(charge: Charge, resource_name: str) -> Cells:
    """Return the cells of what no price makes: settlements, adjustments, taxes."""
    del resource_name
    return {
        "ChargeDescription": charge.rule,
        "x_ChargeDescriptionZh": f"{_MONEY_WORDS[charge.kind]} {charge.name}".strip(),
        "SubAccountId": charge.project or None,
        "SubAccountName": charge.project or None,
        "SubAccountType": "Project" if charge.project else None,
        "x_Model": charge.model or None,
    }


_CELLS: Mapping[Kind, Callable[[Charge, str], Cells]] = {
    Kind.TERM: time_cells,
    Kind.TERM_USED: time_cells,
    Kind.TERM_UNUSED: time_cells,
    Kind.NODE_TIME: time_cells,
    Kind.KV_CACHE: time_cells,
    Kind.FEE: _fee_cells,
    Kind.TOKENS: usage_cells,
    Kind.REQUESTS: usage_cells,
    Kind.RESERVED: usage_cells,
}
