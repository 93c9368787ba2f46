"""What bills are made with, joined from the settings: series of numbers, and when to issue."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import Engine

from metering.period import zone_of
from metering.store import MeterStore
from pricing.bills.bill import Document
from pricing.contracts.store import ContractStore
from pricing.jobs import Office
from pricing.prices.book import PriceBook
from pricing.run.jobs import Billing
from pricing.run.note_store import NoteStore
from pricing.run.posting_store import PostingStore
from pricing.wallets.store import WalletStore
from tallystick.settings import Settings


def open_office(settings: Settings, engine: Engine, book: PriceBook) -> Office:
    """Join what drafts bills, issues them and gives money back."""
    prefixes: Mapping[Document, str] = {
        Document.BILL: settings.bill_prefix,
        Document.CREDIT_NOTE: settings.credit_note_prefix,
    }

    contracts = ContractStore(engine, book)

    def series(document: Document, at: datetime) -> str:
        """Numbers begin anew with each year of the book's zone."""
        return f"{prefixes[document]}-{at.astimezone(zone_of(contracts.book.zone)):%Y}"

    hours = settings.issue_after_hours
    return Office(
        meter=MeterStore(engine),
        contracts=contracts,
        billing=Billing(engine, contracts),
        postings=PostingStore(engine, series),
        notes=NoteStore(engine, series),
        wallets=WalletStore(engine),
        issue_after=timedelta(hours=hours) if hours else None,
    )
