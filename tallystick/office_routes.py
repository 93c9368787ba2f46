"""The routes about money, joined over the parts of a service."""

from fastapi import APIRouter

from pricing.bills.routes import routes as bill_routes
from pricing.ledger.ledger_store import LedgerStore
from pricing.run.routes import Around
from pricing.run.routes import routes as run_routes
from pricing.wallets.routes import Prepaid
from pricing.wallets.routes import routes as wallet_routes
from tallystick.wiring import Parts


def office_routes(parts: Parts) -> APIRouter:
    """Join the routes about bills, runs, wallets and the ledger's accounts."""
    office = parts.office
    prepaid = Prepaid(parts.meter, LedgerStore(parts.engine), office.wallets, parts.prices)
    around = Around(parts.books.current, parts.refresh, parts.now)
    router = APIRouter()
    router.include_router(bill_routes(parts.meter, office.bills, parts.draft, parts.refresh))
    router.include_router(run_routes(office, around))
    router.include_router(wallet_routes(prepaid, parts.now))
    return router
