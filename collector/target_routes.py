"""GET /v1/targets: what is scraped, and how that goes."""

from typing import Any

from fastapi import APIRouter

from collector.receive import Receiver
from collector.workers.scrape import Scraper, TargetState
from metering.period import iso_of


def routes(scraper: Scraper, receiver: Receiver) -> APIRouter:
    """Build the route over one scraper, and the receiver of what workers push."""
    router = APIRouter()

    @router.get("/v1/targets", summary="Scraped workers and their states")
    def targets() -> dict[str, Any]:
        """Return how each target's scrapes went, and which pushed metrics nobody understands."""
        return {
            "error": scraper.targets.error,
            "targets": [_row(state) for state in scraper.states],
            "left_out": receiver.left_out,
        }

    return router


def _row(state: TargetState) -> dict[str, Any]:
    target = state.target
    return {
        "address": target.address,
        "labels": dict(target.labels),
        "interval_seconds": target.interval,
        "deadline_seconds": target.deadline,
        "up": state.ok,
        "scraped_at": _instant(state.scraped_ns),
        "ok_at": _instant(state.ok_ns),
        "seconds": state.seconds,
        "error": state.error,
        "failures": state.failures,
        "systems": list(state.systems),
        "readings": state.readings,
        "broken_lines": state.broken_lines,
        "unknown_series": state.unknown_series,
    }


def _instant(nanoseconds: int) -> str | None:
    return iso_of(nanoseconds) if nanoseconds else None
