"""Bills: what months come to by now, less what earlier bills carry, as lines that add up.

charges - posted -> lines (ten decimals each) + rounding row -> a month's part; parts -> bill
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256

from metering.interval import Resource
from metering.period import Period, zone_of
from pricing.bills.charge_row import Context
from pricing.bills.part import FIRST, Cutoffs, Part, Rating, part_of
from pricing.bills.stored_row import NAMES, Told, told_row
from pricing.bills.total import NOTHING_DUE, Totals, unit_of
from pricing.focus.column import Row
from pricing.ledger.entry import MAX_UNITS, Unit
from pricing.money import exact_sum
from pricing.prices.policy import Policy
from pricing.rating.inputs import Inputs
from pricing.rating.rating import rate

NUMBER = "InvoiceId"
"""The column that is filled when a bill is issued; no hash covers it."""
_NUMBER_AT = NAMES.index(NUMBER)


class State(StrEnum):
    """How far a bill is: draft -> issued -> settled, or void; blocked and parked are drafts."""

    DRAFT = "draft"
    BLOCKED = "blocked"
    """Something has no price or no count."""
    PARKED = "parked"
    """It has more lines or money than its book's policy lets pass without a look."""
    ISSUED = "issued"
    SETTLED = "settled"
    VOID = "void"


POSTED = frozenset({State.ISSUED, State.SETTLED, State.VOID})
"""States in which lines count as posted; a void bill's are taken back by its credit note."""


class Document(StrEnum):
    """What a bill is on paper."""

    BILL = "bill"
    CREDIT_NOTE = "credit-note"


@dataclass(frozen=True, slots=True)
class Bill:
    """A bill of one account and month, or a credit note to one."""

    id: str
    account: str
    month: Period
    unit: Unit
    cutoffs: Cutoffs
    book_hash: str
    lines: tuple[Row, ...]
    """What was rated; what the wallet paid stands in ``credits``."""
    payable: Decimal
    blockers: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    credits: tuple[Row, ...] = ()
    parts: tuple[Part, ...] = ()
    """How the lines came about; empty for a bill that was read back."""
    stage: State = State.DRAFT
    document: Document = Document.BILL
    number: str = ""
    corrects: str = ""
    """The bill that a credit note is to."""
    reason: str = ""
    """Why it is parked, or why there is a credit note."""

    @property
    def currency(self) -> str:
        """The currency of all its amounts."""
        return self.unit.currency

    @property
    def rows(self) -> tuple[Row, ...]:
        """All rows, which add up to what is payable, with the number where there is one."""
        rows = (*self.lines, *self.credits)
        return tuple({**row, NUMBER: self.number} for row in rows) if self.number else rows

    @property
    def result_hash(self) -> str:
        """The hash of what the bill says: the same inputs give the same one, for ever."""
        return canonical_hash(self.lines)

    @property
    def state(self) -> State:
        """How far it is; a draft may be blocked or parked."""
        return State.BLOCKED if self.stage is State.DRAFT and self.blockers else self.stage

    @property
    def totals(self) -> Totals:
        """What all months on it come to."""
        found = NOTHING_DUE
        for part in self.parts:
            found = found.plus(part.totals)
        return found


def make_bill(
    inputs: Inputs,
    account_name: str,
    resources: Sequence[Resource],
    cutoffs: Cutoffs,
    warnings: Sequence[str] = (),
) -> Bill:
    """Rate a month of which nothing was billed, and write it down as a bill."""
    rating = Rating(inputs, account_name, tuple(resources), cutoffs, rate(inputs))
    name = bill_id(inputs.account, inputs.month, inputs.zone)
    return bill_of([part_of(rating, FIRST, context_of(rating, name, inputs.month))], name, warnings)


def bill_id(account: str, month: Period, zone: str, number: int = 1) -> str:
    """Return the id of the n-th bill of a month: ``acme-202610``, ``acme-202610-2``."""
    first = f"{account}-{month.start.astimezone(zone_of(zone)):%Y%m}"
    return first if number == 1 else f"{first}-{number}"


def context_of(rating: Rating, name: str, month: Period) -> Context:
    """Return what all rows share that a rating puts on a bill."""
    return Context(
        bill_id=name,
        account=rating.inputs.account,
        account_name=rating.account_name,
        month=month,
        book=rating.inputs.book,
        book_hash=rating.inputs.book.digest,
        resources={r.id: r for r in rating.resources},
    )


def bill_of(parts: Sequence[Part], name: str, warnings: Sequence[str] = ()) -> Bill:
    """Put parts on one bill: the first is its own month, those after it correct earlier ones.

    Raises:
        MixedUnitsError: months were billed in different currencies.
    """
    own = parts[0]
    inputs = own.rating.inputs
    units = {unit_of(part.rating.inputs.book) for part in parts}
    if len(units) > 1:
        raise MixedUnitsError(name, units)
    unit = unit_of(inputs.book)
    payable = sum(part.totals.payable for part in parts)
    lines = tuple(line.cells for part in parts for line in part.lines)
    assert exact_sum(row["BilledCost"] for row in lines) == unit.amount(payable)
    return Bill(
        id=name,
        account=inputs.account,
        month=inputs.month,
        unit=unit,
        cutoffs=own.rating.cutoffs,
        book_hash=inputs.book.digest,
        lines=lines,
        payable=unit.amount(payable),
        blockers=tuple(own.rating.rated.blockers),
        warnings=tuple(warnings),
        parts=tuple(parts),
    )


def why_parked(bill: Bill, policy: Policy) -> str:
    """Return why a bill must not be issued before somebody has looked at it, or nothing."""
    if len(bill.lines) > policy.max_lines:
        return f"a bill must have at most {policy.max_lines} lines, found {len(bill.lines)}"
    most = bill.unit.amount(MAX_UNITS) if policy.max_bill is None else policy.max_bill
    if abs(bill.payable) > most:
        return f"a bill must be of at most {most:f} {bill.currency}, found {bill.payable:f}"
    return ""


def canonical_hash(lines: Sequence[Row]) -> str:
    """Return the hash of lines."""
    return told_hash([told_row(line) for line in lines])


def told_hash(lines: Iterable[Told]) -> str:
    """Return the hash of lines whose cells are told."""
    return sha256(_canonical(lines).encode()).hexdigest()


def canonical_lines(lines: Sequence[Row]) -> str:
    """Return the lines as the one JSON text that hashes are made of; decimals are text."""
    return _canonical(map(told_row, lines))


def _canonical(lines: Iterable[Told]) -> str:
    rows = [[*told[:_NUMBER_AT], *told[_NUMBER_AT + 1 :]] for told in lines]
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"))


class MixedUnitsError(ValueError):
    """A bill in two currencies."""

    def __init__(self, name: str, units: set[Unit]) -> None:
        found = " and ".join(sorted(f"{u.currency} with {u.places} decimals" for u in units))
        super().__init__(f"bill {name} must be in one currency, found {found}")
