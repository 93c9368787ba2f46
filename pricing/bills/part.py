"""A month's part of a bill: what the month comes to by now, less what bills already carry of it."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from typing import Any

from metering.interval import Resource
from pricing.bills.charge_row import Context, charge_row, own_cells
from pricing.bills.posting import NOTHING, Amounts, Posting, amounts_of, delta, posted
from pricing.bills.stored_row import COSTS, taken_back, written_amounts, written_key
from pricing.bills.total import NOTHING_DUE, Totals, totals_of, unit_of
from pricing.focus.column import Row
from pricing.money import exact_sum, shown
from pricing.rating.charge import Charge, LineKey
from pricing.rating.inputs import Inputs
from pricing.rating.rating import Rated

ROUNDING_ZH = "抹零"
"""How a rounding row is called."""
CORRECTS = "x_CorrectsRunId"
"""The run whose result a row corrects."""


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """What a run saw: usage up to ``service_to`` (event time), stored before ``stored_before``."""

    service_to: datetime
    stored_before: int
    usage_run: int


@dataclass(frozen=True, slots=True)
class Rating:
    """An account's month as a run rated it, whole."""

    inputs: Inputs
    account_name: str
    resources: tuple[Resource, ...]
    cutoffs: Cutoffs
    rated: Rated

    @property
    def hash(self) -> str:
        """The hash of all charges, however much of them was billed before."""
        told = [[written_key(c.key), written_amounts(amounts_of(c))] for c in self.rated.charges]
        return sha256(json.dumps([told, list(self.rated.blockers)]).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a bill, and the charge that it is a part of."""

    cells: Row
    key: LineKey | None = None
    """None where no charge stands behind it: rounding, credits."""
    amounts: Amounts = NOTHING


@dataclass(frozen=True, slots=True)
class Before:
    """What issued bills carry of a month."""

    runs: int = 0
    """How many runs were posted."""
    last_run: str = ""
    lines: tuple[Line, ...] = ()
    totals: Totals = NOTHING_DUE
    is_closed: bool = False
    """Whether a bill of the whole month was issued: what is found since corrects it."""


FIRST = Before()
"""Nothing is billed yet."""


@dataclass(frozen=True, slots=True)
class Part:
    """What a bill adds to a month."""

    rating: Rating
    before: Before
    lines: tuple[Line, ...]
    totals: Totals

    @property
    def says_something(self) -> bool:
        """Whether it changes anything."""
        return any(line.key for line in self.lines) or self.totals != NOTHING_DUE


def part_of(rating: Rating, before: Before, context: Context) -> Part:
    """Return what must go on a bill so that bills carry the month as it is rated.

    The lines add up to what is payable, exactly, and so does every part before: billed in parts
    or at once, a month comes to the same.
    """
    carried = _carried(before.lines)
    sums = posted((key, line.amounts) for key, some in carried.items() for line in some)
    corrects = _correction_cells(before)
    postings = delta(rating.rated.charges, sums)
    lines = [line for posting in postings for line in _lines(posting, carried, context)]
    if corrects:
        lines = [replace(line, cells={**line.cells, **corrects}) for line in lines]
    totals = totals_of(rating.rated.charges, rating.inputs.book).plus(before.totals.negative)
    payable = Fraction(unit_of(rating.inputs.book).amount(totals.payable))
    listed = line_sum(lines)
    if payable != listed or not before.is_closed:
        lines.append(Line({**_rounding_row(shown(payable - listed), rating, context), **corrects}))
    return Part(rating, before, tuple(lines), totals)


def _carried(lines: Iterable[Line]) -> dict[LineKey, list[Line]]:
    """Return the lines that stand, per key: those that came to nothing together are left out."""
    standing: dict[LineKey, list[Line]] = defaultdict(list)
    sums: dict[LineKey, Amounts] = defaultdict(Amounts)
    for line in lines:
        if line.key:
            sums[line.key] = sums[line.key].plus(line.amounts)
            standing[line.key].append(line)
            if sums[line.key].is_nothing:
                standing[line.key].clear()
    return standing


def _lines(
    posting: Posting, carried: Mapping[LineKey, Sequence[Line]], context: Context
) -> Iterator[Line]:
    """Yield the line of a difference, or, of what is charged no more, each line taken back."""
    key = posting.key
    if posting.charge:
        charge = _of(posting.charge, posting.amounts)
        yield Line(charge_row(charge, key, context), key, posting.amounts)
        return
    for line in carried[key]:
        row = {**taken_back(line.cells), **_frame_of_bill(context)}
        identity = (*key, line.cells["x_LineId"])
        yield Line({**row, **own_cells(context, identity)}, key, line.amounts.negative)


def _of(charge: Charge, amounts: Amounts) -> Charge:
    """Return a charge of some amounts: itself, where nothing of it was billed before."""
    if amounts == amounts_of(charge):
        return charge
    quantity, listed, billed, effective, requests = amounts.values
    return replace(
        charge,
        quantity=quantity,
        listed=listed,
        billed=billed,
        effective=effective,
        requests=requests,
    )


def _frame_of_bill(context: Context) -> dict[str, Any]:
    return {"BillingPeriodStart": context.month.start, "BillingPeriodEnd": context.month.end}


def _correction_cells(before: Before) -> dict[str, Any]:
    return {"ChargeClass": "Correction", CORRECTS: before.last_run} if before.is_closed else {}


def _rounding_row(amount: Decimal, rating: Rating, context: Context) -> Row:
    month = rating.inputs.month
    mode = context.book.postpaid.mode.replace("_", " ")
    cells: dict[str, Any] = {
        **context.frame,
        "ChargeCategory": "Adjustment",
        "ChargeDescription": f"Rounding of the postpaid sum to whole minor units ({mode})",
        "ChargeFrequency": "One-Time",
        "ChargePeriodStart": month.start,
        "ChargePeriodEnd": month.end,
        **dict.fromkeys(COSTS, amount),
        "x_ChargeDescriptionZh": ROUNDING_ZH,
    }
    identity = ("rounding",) if month == context.month else ("rounding", month.start.isoformat())
    return cells | own_cells(context, identity)


def line_sum(lines: Iterable[Line]) -> Fraction:
    """Return what lines come to, as they show it."""
    return Fraction(exact_sum(line.cells["BilledCost"] for line in lines))
