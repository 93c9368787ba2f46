"""What issuing must know of bills, asked for all of them at once."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy
from sqlmodel import Session, SQLModel, col, func, or_, select

from pricing.bills.tables import BillRow, GrantRow, LineRow, StepRow
from pricing.run.tables import RunRow

_LINES = SQLModel.metadata.tables[str(LineRow.__tablename__)]
_NOTHING_DEFERRED, _NOTHING_EARNED = "[]", "0"


@dataclass(frozen=True, slots=True)
class Known:
    """Some bills as they stand."""

    runs: Mapping[str, Sequence[RunRow]]
    """Bill -> its runs, the earliest month first."""
    posted: Counter[tuple[str, datetime]]
    """Account and month -> how many runs are posted; grows as bills are."""
    lines: Mapping[str, Sequence[str]]
    """Bill -> its rows as they are kept, in order."""
    steps: Counter[str]
    """Bill -> how many steps it took."""
    entangled: frozenset[str]
    """Accounts with prepaid money or orders: what one bill books depends on those before it."""


def known_of(session: Session, bills: Sequence[BillRow]) -> Known:
    """Return what the ledger says of some bills."""
    ids = [row.id for row in bills]
    runs: dict[str, list[RunRow]] = defaultdict(list)
    of_bills = select(RunRow).where(col(RunRow.bill).in_(ids)).order_by(col(RunRow.month_start))
    for run in session.exec(of_bills).all():
        runs[run.bill].append(run)
    accounts = sorted({row.account for row in bills})
    months = {run.month_start for some in runs.values() for run in some}
    return Known(
        runs=runs,
        posted=_posted(session, accounts, months),
        lines=_lines(session, ids),
        steps=_steps(session, ids),
        entangled=frozenset(_entangled(session, accounts)),
    )


def _posted(
    session: Session, accounts: Sequence[str], months: set[datetime]
) -> Counter[tuple[str, datetime]]:
    query = (
        select(RunRow.account, RunRow.month_start, func.count())
        .where(
            col(RunRow.account).in_(accounts),
            col(RunRow.month_start).in_(months),
            col(RunRow.sequence).is_not(None),
        )
        .group_by(RunRow.account, col(RunRow.month_start))
    )
    rows = session.exec(query).all()
    return Counter({(account, month): count for account, month, count in rows})


def _lines(session: Session, ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    bill, number, cells = (_LINES.c[name] for name in ("bill", "number", "cells"))
    query = sqlalchemy.select(bill, cells).where(bill.in_(ids)).order_by(bill, number)
    for name, text in session.connection().execute(query):
        found[name].append(text)
    return found


def _steps(session: Session, ids: Sequence[str]) -> Counter[str]:
    query = select(StepRow.bill, func.count()).where(col(StepRow.bill).in_(ids))
    return Counter(dict(session.exec(query.group_by(StepRow.bill)).all()))


def _entangled(session: Session, accounts: Sequence[str]) -> set[str]:
    with_grants = select(GrantRow.account).where(col(GrantRow.account).in_(accounts))
    with_orders = select(RunRow.account).where(
        col(RunRow.account).in_(accounts),
        or_(RunRow.deferred != _NOTHING_DEFERRED, RunRow.earned != _NOTHING_EARNED),
    )
    return {*session.exec(with_grants.distinct()), *session.exec(with_orders.distinct())}
