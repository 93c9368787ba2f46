"""Resources and the intervals in which they ran: running seconds are measured, never inferred."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from metering.period import Period, merged


class State(StrEnum):
    """What a resource did during an interval. Only ``running`` is charged by the hour."""

    CREATING = "creating"
    RUNNING = "running"
    STOPPED = "stopped"
    RELEASED = "released"
    LOST = "lost"
    """Said to run, but no longer heard: time that nobody measured is not charged."""


class ResourceKind(StrEnum):
    """What a resource is."""

    NODE = "node"
    KV_CACHE = "kv_cache"
    ENDPOINT = "endpoint"


@dataclass(frozen=True, slots=True)
class Resource:
    """Something with running time: a node, a KV-cache, an endpoint. Its region never changes."""

    id: str
    account: str
    region: str
    spec: str
    name: str = ""
    kind: ResourceKind = ResourceKind.NODE
    heartbeat_seconds: int = 0
    """How long it may be silent before it counts as lost; 0 where it has no heartbeat."""


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """A resource was in one state for a period; the period of the present state has no end yet."""

    resource: str
    period: Period
    state: State


def running(intervals: Iterable[Interval], resource: str, within: Period) -> list[Period]:
    """Return when a resource ran within a period, in order and without overlap."""
    spans = (
        i.period.overlap(within)
        for i in intervals
        if i.resource == resource and i.state is State.RUNNING
    )
    return merged(s for s in spans if s)


def running_seconds(intervals: Iterable[Interval], resource: str, within: Period) -> int:
    """Return for how many seconds a resource ran within a period."""
    return sum(p.seconds for p in running(intervals, resource, within))
