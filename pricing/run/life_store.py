"""What every step of a bill's life shares: numbers without gaps, steps on record, totals."""

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlmodel import Session, col, func, select

from metering.rows_store import insert_rows
from pricing.bills.bill import Document, State
from pricing.bills.signed import Signed
from pricing.bills.tables import BillRow, NumberRow, StepRow
from pricing.bills.total import NOTHING_DUE, Totals
from pricing.ledger.entry import Kind, Movement, Transaction, Unit
from pricing.run.run_store import totals_of_run
from pricing.run.tables import RunRow

Series = Callable[[Document, datetime], str]
"""(document, instant) -> the series that its number is of, such as ``INV-2026``."""


def take_number(session: Session, series: str) -> str:
    """Take the next number; should the transaction fail, nobody has taken it."""
    [number] = take_numbers(session, series, 1)
    return number


def take_numbers(session: Session, series: str, count: int) -> list[str]:
    """Take the next so many numbers, in order."""
    row = session.get(NumberRow, series) or NumberRow(series=series, last=0)
    first = row.last + 1
    row.last += count
    session.add(row)
    session.flush()
    return [f"{series}-{number:06}" for number in range(first, first + count)]


def step(session: Session, row: BillRow, state: State, signed: Signed) -> None:
    """Change a bill's state, and keep who did it and why."""
    row.state = state.value
    session.add(row)
    session.flush()
    taken = select(func.count()).select_from(StepRow).where(StepRow.bill == row.id)
    put_steps(session, [(row, session.exec(taken).one())], signed)


def put_steps(session: Session, changed: Sequence[tuple[BillRow, int]], signed: Signed) -> None:
    """Keep who gave bills the states they are in, and why; each took so many steps before."""
    who = {"actor": signed.actor, "reason": signed.reason, "made_at": signed.at}
    rows = [{"bill": b.id, "number": n + 1, "state": b.state, **who} for b, n in changed]
    insert_rows(session, StepRow, rows)


def must_be(row: BillRow, state: State, what: str) -> None:
    """Refuse a bill that is in another state, and a credit note.

    Raises:
        StateError: names the state.
    """
    if row.state != state or row.document != Document.BILL:
        note = "" if row.document == Document.BILL else "a credit note, "
        raise StateError(row.id, f"be {state} to be {what}", f"{note}{row.state}")


def notes_of(session: Session, bill_id: str) -> Sequence[BillRow]:
    """Return the credit notes to a bill."""
    return session.exec(select(BillRow).where(BillRow.corrects == bill_id)).all()


def runs_of(session: Session, bill_id: str) -> Sequence[RunRow]:
    """Return the runs of a bill, the earliest month first."""
    query = select(RunRow).where(RunRow.bill == bill_id)
    return session.exec(query.order_by(col(RunRow.month_start))).all()


def sum_of(runs: Sequence[RunRow]) -> Totals:
    """Return what runs come to together."""
    found = NOTHING_DUE
    for run in runs:
        found = found.plus(totals_of_run(run))
    return found


def unit_of_row(row: BillRow) -> Unit:
    """Return the unit of a bill's amounts."""
    return Unit(row.currency, row.places)


def transaction_of(
    row: BillRow, kind: Kind, at: datetime, movements: tuple[Movement, ...]
) -> Transaction:
    """Return movements of a bill as a transaction; it has one of a kind."""
    name = f"{row.id}:{kind}"
    return Transaction(name, kind, row.account, unit_of_row(row), row.id, at, movements)


class StateError(ValueError):
    """A bill that is not as it must be for what is asked."""

    def __init__(self, bill: str, required: str, found_instead: str) -> None:
        super().__init__(f"bill {bill} must {required}, found {found_instead}")
