"""GET /v1/usage and /v1/conflicts."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query

from metering.event_store import EventStore
from metering.identity import FOR_EVER, UNATTRIBUTED
from metering.period import Period, hour_of, iso_of, month_of, parse_instant
from metering.report import DEFAULT_BY, report
from metering.store import MeterStore

FIRST = parse_instant("1970-01-01T00:00:00Z")


def routes(ledger: MeterStore, events: EventStore, refresh: Callable[[], int]) -> APIRouter:
    """Build the read routes; ``refresh`` brings usage up to date first."""
    router = APIRouter()

    @router.get("/v1/usage", summary="Usage by dimensions")
    def usage(
        account: str | None = None,
        month: str | None = None,
        start: Annotated[str | None, Query(alias="from")] = None,
        end: Annotated[str | None, Query(alias="to")] = None,
        by: str = ",".join(DEFAULT_BY),
    ) -> dict[str, Any]:
        """Return requests and tokens of a period (all time by default), grouped."""
        known = account and account != UNATTRIBUTED
        zone = ledger.account(account).zone if account and known else "Asia/Shanghai"
        if month:
            period = month_of(month, zone)
        else:
            period = Period(
                parse_instant(start) if start else FIRST, parse_instant(end) if end else FOR_EVER
            )
        for instant in (period.start, period.end):
            if instant != hour_of(instant):
                raise PartHourError(instant)
        refresh()
        names = [n.strip() for n in by.split(",") if n.strip()]
        found = report(ledger.usage(period, account), names)
        return {
            "from": period.start.isoformat(),
            "to": period.end.isoformat(),
            "by": names,
            "rows": [
                dict(zip(names, group, strict=True)) | asdict(figures)
                for group, figures in found.rows.items()
            ],
            "totals": asdict(found.totals),
        }

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


class PartHourError(ValueError):
    """A question about part of an hour."""

    def __init__(self, instant: datetime) -> None:
        super().__init__(
            f"usage is kept by the UTC hour: from and to must be whole hours, "
            f"found {instant.isoformat()}"
        )
