"""The routes about money, joined over the parts of a service."""

from pathlib import Path

from fastapi import APIRouter

from pricing.advice.advice_store import Adviser
from pricing.advice.margin_store import MarginStore
from pricing.bills.arrears_store import Arrears
from pricing.bills.export_store import Exports
from pricing.bills.routes import routes as bill_routes
from pricing.delivery.routes import Delivering
from pricing.delivery.routes import routes as delivery_routes
from pricing.focus.package_store import Packages
from pricing.focus.routes import routes as dataset_routes
from pricing.ledger.ledger_store import LedgerStore
from pricing.proof.bundle_store import BundleStore
from pricing.proof.difference_store import DifferenceStore
from pricing.proof.explanation_store import ExplanationStore
from pricing.proof.request_price_store import RequestPriceStore
from pricing.proof.routes import Proving
from pricing.proof.routes import routes as proof_routes
from pricing.run.routes import Around
from pricing.run.routes import routes as run_routes
from pricing.shapes.journal import accounts_of
from pricing.statement.routes import Print
from pricing.statement.routes import routes as statement_routes
from pricing.wallets.routes import Prepaid
from pricing.wallets.routes import routes as wallet_routes
from tallystick.api.advice_routes import Advising
from tallystick.api.advice_routes import routes as advice_routes
from tallystick.api.margin_routes import Earning
from tallystick.api.margin_routes import routes as margin_routes
from tallystick.api.standing_routes import Standings
from tallystick.api.standing_routes import routes as standing_routes
from tallystick.wiring import Parts, deployed


def office_routes(parts: Parts) -> APIRouter:
    """Join the routes about bills, runs, wallets and the ledger's accounts."""
    office = parts.office
    prepaid = Prepaid(parts.meter, LedgerStore(parts.engine), office.wallets, parts.prices)
    around = Around(parts.books.current, parts.refresh, parts.now)
    router = APIRouter()
    by = Print(
        tuple(map(Path, parts.settings.fonts.split(":"))),
        accounts_of(parts.settings.journal_accounts),
    )
    router.include_router(statement_routes(parts.meter, office.bills, by))
    exports = Exports(parts.meter, office.bills, parts.draft, parts.refresh)
    router.include_router(bill_routes(exports))
    packages = Packages(parts.meter, office.bills, parts.prices, parts.draft, parts.refresh)
    router.include_router(dataset_routes(packages))
    delivering = Delivering(exports, packages, parts.settings.deliver_to)
    router.include_router(delivery_routes(delivering))
    router.include_router(run_routes(office, around))
    bundles = BundleStore(
        office.billing,
        parts.events,
        parts.meter,
        parts.desk.corrections.heeded,
        deployed(parts.settings).bands,
    )
    proving = Proving(
        bundles,
        DifferenceStore(parts.engine),
        ExplanationStore(parts.engine, office.billing),
        RequestPriceStore(parts.engine, bundles),
        parts.now,
    )
    router.include_router(proof_routes(proving))
    router.include_router(wallet_routes(prepaid, parts.now))
    router.include_router(
        advice_routes(
            Advising(
                Adviser(office),
                parts.meter,
                lambda name: parts.books.current(name) if name else parts.prices.book,
                parts.refresh,
                parts.now,
            )
        )
    )
    earning = Earning(MarginStore(office), parts.meter, parts.refresh, parts.now)
    router.include_router(margin_routes(earning))
    arrears = Standings(Arrears(parts.engine), office.contracts, parts.meter, parts.now)
    router.include_router(standing_routes(arrears))
    return router
