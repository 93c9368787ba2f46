"""/v1/schedules and /v1/schedule-report: what is expected of resources, and what came of it."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from metering.interval import running
from metering.period import Period
from metering.resources.asked import asked_period
from metering.resources.comparison import Compared, by_day, compare
from metering.resources.schedule import Schedule, expected_of
from metering.resources.schedule_store import ScheduleStore, document_of
from metering.resources.store import ResourceStore
from metering.resources.wire import SchedulesTold, day_row, hour_row

WEEK = timedelta(days=7)


def routes(
    schedules: ScheduleStore, states: ResourceStore, now: Callable[[], datetime]
) -> APIRouter:
    """Build the routes over schedules and the states that are compared with them."""
    router = APIRouter()

    @router.post("/v1/schedules", summary="Say when resources are expected to run")
    def put(told: SchedulesTold) -> dict[str, int]:
        """Store schedules; one of a known resource and name takes the other's place."""
        return {"changed": schedules.put([s.schedule() for s in told.schedules], told.actor, now())}

    @router.get("/v1/schedules", summary="When resources are expected to run")
    def listed(resource: str | None = None) -> dict[str, Any]:
        """Return the schedules that hold."""
        found = schedules.schedules(None if resource is None else [resource])
        return {"rows": [{"resource": s.resource, "name": s.name, **document_of(s)} for s in found]}

    @router.get("/v1/schedule-report", summary="Running time, expected against observed")
    def report(
        start: Annotated[str | None, Query(alias="from")] = None,
        end: Annotated[str | None, Query(alias="to")] = None,
        resource: str | None = None,
        by: Literal["day", "hour"] = "day",
    ) -> dict[str, Any]:
        """Return the last seven days, or a period, of the resources that have a schedule."""
        period = asked_period(start, end, now(), WEEK)
        found = schedules.schedules(None if resource is None else [resource])
        rows = []
        for name, group in groupby(found, key=lambda s: s.resource):
            rows += _rows(states, name, (list(group), period), by)
        return {
            "from": period.start.isoformat(),
            "to": period.end.isoformat(),
            "by": by,
            "rows": rows,
        }

    return router


def _rows(
    states: ResourceStore, resource: str, asked: tuple[Sequence[Schedule], Period], by: str
) -> list[dict[str, Any]]:
    """Return a resource's rows; its days turn in the zone of its first schedule."""
    schedules, period = asked
    observed = running(states.intervals(resource, period), resource, period)
    compared = Compared(resource, expected_of(schedules, period), observed)
    if by == "hour":
        return [hour_row(row) for row in compare(compared)]
    return [day_row(row) for row in by_day(compared, schedules[0].zone)]
