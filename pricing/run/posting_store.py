"""A bill's life: released, issued with a number, settled. One transaction each.

A draft is issued only if it follows what was issued last, so of two writers one posts, and a
crash posts nothing. What a transaction finds done already it leaves as it is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, Engine
from sqlmodel import Session, col, select

from metering.period import Period
from metering.store import exclusive
from pricing.bills.bill import Document, State, told_hash
from pricing.bills.credit import wallet_rows
from pricing.bills.part import Line
from pricing.bills.signed import Signed
from pricing.bills.store import StaleDraftError, found, found_all, line_values, put_lines
from pricing.bills.stored_row import NAMES, Told, read_row, read_told
from pricing.bills.tables import BillRow
from pricing.bills.total import Totals, nearest
from pricing.ledger.entry import Book, Kind, Movement, Transaction, moved
from pricing.ledger.ledger_store import earned_until, post
from pricing.money import exact_sum
from pricing.run.known_store import Known, known_of
from pricing.run.life_store import (
    Series,
    StateError,
    must_be,
    notes_of,
    put_steps,
    step,
    sum_of,
    take_numbers,
    transaction_of,
    unit_of_row,
)
from pricing.run.run_store import run_id, totals_of_run
from pricing.run.tables import RunRow
from pricing.wallets.store import burned, holdings
from pricing.wallets.wallet import draws

_COST_AT = NAMES.index("BilledCost")


class PostingStore:
    """What happens to bills once they are drafted."""

    def __init__(self, engine: Engine | Connection, series: Series) -> None:
        """Work on an engine, or inside the transaction of a connection."""
        self._engine = engine
        self._series = series

    def issue(self, bill_ids: Sequence[str], signed: Signed, *, interim: bool = False) -> None:
        """Give drafts their numbers, book them and freeze their rows; all of them, or none.

        ``interim``: also where the month has not ended; the rest of it goes on the next bill.

        Raises:
            StateError, StaleDraftError: what is missing. Nothing changed.
        """
        with Session(self._engine) as session, session.begin():
            exclusive(session)
            rows = found_all(session, bill_ids)
            due = [row for row in rows if row.state not in {State.ISSUED, State.SETTLED}]
            for row in due:
                _must_be_due(row, interim=interim)
            if due:
                self._issue(session, due, signed)

    def settle(self, bill_id: str, signed: Signed) -> None:
        """Book the payment of what a bill asks for, less its credit notes.

        Raises:
            StateError: it is not issued, or void.
        """
        with Session(self._engine) as session, session.begin():
            exclusive(session)
            row = found(session, bill_id)
            if row.state == State.SETTLED:
                return
            must_be(row, State.ISSUED, "settled")
            given = sum((note.payable for note in notes_of(session, bill_id)), Decimal(0))
            due = unit_of_row(row).units(row.payable + given)
            paid = moved(Book.CASH, Book.RECEIVABLE, due)
            post(session, [transaction_of(row, Kind.PAYMENT, signed.at, paid)])
            step(session, row, State.SETTLED, signed)

    def release(self, bill_id: str, signed: Signed) -> None:
        """Let a parked draft pass; it is parked again only if it comes to something else.

        Raises:
            StateError: it is not parked.
        """
        with Session(self._engine) as session, session.begin():
            exclusive(session)
            row = found(session, bill_id)
            if row.state == State.DRAFT and row.released_hash == row.result_hash:
                return
            must_be(row, State.PARKED, "released")
            row.released_hash, row.reason = row.result_hash, ""
            step(session, row, State.DRAFT, signed)

    def _issue(self, session: Session, due: Sequence[BillRow], signed: Signed) -> None:
        """Issue bills in order. Those of plain accounts are booked together, which is quicker."""
        known = known_of(session, due)
        numbers = take_numbers(session, self._series(Document.BILL, signed.at), len(due))
        later: list[Transaction] = []
        for row, number in zip(due, numbers, strict=True):
            _sequence(row, known)
            row.number, row.state = number, State.ISSUED.value
            if row.account in known.entangled:
                _book(session, row, known, signed.at)
            else:
                row.payable = unit_of_row(row).amount(sum_of(known.runs[row.id]).payable)
                later += _booked(row, known.runs[row.id], signed.at)
        post(session, later)
        put_steps(session, [(row, known.steps[row.id]) for row in due], signed)


def _must_be_due(row: BillRow, *, interim: bool) -> None:
    must_be(row, State.DRAFT, "issued")
    if row.service_to < row.month_end and not interim:
        found_to = f"one up to {row.service_to.isoformat()} (or ask for an interim bill)"
        raise StateError(row.id, f"reach its month's end {row.month_end}", found_to)


def _sequence(row: BillRow, known: Known) -> None:
    """Give a bill's runs their places among those of their months, once its rows are in order."""
    runs = known.runs[row.id]
    for run in runs:
        if known.posted[run.account, run.month_start] != run.base:
            raise StaleDraftError(row.id)
    lines = [read_told(cells) for cells in known.lines[row.id]]
    if not lines:
        raise EmptyDraftError(row.id)
    _check_adds_up(row, lines, sum_of(runs))
    for run in runs:
        run.sequence = run.base + 1
        known.posted[run.account, run.month_start] += 1


def _book(session: Session, row: BillRow, known: Known, at: datetime) -> None:
    """Book a bill that its wallet may pay, or of which prepaid orders are earned."""
    runs = known.runs[row.id]
    payable = sum_of(runs).payable
    paid = _pay_from_wallet(session, row, known.lines[row.id], (payable, at))
    row.payable = unit_of_row(row).amount(payable - sum(m.units for m in paid))
    post(session, [*_booked(row, runs, at), transaction_of(row, Kind.BURN, at, paid)])
    for run in runs:
        post(session, [_earned(session, row, run, at)])


def _check_adds_up(row: BillRow, lines: Sequence[Told], totals: Totals) -> None:
    """Refuse a bill whose rows are not what was drafted, or do not add up to what is asked."""
    total = exact_sum(Decimal(cells[_COST_AT] or "NaN") for cells in lines)
    asked = unit_of_row(row).amount(totals.payable)
    if total != asked:
        raise StateError(row.id, f"have rows that add up to {asked}", str(total))
    if told_hash(lines) != row.result_hash:
        raise StateError(row.id, "have the rows that were drafted", "others")


def _pay_from_wallet(
    session: Session, row: BillRow, lines: Sequence[str], due: tuple[int, datetime]
) -> tuple[Movement, ...]:
    """Put the rows of what the wallet pays on a bill: of so many units, at an instant."""
    unit = unit_of_row(row)
    usable = [h for h in holdings(session, row.account) if h.grant.unit == unit]
    taken = draws(usable, *due)
    rows = wallet_rows(row.id, read_row(lines[0]), taken, unit)
    put_lines(session, row.id, [line_values(Line(r), None) for r in rows], len(lines))
    return burned(taken)


def _booked(row: BillRow, runs: Iterable[RunRow], at: datetime) -> list[Transaction]:
    return [
        _of_month(transaction_of(row, Kind.BILL, at, totals_of_run(run).movements), run)
        for run in runs
    ]


def _earned(session: Session, row: BillRow, run: RunRow, at: datetime) -> Transaction:
    """Return what of prepaid orders a month earned that was not booked yet.

    Cut from the exact sum of all months so far, so that months add up to the orders; where nothing
    prepaid goes on, what is left is earned.
    """
    so_far = select(RunRow).where(
        RunRow.account == run.account,
        col(RunRow.month_start) <= run.month_start,
        col(RunRow.sequence).is_not(None),
    )
    totals = sum_of(session.exec(so_far).all())
    if not totals.deferred and not totals.earned:
        return _of_month(transaction_of(row, Kind.EARNED, at, ()), run)
    paid = sum(units for _, units in totals.deferred)
    due = paid if run.is_over else nearest(totals.earned * 10**row.places)
    units = due - earned_until(session, run.account, run.month_start)
    movements = moved(Book.DEFERRED, Book.REVENUE, units)
    return _of_month(transaction_of(row, Kind.EARNED, at, movements), run)


def _of_month(made: Transaction, run: RunRow) -> Transaction:
    month = Period(run.month_start, run.month_end)
    return replace(made, id=f"{run_id(run)}:{made.kind}", month=month)


class EmptyDraftError(StaleDraftError):
    """A draft of a month of which everything is billed, or in which nothing was used."""

    def __init__(self, bill: str) -> None:
        ValueError.__init__(
            self, f"bill {bill} must carry a row to be issued, found nothing to bill"
        )
