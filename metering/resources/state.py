"""States as they were told, folded into the intervals that hours are charged by.

declared intervals + told states -> points -> stretches -> less what heartbeats miss -> intervals
"""

import hashlib
import json
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from metering.identity import FOR_EVER
from metering.interval import Interval, State
from metering.period import Period, as_utc
from metering.resources.heartbeat import Pulse

MAX_AHEAD = timedelta(days=1)
"""How far ahead of the clock a state may be told: a planned stop, not a typing error."""

EARLIEST = datetime(2015, 1, 1, tzinfo=UTC)
"""A state since an earlier instant is a slip: 0206 for 2026 would be charged for from then on."""

NO_PULSES: Mapping[str, Pulse] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class StateEvent:
    """Somebody told that a resource is in a state since an instant. Never changed or deleted."""

    resource: str
    at: datetime
    state: State
    source: str = "api"
    """Where it comes from: api, inventory, or what the sender calls itself."""
    actor: str = "operator"
    evidence: str = ""
    number: int = 0
    """The order of storing: of two states told for one instant, the later stored holds."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", as_utc(self.at))

    @property
    def key(self) -> str:
        """What is told, as a digest: the same told again is a resend."""
        told = (self.resource, self.at.isoformat(), self.state, self.source, self.actor)
        content = json.dumps([*told, self.evidence], ensure_ascii=False)
        return hashlib.sha256(content.encode()).hexdigest()


def fold_states(
    events: Iterable[StateEvent],
    declared: Iterable[Interval] = (),
    pulses: Mapping[str, Pulse] = NO_PULSES,
) -> list[Interval]:
    """Return the intervals of every resource, in order: contiguous, none like its neighbour.

    A state holds until the next one told or declared. The end of a declared interval ends only
    what was declared, not what was told within it. Order of arrival does not matter. Where a
    resource with heartbeats fell silent while it was said to run, it is lost until it is heard
    or told of again.
    """
    told, said = list(events), list(declared)
    names = sorted({e.resource for e in told} | {i.resource for i in said})
    return [
        interval
        for name in names
        for interval in _joined(
            _measured(
                _stretches(
                    name,
                    _points(
                        [e for e in told if e.resource == name],
                        [i for i in said if i.resource == name],
                    ),
                ),
                pulses.get(name),
            )
        )
    ]


def check_not_ahead(at: datetime, now: datetime, ahead: timedelta = MAX_AHEAD) -> None:
    """Refuse an instant that lies too far ahead of the clock, or before there was anything to run.

    Raises:
        AheadOfTheClockError: by more than ``ahead``.
        LongAgoError: before 2015.
    """
    if at < EARLIEST:
        raise LongAgoError(at)
    if at > now + ahead:
        raise AheadOfTheClockError(at, now, ahead)


def _points(
    told: Sequence[StateEvent], declared: Sequence[Interval]
) -> dict[datetime, State | None]:
    """Return the state that begins at each instant at which something was said."""
    points: dict[datetime, State | None] = {}
    instants = sorted(event.at for event in told)
    lasting = [i for i in declared if i.period.start < i.period.end]
    for interval in lasting:
        first, end = (
            bisect_left(instants, t) for t in (interval.period.start, interval.period.end)
        )
        if first == end:
            points[interval.period.end] = None
    points |= {i.period.start: i.state for i in lasting}
    return points | {e.at: e.state for e in sorted(told, key=lambda e: e.number)}


def _stretches(name: str, points: Mapping[datetime, State | None]) -> Iterator[Interval]:
    """Yield an interval from each point to the next, where a state is known."""
    instants = sorted(points)
    for start, end in zip(instants, [*instants, FOR_EVER][1:], strict=True):
        state = points[start]
        if state is not None:
            yield Interval(name, Period(start, end), state)


def _measured(stretches: Iterable[Interval], pulse: Pulse | None) -> Iterator[Interval]:
    """Yield the stretches, running ones cut where nothing was heard for too long."""
    for stretch in stretches:
        if pulse is None or stretch.state is not State.RUNNING:
            yield stretch
        else:
            yield from _heard_running(stretch, pulse)


def _heard_running(stretch: Interval, pulse: Pulse) -> Iterator[Interval]:
    """Cut a running stretch: it runs from its start to the last beat before each silence.

    Before its first beat, and where none falls into it, what was told holds.
    """
    start, end = stretch.period.start, stretch.period.end
    inside = [h for h in pulse.heard if h.last >= start and h.first < end]
    resumed = [*(h.first for h in inside), end][1:]
    for one, heard_again in zip(inside, resumed, strict=True):
        if one.is_over and heard_again - one.last > pulse.timeout:
            yield Interval(stretch.resource, Period(start, one.last), State.RUNNING)
            yield Interval(stretch.resource, Period(one.last, heard_again), State.LOST)
            start = heard_again
    yield Interval(stretch.resource, Period(start, end), State.RUNNING)


def _joined(stretches: Iterable[Interval]) -> list[Interval]:
    """Return the stretches without empty ones, and touching ones of one state as one."""
    out: list[Interval] = []
    for one in stretches:
        if one.period.start == one.period.end:
            continue
        if out and out[-1].state is one.state and out[-1].period.end == one.period.start:
            out[-1] = Interval(
                one.resource, Period(out[-1].period.start, one.period.end), one.state
            )
        else:
            out.append(one)
    return out


class AheadOfTheClockError(ValueError):
    """Something is told of a time that is too far away."""

    def __init__(self, at: datetime, now: datetime, ahead: timedelta) -> None:
        super().__init__(
            f"a state or heartbeat must be at most {ahead.total_seconds():.0f} s ahead of the "
            f"service's clock ({now.isoformat(timespec='seconds')}), found {at.isoformat()}"
        )


class LongAgoError(ValueError):
    """Something is told of a time at which no node ran."""

    def __init__(self, at: datetime) -> None:
        super().__init__(
            f"a state or heartbeat must be of 2015 or later, found {at.isoformat()}: mend its year"
        )
