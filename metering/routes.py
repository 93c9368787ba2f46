"""GET /v1/conflicts."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from metering.event_store import EventStore
from metering.period import iso_of


def routes(events: EventStore) -> APIRouter:
    """Build the route over the arrivals that are never counted."""
    router = APIRouter()

    @router.get("/v1/conflicts", summary="Arrivals that claim a known identity")
    def conflicts(limit: Annotated[int, Query(ge=1, le=100_000)] = 1000) -> dict[str, Any]:
        """Return what arrived under a known identity with other content; it is never counted."""
        return {
            "rows": [
                {
                    "event_id": c.event_id.hex(),
                    "first_stored_at": iso_of(c.first_stored_at),
                    "stored_at": iso_of(c.stored_at),
                }
                for c in events.conflicts(limit)
            ]
        }

    return router
