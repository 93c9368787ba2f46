"""Bills in the ledger: drafts come and go, what is issued stays as it is."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine
from sqlmodel import Session, col, delete, select

from metering.period import Period
from metering.rows_store import insert_rows
from metering.store import exclusive
from pricing.bills.bill import Bill, Document, State, told_hash, why_parked
from pricing.bills.part import Cutoffs, Line
from pricing.bills.stored_row import (
    Told,
    read_row,
    told_row,
    written_amounts,
    written_key,
    written_told,
)
from pricing.bills.tables import BillRow, LineRow, StepRow
from pricing.focus.column import Row
from pricing.ledger.entry import Unit
from pricing.prices.store import keep_book
from pricing.run.run_store import keep_told, run_row
from pricing.run.tables import RunRow

DRAFTS = frozenset({State.DRAFT.value, State.BLOCKED.value, State.PARKED.value})
"""States of bills that a later run replaces."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which bills of a list."""

    account: str | None = None
    month: Period | None = None
    state: State | None = None
    after: str = ""
    """The last id of the page before."""
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A change of a bill's state."""

    state: State
    actor: str
    reason: str
    made_at: datetime


class BillStore:
    """Bills, credit notes and their rows. One transaction per call."""

    def __init__(self, engine: Engine | Connection) -> None:
        """Work on an engine, or inside the transaction of a connection."""
        self._engine = engine

    def put_drafts(self, bills: Sequence[Bill]) -> list[Bill]:
        """Store drafts in place of their months' former drafts; return them as they then stand.

        A draft of more than its book's policy allows is parked, unless somebody has let this very
        result pass.

        Raises:
            StaleDraftError: another was issued under the id meanwhile. Nothing changed.
        """
        with Session(self._engine) as session, session.begin():
            exclusive(session)
            return _put_drafts(session, bills)

    def bill(self, bill_id: str) -> Bill:
        """Return a bill with all its rows.

        Raises:
            UnknownBillError: there is none of this id.
        """
        with Session(self._engine) as session:
            return bill_of_row(session, found(session, bill_id))

    def bills(self, wanted: Wanted) -> list[Bill]:
        """Return bills by id, without their rows."""
        query = select(BillRow).where(col(BillRow.id) > wanted.after)
        if wanted.account is not None:
            query = query.where(BillRow.account == wanted.account)
        if wanted.month:
            query = query.where(BillRow.month_start == wanted.month.start)
        if wanted.state:
            query = query.where(BillRow.state == wanted.state.value)
        with Session(self._engine) as session:
            rows = session.exec(query.order_by(BillRow.id).limit(wanted.limit)).all()
            return [_bill(row, ()) for row in rows]

    def steps(self, bill_id: str) -> list[Step]:
        """Return who changed a bill's state, in order."""
        query = select(StepRow).where(StepRow.bill == bill_id).order_by(col(StepRow.number))
        with Session(self._engine) as session:
            rows = session.exec(query).all()
            return [Step(State(r.state), r.actor, r.reason, r.made_at) for r in rows]

    def next_numbers(self, accounts: Sequence[str], month: Period) -> dict[str, int]:
        """Return which bill of a month each account's next draft is: one more than were issued."""
        query = select(BillRow.account).where(
            col(BillRow.account).in_(accounts),
            BillRow.month_start == month.start,
            BillRow.document == Document.BILL.value,
            col(BillRow.state).not_in(DRAFTS),
        )
        with Session(self._engine) as session:
            issued = Counter(session.exec(query).all())
        return {account: issued[account] + 1 for account in accounts}


def found(session: Session, bill_id: str) -> BillRow:
    """Return a bill's row.

    Raises:
        UnknownBillError: there is none of this id.
    """
    row = session.get(BillRow, bill_id)
    if row is None:
        raise UnknownBillError(bill_id)
    return row


def found_all(session: Session, bill_ids: Sequence[str]) -> list[BillRow]:
    """Return the rows of bills in order, each once.

    Raises:
        UnknownBillError: there is none of an id.
    """
    query = select(BillRow).where(col(BillRow.id).in_(bill_ids))
    rows = {row.id: row for row in session.exec(query).all()}
    for bill_id in bill_ids:
        if bill_id not in rows:
            raise UnknownBillError(bill_id)
    return [rows[bill_id] for bill_id in dict.fromkeys(bill_ids)]


def lines_of(session: Session, bill_id: str) -> Sequence[LineRow]:
    """Return the rows of a bill, in order."""
    query = select(LineRow).where(LineRow.bill == bill_id)
    return session.exec(query.order_by(col(LineRow.number))).all()


def bill_of_row(session: Session, row: BillRow) -> Bill:
    """Return a bill with its rows."""
    return _bill(row, lines_of(session, row.id))


def put_lines(session: Session, bill: str, lines: Sequence[dict[str, Any]], start: int = 0) -> None:
    """Add rows to a bill, numbered from ``start``."""
    numbered = [{"bill": bill, "number": start + n, **line} for n, line in enumerate(lines)]
    insert_rows(session, LineRow, numbered)


def line_values(line: Line, month: datetime | None) -> dict[str, Any]:
    """Return what a row of the ledger holds of a line; the month is the one that was rated."""
    return _line_values(line, month, told_row(line.cells))


def _line_values(line: Line, month: datetime | None, told: Told) -> dict[str, Any]:
    return {
        "line_id": line.cells["x_LineId"],
        "billed_cost": line.cells["BilledCost"],
        "cells": written_told(told),
        "month_start": month,
        "key": written_key(line.key) if line.key else "",
        "amounts": written_amounts(line.amounts),
    }


def bill_values(bill: Bill) -> dict[str, Any]:
    """Return what the ledger holds of a bill besides its rows."""
    return _values(bill, bill.result_hash)


def _values(bill: Bill, result_hash: str) -> dict[str, Any]:
    return {
        "id": bill.id,
        "account": bill.account,
        "month_start": bill.month.start,
        "month_end": bill.month.end,
        "document": bill.document.value,
        "state": bill.state.value,
        "number": bill.number or None,
        "corrects": bill.corrects or None,
        "currency": bill.unit.currency,
        "places": bill.unit.places,
        "payable": bill.payable,
        "service_to": bill.cutoffs.service_to,
        "stored_before": bill.cutoffs.stored_before,
        "usage_run": bill.cutoffs.usage_run,
        "book_hash": bill.book_hash,
        "result_hash": result_hash,
        "blockers": json.dumps(bill.blockers, ensure_ascii=False),
        "warnings": json.dumps(bill.warnings, ensure_ascii=False),
        "reason": bill.reason,
    }


def _put_drafts(session: Session, bills: Sequence[Bill]) -> list[Bill]:
    """Store drafts in place of former ones: a statement a table, however many they are."""
    query = select(BillRow).where(col(BillRow.id).in_([bill.id for bill in bills]))
    known = {row.id: row for row in session.exec(query).all()}
    for bill in bills:
        if bill.id in known and known[bill.id].state not in DRAFTS:
            raise StaleDraftError(bill.id)
    for book in {
        p.rating.inputs.book.digest: p.rating.inputs.book for b in bills for p in b.parts
    }.values():
        keep_book(session, book)
    if known:
        for table in (LineRow, RunRow):
            session.execute(delete(table).where(col(table.bill).in_(known)))
    texts: dict[str, str] = {}
    drafts = [_draft(bill, known.get(bill.id), texts) for bill in bills]
    for draft in drafts:
        if draft.bill.id in known:
            known[draft.bill.id].sqlmodel_update(draft.values)
    session.flush()
    new = [{**d.values, "released_hash": ""} for d in drafts if d.bill.id not in known]
    insert_rows(session, BillRow, new)
    keep_told(session, texts)
    insert_rows(session, RunRow, [run for d in drafts for run in d.runs])
    insert_rows(session, LineRow, [line for d in drafts for line in d.lines])
    return [draft.bill for draft in drafts]


class _Draft(NamedTuple):
    """A draft as it stands in the ledger, with its rows."""

    bill: Bill
    values: dict[str, Any]
    runs: list[dict[str, Any]]
    lines: list[dict[str, Any]]


def _draft(bill: Bill, known: BillRow | None, texts: dict[str, str]) -> _Draft:
    """Return what the ledger is to hold of a draft; what its runs were told goes to the texts."""
    told = [told_row(row) for row in bill.lines]
    values = _values(bill, told_hash(told))
    released = known.released_hash if known else ""
    reason = why_parked(bill, bill.parts[0].rating.inputs.book.policy)
    if reason and values["result_hash"] != released and not bill.blockers:
        bill = replace(bill, stage=State.PARKED, reason=reason)
        values |= {"state": bill.state.value, "reason": reason}
    months = ((part.rating.inputs.month.start, line) for part in bill.parts for line in part.lines)
    rows = [
        {"bill": bill.id, "number": number, **_line_values(line, month, cells)}
        for number, ((month, line), cells) in enumerate(zip(months, told, strict=True))
    ]
    return _Draft(bill, values, [run_row(bill.id, part, texts) for part in bill.parts], rows)


def _bill(row: BillRow, lines: Sequence[LineRow]) -> Bill:
    def rows(*, rated: bool) -> tuple[Row, ...]:
        return tuple(read_row(r.cells) for r in lines if (r.month_start is not None) is rated)

    return Bill(
        id=row.id,
        account=row.account,
        month=Period(row.month_start, row.month_end),
        unit=Unit(row.currency, row.places),
        cutoffs=Cutoffs(row.service_to, row.stored_before, row.usage_run),
        book_hash=row.book_hash,
        lines=rows(rated=True),
        payable=row.payable,
        blockers=tuple(json.loads(row.blockers)),
        warnings=tuple(json.loads(row.warnings)),
        credits=rows(rated=False),
        stage=State(row.state),
        document=Document(row.document),
        number=row.number or "",
        corrects=row.corrects or "",
        reason=row.reason,
    )


class UnknownBillError(LookupError):
    """No bill has this id."""

    def __init__(self, bill: str) -> None:
        super().__init__(f"the bill must be one that was drafted or issued, found {bill!r}")


class StaleDraftError(ValueError):
    """A draft that was overtaken."""

    def __init__(self, bill: str) -> None:
        super().__init__(
            f"bill {bill} must follow what was issued last, found a draft from before: draft again"
        )
