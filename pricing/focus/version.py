"""A line in the words of another version: what is kept is 1.2, what is written may be 1.4."""

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from typing import Any

from pricing.focus.column import Row
from pricing.focus.columns import columns_of

GRAIN = ("ChargeCategory", "ServiceName", "SkuId", "SkuMeter", "SkuPriceId", "SubAccountId")
"""What makes a line of an invoice: rows that agree in these are added up."""

_PROGRAM: Mapping[str, Any] = {"CommitmentPrograms": [{"ProgramType": "Subscription"}]}


def as_version(row: Row, version: str) -> Row:
    """Return a row with the columns of a version, in their order.

    Raises:
        FocusVersionError: it is not one that can be written.
    """
    told = row if version < "1.4" else {**row, **_cells_1_4(row)}
    return {name: told.get(name) for name in _names(version)}


@cache
def _names(version: str) -> tuple[str, ...]:
    return tuple(column.name for column in columns_of(version))


def detail_id(row: Row) -> str | None:
    """Return the id of the invoice line that a row is on; a cost of zero is on none."""
    if row.get("InvoiceId") is None or not row["BilledCost"]:
        return None
    grain = "\0".join(str(row.get(name) or "") for name in GRAIN)
    return f"{row['InvoiceId']}-{sha256(grain.encode()).hexdigest()[:12]}"


def _applied(row: Row) -> Mapping[str, Any] | None:
    """Return which subscription covers a row. Its quantity is a number, so that it is JSON's."""
    quantity = row["CommitmentDiscountQuantity"]
    if quantity is None:
        return None
    element = {
        "ContractId": row["CommitmentDiscountId"],
        "ContractCommitmentId": row["CommitmentDiscountId"],
        "ContractCommitmentAppliedQuantity": float(quantity),
        "ContractCommitmentAppliedUnit": row["CommitmentDiscountUnit"],
    }
    return {"Elements": [element]}


def _cells_1_4(row: Row) -> dict[str, Any]:
    cells: dict[str, Any] = {
        "HostProviderName": row["ProviderName"],
        "ServiceProviderName": row["ProviderName"],
        "InvoiceDetailId": detail_id(row),
    }
    if row.get("CommitmentDiscountId") is not None:
        cells["CommitmentProgramEligibilityDetails"] = _PROGRAM
        cells["ContractApplied"] = _applied(row)
    if row["ChargeCategory"] == "Tax":
        cells["EffectiveCost"] = cells["PricingCurrencyEffectiveCost"] = row["BilledCost"]
    return cells
