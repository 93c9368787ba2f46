"""What rows break together: one meaning per id, sums of invoices and of commitments."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from pricing.focus.column import Row

_ONE_EACH = (
    ("SkuPriceId", "SkuId"),
    ("SkuId", "SkuMeter"),
    ("ServiceName", "ServiceCategory"),
    ("ServiceName", "ServiceSubcategory"),
    ("BillingAccountId", "BillingAccountName"),
    ("BillingAccountId", "BillingAccountType"),
    ("SubAccountId", "BillingAccountId"),
    ("RegionId", "RegionName"),
    ("InvoiceId", "BillingAccountId"),
    ("InvoiceId", "BillingCurrency"),
    ("InvoiceId", "InvoiceIssuerName"),
    ("InvoiceId", "BillingPeriodStart"),
    ("InvoiceId", "BillingPeriodEnd"),
    ("InvoiceDetailId", "InvoiceId"),
    ("InvoiceDetailId", "ChargeCategory"),
    ("CommitmentDiscountId", "CommitmentDiscountCategory"),
    ("CommitmentDiscountId", "CommitmentDiscountUnit"),
)
"""(id, what it has one of)."""

_MINOR: Mapping[str, int] = {"BHD": 3, "JOD": 3, "KWD": 3, "OMR": 3, "TND": 3} | dict.fromkeys(
    ("CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF", "XPF"), 0
)
"""Currency -> decimals of its smallest coin, where they are not two. Source: ISO 4217."""


def faults_across(rows: Sequence[Row]) -> list[str]:
    """Return what rows of a file break together."""
    return [*_id_faults(rows), *_line_faults(rows), *_invoice_faults(rows), *_term_faults(rows)]


def _id_faults(rows: Sequence[Row]) -> Iterator[str]:
    for key, name in _ONE_EACH:
        seen: dict[object, object] = {}
        for row in rows:
            if row.get(key) is None:
                continue
            first = seen.setdefault(row[key], row.get(name))
            if first != row.get(name):
                yield f"{key} {row[key]} must have one {name}, found {first} and {row.get(name)}"


def _line_faults(rows: Sequence[Row]) -> Iterator[str]:
    seen: set[str] = set()
    for row in rows:
        line = row.get("x_LineId")
        if line in seen:
            yield f"x_LineId {line} must be there once"
        if line is not None:
            seen.add(line)


def _invoice_faults(rows: Sequence[Row]) -> Iterator[str]:
    """An invoice is payable, so its rows come to whole coins."""
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in rows:
        if row.get("InvoiceId") is not None and row.get("BilledCost") is not None:
            sums[row["InvoiceId"], row["BillingCurrency"]] += row["BilledCost"]
    for (invoice, currency), billed in sums.items():
        if billed != round(billed, _MINOR.get(currency, 2)):
            yield f"BilledCost of {invoice} must come to whole coins of {currency}, found {billed}"


def _term_faults(rows: Sequence[Row]) -> Iterator[str]:
    """A commitment whose whole term is in the file is used and unused for what it cost."""
    bought: dict[str, Decimal] = defaultdict(Decimal)
    spent: dict[str, Decimal] = defaultdict(Decimal)
    partial: set[str] = set()
    for row in rows:
        commitment = row.get("CommitmentDiscountId")
        if commitment is None or row.get("BilledCost") is None:
            continue
        if row.get("ChargeClass") or not _is_within(row):
            partial.add(commitment)
        if row["ChargeCategory"] == "Purchase":
            bought[commitment] += row["BilledCost"]
        else:
            spent[commitment] += row["EffectiveCost"] or 0
    for commitment in sorted(bought.keys() - partial):
        if bought[commitment] != spent[commitment]:
            yield (
                f"EffectiveCost of {commitment} must come to its price {bought[commitment]}, "
                f"found {spent[commitment]}"
            )


def _is_within(row: Row) -> bool:
    end: datetime | None = row.get("ChargePeriodEnd")
    limit: datetime | None = row.get("BillingPeriodEnd")
    return end is not None and limit is not None and end <= limit
