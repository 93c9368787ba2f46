"""An office over a ledger, told months in their notation, with a clock that tests set."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Engine

from metering.interval import Resource
from metering.period import Period, month_of
from metering.store import Account, MeterStore
from metering.usage import UsageKey
from pricing.bills.bill import Bill, Document
from pricing.bills.signed import Signed
from pricing.contracts.store import ContractStore
from pricing.jobs import Office
from pricing.ledger.ledger_store import LedgerStore
from pricing.prices.book import PriceBook
from pricing.rating.inputs import Inputs
from pricing.run.jobs import Billing
from pricing.run.note_store import NoteStore
from pricing.run.posting_store import PostingStore
from pricing.wallets.store import WalletStore
from tests.pricing.month_notation import BEIJING, at, month_from, small_book

OCTOBER = month_of("2026-10", BEIJING)
NOVEMBER = month_of("2026-11", BEIJING)
DECEMBER = month_of("2026-12", BEIJING)
LATER = at("2026-12-24T12:00")
ACME = Account("acme", "Acme Ltd")


def series(document: Document, instant: datetime) -> str:
    """Return how numbers begin."""
    return f"{'INV' if document is Document.BILL else 'CN'}-{instant:%Y}"


def office_of(engine: Engine, book: PriceBook | None = None) -> Office:
    """Open an office over a ledger."""
    prices = ContractStore(engine, book or small_book())
    return Office(
        meter=MeterStore(engine),
        contracts=prices,
        billing=Billing(engine, prices),
        postings=PostingStore(engine, series),
        notes=NoteStore(engine, series),
        wallets=WalletStore(engine),
    )


def tell(engine: Engine, text: str, book: PriceBook | None = None) -> Office:
    """Put a month into a ledger: its accounts, contracts, nodes, running time and usage."""
    inputs = month_from(text, book or small_book())
    prices = ContractStore(engine, inputs.book)
    meter = MeterStore(engine)
    meter.put_accounts(
        [ACME, *(Account(c.account, c.account) for c in inputs.contracts if c.account != "acme")]
    )
    meter.put_resources(
        Resource(c.resource, c.account, c.region, c.scheme.spec)
        for c in inputs.contracts
        if c.resource and hasattr(c.scheme, "spec")
    )
    prices.put_contracts(inputs.contracts)
    meter.put_intervals(inputs.intervals)
    tell_usage(engine, inputs)
    return office_of(engine, inputs.book)


def tell_usage(engine: Engine, inputs: Inputs, *, adding: bool = False) -> None:
    """Close the hours of a month's usage; ``adding`` keeps what was closed before."""
    meter = MeterStore(engine)
    usage: dict[UsageKey, int] = defaultdict(int)
    for row in inputs.usage:
        usage[row.key] += row.quantity
    hours = sorted({key.hour for key in usage})
    if adding and hours:
        for row in meter.usage(Period(hours[0], hours[-1].replace(year=2027))):
            if row.key.hour in hours:
                usage[row.key] += row.quantity
    stamp = meter.last_close().stored_before + 1
    meter.close_hours(hours, usage, stamp, LATER)


def late(engine: Engine, text: str) -> None:
    """Tell of more usage, on top of what the ledger holds."""
    tell_usage(engine, month_from(text, small_book()), adding=True)


def by(reason: str = "checked", when: datetime = LATER) -> Signed:
    """Return somebody's decision."""
    return Signed("ann", reason, when)


def issued(office: Office, month: Period = OCTOBER, when: datetime = LATER) -> Bill:
    """Draft and issue acme's bill of a month."""
    bill = office.billing.draft(ACME, month, when)
    office.postings.issue([bill.id], by(when=when), interim=when < month.end)
    return office.bills.bill(bill.id)


def balances(engine: Engine, account: str = "acme") -> Mapping[str, Decimal]:
    """Return an account's balances, those that are zero left out."""
    return {
        book.value: unit.amount(units)
        for unit, books in LedgerStore(engine).balances(account).items()
        for book, units in books.items()
        if units
    }
