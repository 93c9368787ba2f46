"""Whether the events that usage was made of are still there: the ledger remembers how many.

Every request that was billed is a row of the event store, and rows only go by retention. So a day
with fewer rows than usage has requests lost some: a part of the store was removed, or the store is
another one. The engine cannot tell: what is not there has no checksum.
"""

from collections import defaultdict
from datetime import UTC, date, datetime

from clickhouse_connect.driver.exceptions import ClickHouseError
from sqlalchemy import Engine, func, select
from sqlmodel import col

from metering.engine_store import StoreUnavailableError
from metering.event_store import EventStore
from metering.keeping.damage import StoreDamagedError
from metering.keeping.retention import day_of_partition
from metering.keeping.retention_store import RetentionStore
from metering.rollup import REQUESTS
from metering.tables import UsageRow

_ROWS = """
SELECT partition_id, sum(rows) FROM system.parts
WHERE active AND database = currentDatabase() AND table = 'events' GROUP BY partition_id
"""


class Tally:
    """Compares both stores once, before usage is brought up to date for the first time."""

    def __init__(
        self, events: EventStore, ledger: Engine, lost: frozenset[date] = frozenset()
    ) -> None:
        """Look at the event store and the ledger, but for days that are ``lost`` for good."""
        self.lost = lost
        self._events = events
        self._ledger = ledger
        self._is_good = False

    def check(self) -> None:
        """See that no day has fewer events than usage has requests; later calls do nothing.

        Raises:
            StoreDamagedError: summing the day again would take usage away.
            StoreUnavailableError: the event store does not answer.
        """
        if self._is_good:
            return
        stored = self._stored()
        oldest = RetentionStore(self._events.client).oldest()
        for day, requests in sorted(self._billed(oldest).items()):
            if stored.get(day, 0) < requests and day not in self.lost:
                raise StoreDamagedError(
                    f"{stored.get(day, 0)} events of {day} for {requests} requests of usage"
                )
        self._is_good = True

    def _stored(self) -> dict[date, int]:
        try:
            rows = self._events.client.query(_ROWS).result_rows
        except (ClickHouseError, OSError, RuntimeError) as error:
            raise StoreUnavailableError(str(error)) from error
        return {day_of_partition(name): count for name, count in rows}

    def _billed(self, oldest: datetime) -> dict[date, int]:
        """Return how many requests usage has, by UTC day, as events are stored."""
        query = (
            select(col(UsageRow.hour), func.sum(col(UsageRow.quantity)))
            .where(col(UsageRow.superseded_by).is_(None), col(UsageRow.meter) == REQUESTS)
            .where(col(UsageRow.hour) >= oldest)
            .group_by(col(UsageRow.hour))
        )
        found: dict[date, int] = defaultdict(int)
        with self._ledger.connect() as connection:
            for hour, requests in connection.execute(query):
                found[hour.astimezone(UTC).date()] += int(requests)
        return found
