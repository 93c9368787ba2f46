"""Heartbeats, kept as stretches in which a resource was heard: order and resends do not matter."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from metering.signal import Reading


@dataclass(frozen=True, slots=True, order=True)
class Heard:
    """A resource was heard from ``first`` to ``last``, never silent for longer than its timeout."""

    first: datetime
    last: datetime
    is_over: bool = False
    """Whether the timeout has passed since ``last``: the clock said so, or a later beat."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """When a resource was heard, in order, and how long it may be silent."""

    heard: tuple[Heard, ...]
    timeout: timedelta


def heard_with(
    known: Iterable[Heard], beats: Iterable[datetime], timeout: timedelta
) -> list[Heard]:
    """Return the stretches in which a resource was heard, with further beats, in order."""
    stretches: list[Heard] = []
    for one in sorted([*known, *(Heard(at, at) for at in beats)]):
        if stretches and one.first - stretches[-1].last <= timeout:
            stretches[-1] = _joined(stretches[-1], one)
        else:
            stretches.append(one)
    return [replace(one, is_over=True) for one in stretches[:-1]] + stretches[-1:]


def silent_at(newest: Heard, timeout: timedelta, now: datetime) -> bool:
    """Whether a resource has been silent for longer than its timeout."""
    return now - newest.last > timeout


def beats_of(readings: Iterable[Reading], names: Collection[str]) -> Iterator[tuple[str, datetime]]:
    """Yield (resource, instant) of the readings that show a resource alive, to the second.

    ``readings`` are of the signal ``up``; a resource is told by its id as the node or the target.
    """
    for reading in readings:
        for name in {reading.origin.node, reading.origin.target} & set(names):
            if reading.value > 0:
                yield name, datetime.fromtimestamp(reading.at_ns // 1_000_000_000, UTC)


def _joined(one: Heard, other: Heard) -> Heard:
    """Return two stretches as one; a beat that was known already does not end a silence."""
    later = max(one, other, key=lambda h: (h.last, h.is_over))
    return Heard(one.first, later.last, later.is_over)
