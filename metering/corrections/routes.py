"""POST and GET /v1/corrections: decide about stored events, and see what was decided."""

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from threading import Lock
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StrictInt, StringConstraints

from metering.corrections.correction import Correction, Kind, Target
from metering.corrections.jobs import Desk, Effect
from metering.corrections.store import Made, target_json
from metering.event import Quality
from metering.period import Period, parse_instant
from metering.usage import Usage

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
Short = Annotated[str, StringConstraints(strict=True, max_length=500)]
Money = Callable[[Sequence[Usage]], list[dict[str, str]]]
"""Changes of usage -> what they change on bills, a row an account and month."""

_WHEN = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_MOST_REQUESTS = 1000
_AT_MOST = 1000
"""Rows of changed usage that an answer shows."""


class Asked(BaseModel):
    """A correction as it is asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(max_length=100, pattern=r"^[\w.:-]*$")] = ""
    kind: Kind
    requests: Annotated[list[Text], Field(max_length=_MOST_REQUESTS)] = []
    start: Annotated[str | None, Field(alias="from")] = None
    end: Annotated[str | None, Field(alias="to")] = None
    where: dict[str, str] = {}
    changes: dict[str, StrictInt | Short] = {}
    actor: Text = "operator"
    reason: Text
    dry_run: bool = False

    def correction(self) -> Correction:
        """Return what is asked for, under an id of its own where none is given."""
        period = None
        if self.start or self.end:
            end = parse_instant(self.end) if self.end else FAR
            period = Period(parse_instant(self.start) if self.start else _WHEN, end)
        return Correction(
            id=self.id or uuid.uuid4().hex,
            kind=self.kind,
            target=Target(tuple(self.requests), period, tuple(self.where.items())),
            actor=self.actor,
            reason=self.reason,
            changes=tuple(self.changes.items()),
        )


FAR = datetime.fromisoformat("2100-01-01T00:00:00+00:00")
"""No event ends later."""


class Signed(BaseModel):
    """Who takes something back, and why."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    actor: Text = "operator"
    reason: Text


def routes(desk: Desk, money: Money, refreshing: Lock) -> APIRouter:
    """Build the routes; no refresh runs while a correction is made."""
    router = APIRouter()

    @router.post("/v1/corrections", summary="Void, amend or choose stored events")
    def correct(asked: Asked) -> dict[str, Any]:
        """Make a correction, or with ``dry_run`` only say what it would change.

        Sent again under the same ``id`` it is made once.
        """
        correction = asked.correction()
        with refreshing:
            effect = desk.tried(correction)
            made = correction if asked.dry_run else desk.make(correction)
        return {
            "id": made.id,
            "is_made": not asked.dry_run,
            **_effect(effect),
            "bills": money(effect.changes),
        }

    @router.get("/v1/corrections", summary="All decisions about stored events")
    def corrections() -> dict[str, Any]:
        """Return corrections, the oldest first, those that were taken back included."""
        return {"rows": [_made(made) for made in desk.corrections.made()]}

    @router.post("/v1/corrections/{correction}/withdrawal", summary="Take a correction back")
    def withdraw(correction: str, signed: Signed) -> dict[str, Any]:
        """Take it back from the next refresh on; both decisions stay on record."""
        with refreshing:
            desk.withdraw(correction, signed.actor, signed.reason)
        return {"id": correction, "is_withdrawn": True}

    return router


def _effect(effect: Effect) -> dict[str, Any]:
    totals: dict[str, int] = {}
    for usage in effect.changes:
        totals[usage.key.meter] = totals.get(usage.key.meter, 0) + usage.quantity
    return {
        "events": effect.events,
        "changes": [_change(usage) for usage in effect.changes[:_AT_MOST]],
        "changes_left_out": max(len(effect.changes) - _AT_MOST, 0),
        "totals": {meter: total for meter, total in totals.items() if total},
    }


def _change(usage: Usage) -> dict[str, Any]:
    key = usage.key
    return {
        "hour": key.hour.isoformat(),
        "account": key.account,
        "pool": key.pool,
        "model": key.model,
        "outcome": key.outcome.value,
        "quality": Quality(key.quality).value,
        "meter": key.meter,
        "quantity": usage.quantity,
    }


def _made(made: Made) -> dict[str, Any]:
    correction, withdrawal = made.correction, made.withdrawal
    return {
        "id": correction.id,
        "kind": correction.kind.value,
        **target_json(correction.target),
        "changes": dict(correction.changes),
        "events": made.events,
        "actor": correction.actor,
        "reason": correction.reason,
        "made_at": made.made_at.isoformat(),
        "withdrawn_at": withdrawal.made_at.isoformat() if withdrawal else None,
        "withdrawn_by": withdrawal.actor if withdrawal else "",
        "withdrawn_because": withdrawal.reason if withdrawal else "",
    }
