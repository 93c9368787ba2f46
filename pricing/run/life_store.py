"""What every step of a bill's life shares: numbers without gaps, steps on record, totals."""

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlmodel import Session, col, func, select

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
    row = session.get(NumberRow, series) or NumberRow(series=series, last=0)
    row.last += 1
    session.add(row)
    session.flush()
    return f"{series}-{row.last:06}"


def step(session: Session, row: BillRow, state: State, signed: Signed) -> None:
    """Change a bill's state, and keep who did it and why."""
    row.state = state.value
    session.add(row)
    taken = select(func.count()).select_from(StepRow).where(StepRow.bill == row.id)
    session.add(
        StepRow(
            bill=row.id,
            number=session.exec(taken).one() + 1,
            state=state.value,
            actor=signed.actor,
            reason=signed.reason,
            made_at=signed.at,
        )
    )
    session.flush()


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
