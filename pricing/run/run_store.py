"""Billing runs in the ledger: what was posted of a month, and what each run was told."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine
from sqlmodel import Session, col, select

from metering.period import Period
from metering.rows_store import insert_rows
from metering.store import exclusive
from pricing.bills.bill import Document, State
from pricing.bills.part import Before, Cutoffs, Line, Part
from pricing.bills.signed import Signed
from pricing.bills.stored_row import read_amounts, read_key, read_row
from pricing.bills.tables import BillRow, LineRow
from pricing.bills.total import NOTHING_DUE, Totals, is_over
from pricing.prices.book import PriceBook
from pricing.prices.store import keep_book
from pricing.run.run import Run, Told, narrowed, snapshot
from pricing.run.snapshot import digest
from pricing.run.tables import ReratingRow, RunInputRow, RunRow

_STANDING = (State.ISSUED.value, State.SETTLED.value)


class Decision(NamedTuple):
    """By which book, and with usage as of which close run, a closed month is rated."""

    book: PriceBook
    usage_run: int | None


class RunStore:
    """Runs of all accounts. One transaction per call."""

    def __init__(self, engine: Engine | Connection) -> None:
        """Work on an engine, or inside the transaction of a connection."""
        self._engine = engine

    def before(self, account: str, month: Period, runs: int | None = None) -> Before:
        """Return what bills carry of a month, after all posted runs or after the first few."""
        with Session(self._engine) as session:
            posted = _posted(session, account, month)[:runs]
            return Before(
                runs=len(posted),
                last_run=run_id(posted[-1]) if posted else "",
                lines=tuple(_lines(session, [r.bill for r in posted], month)),
                totals=_sum(posted),
                is_closed=_is_closed(session, posted),
            )

    def begun(self, accounts: Sequence[str], month: Period) -> set[str]:
        """Return those of some accounts of which bills carry something of a month."""
        query = select(RunRow.account).where(
            col(RunRow.account).in_(accounts),
            RunRow.month_start == month.start,
            col(RunRow.sequence).is_not(None),
        )
        with Session(self._engine) as session:
            return set(session.exec(query).all())

    def of_account(self, account: str) -> list[Run]:
        """Return an account's runs by month, in the order of postings; drafts come last."""
        with Session(self._engine) as session:
            rows = session.exec(select(RunRow).where(RunRow.account == account)).all()
        return sorted(map(_run, rows), key=_place)

    def of_bill(self, bill: str) -> list[Run]:
        """Return a bill's runs: of its own month first, then of those that it corrects."""
        with Session(self._engine) as session:
            query = select(RunRow).where(RunRow.bill == bill).order_by(col(RunRow.month_start))
            *earlier, own = map(_run, session.exec(query).all())
        return [own, *earlier]

    def closed(self, account: str, before: datetime) -> list[Run]:
        """Return the last standing run of each closed month that starts before an instant.

        A month is closed by a bill of its own that covers it whole; others only correct it.
        """
        return self.closed_of([account], before)[account]

    def closed_of(self, accounts: Sequence[str], before: datetime) -> dict[str, list[Run]]:
        """Return the last standing runs of closed months of some accounts."""
        query = (
            select(RunRow, BillRow.month_start)
            .join(BillRow, col(RunRow.bill) == col(BillRow.id))
            .where(
                col(RunRow.account).in_(accounts),
                col(RunRow.month_start) < before,
                col(RunRow.sequence).is_not(None),
                BillRow.document == Document.BILL.value,
                col(BillRow.state).in_(_STANDING),
            )
            .order_by(col(RunRow.month_start), col(RunRow.sequence))
        )
        with Session(self._engine) as session:
            rows = session.exec(query).all()
        whole = {(r.account, r.month_start) for r, billed in rows if _is_whole(r, billed)}
        months = ((r, (r.account, r.month_start)) for r, _ in rows)
        last = {month: row for row, month in months if month in whole}
        found: dict[str, list[Run]] = {account: [] for account in accounts}
        for (account, _), row in last.items():
            found[account].append(_run(row))
        return found

    def told(self, inputs: str) -> str:
        """Return what a run was told, by its digest."""
        with Session(self._engine) as session:
            return session.get_one(RunInputRow, inputs).content

    def decision(self, account: str, month: Period) -> tuple[str, int | None] | None:
        """Return book and usage run of the last decision on how a closed month is rated."""
        return self.decisions([account]).get((account, month.start))

    def decisions(
        self, accounts: Sequence[str]
    ) -> dict[tuple[str, datetime], tuple[str, int | None]]:
        """Return the last decisions on months of some accounts, by account and start."""
        query = select(ReratingRow).where(col(ReratingRow.account).in_(accounts))
        with Session(self._engine) as session:
            rows = session.exec(query.order_by(col(ReratingRow.number))).all()
        return {(r.account, r.month_start): (r.book_hash, r.usage_run) for r in rows}

    def decide(self, account: str, month: Period, decision: Decision, signed: Signed) -> str:
        """Keep a decision on a closed month, with its book; return its id."""
        with Session(self._engine) as session, session.begin():
            exclusive(session)
            keep_book(session, decision.book)
            number = len(_reratings(session, account, month)) + 1
            row = ReratingRow(
                id=f"{account}-{month.start + timedelta(days=15):%Y%m}-{number}",
                account=account,
                month_start=month.start,
                number=number,
                book_hash=decision.book.digest,
                usage_run=decision.usage_run,
                actor=signed.actor,
                reason=signed.reason,
                made_at=signed.at,
            )
            session.add(row)
            return row.id


def keep_told(session: Session, texts: Mapping[str, str]) -> None:
    """Keep what runs were told, by digest: each text once."""
    query = select(RunInputRow.digest).where(col(RunInputRow.digest).in_(texts))
    known = set(session.exec(query).all())
    new = [{"digest": d, "content": text} for d, text in texts.items() if d not in known]
    insert_rows(session, RunInputRow, new)


def posted_runs(session: Session, account: str, month: datetime) -> int:
    """Return how many runs of a month are posted."""
    query = select(RunRow.sequence).where(
        RunRow.account == account, RunRow.month_start == month, col(RunRow.sequence).is_not(None)
    )
    return len(session.exec(query).all())


def run_id(row: RunRow) -> str:
    """Return what a run is called: its bill, and the month that it rated in any zone."""
    return f"{row.bill}:{row.month_start + timedelta(days=15):%Y%m}"


def totals_of_run(row: RunRow) -> Totals:
    """Return what a run added to its month."""
    deferred = tuple((contract, units) for contract, units in json.loads(row.deferred))
    return Totals(row.payable, row.tax, row.revenue, deferred, Fraction(row.earned))


def deferred_text(totals: Totals) -> str:
    """Return what is prepaid per contract as ``totals_of_run`` reads it."""
    return json.dumps(totals.deferred, ensure_ascii=False)


def run_row(bill: str, part: Part, texts: dict[str, str]) -> dict[str, Any]:
    """Return the row of a run; what it was told goes to the texts, by its digest."""
    rating = part.rating
    inputs, cutoffs, totals = rating.inputs, rating.cutoffs, part.totals
    text = snapshot(narrowed(Told(inputs, rating.account_name, rating.resources)))
    told = digest(text)
    texts[told] = text
    return {
        "bill": bill,
        "month_start": inputs.month.start,
        "month_end": inputs.month.end,
        "account": inputs.account,
        "base": part.before.runs,
        "sequence": None,
        "service_to": cutoffs.service_to,
        "stored_before": cutoffs.stored_before,
        "usage_run": cutoffs.usage_run,
        "book_hash": inputs.book.digest,
        "inputs": told,
        "rating_hash": rating.hash,
        "corrects": part.before.last_run if part.before.is_closed else "",
        "payable": totals.payable,
        "tax": totals.tax,
        "revenue": totals.revenue,
        "deferred": deferred_text(totals),
        "earned": str(totals.earned),
        "is_over": is_over(rating.rated.charges, cutoffs.service_to),
    }


def _posted(session: Session, account: str, month: Period) -> Sequence[RunRow]:
    query = select(RunRow).where(
        RunRow.account == account,
        RunRow.month_start == month.start,
        col(RunRow.sequence).is_not(None),
    )
    return session.exec(query.order_by(col(RunRow.sequence))).all()


def _is_closed(session: Session, posted: Sequence[RunRow]) -> bool:
    if not posted:
        return False
    query = select(BillRow.id).where(
        col(BillRow.id).in_([row.bill for row in posted if row.service_to >= row.month_end]),
        BillRow.month_start == posted[0].month_start,
        BillRow.document == Document.BILL.value,
        col(BillRow.state).in_(_STANDING),
    )
    return session.exec(query).first() is not None


def _is_whole(run: RunRow, billed: datetime) -> bool:
    return run.service_to >= run.month_end and run.month_start == billed


def _lines(session: Session, bills: Sequence[str], month: Period) -> list[Line]:
    query = select(LineRow).where(
        col(LineRow.bill).in_(bills), LineRow.month_start == month.start, LineRow.key != ""
    )
    rows = session.exec(query).all() if bills else ()
    return [
        Line(read_row(r.cells), read_key(r.key), read_amounts(r.amounts))
        for r in sorted(rows, key=lambda r: (bills.index(r.bill), r.number))
    ]


def _sum(rows: Sequence[RunRow]) -> Totals:
    found = NOTHING_DUE
    for row in rows:
        found = found.plus(totals_of_run(row))
    return found


def _reratings(session: Session, account: str, month: Period) -> Sequence[ReratingRow]:
    query = select(ReratingRow).where(
        ReratingRow.account == account, ReratingRow.month_start == month.start
    )
    return session.exec(query.order_by(col(ReratingRow.number))).all()


def _run(row: RunRow) -> Run:
    return Run(
        id=run_id(row),
        bill=row.bill,
        account=row.account,
        month=Period(row.month_start, row.month_end),
        sequence=row.sequence,
        base=row.base,
        cutoffs=Cutoffs(row.service_to, row.stored_before, row.usage_run),
        book_hash=row.book_hash,
        inputs=row.inputs,
        rating_hash=row.rating_hash,
        corrects=row.corrects,
        payable=row.payable,
    )


def _place(run: Run) -> tuple[Any, ...]:
    return run.month.start, run.sequence is None, run.sequence or 0, run.bill
