"""A bill's life: released, issued with a number, settled. One transaction each.

A draft is issued only if it follows what was issued last, so of two writers one posts, and a
crash posts nothing. What a transaction finds done already it leaves as it is.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from sqlalchemy import Connection, Engine
from sqlmodel import Session, col, select

from metering.period import Period
from metering.store import exclusive
from pricing.bills.bill import Document, State, canonical_hash
from pricing.bills.credit import wallet_rows
from pricing.bills.part import Line
from pricing.bills.signed import Signed
from pricing.bills.store import StaleDraftError, found, line_values, lines_of, put_lines
from pricing.bills.stored_row import read_row
from pricing.bills.tables import BillRow
from pricing.bills.total import Totals, nearest
from pricing.focus.column import Row
from pricing.ledger.entry import Book, Kind, Movement, Transaction, moved
from pricing.ledger.ledger_store import earned_until, post
from pricing.run.life_store import (
    Series,
    StateError,
    must_be,
    notes_of,
    runs_of,
    step,
    sum_of,
    take_number,
    transaction_of,
    unit_of_row,
)
from pricing.run.run_store import posted_runs, run_id, totals_of_run
from pricing.run.tables import RunRow
from pricing.wallets.store import burned, holdings
from pricing.wallets.wallet import draws


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
            for bill_id in bill_ids:
                row = found(session, bill_id)
                if row.state not in {State.ISSUED, State.SETTLED}:
                    self._issue(session, row, signed, interim=interim)

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

    def _issue(self, session: Session, row: BillRow, signed: Signed, *, interim: bool) -> None:
        must_be(row, State.DRAFT, "issued")
        if row.service_to < row.month_end and not interim:
            found_to = f"one up to {row.service_to.isoformat()} (or ask for an interim bill)"
            raise StateError(row.id, f"reach its month's end {row.month_end}", found_to)
        runs = runs_of(session, row.id)
        for run in runs:
            if posted_runs(session, run.account, run.month_start) != run.base:
                raise StaleDraftError(row.id)
            run.sequence = run.base + 1
        totals = sum_of(runs)
        lines = [read_row(line.cells) for line in lines_of(session, row.id)]
        if not lines:
            raise EmptyDraftError(row.id)
        _check_adds_up(row, lines, totals)
        paid = _pay_from_wallet(session, row, lines, (totals.payable, signed.at))
        row.number = take_number(session, self._series(Document.BILL, signed.at))
        row.payable = unit_of_row(row).amount(totals.payable - sum(m.units for m in paid))
        step(session, row, State.ISSUED, signed)
        booked = [_booked(row, run, signed.at) for run in runs]
        post(session, [*booked, transaction_of(row, Kind.BURN, signed.at, paid)])
        for run in runs:
            post(session, [_earned(session, row, run, signed.at)])


def _check_adds_up(row: BillRow, lines: Sequence[Row], totals: Totals) -> None:
    """Refuse a bill whose rows are not what was drafted, or do not add up to what is asked."""
    total = sum((Fraction(cells["BilledCost"]) for cells in lines), Fraction(0))
    asked = unit_of_row(row).amount(totals.payable)
    if total != asked:
        raise StateError(row.id, f"have rows that add up to {asked}", str(total))
    if canonical_hash(lines) != row.result_hash:
        raise StateError(row.id, "have the rows that were drafted", "others")


def _pay_from_wallet(
    session: Session, row: BillRow, lines: Sequence[Row], due: tuple[int, datetime]
) -> tuple[Movement, ...]:
    """Put the rows of what the wallet pays on a bill: of so many units, at an instant."""
    unit = unit_of_row(row)
    usable = [h for h in holdings(session, row.account) if h.grant.unit == unit]
    taken = draws(usable, *due)
    rows = wallet_rows(row.id, lines[0], taken, unit)
    put_lines(session, row.id, [line_values(Line(r), None) for r in rows], len(lines))
    return burned(taken)


def _booked(row: BillRow, run: RunRow, at: datetime) -> Transaction:
    return _of_month(transaction_of(row, Kind.BILL, at, totals_of_run(run).movements), run)


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
