"""What the clock starts: close the hours that are due."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby

from metering.event_store import EventStore
from metering.store import MeterStore
from metering.usage import UsageKey, bound_usage


def tick(events: EventStore, ledger: MeterStore, now: datetime) -> int:
    """Bring usage up to date with every stored event and binding; return the rows changed.

    Works on the hours that arrivals touched since the last run, a day at a time. Hours that
    have not ended come out provisional; they are closed again when more arrives. Running it
    twice changes nothing, and a crash half way only leaves the rest to be done.
    """
    before = events.cutoff()
    due = events.hours_touched(ledger.last_close().stored_before, before) | ledger.stale_hours()
    if not due:
        return 0
    identities = ledger.identities()
    usage: dict[UsageKey, int] = {}
    for hours in _by_day(due):
        usage |= bound_usage(events.sums(hours, before), identities)
    return ledger.close_hours(sorted(due), usage, before, now)


def _by_day(hours: Iterable[datetime]) -> Iterator[list[datetime]]:
    """Group hours by UTC day, which is how events are partitioned."""
    for _, day in groupby(sorted(hours), key=lambda hour: hour.date()):
        yield list(day)
