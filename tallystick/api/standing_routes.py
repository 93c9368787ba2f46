"""GET /v1/standings: what nobody has paid on, and when it is locked and released."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from metering.store import MeterStore
from pricing.bills.arrears_store import Arrears
from pricing.contracts.overdue import Owed, owed
from pricing.contracts.store import ContractStore
from tallystick.declared import Instant


class StandingsAsked(BaseModel):
    """Which contracts are listed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    account: str | None = None
    at: Instant | None = None
    after: str = ""
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


@dataclass(frozen=True, slots=True)
class Standings:
    """What the route uses."""

    arrears: Arrears
    contracts: ContractStore
    meter: MeterStore
    now: Callable[[], datetime]


def routes(by: Standings) -> APIRouter:
    """Build the route over the ledger."""
    router = APIRouter()

    @router.get("/v1/standings", summary="What is unpaid, locked or to be released")
    def standings(asked: Annotated[StandingsAsked, Query()]) -> dict[str, Any]:
        """Return every contract whose term ran out or whose account owes a bill, by id."""
        if asked.account is not None:
            by.meter.account(asked.account)
        now = asked.at or by.now()
        contracts, unpaid = by.contracts.contracts(asked.account), by.arrears.unpaid_since
        every = owed(contracts, unpaid(asked.account), now, by.contracts.book)
        found = [one for one in every if one.contract.id > asked.after]
        page = found[: asked.limit]
        return {
            "at": now.isoformat(),
            "rows": [_row(one, now) for one in page],
            "next": page[-1].contract.id if len(found) > len(page) else None,
        }

    return router


def _row(one: Owed, now: datetime) -> dict[str, Any]:
    stages = one.stages
    return {
        "contract": one.contract.id,
        "account": one.contract.account,
        "resource": one.contract.resource or None,
        "why": one.why,
        "standing": stages.standing(now).value,
        "since": stages.overdue_at.isoformat(),
        "charged_until": stages.charged_until.isoformat(),
        "locked_at": stages.locked_at.isoformat(),
        "released_at": stages.released_at.isoformat(),
    }
