"""/v1/resources/{resource}: what one resource did, who said so, and what all of them do now."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query

from metering.interval import running
from metering.period import Period, hour_of
from metering.resources.asked import asked_period
from metering.resources.store import Present, ResourceStore
from metering.resources.wire import StatesTold, interval_row

DAY = timedelta(days=1)

Start = Annotated[str | None, Query(alias="from")]
End = Annotated[str | None, Query(alias="to")]


def routes(states: ResourceStore, now: Callable[[], datetime]) -> APIRouter:
    """Build the routes over what is told of resources."""
    router = APIRouter()

    @router.get("/v1/resources", summary="Resources and the state each is in")
    def resources(account: str | None = None) -> dict[str, Any]:
        """Return every resource, or those of an account."""
        found = [p for p in states.present(now()) if account in {None, p.resource.account}]
        return {"rows": [_present_row(one) for one in found]}

    @router.post("/v1/resources/{resource}/states", summary="Tell the states of a resource")
    def tell(resource: str, told: StatesTold) -> dict[str, Any]:
        """Store one state or many; what is known already is not stored again."""
        states.resource(resource)
        stored = states.tell([one.event(resource) for one in told], now())
        return stored._asdict()

    @router.get("/v1/resources/{resource}/states", summary="What was told of a resource")
    def told(resource: str) -> dict[str, Any]:
        """Return every state that was told, in order of storing."""
        states.resource(resource)
        return {
            "rows": [
                {
                    "at": event.at.isoformat(),
                    "state": event.state,
                    "source": event.source,
                    "actor": event.actor,
                    "evidence": event.evidence,
                    "stored_at": stored_at.isoformat(),
                }
                for event, stored_at in states.told(resource)
            ]
        }

    @router.get("/v1/resources/{resource}/intervals", summary="What a resource did")
    def intervals(resource: str, start: Start = None, end: End = None) -> dict[str, Any]:
        """Return the states of a period (the last day), and running seconds by clock hour."""
        states.resource(resource)
        period = asked_period(start, end, now(), DAY)
        found = states.intervals(resource, period)
        ran = running(found, resource, period)
        return {
            "resource": resource,
            "from": period.start.isoformat(),
            "to": period.end.isoformat(),
            "rows": [interval_row(i) for i in found],
            "hours": _hours(ran),
            "running_seconds": sum(p.seconds for p in ran),
        }

    return router


def _present_row(one: Present) -> dict[str, Any]:
    resource = one.resource
    return {
        "id": resource.id,
        "account": resource.account,
        "kind": resource.kind,
        "region": resource.region,
        "spec": resource.spec,
        "name": resource.name,
        "state": one.state,
        "since": one.since.isoformat() if one.since else None,
        "heartbeat_seconds": resource.heartbeat_seconds,
        "heard_at": one.heard_at.isoformat() if one.heard_at else None,
    }


def _hours(ran: list[Period]) -> list[dict[str, Any]]:
    """Return every clock hour in which the resource ran, and for how long."""
    seconds: dict[datetime, int] = {}
    for part in (p for span in ran for p in span.hours()):
        hour = hour_of(part.start)
        seconds[hour] = seconds.get(hour, 0) + part.seconds
    return [{"hour": h.isoformat(), "running_seconds": s} for h, s in sorted(seconds.items())]
