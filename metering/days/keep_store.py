"""Keeping sums of days true: what changes usage changes them, in the same transaction.

A sum is that of the current rows of a day, so it changes by as much as they do. Sums as of a past
close run are not kept: a day that changed since is read by its hours.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select, text, update
from sqlmodel import Session, SQLModel, col

from metering.days.tables import KIND, SummedDayRow, UsageKindRow
from metering.rows_store import insert_rows
from metering.tables import AccountRow, Instant, UsageRow
from metering.usage import UsageKey

Kind = tuple[str, ...]
Of = tuple[str, datetime, str, str, Kind]
"""Account, start of the day, project, resource and kind."""

_AT_ONCE = 500
_ADD = text(
    "INSERT INTO usage_day (account, day, project, resource, kind, quantity, run) "
    "VALUES (:account, :day, :project, :resource, :kind, :quantity, :run) "
    "ON CONFLICT (account, day, project, resource, kind) DO UPDATE "
    "SET quantity = usage_day.quantity + excluded.quantity, run = excluded.run"
).bindparams(bindparam("day", type_=Instant))
_KINDS = SQLModel.metadata.tables[str(UsageKindRow.__tablename__)]


class Sum(NamedTuple):
    """What a kind of usage of an account's day comes to, and the last run that changed it."""

    of: Of
    quantity: int
    run: int


def keep(session: Session, changes: Mapping[UsageKey, int], run: int) -> None:
    """Add what a close run changed to the sums of days that are kept.

    ``changes`` hold by how much each row grew; one that changed back and forth may be zero.
    """
    if not changes:
        return
    day_of = _days(session, {key.hour for key in changes})
    if not day_of:
        return
    zones = _zones(session, sorted({key.account for key in changes}))
    sums: dict[Of, int] = defaultdict(int)
    for key, grown in changes.items():
        kept = day_of.get(zones.get(key.account, ""), _never)(key.hour)
        if kept:
            sums[key.account, kept, key.project, key.resource, kind_of(key)] += grown
    rows = values_of(session, [Sum(of, grown, run) for of, grown in sums.items()])
    if rows:
        session.connection().execute(_ADD, rows)


def forget_days(session: Session, accounts: Iterable[tuple[str, str]]) -> None:
    """Let days be summed anew in zones that get an account which has usage already."""
    for account, zone in accounts:
        has_usage = select(col(UsageRow.id)).where(col(UsageRow.account) == account).limit(1)
        if session.connection().scalar(has_usage) is not None:
            again = {"is_whole": False, "attempt": col(SummedDayRow.attempt) + 1}
            days = update(SummedDayRow).where(col(SummedDayRow.zone) == zone)
            session.execute(days.values(again))


def values_of(session: Session, sums: Sequence[Sum]) -> list[dict[str, Any]]:
    """Return sums as rows; kinds that were never seen are kept first."""
    numbers = _numbers(session, {of[-1] for of, _, _ in sums})
    names = ("account", "day", "project", "resource")
    return [
        {
            **dict(zip(names, of[:-1], strict=True)),
            "kind": numbers[of[-1]],
            "quantity": quantity,
            "run": run,
        }
        for of, quantity, run in sums
    ]


def kind_of(key: UsageKey) -> Kind:
    """Return the kind of a usage row."""
    return tuple(str(getattr(key, name)) for name in KIND)


def _numbers(session: Session, kinds: set[Kind]) -> dict[Kind, int]:
    """Return the number of each kind. There are as many as models and classes make, not more."""
    if not kinds:
        return {}
    known = _known(session)
    new = sorted(kinds - known.keys())
    if new:
        values = [dict(zip(KIND, kind, strict=True)) for kind in new]
        insert_rows(session, UsageKindRow, values)
        known = _known(session)
    return known


def _known(session: Session) -> dict[Kind, int]:
    rows = session.connection().execute(select(_KINDS.c.id, *(_KINDS.c[name] for name in KIND)))
    return {tuple(kind): number for number, *kind in rows}


def _days(
    session: Session, hours: set[datetime]
) -> dict[str, Callable[[datetime], datetime | None]]:
    """Return, per zone, what finds the start of the kept day that holds an hour."""
    query = select(col(SummedDayRow.zone), col(SummedDayRow.start), col(SummedDayRow.end)).where(
        col(SummedDayRow.start) <= max(hours), col(SummedDayRow.end) > min(hours)
    )
    days: dict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
    for zone, start, end in session.connection().execute(query.order_by(col(SummedDayRow.start))):
        days[zone].append((start, end))
    return {zone: _finder(some) for zone, some in days.items()}


def _finder(days: Sequence[tuple[datetime, datetime]]) -> Callable[[datetime], datetime | None]:
    starts = [start for start, _ in days]

    def found(hour: datetime) -> datetime | None:
        at = bisect_right(starts, hour) - 1
        return starts[at] if at >= 0 and hour < days[at][1] else None

    return found


def _never(_hour: datetime) -> None:
    return None


def _zones(session: Session, accounts: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for at in range(0, len(accounts), _AT_ONCE):
        some = accounts[at : at + _AT_ONCE]
        query = select(col(AccountRow.id), col(AccountRow.zone)).where(col(AccountRow.id).in_(some))
        rows = session.connection().execute(query)
        found |= {row.id: row.zone for row in rows}
    return found
