"""GET /v1/quarantine, /v1/gaps and /v1/requests/{id}: what did not bill, and why."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from metering.event_store import EventStore
from metering.explain import row_of
from metering.period import iso_of
from metering.quarantine import Held, Quarantined
from metering.quarantine_store import QuarantineStore

Limit = Annotated[int, Query(ge=1, le=100_000)]


def routes(quarantine: QuarantineStore, events: EventStore) -> APIRouter:
    """Build the routes over what stands beside the bill."""
    router = APIRouter()

    @router.get("/v1/quarantine", summary="Usage that was set aside or is held")
    def set_aside(limit: Limit = 1000) -> dict[str, Any]:
        """Return records that could not become events, and stored usage that does not bill."""
        return {
            "count": quarantine.count(),
            "rows": [_row(one) for one in quarantine.newest(limit)],
            "held": [_held(one) for one in quarantine.held()],
        }

    @router.get("/v1/gaps", summary="Numbers that producers gave and nobody received")
    def gaps(limit: Limit = 1000) -> dict[str, Any]:
        """Return gaps in the numbers of producers: records that are lost, or still on their way."""
        found = events.gaps(limit)
        return {
            "rows": [
                {
                    "producer": g.producer,
                    "first_missing": g.first,
                    "last_missing": g.last,
                    "after": iso_of(g.after_ns),
                }
                for g in found
            ]
        }

    @router.get("/v1/requests/{request}", summary="Which record of a request bills, and why")
    def explain(request: str) -> dict[str, Any]:
        """Return every record of a request, by its response, request, trace, span or event id."""
        return {"request": request, "records": [row_of(one) for one in events.explained(request)]}

    return router


def _row(one: Quarantined) -> dict[str, Any]:
    return {
        "reason": one.reason,
        "service": one.service,
        "scope": one.scope,
        "name": one.name,
        "trace_id": one.trace_id.hex(),
        "span_id": one.span_id.hex(),
        "ended_at_ns": str(one.ended_at),
    }


def _held(one: Held) -> dict[str, Any]:
    return {
        "caveat": one.caveat,
        "requests": one.requests,
        "first_ended_at": iso_of(one.first_ended_at),
        "last_ended_at": iso_of(one.last_ended_at),
    }
