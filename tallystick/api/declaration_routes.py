"""Everything that is declared of customers: in one file, or piece by piece."""

from fastapi import APIRouter

from metering.people_store import PeopleStore
from pricing.contracts.order_store import OrderStore
from pricing.contracts.page_store import ContractPages
from tallystick.api.account_routes import routes as account_routes
from tallystick.api.contract_routes import Agreements
from tallystick.api.contract_routes import routes as contract_routes
from tallystick.api.order_routes import routes as order_routes
from tallystick.setup import Setup, apply_setup
from tallystick.wiring import Parts


def declaration_routes(parts: Parts) -> APIRouter:
    """Join the routes about accounts, identities, orders and contracts."""

    def apply(declared: Setup, *, dry_run: bool = False) -> dict[str, int]:
        with parts.refreshing.lock:  # a refresh under way has read the old bindings
            return apply_setup(declared, parts.engine, parts.prices.book, dry_run=dry_run)

    router = APIRouter()
    pages = ContractPages(parts.engine)
    agreements = Agreements(parts.meter, parts.prices, pages, apply, parts.now)
    router.include_router(account_routes(parts.meter, PeopleStore(parts.engine), apply))
    router.include_router(contract_routes(agreements))
    orders = OrderStore(parts.engine, parts.prices.book)
    router.include_router(order_routes(orders, parts.meter))

    @router.post("/v1/setup", summary="Declare accounts, nodes and contracts")
    def setup(declared: Setup) -> dict[str, int]:
        """Store what is declared; applying it twice changes nothing."""
        return apply(declared)

    return router
