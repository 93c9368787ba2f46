"""GET /v1/reconciliation, and POST and GET /v1/reconciliation/acceptances."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from metering.period import HOUR, Period, hour_of, parse_instant
from metering.query.question import PartHourError
from metering.reconcile.jobs import Asked, Sources, accept, rows
from metering.reconcile.judge import Acceptance, By
from metering.reconcile.place import NOTHING, Place
from metering.reconcile.table import acceptance_document, document_of

LOOK_BACK = timedelta(hours=24)
LONGEST = timedelta(days=62)
"""The longest period of one question."""


class AcceptanceSaid(BaseModel):
    """What an operator accepts: an hour, or a period of whole hours."""

    model_config = ConfigDict(extra="forbid")

    hour: str | None = None
    start: Annotated[str | None, Field(alias="from")] = None
    end: Annotated[str | None, Field(alias="to")] = None
    pool: str
    model: str
    actor: str = "operator"
    reason: str


def routes(sources: Sources, refresh: Callable[[], int], now: Callable[[], datetime]) -> APIRouter:
    """Build the routes; ``refresh`` brings usage up to date first."""
    router = APIRouter()

    @router.get("/v1/reconciliation", summary="Gateways against engines")
    def reconciliation(
        start: Annotated[str | None, Query(alias="from")] = None,
        end: Annotated[str | None, Query(alias="to")] = None,
        pool: str | None = None,
        model: str | None = None,
        by: By = By.HOUR,
    ) -> dict[str, Any]:
        """Return both sides of whole hours, the last day where no period is given."""
        until = parse_instant(end) if end else hour_of(now()) + HOUR
        period = _whole(parse_instant(start) if start else until - LOOK_BACK, until)
        refresh()
        found = rows(sources, Asked(period, pool, model, by), now())
        return {
            "from": period.start.isoformat(),
            "to": period.end.isoformat(),
            "by": by.value,
            "tolerance": str(sources.tolerance),
            "rows": [document_of(row) for row in found],
        }

    @router.get("/v1/reconciliation/acceptances", summary="What operators accepted")
    def acceptances(
        start: Annotated[str, Query(alias="from")], end: Annotated[str, Query(alias="to")]
    ) -> dict[str, Any]:
        """Return every acceptance of any part of a period, oldest first."""
        period = Period(parse_instant(start), parse_instant(end))
        found = sources.ledger.acceptances(period)
        return {"rows": [acceptance_document(one) for one in found]}

    @router.post("/v1/reconciliation/acceptances", summary="Accept a difference")
    def accept_difference(said: AcceptanceSaid) -> dict[str, Any]:
        """Accept what is in dispute now, with a reason; a later change beyond it reopens it."""
        refresh()
        accepted = Acceptance(
            period=_period_of(said),
            place=Place(said.pool, said.model),
            accepted=NOTHING,
            actor=said.actor,
            reason=said.reason,
            accepted_at=now(),
        )
        return acceptance_document(accept(sources, accepted, now()))

    return router


def _period_of(said: AcceptanceSaid) -> Period:
    if said.hour and not said.start and not said.end:
        start = parse_instant(said.hour)
        return _whole(start, start + HOUR)
    if said.hour or not said.start or not said.end:
        raise AcceptedPeriodError
    return _whole(parse_instant(said.start), parse_instant(said.end))


def _whole(start: datetime, end: datetime) -> Period:
    for instant in (start, end):
        if instant != hour_of(instant):
            raise PartHourError(instant)
    if end - start > LONGEST:
        raise LongPeriodError(start, end)
    return Period(start, end)


class AcceptedPeriodError(ValueError):
    """An acceptance of no clear period."""

    def __init__(self) -> None:
        super().__init__("an acceptance must have an hour, or from and to, found neither or both")


class LongPeriodError(ValueError):
    """A question about too long a period."""

    def __init__(self, start: datetime, end: datetime) -> None:
        super().__init__(
            f"a reconciliation must be of at most {LONGEST.days} days, found "
            f"{start.isoformat()} to {end.isoformat()}"
        )
