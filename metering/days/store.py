"""Sums of days in the ledger: made once a day is over, kept true ever after.

usage rows of a day -> an account's sums, some accounts a transaction -> the day is whole
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

import sqlalchemy
from sqlalchemy import Engine, func
from sqlmodel import Session, SQLModel, col, delete, select

from metering.days.day import days_due
from metering.days.keep_store import Sum, values_of
from metering.days.tables import KIND, SummedDayRow, UsageDayRow
from metering.period import Period
from metering.rows_store import insert_rows
from metering.store import exclusive
from metering.tables import AccountRow, UsageRow

_AT_ONCE = 250
"""Accounts of a transaction, so that others may write in between."""
_USAGE = SQLModel.metadata.tables[str(UsageRow.__tablename__)]
_ABOUT = (_USAGE.c.account, *(_USAGE.c[n] for n in KIND), _USAGE.c.project, _USAGE.c.resource)


class DayStore:
    """Sums of days. Making them again changes nothing, and a crash leaves the rest to be made."""

    def __init__(self, engine: Engine) -> None:
        """Work on a ledger."""
        self._engine = engine

    def sum_due(self, now: datetime) -> int:
        """Sum the days that are over and were not; return how many."""
        done = 0
        for zone in self._zones():
            for day in self._due(zone, now):
                self.sum_day(zone, day)
                done += 1
        return done

    def sum_day(self, zone: str, day: Period) -> None:
        """Sum a day of all accounts in a zone."""
        with Session(self._engine) as session, session.begin():
            exclusive(session)  # from here on, whatever changes usage changes sums as well
            row = session.get(SummedDayRow, (zone, day.start)) or _nothing(zone, day)
            row.is_whole, row.attempt = False, row.attempt + 1
            session.add(row)
            attempt = row.attempt
        for accounts in self._accounts(zone):
            with Session(self._engine) as session, session.begin():
                exclusive(session)
                _sum(session, accounts, day)
        with Session(self._engine) as session, session.begin():
            exclusive(session)
            row = session.get_one(SummedDayRow, (zone, day.start))
            row.is_whole = row.attempt == attempt  # else somebody began anew meanwhile

    def _zones(self) -> Sequence[str]:
        with Session(self._engine) as session:
            return session.exec(select(AccountRow.zone).distinct().order_by(AccountRow.zone)).all()

    def _due(self, zone: str, now: datetime) -> list[Period]:
        with Session(self._engine) as session:
            first: datetime | None = session.exec(select(func.min(UsageRow.hour))).one()
            done = select(SummedDayRow.start).where(
                col(SummedDayRow.zone) == zone, col(SummedDayRow.is_whole)
            )
            known = set(session.exec(done).all())
        return list(days_due(zone, first, now, known)) if first else []

    def _accounts(self, zone: str) -> Iterator[Sequence[str]]:
        after = ""
        while True:
            query = select(AccountRow.id).where(AccountRow.zone == zone, col(AccountRow.id) > after)
            with Session(self._engine) as session:
                some = session.exec(query.order_by(AccountRow.id).limit(_AT_ONCE)).all()
            if not some:
                return
            yield some
            after = some[-1]


def _nothing(zone: str, day: Period) -> SummedDayRow:
    return SummedDayRow(zone=zone, start=day.start, end=day.end, is_whole=False, attempt=0)


def _sum(session: Session, accounts: Sequence[str], day: Period) -> None:
    """Write what a day of some accounts comes to, in place of what was there."""
    of_day = (col(UsageDayRow.account).in_(accounts), col(UsageDayRow.day) == day.start)
    session.execute(delete(UsageDayRow).where(*of_day))
    query = (
        sqlalchemy.select(*_ABOUT, func.sum(_USAGE.c.quantity), func.max(_USAGE.c.run))
        .where(
            _USAGE.c.account.in_(accounts),
            _USAGE.c.hour >= day.start,
            _USAGE.c.hour < day.end,
            _USAGE.c.superseded_by.is_(None),
        )
        .group_by(*_ABOUT)
    )
    sums = [
        Sum((account, day.start, project, resource, tuple(kind)), int(quantity), run)
        for account, *kind, project, resource, quantity, run in session.connection().execute(query)
    ]
    insert_rows(session, UsageDayRow, values_of(session, sums))
