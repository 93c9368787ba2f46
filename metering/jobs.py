"""What the clock starts: close the hours that are due."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import date, datetime
from itertools import groupby

from metering.corrections.correction import Correction
from metering.event_store import EventStore
from metering.keeping.retention import still_kept
from metering.keeping.retention_store import RetentionStore
from metering.period import HOUR
from metering.store import MeterStore
from metering.usage import UsageKey, bound_usage

Heeded = Callable[[int], Sequence[Correction]]
"""Returns the corrections that sums of arrivals stored before a stamp heed, the oldest first."""


def tick(
    events: EventStore,
    ledger: MeterStore,
    now: datetime,
    heeded: Heeded = lambda _before: (),
    lost: Collection[date] = (),
) -> int:
    """Bring usage up to date with every event, binding and correction; return the rows changed.

    Works on the hours that arrivals touched since the last run, at most a day at a time. Hours
    that have not ended come out provisional; they are closed again when more arrives. Running it
    twice changes nothing, and a crash half way only leaves the rest to be done. Hours of ``lost``
    days, whose events were given up, keep the usage that they have.
    """
    since = ledger.last_close().stored_before
    before = max(events.cutoff(), since)
    due = events.hours_touched(since, before) | ledger.stale_hours()
    due = still_kept(due, RetentionStore(events.client).oldest(), lost)
    if not due:
        return 0
    identities = ledger.identities()
    usage: dict[UsageKey, int] = {}
    corrections = heeded(before)
    for hours in _runs(due):
        usage |= bound_usage(events.sums(hours, before, corrections), identities)
    return ledger.close_hours(sorted(due), usage, before, now)


def _runs(hours: Iterable[datetime]) -> Iterator[list[datetime]]:
    """Group hours that follow one another on a UTC day, which is how events are partitioned."""
    for _, numbered in groupby(
        enumerate(sorted(hours)), key=lambda at: (at[1].date(), at[1] - at[0] * HOUR)
    ):
        yield [hour for _, hour in numbered]
