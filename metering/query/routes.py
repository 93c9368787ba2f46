"""The routes of questions: GET /v1/usage and GET /v1/requests."""

from collections.abc import Callable

from fastapi import APIRouter

from metering.query.request_routes import routes as request_routes
from metering.query.usage_routes import Ledger
from metering.query.usage_routes import routes as usage_routes


def routes(ledger: Ledger, refresh: Callable[[], int]) -> APIRouter:
    """Build the routes; ``refresh`` brings usage up to date first."""
    router = APIRouter()
    router.include_router(usage_routes(ledger, refresh))
    router.include_router(request_routes(ledger.requests, ledger.meter))
    return router
