"""Usage of an account summed between the instants at which a price can change.

The ledger keeps it by the hour, and sums of days that are over. A month is read by days as far as
they are summed and nothing changes within them; the rest is summed hour by hour.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    column,
    func,
    literal,
    select,
    values,
)
from sqlmodel import col

from metering.days.read_store import (
    NOTHING_SUMMED,
    DaySums,
    last_changes,
    whole_days,
    zones_of,
)
from metering.event import Outcome, Quality
from metering.identity import UNATTRIBUTED
from metering.period import Period
from metering.rollup import REQUESTS
from metering.tables import CloseRow, Instant, UsageRow
from metering.usage import Usage, UsageKey, in_order
from pricing.run.stretch import adjacent, split

_BILLABLE = [outcome.value for outcome in Outcome if outcome.is_billable]
_NAMES = (
    "project", "resource", "pool", "model", "operation", "outcome", "quality", "meter", "band",
    "provider", "tier", "spill_reason",
)  # fmt: skip
"""Dimensions that a price or a line may depend on; which cluster it was is none."""
_SUM = func.sum(col(UsageRow.quantity))
_PER_STATEMENT = 5000
_ACCOUNTS_PER_STATEMENT = 500


class UsageSums:
    """Sums of usage rows, as one close run left them."""

    def __init__(self, engine: Engine | Connection) -> None:
        """Ask a ledger."""
        self._engine = engine
        self._days = DaySums()

    def between(
        self, account: str, edges: Sequence[datetime], end: datetime, run: int
    ) -> list[Usage]:
        """Return an account's billable usage, summed from each edge to the next, in order.

        All that lies between two edges comes under the first of them.
        """
        return self.of_all([account], edges, end, run)[account]

    def of_all(
        self, accounts: Sequence[str], edges: Sequence[datetime], end: datetime, run: int
    ) -> dict[str, list[Usage]]:
        """Return the usage of some accounts, as ``between`` does that of one.

        Days that are summed are read as such, where none of their hours changed after the run.
        """
        slots = [Period(*bounds) for bounds in pairwise([*edges, end])]
        found: dict[str, list[Usage]] = {account: [] for account in accounts}
        if not slots:
            return found
        with _connected(self._engine) as connection:
            for where in _by_zone(connection, accounts):
                found |= self._of_zone(connection, where, slots, run)
        return found

    def _of_zone(
        self,
        connection: Connection,
        where: tuple[str, Sequence[str]],
        slots: Sequence[Period],
        run: int,
    ) -> Iterator[tuple[str, list[Usage]]]:
        """Yield the usage of accounts whose days turn together."""
        zone, accounts = where
        days = whole_days(connection, zone, Period(slots[0].start, slots[-1].end))
        by_day, by_hour = split(slots, days)
        summed = self._days.of(connection, accounts, by_day, run) if by_day else NOTHING_SUMMED
        for account in accounts:
            if by_day and account not in summed.changed:
                rows = [*summed.usage[account], *_by_hour(connection, account, by_hour, run)]
            else:
                rows = list(_by_hour(connection, account, slots, run))
            yield account, _joined(rows, slots)

    def changed(self, account: str, period: Period, since: int) -> bool:
        """Whether an account's usage of a period was revised by a close run after one."""
        return self.last_changes([account], period).get(account, 0) > since

    def last_changes(self, accounts: Sequence[str], period: Period) -> dict[str, int]:
        """Return the last close run that changed a period, per account that has usage in it."""
        last: dict[str, int] = {}
        with _connected(self._engine) as connection:
            for at in range(0, len(accounts), _ACCOUNTS_PER_STATEMENT):
                asked = accounts[at : at + _ACCOUNTS_PER_STATEMENT]
                for zone, some in _by_zone(connection, asked):
                    by_day, by_hour = split([period], whole_days(connection, zone, period))
                    found = [last_changes(connection, some, part) for part in by_day]
                    found += [_last_changed_hours(connection, some, part) for part in by_hour]
                    for account, run in (item for each in found for item in each.items()):
                        last[account] = max(run, last.get(account, 0))
        return last

    def stored_before(self, run: int) -> int:
        """Return the stamp before which a close run saw every arrival."""
        query = select(col(CloseRow.stored_before)).where(col(CloseRow.id) == run)
        with _connected(self._engine) as connection:
            return int(connection.scalar(query) or 0)

    def unattributed(self, period: Period, run: int) -> int:
        """Return how many requests of a period belong to nobody."""
        query = select(func.coalesce(_SUM, 0)).where(
            col(UsageRow.account) == UNATTRIBUTED,
            col(UsageRow.meter) == REQUESTS,
            col(UsageRow.hour) >= period.start,
            col(UsageRow.hour) < period.end,
            *_as_of(run),
        )
        with _connected(self._engine) as connection:
            return int(connection.scalar(query) or 0)


@contextmanager
def _connected(engine: Engine | Connection) -> Iterator[Connection]:
    if isinstance(engine, Connection):
        yield engine
    else:
        with engine.connect() as connection:
            yield connection


def _by_zone(
    connection: Connection, accounts: Sequence[str]
) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield zones with their accounts; those that nobody declared have none, and no days."""
    zones = zones_of(connection, accounts)
    for zone in sorted({zones.get(account, "") for account in accounts}):
        yield zone, [account for account in accounts if zones.get(account, "") == zone]


def _last_changed_hours(
    connection: Connection, accounts: Sequence[str], period: Period
) -> dict[str, int]:
    account, hour = col(UsageRow.account), col(UsageRow.hour)
    query = select(account, func.max(UsageRow.run)).where(account.in_(accounts))
    query = query.where(hour >= period.start, hour < period.end).group_by(account)
    return {row[0]: row[1] for row in connection.execute(query).all()}


def _by_hour(
    connection: Connection, account: str, pieces: Sequence[Period], run: int
) -> Iterator[Usage]:
    """Yield what pieces of slots come to, hour by hour, under the start of each."""
    for near in adjacent(pieces):
        for at in range(0, len(near), _PER_STATEMENT):
            some = near[at : at + _PER_STATEMENT]
            within = _within(account, Period(some[0].start, some[-1].end), run)
            told = _told(connection, within)
            rows = connection.execute(_sums(some, within, told.varying)) if told.is_any else ()
            yield from (told.usage(account, row) for row in rows)


def _joined(rows: Iterable[Usage], slots: Sequence[Period]) -> list[Usage]:
    """Put together what belongs to one slot; what came to nothing, or is free, is left out."""
    starts = [slot.start for slot in slots]
    sums: dict[UsageKey, int] = defaultdict(int)
    for key, quantity in ((row.key, row.quantity) for row in rows):
        if key.outcome.is_billable:
            start = starts[bisect_right(starts, key.hour) - 1]
            sums[key if key.hour == start else replace(key, hour=start)] += quantity
    found = [Usage(key, quantity) for key, quantity in sums.items() if quantity]
    return sorted(found, key=lambda usage: in_order(usage.key))


def _told(connection: Connection, within: Sequence[ColumnElement[bool]]) -> "_Told":
    """Return which dimensions vary at all: to group by the others as well takes twice as long."""
    dimensions = [col(getattr(UsageRow, name)) for name in _NAMES]
    rows = connection.execute(select(*dimensions).distinct().where(*within)).all()
    values_of = {name: {row[at] for row in rows} for at, name in enumerate(_NAMES)}
    return _Told(
        {name: next(iter(some)) for name, some in values_of.items() if len(some) == 1},
        tuple(name for name, some in values_of.items() if len(some) > 1),
        bool(rows),
    )


class _Told(NamedTuple):
    """The dimensions of some usage."""

    same: Mapping[str, str]
    varying: tuple[str, ...]
    is_any: bool
    """Whether there is usage at all."""

    def usage(self, account: str, row: Any) -> Usage:
        """Return a row of sums as usage."""
        start, *told, quantity = row
        said: dict[str, Any] = {**self.same, **dict(zip(self.varying, told, strict=True))}
        said |= {"outcome": Outcome(said["outcome"]), "quality": Quality(said["quality"])}
        return Usage(UsageKey(hour=start, account=account, cluster="", **said), int(quantity))


def _sums(
    slots: Sequence[Period], within: Sequence[ColumnElement[bool]], names: Sequence[str]
) -> Select[Any]:
    """Return the sums of each slot; a lone one needs no table of slots, which is quicker."""
    dimensions = [col(getattr(UsageRow, name)) for name in names]
    if len(slots) == 1:
        start = literal(slots[0].start, Instant)
        alone = select(start, *dimensions, _SUM).where(*within)
        return alone.group_by(*dimensions).having(_SUM != 0)
    hour = col(UsageRow.hour)
    bounds = values(column("start", Instant), column("end", Instant), name="slot")
    told = bounds.data([(s.start, s.end) for s in slots]).cte("slot")
    return (
        select(told.c.start, *dimensions, _SUM)
        .select_from(told)
        .join(UsageRow, (hour >= told.c.start) & (hour < told.c.end))
        .where(*within)
        .group_by(told.c.start, *dimensions)
        .having(_SUM != 0)
    )


def _within(account: str, period: Period, run: int) -> list[ColumnElement[bool]]:
    """Return what billable usage of an account and a period must meet, as a run left it."""
    return [
        col(UsageRow.account) == account,
        col(UsageRow.hour) >= period.start,
        col(UsageRow.hour) < period.end,
        col(UsageRow.outcome).in_(_BILLABLE),
        *_as_of(run),
    ]


def _as_of(run: int) -> list[ColumnElement[bool]]:
    replaced = col(UsageRow.superseded_by)
    return [col(UsageRow.run) <= run, replaced.is_(None) | (replaced > run)]
