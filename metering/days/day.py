"""Which days are to be summed: those that are over, the newest first."""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from metering.period import HOUR, Period, day_of

LATENESS = timedelta(hours=2)
"""How long after its end most of a day's late events are in: sums made then change seldom."""
MOST = 40
"""Days of a zone that are summed in one go: more than a month."""


def days_due(
    zone: str, first: datetime, now: datetime, done: Collection[datetime]
) -> Iterator[Period]:
    """Yield days of a zone, the newest first, that are over, hold usage and are not done.

    ``first`` is the first hour of usage.
    """
    day = day_of(now - LATENESS, zone)
    for _ in range(MOST):
        day = day_of(day.start - HOUR, zone)
        if day.end <= first:
            return
        if day.start not in done:
            yield day
