"""Arrivals: events as they were stored, resends and contradictions included."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from metering.event import UsageEvent


class Arrival(NamedTuple):
    """An event and when it was stored (nanoseconds since 1970 UTC, unique per arrival)."""

    event: UsageEvent
    stored_at: int


@dataclass(frozen=True, slots=True)
class Conflict:
    """A later arrival that claims a known identity with other content: kept, never counted."""

    event_id: bytes
    first_stored_at: int
    stored_at: int


def first_arrivals(arrivals: Iterable[Arrival]) -> list[Arrival]:
    """Return the first arrival of each identity, in order of arrival."""
    firsts: dict[bytes, Arrival] = {}
    for arrival in arrivals:
        known = firsts.get(arrival.event.event_id)
        if known is None or arrival.stored_at < known.stored_at:
            firsts[arrival.event.event_id] = arrival
    return sorted(firsts.values(), key=lambda a: a.stored_at)


def conflicts(arrivals: Iterable[Arrival]) -> list[Conflict]:
    """Return the later arrivals that differ in content from the first of their identity."""
    listed = list(arrivals)
    firsts = {a.event.event_id: a for a in first_arrivals(listed)}
    found: dict[tuple[bytes, int], Conflict] = {}
    for arrival in sorted(listed, key=lambda a: a.stored_at):
        first = firsts[arrival.event.event_id]
        content = arrival.event.content_hash
        if content != first.event.content_hash:
            conflict = Conflict(arrival.event.event_id, first.stored_at, arrival.stored_at)
            found.setdefault((arrival.event.event_id, content), conflict)
    return list(found.values())
