"""What is told and heard of resources, in the ledger. One transaction per call."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, Engine
from sqlmodel import Session, col, select

from metering.identity import FOR_EVER
from metering.interval import Interval, Resource, State
from metering.period import Period
from metering.resources.heartbeat import Heard, heard_with, silent_at
from metering.resources.interval_store import heard_of, rebuild, told_of
from metering.resources.state import StateEvent, check_not_ahead
from metering.resources.tables import HeardRow, StateEventRow
from metering.store import MeterStore, exclusive
from metering.tables import IntervalRow, ResourceRow

BEAT_AHEAD = timedelta(minutes=1)
"""How far a sender's clock may go before ours; a beat of tomorrow would hide a loss of today."""


_KEYS_AT_ONCE = 500
"""How many parameters a statement may have differs; every database takes so many."""


class Stored(NamedTuple):
    """How many states were new, and how many were resends."""

    stored: int
    known: int


@dataclass(frozen=True, slots=True)
class Present:
    """A resource, the state it is in (None where nothing is known), and when it was heard."""

    resource: Resource
    state: State | None = None
    since: datetime | None = None
    heard_at: datetime | None = None


class ResourceStore:
    """States and heartbeats in, states out; ``interval`` is kept up to date with them."""

    def __init__(self, engine: Engine | Connection) -> None:
        """Work on an engine, or inside the transaction of a connection."""
        self._engine = engine

    def resource(self, name: str) -> Resource:
        """Return one resource.

        Raises:
            UnknownResourceError: nobody declared it.
        """
        known = {r.id: r for r in MeterStore(self._engine).resources()}
        if name not in known:
            raise UnknownResourceError(name)
        return known[name]

    def tell(self, events: Sequence[StateEvent], now: datetime) -> Stored:
        """Store states that are not known yet; all of them, or none.

        Raises:
            UnknownResourceError: nobody declared the resource.
            AheadOfTheClockError: a state of the day after tomorrow.
        """
        for event in events:
            check_not_ahead(event.at, now)
        with Session(self._engine) as session, session.begin():
            exclusive(session)
            for name in sorted({event.resource for event in events}):
                if session.get(ResourceRow, name) is None:
                    raise UnknownResourceError(name)
            told = {event.key: event for event in events}
            known = _known(session, told)
            new = [event for key, event in told.items() if key not in known]
            session.add_all(_event_row(event, now) for event in new)
            rebuild(session, {event.resource for event in new})
        return Stored(len(new), len(events) - len(new))

    def told(self, resource: str) -> list[tuple[StateEvent, datetime]]:
        """Return what was told of a resource, in order of storing, and when it was stored."""
        with Session(self._engine) as session:
            return [(event, row.stored_at) for event, row in told_of(session, resource)]

    def known_keys(self, events: Iterable[StateEvent]) -> set[str]:
        """Return the keys of those events that are stored."""
        with Session(self._engine) as session:
            return _known(session, [event.key for event in events])

    def hear(self, beats: Iterable[tuple[str, datetime]], now: datetime) -> int:
        """Take heartbeats of resources that have them; return how many. Others are passed over.

        Raises:
            AheadOfTheClockError: a beat that has not happened yet.
        """
        heard = defaultdict(list)
        for resource, at in beats:
            check_not_ahead(at, now, BEAT_AHEAD)
            heard[resource].append(at)
        taken = 0
        with Session(self._engine) as session, session.begin():
            exclusive(session)
            for name in sorted(heard):
                known = session.get(ResourceRow, name)
                if known and known.heartbeat_seconds:
                    _hear(session, known, heard[name])
                    taken += len(heard[name])
        return taken

    def silence(self, now: datetime) -> list[str]:
        """Mark the resources that have fallen silent; return those. A second run finds none.

        Where such a resource was said to run, it is lost from its last beat on.
        """
        query = select(HeardRow, ResourceRow).join(ResourceRow)
        awaited = col(HeardRow.is_over).is_(False) & (col(ResourceRow.heartbeat_seconds) > 0)
        with Session(self._engine) as session, session.begin():
            exclusive(session)
            silent = []
            for row, resource in session.exec(query.where(awaited)):
                timeout = timedelta(seconds=resource.heartbeat_seconds)
                if silent_at(Heard(row.first_at, row.last_at), timeout, now):
                    row.is_over = True
                    silent.append(row.resource)
            rebuild(session, silent)
        return sorted(silent)

    def lost(self, resources: Iterable[str], now: datetime) -> list[str]:
        """Return those of some resources that are lost."""
        wanted = set(resources)
        present = self.present(now) if wanted else []
        lost = (p.resource.id for p in present if p.state is State.LOST)
        return [name for name in lost if name in wanted]

    def awaited(self) -> dict[str, int]:
        """Return the resources with heartbeats, and how many seconds each may be silent."""
        resources = MeterStore(self._engine).resources()
        return {r.id: r.heartbeat_seconds for r in resources if r.heartbeat_seconds}

    def present(self, now: datetime) -> list[Present]:
        """Return every resource by id and the state it is in."""
        resources = MeterStore(self._engine).resources()
        with Session(self._engine) as session:
            holding = select(IntervalRow).where(
                col(IntervalRow.started_at) <= now, col(IntervalRow.ended_at) > now
            )
            states = {row.resource: row for row in session.exec(holding)}
            beats: dict[str, datetime] = {}
            for row in session.exec(select(HeardRow)):
                beats[row.resource] = max(row.last_at, beats.get(row.resource, row.last_at))
        return [
            Present(
                resource,
                State(states[resource.id].state) if resource.id in states else None,
                states[resource.id].started_at if resource.id in states else None,
                beats.get(resource.id),
            )
            for resource in resources
        ]

    def intervals(self, resource: str, period: Period) -> list[Interval]:
        """Return the states of a resource within a period, the first and last cut to it."""
        found = MeterStore(self._engine).intervals([resource])
        return [
            replace(interval, period=part)
            for interval in found
            if (part := interval.period.overlap(period))
        ]


def _known(session: Session, keys: Iterable[str]) -> set[str]:
    """Return those of some keys that are stored."""
    asked = sorted(keys)
    key = col(StateEventRow.key)
    chunks = (asked[i : i + _KEYS_AT_ONCE] for i in range(0, len(asked), _KEYS_AT_ONCE))
    return {found for some in chunks for found in session.exec(select(key).where(key.in_(some)))}


def _event_row(event: StateEvent, now: datetime) -> StateEventRow:
    return StateEventRow(
        key=event.key,
        resource=event.resource,
        at=event.at,
        state=event.state.value,
        source=event.source,
        actor=event.actor,
        evidence=event.evidence,
        stored_at=now,
    )


def _hear(session: Session, resource: ResourceRow, beats: Sequence[datetime]) -> None:
    """Add beats to what was heard; intervals change only where a silence began or ended."""
    before = heard_of(session, resource.id)
    after = heard_with(before, beats, timedelta(seconds=resource.heartbeat_seconds))
    for first in {one.first for one in before} - {one.first for one in after}:
        session.delete(session.get_one(HeardRow, (resource.id, first)))
    session.flush()
    for one in after:
        session.merge(
            HeardRow(
                resource=resource.id, first_at=one.first, last_at=one.last, is_over=one.is_over
            )
        )
    if _silences(before) != _silences(after):
        rebuild(session, [resource.id])


def _silences(heard: Sequence[Heard]) -> list[tuple[datetime, datetime]]:
    """Return from when to when nothing was heard."""
    ends = [*(one.first for one in heard), FOR_EVER][1:]
    return [(one.last, end) for one, end in zip(heard, ends, strict=True) if one.is_over]


class UnknownResourceError(LookupError):
    """No resource has this id."""

    def __init__(self, resource: str) -> None:
        super().__init__(
            f"a resource must be declared before anything is told of it, found {resource!r}: "
            f"see tallystick resources import"
        )
