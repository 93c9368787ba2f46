"""What the clock starts: listen for heartbeats, and notice who fell silent."""

from datetime import datetime, timedelta

from metering.period import Period
from metering.reading_store import ReadingStore
from metering.resources.heartbeat import beats_of
from metering.resources.store import ResourceStore
from metering.signal import UP

LATE = timedelta(minutes=10)
"""How late a pushed reading may come and still be a heartbeat."""


def tick(readings: ReadingStore, store: ResourceStore, now: datetime) -> list[str]:
    """Take the heartbeats among the readings, then return the running resources newly lost.

    Running it twice at one time changes nothing.
    """
    awaited = store.awaited()
    if not awaited:
        return []
    since = now - timedelta(seconds=max(awaited.values())) - LATE
    found = readings.samples(UP, Period(since, now))
    store.hear(beats_of(found, awaited), now)
    return store.lost(store.silence(now), now)
