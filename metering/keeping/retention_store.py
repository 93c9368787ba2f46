"""The mark before which events are gone, beside the events; dropping what lies before it."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from clickhouse_connect.driver.exceptions import ClickHouseError

from metering.engine_store import StoreUnavailableError
from metering.keeping.retention import (
    CONTEXT_DAYS,
    day_of_partition,
    days_to_drop,
    oldest_kept,
    start_of,
)
from metering.scale.layout import DURABLE

_CREATE = f"""
CREATE TABLE IF NOT EXISTS kept_since (day Date) ENGINE = MergeTree ORDER BY day
SETTINGS {", ".join(DURABLE)}
"""
_OLDEST = "SELECT max(day) FROM kept_since"
_MARK = "INSERT INTO kept_since VALUES ('{}')"
_DAYS = """
SELECT DISTINCT partition_id FROM system.parts
WHERE active AND rows > 0 AND database = currentDatabase() AND table = 'events'
"""
_LATE = """
SELECT sum(rows) FROM system.parts
WHERE active AND database = currentDatabase() AND table = 'events'
  AND partition_id < '{:%Y%m%d}'
"""
_DROP = "ALTER TABLE events DROP PARTITION ID '{:%Y%m%d}'"
_FORGET = "ALTER TABLE {} DELETE WHERE hour < toDateTime('{}', 'UTC') - INTERVAL {} DAY"
_BY_HOUR = ("sightings", "contested", "doubled", "corrected", "hour_dimensions")
"""What is kept beside the events, and not by the day: a rewrite a month is enough."""


class RetentionStore:
    """Which days of events there are, and which are gone for good."""

    def __init__(self, client: Any) -> None:
        """Open the table of marks in the engine of an event store."""
        self._client = client
        self._command(_CREATE)

    def oldest(self) -> datetime:
        """Return the mark: no hour before it may be summed again. 1970 where nothing is gone."""
        return start_of(self._mark())

    def late_rows(self) -> int:
        """Return how many events there are of days that were dropped before: they came too late."""
        first_needed = self._mark() - timedelta(days=CONTEXT_DAYS)
        return int(self._rows(_LATE.format(first_needed))[0][0])

    def drop(self, days: int, today: date) -> list[date]:
        """Move the mark to ``days`` before today and drop the days before it; return these.

        The mark is on disk before anything goes, and never moves back. No refresh may run.

        Raises:
            StoreUnavailableError: some days may be left; the next run drops them.
        """
        stored = [day_of_partition(row[0]) for row in self._rows(_DAYS)]
        if not stored:
            return []
        before, mark = self._mark(), oldest_kept(max(stored), today, days)
        if mark > before:
            self._command(_MARK.format(mark))
        mark = max(mark, before)
        dropped = days_to_drop(stored, mark)
        for day in dropped:
            self._command(_DROP.format(day))
        if dropped and (mark.year, mark.month) != (before.year, before.month):
            for table in _BY_HOUR:
                self._command(_FORGET.format(table, mark, CONTEXT_DAYS))
        return dropped

    def _mark(self) -> date:
        mark: date = self._rows(_OLDEST)[0][0]
        return mark

    def _command(self, statement: str) -> None:
        try:
            self._client.command(statement)
        except (ClickHouseError, OSError, RuntimeError) as error:
            raise StoreUnavailableError(str(error)) from error

    def _rows(self, query: str) -> Sequence[Sequence[Any]]:
        try:
            found = self._client.query(query)
        except (ClickHouseError, OSError, RuntimeError) as error:
            raise StoreUnavailableError(str(error)) from error
        return found.result_rows  # type: ignore[no-any-return]
