"""The interval table as a consequence: rebuilt wherever something was declared, told or heard."""

from collections.abc import Iterable
from datetime import timedelta

from sqlmodel import Session, col, select

from metering.interval import Interval, State
from metering.period import Period
from metering.resources.heartbeat import Heard, Pulse
from metering.resources.state import StateEvent, fold_states
from metering.resources.tables import DeclaredIntervalRow, HeardRow, StateEventRow
from metering.tables import IntervalRow, ResourceRow


def rebuild(session: Session, resources: Iterable[str]) -> None:
    """Bring the intervals of some resources up to date, in the caller's transaction.

    Only rows that differ are written.
    """
    session.flush()
    for name in sorted(set(resources)):
        wanted = {i.period.start: i for i in _folded(session, name)}
        query = select(IntervalRow).where(IntervalRow.resource == name)
        rows = {row.started_at: row for row in session.exec(query)}
        for start in rows.keys() - wanted.keys():
            session.delete(rows[start])
        for start, interval in wanted.items():
            row = _row(interval)
            if start not in rows or row != rows[start]:
                session.merge(row)
    session.flush()


def told_of(session: Session, resource: str) -> list[tuple[StateEvent, StateEventRow]]:
    """Return what was told of a resource with its rows, in order of storing."""
    query = select(StateEventRow).where(StateEventRow.resource == resource)
    return [(_event(row), row) for row in session.exec(query.order_by(col(StateEventRow.id)))]


def heard_of(session: Session, resource: str) -> list[Heard]:
    """Return when a resource was heard, in order."""
    query = select(HeardRow).where(HeardRow.resource == resource)
    rows = session.exec(query.order_by(col(HeardRow.first_at)))
    return [Heard(r.first_at, r.last_at, r.is_over) for r in rows]


def _folded(session: Session, resource: str) -> list[Interval]:
    query = select(DeclaredIntervalRow).where(DeclaredIntervalRow.resource == resource)
    declared = [
        Interval(row.resource, Period(row.started_at, row.ended_at), State(row.state))
        for row in session.exec(query)
    ]
    events = [event for event, _ in told_of(session, resource)]
    known = session.get(ResourceRow, resource)
    pulses = {}
    if known and known.heartbeat_seconds:
        timeout = timedelta(seconds=known.heartbeat_seconds)
        pulses[resource] = Pulse(tuple(heard_of(session, resource)), timeout)
    return fold_states(events, declared, pulses)


def _row(interval: Interval) -> IntervalRow:
    return IntervalRow(
        resource=interval.resource,
        started_at=interval.period.start,
        ended_at=interval.period.end,
        state=interval.state.value,
    )


def _event(row: StateEventRow) -> StateEvent:
    return StateEvent(
        resource=row.resource,
        at=row.at,
        state=State(row.state),
        source=row.source,
        actor=row.actor,
        evidence=row.evidence,
        number=row.id or 0,
    )
