"""Schedules in the ledger: every revision is kept, the newest of a resource and name holds."""

import json
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Engine
from sqlmodel import Session, col, select

from metering.period import Period, parse_instant
from metering.resources.schedule import WEEKDAYS, Schedule, Window, minutes_of, wall_time
from metering.resources.store import UnknownResourceError
from metering.resources.tables import ScheduleRow
from metering.store import exclusive
from metering.tables import ResourceRow


class ScheduleStore:
    """Schedules in, schedules out. One transaction per call."""

    def __init__(self, engine: Engine | Connection) -> None:
        """Work on an engine, or inside the transaction of a connection."""
        self._engine = engine

    def put(self, schedules: Sequence[Schedule], actor: str, now: datetime) -> int:
        """Store schedules that are new or other than before; return how many. All, or none.

        Raises:
            UnknownResourceError: nobody declared the resource.
        """
        with Session(self._engine) as session, session.begin():
            exclusive(session)
            held = {(s.resource, s.name): s for s in _held(session)}
            changed = [s for s in schedules if held.get((s.resource, s.name)) != s]
            for one in changed:
                if session.get(ResourceRow, one.resource) is None:
                    raise UnknownResourceError(one.resource)
                session.add(
                    ScheduleRow(
                        resource=one.resource,
                        name=one.name,
                        definition=json.dumps(document_of(one), ensure_ascii=False),
                        actor=actor,
                        stored_at=now,
                    )
                )
                session.flush()  # ids follow the order in which they were given
        return len(changed)

    def schedules(self, resources: Iterable[str] | None = None) -> list[Schedule]:
        """Return the schedules that hold, of some resources or all, by resource and name."""
        with Session(self._engine) as session:
            held = _held(session)
        wanted = None if resources is None else set(resources)
        return [s for s in held if wanted is None or s.resource in wanted]


def document_of(schedule: Schedule) -> dict[str, Any]:
    """Return a schedule's terms as they are told and stored."""
    return {
        "windows": [
            {
                "start": wall_time(w.start),
                "end": wall_time(w.end),
                "weekdays": [day for day in WEEKDAYS if day in w.weekdays],
            }
            for w in schedule.windows
        ],
        "zone": schedule.zone,
        "valid_from": schedule.valid.start.isoformat(),
        "valid_to": schedule.valid.end.isoformat(),
        "holidays": sorted(day.isoformat() for day in schedule.holidays),
        "workdays": sorted(day.isoformat() for day in schedule.workdays),
    }


def _held(session: Session) -> list[Schedule]:
    rows = session.exec(select(ScheduleRow).order_by(col(ScheduleRow.id)))
    held = {(row.resource, row.name): row for row in rows}
    return [_schedule(held[key]) for key in sorted(held)]


def _schedule(row: ScheduleRow) -> Schedule:
    terms = json.loads(row.definition)
    windows = (
        Window(minutes_of(w["start"]), minutes_of(w["end"]), frozenset(w["weekdays"]))
        for w in terms["windows"]
    )
    return Schedule(
        resource=row.resource,
        name=row.name,
        windows=tuple(windows),
        zone=terms["zone"],
        valid=Period(parse_instant(terms["valid_from"]), parse_instant(terms["valid_to"])),
        holidays=frozenset(map(date.fromisoformat, terms["holidays"])),
        workdays=frozenset(map(date.fromisoformat, terms["workdays"])),
    )
