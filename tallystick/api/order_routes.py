"""GET /v1/orders: applications as they were ordered, with what holds where nothing was said."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from metering.store import MeterStore
from pricing.contracts.catalogue import Catalogue
from pricing.contracts.order_store import Ordered, OrderStore, shipped_catalogue


class OrdersAsked(BaseModel):
    """Which orders are listed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    account: str | None = None
    after: str = ""
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


def routes(orders: OrderStore, meter: MeterStore) -> APIRouter:
    """Build the route over one store."""
    router = APIRouter()
    catalogue = shipped_catalogue()

    @router.get("/v1/orders", summary="Applications as they were ordered")
    def listed(asked: Annotated[OrdersAsked, Query()]) -> dict[str, Any]:
        """Return orders by id; ``next`` is what ``after`` must be for the next page."""
        if asked.account is not None:
            meter.account(asked.account)
        found = orders.ordered(asked.account, asked.after, asked.limit + 1)
        page = found[: asked.limit]
        return {
            "rows": [_row(one, catalogue) for one in page],
            "next": page[-1].order.id if len(found) > len(page) else None,
        }

    return router


def _row(one: Ordered, catalogue: Catalogue) -> dict[str, Any]:
    """Return an order for JSON, with the usual value of what was left alone."""
    order = one.order
    usual: dict[str, Any] = {}
    if order.is_subscription:
        usual |= {"quantity": 1, "months": 1, "auto_renew": False}
    if order.own_model:
        usual |= {"max_access": catalogue.default_max_access}
    said = {name: value for name, value in asdict(order).items() if value is not None}
    empty = dict.fromkeys(asdict(order))
    return empty | usual | said | {"resource": one.resource, "start": one.at.isoformat()}
