"""What of a month may be read by whole days, and what must be read by its hours.

slots (between which nothing changes) + days that are summed -> stretches of days, pieces of hours
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from metering.period import Period


class Split(NamedTuple):
    """Slots in two parts; each stretch lies in one slot, and together they are all of them."""

    by_day: list[Period]
    by_hour: list[Period]


def split(slots: Sequence[Period], days: Sequence[Period]) -> Split:
    """Cut slots at days that lie in one of them whole. Both are in order, and none overlap."""
    by_day: list[Period] = []
    by_hour: list[Period] = []
    starts = [day.start for day in days]
    for slot in slots:
        at = slot.start
        for day in _inside(slot, days, bisect_left(starts, slot.start)):
            if at < day.start:
                by_hour.append(Period(at, day.start))
            is_next = bool(by_day) and slot.start < at == by_day[-1].end == day.start
            start = by_day.pop().start if is_next else day.start
            by_day.append(Period(start, day.end))
            at = day.end
        if at < slot.end:
            by_hour.append(Period(at, slot.end))
    return Split(by_day, by_hour)


def adjacent(pieces: Sequence[Period]) -> Iterator[list[Period]]:
    """Yield pieces that follow one another together."""
    some: list[Period] = []
    for piece in pieces:
        if some and some[-1].end != piece.start:
            yield some
            some = []
        some.append(piece)
    if some:
        yield some


def _inside(slot: Period, days: Sequence[Period], first: int) -> Iterator[Period]:
    for at in range(first, len(days)):
        if days[at].end > slot.end:
            return
        yield days[at]
