"""Credit notes: a whole bill is taken back, or a part of it given back. One transaction each."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from sqlalchemy import Connection, Engine, insert
from sqlmodel import Session

from metering.store import exclusive
from pricing.bills.bill import Bill, Document, State
from pricing.bills.credit import note_row, shared_out, void_rows
from pricing.bills.part import Line
from pricing.bills.signed import Signed
from pricing.bills.store import (
    bill_of_row,
    bill_values,
    found,
    line_values,
    lines_of,
    put_lines,
)
from pricing.bills.stored_row import read_amounts, read_row, written_amounts
from pricing.bills.tables import BillRow
from pricing.ledger.entry import Kind
from pricing.ledger.ledger_store import post, transactions
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
from pricing.run.run_store import deferred_text, posted_runs, run_id, totals_of_run
from pricing.run.tables import RunRow


class NoteStore:
    """What gives money of issued bills back."""

    def __init__(self, engine: Engine | Connection, series: Series) -> None:
        """Work on an engine, or inside the transaction of a connection."""
        self._engine = engine
        self._series = series

    def void(self, bill_id: str, signed: Signed) -> str:
        """Take a whole bill back by a credit note, and return its id.

        What it carried is free again: the month's next draft carries it as if it had never been.

        Raises:
            StateError: it is not issued, or carries a credit note.
        """
        with Session(self._engine) as session, session.begin():
            exclusive(session)
            row = found(session, bill_id)
            note_id = f"{bill_id}-void"
            if row.state == State.VOID:
                return note_id
            must_be(row, State.ISSUED, "taken back")
            if notes_of(session, bill_id):
                raise StateError(bill_id, "carry no credit note to be taken back", "one")
            lines = lines_of(session, bill_id)
            back = void_rows(note_id, [read_row(line.cells) for line in lines])
            rated = tuple(r for r, n in zip(back, lines, strict=True) if n.month_start is not None)
            note = replace(_note(session, row, note_id, -row.payable, signed.reason), lines=rated)
            self._put(session, note, signed)
            values = [
                {
                    **line_values(Line(cells), line.month_start),
                    "key": line.key,
                    "amounts": written_amounts(read_amounts(line.amounts).negative),
                }
                for cells, line in zip(back, lines, strict=True)
            ]
            put_lines(session, note_id, values)
            _void_runs(session, bill_id, note_id)
            made = transactions(session, document=bill_id)
            post(session, [t.reversal(note_id, signed.at) for t in made])
            step(session, row, State.VOID, signed)
            return note_id

    def credit(self, bill_id: str, note_id: str, amount: Decimal, signed: Signed) -> None:
        """Give a part of a bill back; told again under the same id it is given once.

        Usage stays billed: a credit note is a concession, not a correction of quantities.

        Raises:
            CreditCapError: it is more than the bill still carries.
            StateError: the bill is not issued, or the id names another document.
        """
        with Session(self._engine) as session, session.begin():
            exclusive(session)
            row = found(session, bill_id)
            known = session.get(BillRow, note_id)
            if known:
                _check_same(known, bill_id, amount)
                return
            if row.state not in {State.ISSUED, State.SETTLED} or row.document != Document.BILL:
                raise StateError(bill_id, "be an issued bill to be credited", row.state)
            totals = sum_of(runs_of(session, bill_id))
            unit = unit_of_row(row)
            left = unit.units(unit.amount(totals.payable) + _given(notes_of(session, bill_id)))
            if not 0 < unit.units(amount) <= left:
                raise CreditCapError(bill_id, amount, unit.amount(left))
            like = read_row(lines_of(session, bill_id)[0].cells)
            line = Line(note_row(note_id, like, amount, signed.reason))
            note = _note(session, row, note_id, -amount, signed.reason)
            self._put(session, replace(note, lines=(), credits=(line.cells,)), signed)
            put_lines(session, note_id, [line_values(line, None)])
            given = shared_out(unit.units(amount), totals)
            booked = transaction_of(row, Kind.CREDIT_NOTE, signed.at, given)
            post(session, [replace(booked, id=f"{note_id}:{booked.kind}", document=note_id)])

    def _put(self, session: Session, note: Bill, signed: Signed) -> None:
        """Store a credit note under its own number."""
        number = take_number(session, self._series(Document.CREDIT_NOTE, signed.at))
        row = BillRow(**bill_values(replace(note, number=number)))
        session.add(row)
        session.flush()
        step(session, row, State.ISSUED, signed)


def _note(session: Session, row: BillRow, note_id: str, payable: Decimal, reason: str) -> Bill:
    return replace(
        bill_of_row(session, row),
        id=note_id,
        stage=State.ISSUED,
        document=Document.CREDIT_NOTE,
        corrects=row.id,
        payable=payable,
        reason=reason,
        warnings=(),
    )


def _void_runs(session: Session, bill_id: str, note_id: str) -> None:
    """Post the negative of each run, so that together they carry nothing of the month."""
    for run in runs_of(session, bill_id):
        base = posted_runs(session, run.account, run.month_start)
        back = totals_of_run(run).negative
        values = run.model_dump() | {
            "bill": note_id,
            "base": base,
            "sequence": base + 1,
            "corrects": run_id(run),
            "payable": back.payable,
            "tax": back.tax,
            "revenue": back.revenue,
            "deferred": deferred_text(back),
            "earned": str(back.earned),
        }
        session.execute(insert(RunRow), [values])


def _given(notes: Sequence[BillRow]) -> Decimal:
    return sum((note.payable for note in notes), Decimal(0))


def _check_same(known: BillRow, bill_id: str, amount: Decimal) -> None:
    if known.corrects != bill_id or known.payable != -amount:
        found_instead = f"one of {-known.payable} to {known.corrects}"
        raise StateError(known.id, f"be a credit note of {amount} to {bill_id}", found_instead)


class CreditCapError(ValueError):
    """More money back than a bill carries."""

    def __init__(self, bill: str, amount: Decimal, left: Decimal) -> None:
        super().__init__(
            f"a credit note to bill {bill} must be above 0 and at most {left}, found {amount}"
        )
