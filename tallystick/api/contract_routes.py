"""Contracts, orders and changes over HTTP: to be tried first, then made."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from metering.identity import FOR_EVER
from metering.store import MeterStore
from pricing.bills.total import unit_of
from pricing.contracts.contract import Contract
from pricing.contracts.order import opened
from pricing.contracts.page_store import ContractPages, ContractsWanted, Mode
from pricing.contracts.schemes import (
    KvCache,
    PerModelToken,
    PerToken,
    Prepaid,
    Scheme,
    Used,
    spec_of,
)
from pricing.contracts.settlement import Settlement
from pricing.contracts.store import ContractStore
from pricing.contracts.term import order_amount
from pricing.contracts.terms import Terms
from pricing.prices.book import PriceBook
from tallystick.api.account_routes import Apply
from tallystick.declared import Instant
from tallystick.declared_change import ChangeAsked
from tallystick.declared_contract import ContractDeclared
from tallystick.declared_order import OrderDeclared
from tallystick.setup import Setup, UndeclaredNodeError

_TERMS = TypeAdapter(Terms)


class ContractAsked(ContractDeclared):
    """A contract to be made."""

    dry_run: bool = False
    """Only say what it would come to."""


class OrderAsked(OrderDeclared):
    """An order to be taken."""

    dry_run: bool = False


class ContractsAsked(BaseModel):
    """Which contracts are listed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    account: str | None = None
    mode: Mode | None = None
    at: Instant | None = None
    after: str = ""
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


@dataclass(frozen=True, slots=True)
class Agreements:
    """What the routes use."""

    meter: MeterStore
    contracts: ContractStore
    pages: ContractPages
    apply: Apply
    now: Callable[[], datetime]


def routes(agreements: Agreements) -> APIRouter:
    """Build the routes over contracts."""
    router = APIRouter()
    router.include_router(_reading(agreements))
    router.include_router(_making(agreements))
    return router


def _reading(agreements: Agreements) -> APIRouter:
    router = APIRouter()
    contracts = agreements.contracts

    @router.get("/v1/contracts", summary="Contracts")
    def listed(asked: Annotated[ContractsAsked, Query()]) -> dict[str, Any]:
        """Return contracts by id; ``next`` is what ``after`` must be for the next page."""
        if asked.account is not None:
            agreements.meter.account(asked.account)
        wanted = ContractsWanted(asked.account, asked.mode, asked.at, asked.after, asked.limit + 1)
        found = agreements.pages.contracts(wanted)
        page = found[: asked.limit]
        return {
            "rows": [contract_json(one) for one in page],
            "next": page[-1].id if len(found) > len(page) else None,
        }

    @router.get("/v1/contracts/{contract}", summary="A contract and what changes of it came to")
    def one(contract: str) -> dict[str, Any]:
        """Return a contract; ``settlements`` are the surcharges and refunds of its changes."""
        found = contracts.contract(contract)
        settled = contracts.settlements(found.account)
        return contract_json(found) | {
            "settlements": [_settlement_json(one) for one in settled if one.contract == found.id],
            "renewal_attempts": [
                {"at": one.at.isoformat(), "failed": one.failed or None}
                for one in contracts.attempts(found.id)
            ],
        }

    return router


def _making(agreements: Agreements) -> APIRouter:
    router = APIRouter()
    contracts, now = agreements.contracts, agreements.now

    @router.post("/v1/contracts", summary="Make a contract")
    def make(asked: ContractAsked) -> dict[str, Any]:
        """Store a contract and say what is due for it now; of a known one only the end changes."""
        agreements.apply(Setup(contracts=(asked,)), dry_run=asked.dry_run)
        return _made([asked.contract(contracts.book)], contracts.book, asked.dry_run)

    @router.post("/v1/orders", summary="Order an application")
    def order(asked: OrderAsked) -> dict[str, Any]:
        """Open the contracts of an order for a node; every problem of the form is told at once."""
        agreements.apply(Setup(orders=(asked,)), dry_run=asked.dry_run)
        nodes = [node for node in agreements.meter.resources() if node.id == asked.resource]
        if not nodes:
            raise UndeclaredNodeError(asked.id, asked.resource)
        found = opened(asked.order(), nodes[0], asked.start, contracts.book)
        made = _made(found.contracts, contracts.book, asked.dry_run)
        return made | {"notices": list(found.notices)}

    @router.post("/v1/contracts/{contract}/changes", summary="Change a contract")
    def change(contract: str, asked: ChangeAsked) -> dict[str, Any]:
        """Change it, and say by which rule, with which working, what is due or given back."""
        made = asked.change(contracts.contract(contract), now(), contracts.book)
        if not asked.dry_run:
            contracts.put_change(made, actor=asked.actor, reason=asked.reason)
        return {
            "rule": made.rule.value,
            "at": made.at.isoformat(),
            "amount": f"{made.amount:f}",
            "currency": contracts.book.currency,
            "working": made.working,
            "unused_seconds": int(made.unused_hours * 3600),
            "contracts": [contract_json(one) for one in made.contracts],
            "is_made": not asked.dry_run,
        }

    return router


def contract_json(contract: Contract) -> dict[str, Any]:
    """Return a contract for JSON: decimals are text, what its mode has no use for is null."""
    scheme, period = contract.scheme, contract.period
    prepaid = scheme if isinstance(scheme, Prepaid) else None
    return {
        "id": contract.id,
        "account": contract.account,
        "mode": _mode(scheme).value,
        "region": contract.region,
        "pool": contract.pool,
        "resource": contract.resource or None,
        "start": period.start.isoformat(),
        "end": None if period.end == FOR_EVER else period.end.isoformat(),
        "spec": spec_of(scheme) or None,
        "kv_cache_gb": scheme.gb if isinstance(scheme, KvCache) else None,
        "size_class": scheme.size_class if isinstance(scheme, PerToken) else None,
        "prices": "by model" if isinstance(scheme, PerModelToken) else None,
        "quantity": contract.quantity,
        "months": prepaid.months if prepaid else None,
        "discount": _text(prepaid.discount) if prepaid else None,
        "auto_renew": contract.auto_renew,
        "renews": contract.renews or None,
        "paid_until": contract.paid_until.isoformat() if contract.paid_until else None,
        "worth": _text(contract.worth),
        "cash_paid": _text(contract.cash_paid),
        "window": contract.window or None,
        "own_model": contract.own_model or None,
        "factors": {name: _text(part) for name, part in sorted(contract.factors.items())},
        "terms": _TERMS.dump_python(contract.terms, mode="json"),
    }


def _made(contracts: Sequence[Contract], book: PriceBook, dry_run: bool) -> dict[str, Any]:  # noqa: FBT001
    due = [
        order_amount(one, one.scheme, book) for one in contracts if isinstance(one.scheme, Prepaid)
    ]
    return {
        "contracts": [contract_json(one) for one in contracts],
        "due_now": f"{sum(due, start=unit_of(book).amount(0)):f}",
        "currency": book.currency,
        "is_made": not dry_run,
    }


def _settlement_json(settlement: Settlement) -> dict[str, Any]:
    return {
        "id": settlement.id,
        "at": settlement.at.isoformat(),
        "amount": f"{settlement.amount:f}",
        "rule": settlement.rule,
        "working": settlement.working,
        "unused_seconds": int(settlement.unused_hours * 3600),
    }


def _mode(scheme: Scheme) -> Mode:
    if isinstance(scheme, Prepaid):
        return Mode.SUBSCRIPTION
    return Mode.TOKEN if isinstance(scheme, Used) else Mode.HOURLY


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:f}"
