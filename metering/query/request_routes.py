"""GET /v1/requests: single requests as they are stored, newest first."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from metering.event import Role
from metering.explain import row_of
from metering.identity import FOR_EVER, UNATTRIBUTED
from metering.period import Period, parse_instant
from metering.query.page import Cursor, CursorError
from metering.query.request_sql import FILTERS, Listed, Listing, Roles
from metering.query.request_store import RequestStore
from metering.store import MeterStore

FIRST = parse_instant("1970-01-01T00:00:00Z")
MOST = 1000
"""Rows of the largest page: what became of each is worked out anew."""


class RequestsAsked(BaseModel):
    """The parameters of a listing; any other is refused by its name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    start: Annotated[str, Field(alias="from")] = ""
    end: Annotated[str, Field(alias="to")] = ""
    account: list[str] = []
    tenant: list[str] = []
    project: list[str] = []
    api_key: list[str] = []
    cluster: list[str] = []
    resource: list[str] = []
    pool: list[str] = []
    model: list[str] = []
    operation: list[str] = []
    outcome: list[str] = []
    quality: list[str] = []
    provider: list[str] = []
    tier: list[str] = []
    spill_reason: list[str] = []
    service: list[str] = []
    role: Roles = Roles.BILL
    limit: Annotated[int, Field(ge=1, le=MOST)] = 100
    cursor: str = ""

    def listing(self) -> Listing:
        """Return what is asked, without the page."""
        start = parse_instant(self.start) if self.start else FIRST
        end = parse_instant(self.end) if self.end else FOR_EVER
        named = ((name, getattr(self, name)) for name in FILTERS)
        return Listing(
            period=Period(start, end),
            where=tuple((name, tuple(sorted(set(some)))) for name, some in named if some),
            role=None if self.role is Roles.ALL else Role(self.role.value),
            accounts=tuple(sorted(set(self.account))),
        )


def routes(requests: RequestStore, meter: MeterStore) -> APIRouter:
    """Build the route over the event store; the ledger knows whose a request is."""
    router = APIRouter()

    @router.get("/v1/requests", summary="Single requests, newest first")
    def listed(asked: Annotated[RequestsAsked, Query()]) -> dict[str, Any]:
        """Return stored records with what became of each, page by page."""
        listing = asked.listing()
        for account in set(listing.accounts) - {UNATTRIBUTED}:
            meter.account(account)
        after = _after(asked.cursor, listing) if asked.cursor else None
        found = requests.listed(listing, meter.identities(), after, asked.limit + 1)
        page = found[: asked.limit]
        return {
            "from": listing.period.start.isoformat(),
            "to": listing.period.end.isoformat(),
            "rows": [row_of(one) for one in requests.explained(page)],
            "next_cursor": _next(page[-1], listing) if len(found) > len(page) else None,
        }

    return router


def _next(last: Listed, listing: Listing) -> str:
    return Cursor((last.ended_at, last.event_id.hex())).text(listing)


def _after(text: str, listing: Listing) -> tuple[int, str]:
    match Cursor.parse(text, listing).after:
        case (int(at), str(event_id)):
            return at, event_id
        case _:
            raise CursorError(text)
