"""POST /v1/advice/margins: what nodes and pools earn and cost. Nothing is posted."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from metering.store import MeterStore
from pricing.advice.margin import Place, Share, per_million
from pricing.advice.margin_store import MarginStore
from pricing.money import plain, shown
from tallystick.declared import Exact, Wire


class Costs(Wire):
    """What an hour of each node or pool costs its operator."""

    month: str
    account: str = ""
    """Empty for all."""
    costs: Annotated[dict[str, Exact], Field(min_length=1, max_length=10_000)]
    """Node or pool -> cost of an hour, as text, in the currency of the book in force."""


@dataclass(frozen=True, slots=True)
class Earning:
    """What the route uses."""

    margins: MarginStore
    meter: MeterStore
    refresh: Callable[[], int]
    now: Callable[[], datetime]


def routes(by: Earning) -> APIRouter:
    """Build the route over one store."""
    router = APIRouter()

    @router.post("/v1/advice/margins", summary="What nodes and pools earn and cost")
    def margins(asked: Costs) -> dict[str, Any]:
        """Share what each hour cost by the tokens served in it, beside what they were charged."""
        by.refresh()
        accounts = [by.meter.account(asked.account)] if asked.account else by.meter.accounts()
        found = by.margins.found(accounts, asked.month, asked.costs, by.now())
        return {
            "start": found.period.start.isoformat(),
            "end": found.period.end.isoformat(),
            "currency": found.currency,
            "places": [_place(one) for one in found.places],
        }

    return router


def _place(place: Place) -> dict[str, Any]:
    busy = place.cost - place.idle_cost
    return {
        "place": place.name,
        "hours": place.hours,
        "idle_hours": place.idle_hours,
        "tokens": place.tokens,
        "revenue": _text(place.revenue),
        "cost": _text(place.cost),
        "idle_cost": _text(place.idle_cost),
        "margin": _text(place.margin),
        "per_million_on_use": _text(per_million(busy, place.tokens)),
        "per_million_on_reservation": _text(per_million(place.cost, place.tokens)),
        "rows": [_share(one) for one in place.shares],
    }


def _share(share: Share) -> dict[str, Any]:
    return {
        "account": share.of.account,
        "model": share.of.model,
        "tokens": share.tokens,
        "revenue": _text(share.revenue),
        "cost_on_use": _text(share.on_use),
        "cost_on_reservation": _text(share.on_reservation),
        "margin": _text(share.margin),
    }


def _text(exact: Fraction | None) -> str | None:
    return None if exact is None else plain(shown(exact))
