"""The four data sets of FOCUS 1.4 over HTTP, as one archive."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from fastapi import APIRouter, Response

from metering.period import month_of
from metering.store import Account, MeterStore
from pricing.bills.bill import Bill, State
from pricing.bills.routes import Draft, statement_of
from pricing.bills.store import BillStore, Wanted
from pricing.contracts.store import ContractStore
from pricing.focus.package import Package, package_files
from pricing.focus.sets import Invoice
from pricing.proof.routes import archive


@dataclass(frozen=True, slots=True)
class Exporting:
    """What the routes use."""

    meter: MeterStore
    bills: BillStore
    contracts: ContractStore
    draft: Draft
    refresh: Callable[[], int]


def routes(by: Exporting) -> APIRouter:
    """Build the route over bills and contracts."""
    router = APIRouter()

    @router.get("/v1/exports/focus-datasets", summary="The data sets of FOCUS 1.4")
    def datasets(month: str, account: str | None = None) -> Response:
        """Return a zip archive: four CSV files, ``metadata.json`` and ``SHA256SUMS``."""
        accounts = [by.meter.account(account)] if account else by.meter.accounts()
        by.refresh()
        bills = [bill for one in accounts for bill in _bills(by, one, month)]
        ids = {one.id for one in accounts}
        period = month_of(month, accounts[0].zone if accounts else by.contracts.book.zone)
        package = Package(
            period,
            f"{period.start + timedelta(days=15):%Y%m}",
            [_invoice(by.bills, bill) for bill in bills],
            [c for c in by.contracts.contracts() if c.account in ids and c.period.overlap(period)],
            by.contracts.book,
        )
        return Response(archive(package_files(package)), media_type="application/zip")

    return router


def _bills(by: Exporting, account: Account, month: str) -> list[Bill]:
    wanted = Wanted(account.id, month_of(month, account.zone))
    return list(statement_of(by.bills, by.draft(account.id, month), wanted))


def _invoice(bills: BillStore, bill: Bill) -> Invoice:
    issued = (step.made_at for step in bills.steps(bill.id) if step.state is State.ISSUED)
    reference = bills.bill(bill.corrects).number if bill.corrects else ""
    return Invoice(bill, next(issued, None), reference)
