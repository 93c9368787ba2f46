"""Prepaid money and the ledger's accounts over HTTP."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from metering.identity import FOR_EVER
from metering.period import Period, as_utc, parse_instant
from metering.store import MeterStore
from pricing.bills.signed import Signed
from pricing.bills.total import unit_of
from pricing.contracts.store import ContractStore
from pricing.ledger.entry import Book, Transaction, Unit
from pricing.ledger.ledger_store import LedgerStore
from pricing.page import page_of
from pricing.run.routes import Amount, Id, PageSize, Text
from pricing.wallets.store import WalletStore
from pricing.wallets.wallet import Grant, Holding, Source

Instant = Annotated[datetime, BeforeValidator(lambda told: parse_instant(str(told)))]


class Granted(BaseModel):
    """Prepaid money for an account; sent again under the same id it is added once."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Id
    amount: Amount
    priority: Annotated[int, Field(ge=0, le=1000)] = 0
    """Lower ones are used first."""
    starts_at: Instant | None = None
    """Now where it is left out."""
    expires_at: Instant = FOR_EVER
    source: Source = Source.PAID
    actor: Text = "operator"
    reason: Text


@dataclass(frozen=True, slots=True)
class Prepaid:
    """What the routes use."""

    meter: MeterStore
    ledger: LedgerStore
    wallets: WalletStore
    contracts: ContractStore
    """Its book says what the smallest amount is."""


def routes(prepaid: Prepaid, now: Callable[[], datetime]) -> APIRouter:
    """Build the routes over wallets and the ledger's accounts."""
    meter, ledger, wallets = prepaid.meter, prepaid.ledger, prepaid.wallets
    router = APIRouter()

    @router.get("/v1/wallets/{account}", summary="What is left of an account's prepaid money")
    def wallet(account: str, after: str = "", limit: PageSize = 100) -> dict[str, Any]:
        """Return grants in the order of their ids, those that are used up included."""
        meter.account(account)
        page = page_of(wallets.holdings(account), lambda one: one.grant.id, after, limit)
        return {"rows": [_holding(holding) for holding in page.rows], "next": page.next}

    @router.post("/v1/wallets/{account}/grants", summary="Add prepaid money")
    def grant(account: str, asked: Granted) -> dict[str, Any]:
        """Add a grant; bills use it from when it starts until it expires."""
        meter.account(account)
        at = now()
        in_unit = unit_of(prepaid.contracts.book)
        added = Grant(
            id=asked.id,
            account=account,
            unit=in_unit,
            units=in_unit.units(asked.amount),
            valid=Period(asked.starts_at or at, as_utc(asked.expires_at)),
            priority=asked.priority,
            source=asked.source,
        )
        wallets.grant(added, Signed(asked.actor, asked.reason, at))
        return wallet(account)

    @router.get("/v1/ledger/balances", summary="What the ledger's accounts come to")
    def balances(account: str | None = None) -> dict[str, Any]:
        """Return balances of one customer or of all, debits above zero; they sum to zero."""
        found = ledger.balances(account)
        return {"rows": [_balance(unit, books) for unit, books in found.items()]}

    @router.get("/v1/ledger/transactions", summary="Movements of money, as they were made")
    def transactions(
        account: str, document: str | None = None, after: str = "", limit: PageSize = 100
    ) -> dict[str, Any]:
        """Return an account's transactions in order, or those of one of its documents."""
        meter.account(account)
        page = page_of(ledger.transactions(account, document), lambda one: one.id, after, limit)
        return {"rows": [_made(one) for one in page.rows], "next": page.next}

    return router


def _holding(holding: Holding) -> dict[str, Any]:
    grant = holding.grant
    return {
        "id": grant.id,
        "currency": grant.unit.currency,
        "amount": f"{grant.unit.amount(grant.units):f}",
        "left": f"{grant.unit.amount(holding.left):f}",
        "priority": grant.priority,
        "starts_at": grant.valid.start.isoformat(),
        "expires_at": None if grant.valid.end == FOR_EVER else grant.valid.end.isoformat(),
        "source": grant.source.value,
    }


def _balance(unit: Unit, books: Any) -> dict[str, str]:
    amounts = {book.value: f"{unit.amount(books.get(book, 0)):f}" for book in Book}
    return {"currency": unit.currency, **amounts}


def _made(made: Transaction) -> dict[str, Any]:
    return {
        "id": made.id,
        "kind": made.kind.value,
        "document": made.document,
        "made_at": made.made_at.isoformat(),
        "reverses": made.reverses or None,
        "currency": made.unit.currency,
        "movements": [
            {
                "debit": m.debit.value,
                "credit": m.credit.value,
                "amount": f"{made.unit.amount(m.units):f}",
                "about": m.about,
            }
            for m in made.movements
        ],
    }
