"""Lines and bills: charges become FOCUS rows, and one rounding row cuts the sum to whole fen.

charges -> lines (ten decimals each) + rounding row -> bill; rows add up to the payable, exactly
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from typing import Any

from metering.interval import Resource
from metering.period import Period, zone_of
from pricing.book import PriceBook
from pricing.charge_row import Context, charge_row, own_cells, row_frame
from pricing.focus import COLUMNS, Row, cell
from pricing.money import Rounding, rounded, shown
from pricing.rating import Charge, Inputs, Kind, rate

PREPAID = frozenset({Kind.TERM, Kind.TERM_USED, Kind.TERM_UNUSED})
"""Charges that are whole fen already; the rest is summed exactly and cut once."""


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """What a run saw: usage up to ``service_to`` (event time), stored before ``stored_before``."""

    service_to: datetime
    stored_before: int
    usage_run: int


@dataclass(frozen=True, slots=True)
class Bill:
    """A draft bill of one account and month."""

    id: str
    account: str
    month: Period
    currency: str
    cutoffs: Cutoffs
    book_hash: str
    lines: tuple[Row, ...]
    payable: Decimal
    blockers: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def result_hash(self) -> str:
        """The hash of what the bill says: the same inputs give the same one, for ever."""
        return sha256(canonical_lines(self.lines).encode()).hexdigest()

    @property
    def state(self) -> str:
        """``draft``, or ``blocked`` while something has no price or no count."""
        return "blocked" if self.blockers else "draft"


def make_bill(
    inputs: Inputs,
    account_name: str,
    resources: Sequence[Resource],
    cutoffs: Cutoffs,
    warnings: Sequence[str] = (),
) -> Bill:
    """Rate the month and write it down as lines that add up to what is payable.

    Raises:
        MissingPriceError: a contract asks for a price that the book does not have.
    """
    rated = rate(inputs)
    bill_id = f"{inputs.account}-{inputs.month.start.astimezone(zone_of(inputs.zone)):%Y%m}"
    context = Context(
        bill_id=bill_id,
        account=inputs.account,
        account_name=account_name,
        month=inputs.month,
        book=inputs.book,
        book_hash=inputs.book.digest,
        resources={r.id: r for r in resources},
    )
    lines = [charge_row(c, context) for c in rated.charges]
    payable, rounding = _settle(rated.charges, lines, inputs.book)
    lines.append(_rounding_row(rounding, context))
    assert sum((Fraction(line["BilledCost"]) for line in lines), Fraction(0)) == payable
    return Bill(
        id=bill_id,
        account=inputs.account,
        month=inputs.month,
        currency=inputs.book.currency,
        cutoffs=cutoffs,
        book_hash=context.book_hash,
        lines=tuple(lines),
        payable=payable,
        blockers=tuple(rated.blockers),
        warnings=tuple(warnings),
    )


def canonical_lines(lines: Sequence[Row]) -> str:
    """Return the lines as the one JSON text that hashes are made of; decimals are text."""
    names = [c.name for c in COLUMNS["1.2"]]
    return json.dumps(
        [[None if line[n] is None else cell(line[n]) for n in names] for line in lines],
        ensure_ascii=False,
        separators=(",", ":"),
    )


def payable_of(charges: Sequence[Charge], book: PriceBook) -> Decimal:
    """Return what is payable for charges: the exact postpaid sum is cut once, not line by line."""
    postpaid = sum((c.billed for c in charges if c.kind not in PREPAID), Fraction(0))
    orders = sum((c.billed for c in charges if c.kind in PREPAID), Fraction(0))
    cut = rounded(postpaid, book.postpaid.places, book.postpaid.mode)
    places = max(book.postpaid.places, book.order.places)
    return rounded(Fraction(cut) + orders, places, Rounding.DOWN)


def _settle(
    charges: Sequence[Charge], lines: Sequence[Row], book: PriceBook
) -> tuple[Decimal, Decimal]:
    """Return payable, and the rounding that the lines lack of it."""
    payable = payable_of(charges, book)
    listed = sum((Fraction(line["BilledCost"]) for line in lines), Fraction(0))
    return payable, shown(Fraction(payable) - listed)


def _rounding_row(amount: Decimal, context: Context) -> Row:
    mode = context.book.postpaid.mode.replace("_", " ")
    cells: dict[str, Any] = row_frame(context) | {
        "ChargeCategory": "Adjustment",
        "ChargeDescription": f"Rounding of the postpaid sum to whole minor units ({mode})",
        "ChargeFrequency": "One-Time",
        "ChargePeriodStart": context.month.start,
        "ChargePeriodEnd": context.month.end,
        "BilledCost": amount,
        "ListCost": amount,
        "ContractedCost": amount,
        "EffectiveCost": amount,
        "PricingCurrencyEffectiveCost": amount,
        "x_ChargeDescriptionZh": "抹零",
    }
    return cells | own_cells(context, ("rounding",))
