"""What rows break together: one meaning per id, sums of invoices and of commitments."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, localcontext

from pricing.focus.column import Row
from pricing.focus.currency import whole_coins
from pricing.focus.row_rules import EXACT, HALF

Numbered = Sequence[tuple[int, Row]]
"""Rows, each with the line that it is on."""

_ONE_EACH = (
    ("SkuPriceId", "SkuId"),
    ("SkuId", "SkuMeter"),
    ("ServiceName", "ServiceCategory"),
    ("ServiceName", "ServiceSubcategory"),
    ("BillingAccountId", "BillingAccountName"),
    ("BillingAccountId", "BillingAccountType"),
    ("SubAccountId", "SubAccountType"),
    ("RegionId", "RegionName"),
    ("InvoiceId", "BillingAccountId"),
    ("InvoiceId", "BillingCurrency"),
    ("InvoiceId", "InvoiceIssuerName"),
    ("InvoiceId", "BillingPeriodStart"),
    ("InvoiceId", "BillingPeriodEnd"),
    ("InvoiceDetailId", "InvoiceId"),
    ("InvoiceDetailId", "ChargeCategory"),
    ("CommitmentDiscountId", "CommitmentDiscountCategory"),
    ("CommitmentDiscountId", "CommitmentDiscountType"),
    ("CommitmentDiscountId", "CommitmentDiscountUnit"),
)
"""(id, what it has one of)."""


def faults_across(rows: Numbered) -> list[str]:
    """Return what rows of a file break together."""
    with localcontext(EXACT):
        return [fault for rule in _RULES for fault in rule(rows)]


def _id_faults(rows: Numbered) -> Iterator[str]:
    """Yield rows that say of an id what most of its rows do not."""
    for key, name in _ONE_EACH:
        said: dict[object, Counter[object]] = defaultdict(Counter)
        for _, row in rows:
            if row.get(key) is not None and name in row:
                said[row[key]][row[name]] += 1
        most = {one: told.most_common(1)[0][0] for one, told in said.items() if len(told) > 1}
        for number, row in rows:
            if row.get(key) in most and row[name] != most[row[key]]:
                where, wanted = f"line {number}: {key} {row[key]}", most[row[key]]
                yield f"{where} must have one {name}, {wanted}, found {row[name]}"


def _correction_faults(rows: Numbered) -> Iterator[str]:
    """What is put right is of an earlier period, or all that its credit note says is put right."""
    is_note: dict[str, bool] = {}
    for _, row in rows:
        invoice, is_correction = row.get("InvoiceId"), row.get("ChargeClass") is not None
        if invoice is not None:
            is_note[invoice] = is_note.get(invoice, True) and is_correction
    for number, row in rows:
        start, month = row.get("ChargePeriodStart"), row.get("BillingPeriodStart")
        if row.get("ChargeClass") is None or start is None or month is None or start < month:
            continue
        if not is_note.get(row.get("InvoiceId") or ""):
            yield (
                f"line {number}: ChargeClass must be null where the charge is of its own "
                "billing period"
            )


def _line_faults(rows: Numbered) -> Iterator[str]:
    seen: dict[str, int] = {}
    for number, row in rows:
        line = row.get("x_LineId")
        if line in seen:
            where = f"line {number}: x_LineId {line}"
            yield f"{where} must be there once, found it on line {seen[line]}"
        elif line is not None:
            seen[line] = number


def _invoice_faults(rows: Numbered) -> Iterator[str]:
    """An invoice is payable, so its rows come to whole coins.

    Who rounds elsewhere than in rows is not held to it: rows of ours have an ``x_LineId``, and who
    rounds in rows has an Adjustment.
    """
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    is_rounded = any(
        row.get("x_LineId") or row.get("ChargeCategory") == "Adjustment" for _, row in rows
    )
    for _, row in rows if is_rounded else ():
        if None not in (row.get("InvoiceId"), row.get("BilledCost"), row.get("BillingCurrency")):
            sums[row["InvoiceId"], row["BillingCurrency"]] += row["BilledCost"]
    for (invoice, currency), billed in sums.items():
        if billed != round(billed, whole_coins(currency)):
            yield f"BilledCost of {invoice} must come to whole coins of {currency}, found {billed}"


@dataclass(slots=True)
class _Term:
    """What rows tell of one commitment."""

    bought: Decimal = Decimal(0)
    spent: Decimal = Decimal(0)
    promised: Decimal = Decimal(0)
    taken: Decimal = Decimal(0)
    """How much was bought, and how much was used or not used of it."""
    rows: int = 0
    sold: list[tuple[datetime, datetime]] = field(default_factory=list)
    used: list[tuple[datetime, datetime]] = field(default_factory=list)
    is_partial: bool = False
    """Whether more of it is in other files."""

    def add(self, row: Row) -> None:
        is_sale, charged = row.get("ChargeCategory") == "Purchase", _period(row)
        if charged is None or row.get("ChargeClass") or charged[1] > row["BillingPeriodEnd"]:
            self.is_partial = True
            return
        (self.sold if is_sale else self.used).append(charged)
        quantity = row.get("CommitmentDiscountQuantity") or Decimal(0)
        self.rows += 1
        if is_sale:
            self.bought += row["BilledCost"]
            self.promised += quantity
        else:
            self.spent += row["EffectiveCost"]
            self.taken += quantity

    @property
    def is_whole(self) -> bool:
        """Whether all that was bought and used is here: nothing used that was bought elsewhere."""
        return bool(self.sold) and not self.is_partial and all(map(self._is_covered, self.used))

    def _is_covered(self, used: tuple[datetime, datetime]) -> bool:
        return any(start <= used[0] and used[1] <= end for start, end in self.sold)


_OF_A_TERM = (
    "ChargePeriodStart", "ChargePeriodEnd", "BillingPeriodEnd", "BilledCost", "EffectiveCost",
    "ChargeCategory",
)  # fmt: skip


def _period(row: Row) -> tuple[datetime, datetime] | None:
    if any(row.get(name) is None for name in _OF_A_TERM):
        return None
    return row["ChargePeriodStart"], row["ChargePeriodEnd"]


def _term_faults(rows: Numbered) -> Iterator[str]:
    """A commitment whose whole term is in the file is used and unused for what it cost."""
    terms: dict[str, _Term] = defaultdict(_Term)
    for _, row in rows:
        commitment = row.get("CommitmentDiscountId")
        if commitment is not None:
            terms[commitment].add(row)
    for commitment, term in sorted(terms.items()):
        if term.is_whole and term.bought != term.spent:
            yield (
                f"EffectiveCost of {commitment} must come to its price {term.bought}, "
                f"found {term.spent}"
            )
        if term.is_whole and abs(term.promised - term.taken) > term.rows * HALF:
            yield (
                f"CommitmentDiscountQuantity of {commitment} must come to what was bought, "
                f"{term.promised}, found {term.taken}"
            )


_RULES: tuple[Callable[[Numbered], Iterator[str]], ...] = (
    _id_faults,
    _correction_faults,
    _line_faults,
    _invoice_faults,
    _term_faults,
)
