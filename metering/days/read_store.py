"""Reading sums of days: of some accounts, between the instants that somebody cuts a month at."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, column, func, literal, select, values
from sqlmodel import SQLModel, col

from metering.days.tables import KIND, SummedDayRow, UsageDayRow, UsageKindRow
from metering.event import Outcome, Quality
from metering.period import Period
from metering.tables import AccountRow, Instant
from metering.usage import Usage, UsageKey

_SUMS = SQLModel.metadata.tables[str(UsageDayRow.__tablename__)]
_KINDS = SQLModel.metadata.tables[str(UsageKindRow.__tablename__)]
_ABOUT = (_SUMS.c.account, _SUMS.c.project, _SUMS.c.resource, _SUMS.c.kind)


class Summed(NamedTuple):
    """What days of some accounts came to."""

    usage: Mapping[str, list[Usage]]
    """Account -> usage under the start of each stretch; rows of zero are there as well."""
    changed: frozenset[str]
    """Accounts of which something changed after the close run that was asked for."""


NOTHING_SUMMED = Summed({}, frozenset())


class DaySums:
    """Sums of days as they stand. Safe to use from several threads."""

    def __init__(self) -> None:
        self._kinds: dict[int, dict[str, Any]] = {}

    def of(
        self, connection: Connection, accounts: Sequence[str], stretches: Sequence[Period], run: int
    ) -> Summed:
        """Return what stretches of whole days came to, and whose sums a later run changed."""
        rows = connection.execute(_query(accounts, stretches)).all()
        self._learn(connection, {row.kind for row in rows})
        usage: dict[str, list[Usage]] = {account: [] for account in accounts}
        changed = set()
        for start, account, project, resource, kind, quantity, last in rows:
            if last > run:
                changed.add(account)
            key = UsageKey(
                hour=start,
                account=account,
                project=project,
                cluster="",
                resource=resource,
                **self._kinds[kind],
            )
            usage[account].append(Usage(key, int(quantity)))
        return Summed(usage, frozenset(changed))

    def _learn(self, connection: Connection, kinds: set[int]) -> None:
        """Read kinds that were not met before: what a number stands for never changes."""
        new = kinds - self._kinds.keys()
        if not new:
            return
        names = [_KINDS.c[name] for name in KIND]
        for number, *told in connection.execute(
            select(_KINDS.c.id, *names).where(_KINDS.c.id.in_(new))
        ):
            said: dict[str, Any] = dict(zip(KIND, told, strict=True))
            said |= {"outcome": Outcome(said["outcome"]), "quality": Quality(said["quality"])}
            self._kinds[number] = said


def whole_days(connection: Connection, zone: str, within: Period) -> list[Period]:
    """Return the days of a zone inside a period of which sums are kept, in order."""
    query = select(col(SummedDayRow.start), col(SummedDayRow.end)).where(
        col(SummedDayRow.zone) == zone,
        col(SummedDayRow.is_whole),
        col(SummedDayRow.start) >= within.start,
        col(SummedDayRow.end) <= within.end,
    )
    days = connection.execute(query.order_by(col(SummedDayRow.start))).all()
    return [Period(start, end) for start, end in days]


def last_changes(connection: Connection, accounts: Sequence[str], days: Period) -> dict[str, int]:
    """Return the last close run that changed anything in whole days, per account with usage."""
    own = _SUMS.c.account.in_(accounts)
    query = select(_SUMS.c.account, func.max(_SUMS.c.run))
    query = query.where(own, _SUMS.c.day >= days.start, _SUMS.c.day < days.end)
    rows = connection.execute(query.group_by(_SUMS.c.account)).all()
    return {row[0]: row[1] for row in rows}


def zones_of(connection: Connection, accounts: Sequence[str]) -> dict[str, str]:
    """Return the zones of accounts that are known."""
    query = select(col(AccountRow.id), col(AccountRow.zone))
    rows = connection.execute(query.where(col(AccountRow.id).in_(accounts))).all()
    return {row.id: row.zone for row in rows}


def _query(accounts: Sequence[str], stretches: Sequence[Period]) -> Select[Any]:
    """Return the sums of each stretch; a lone one needs no table of them, which is quicker."""
    sums = (func.sum(_SUMS.c.quantity), func.max(_SUMS.c.run))
    own, day = _SUMS.c.account.in_(accounts), _SUMS.c.day
    if len(stretches) == 1:
        [stretch] = stretches
        alone = select(literal(stretch.start, Instant), *_ABOUT, *sums)
        inside = (day >= stretch.start, day < stretch.end)
        return alone.where(own, *inside).group_by(*_ABOUT)
    bounds = values(column("start", Instant), column("end", Instant), name="stretch")
    told = bounds.data([(s.start, s.end) for s in stretches]).cte("stretch")
    return (
        select(told.c.start, *_ABOUT, *sums)
        .select_from(told)
        .join(_SUMS, (day >= told.c.start) & (day < told.c.end))
        .where(own)
        .group_by(told.c.start, *_ABOUT)
    )
