"""Contracts in the ledger, and the changes that end one and begin another."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, assert_never

import sqlalchemy
from pydantic import TypeAdapter
from sqlalchemy import Connection, Engine, Row
from sqlmodel import Session, SQLModel, col, or_, select

from metering.period import Period
from metering.store import exclusive
from pricing.contracts.attempt_store import Attempt, Attempts
from pricing.contracts.contract import (
    Contract,
    check_contract,
    check_disjoint,
    check_unchanged,
    check_window,
)
from pricing.contracts.renewal import renew, to_be_renewed
from pricing.contracts.schemes import (
    Hourly,
    KvCacheHourly,
    KvCacheSubscription,
    PerModelToken,
    PerToken,
    Scheme,
    Subscription,
)
from pricing.contracts.settlement import Settlement
from pricing.contracts.tables import ContractChangeRow, ContractRow
from pricing.contracts.terms import NO_TERMS, Terms
from pricing.contracts.turn import Change
from pricing.prices.book import PriceBook

_TERMS = TypeAdapter(Terms)
_AT_ONCE = 200
"""Contracts of so many accounts are compared with their neighbours; of more, with all."""

_SCHEMES: Mapping[str, Callable[[Any], Scheme]] = {
    "subscription": lambda row: Subscription(row.sku, row.months, row.discount),
    "hourly": lambda row: Hourly(row.sku),
    "token": lambda row: PerToken(row.sku),
    "model-token": lambda _row: PerModelToken(),
    "kv-subscription": lambda row: KvCacheSubscription(row.gb, row.months, row.discount),
    "kv-hourly": lambda row: KvCacheHourly(row.gb),
}


class ContractStore:
    """Contracts and their changes. One transaction per call."""

    def __init__(self, engine: Engine | Connection, book: PriceBook) -> None:
        """Work on an engine, or inside the transaction of a connection."""
        self._engine = engine
        self.book = book

    def put_contracts(
        self, contracts: Sequence[Contract], schedules: Mapping[str, Collection[str]] | None = None
    ) -> None:
        """Add contracts; of a known one only the end may change, and not what a change ended.

        ``schedules``: of the nodes whose schedules new contracts may name, see ``check_window``.

        Raises:
            OverlappingContractsError, MissingPriceError, ContractError: nothing changed.
        """
        with Session(self._engine) as session, session.begin():
            exclusive(session)
            for contract in contracts:
                known = session.get(ContractRow, contract.id)
                if known is None:
                    check_contract(contract, self.book)
                    check_window(contract, schedules or {})
                    session.add(_row(contract))
                else:
                    self._put_again(session, known, contract)
            session.flush()
            _check_disjoint(session, contracts)

    def put_change(self, change: Change, *, actor: str, reason: str = "") -> None:
        """Store the contracts that a change leaves, and its money. Twice changes nothing more.

        Raises:
            OverlappingContractsError, ContractError: nothing changed.
        """
        with Session(self._engine) as session, session.begin():
            exclusive(session)
            for contract in change.contracts:
                known = session.get(ContractRow, contract.id)
                if known is None:
                    check_contract(contract, self.book)
                else:
                    check_unchanged(contract_of(known), contract)
                session.merge(_row(contract, is_changed=contract.period.end == change.at))
            session.flush()
            if change.settlement:
                _put_settlement(session, change.settlement, actor, reason)
            _check_disjoint(session, change.contracts)

    def renew_due(self, now: datetime, actor: str) -> list[str]:
        """Renew what renews itself and is due; return sentences on what could not be renewed.

        Each is tried as often as the book's policy says, once a day, and every try stays on record.
        """
        attempts = Attempts(self._engine)
        chained = or_(col(ContractRow.auto_renew), col(ContractRow.renews) != "")
        with Session(self._engine) as session:
            rows = session.exec(select(ContractRow).where(chained).order_by(ContractRow.id))
            contracts = [contract_of(row) for row in rows]
        failed = []
        for contract, months in to_be_renewed(contracts, attempts.last_failed(), now, self.book):
            why = self._renewed(contract, months, now, actor)
            attempts.record(contract.id, Attempt(now, why))
            if why:
                failed.append(f"{contract.account}: {why}")
        return failed

    def _renewed(self, contract: Contract, months: int, now: datetime, actor: str) -> str:
        """Renew a contract, or return why it cannot be."""
        try:
            change = renew(contract, months, now, self.book)
            self.put_change(change, actor=actor, reason="it renews itself")
        except LookupError as error:
            return str(error.args[0])
        except ValueError as error:
            return str(error)
        return ""

    def contracts(self, account: str | None = None) -> list[Contract]:
        """Return all contracts, or an account's, by id."""
        wanted = select(ContractRow).order_by(ContractRow.id)
        if account is not None:
            wanted = wanted.where(ContractRow.account == account)
        with Session(self._engine) as session:
            return [contract_of(r) for r in session.exec(wanted)]

    def contracts_of(self, accounts: Sequence[str]) -> dict[str, list[Contract]]:
        """Return the contracts of some accounts, by id."""
        table = SQLModel.metadata.tables[str(ContractRow.__tablename__)]
        query = sqlalchemy.select(table).where(table.c.account.in_(accounts)).order_by(table.c.id)
        found: dict[str, list[Contract]] = {account: [] for account in accounts}
        with Session(self._engine) as session:
            for row in session.connection().execute(query):
                found[row.account].append(contract_of(row))
        return found

    def contract(self, contract_id: str) -> Contract:
        """Return one contract.

        Raises:
            UnknownContractError: there is none of this id.
        """
        with Session(self._engine) as session:
            row = session.get(ContractRow, contract_id)
            if row is None:
                raise UnknownContractError(contract_id)
            return contract_of(row)

    def attempts(self, contract_id: str) -> Sequence[Attempt]:
        """Return the tries to renew a contract that renews itself."""
        return Attempts(self._engine).of(contract_id)

    def settlements(self, account: str | None = None) -> list[Settlement]:
        """Return what changes of contracts made due, all or an account's, by instant."""
        wanted = select(ContractChangeRow).order_by(
            col(ContractChangeRow.at), col(ContractChangeRow.id)
        )
        if account is not None:
            wanted = wanted.where(ContractChangeRow.account == account)
        with Session(self._engine) as session:
            return [_settlement(r) for r in session.exec(wanted)]

    def settlements_of(self, accounts: Sequence[str]) -> dict[str, list[Settlement]]:
        """Return what changes of contracts made due for some accounts, by instant."""
        wanted = select(ContractChangeRow).where(col(ContractChangeRow.account).in_(accounts))
        wanted = wanted.order_by(col(ContractChangeRow.at), col(ContractChangeRow.id))
        found: dict[str, list[Settlement]] = {account: [] for account in accounts}
        with Session(self._engine) as session:
            for row in session.exec(wanted):
                found[row.account].append(_settlement(row))
        return found

    def _put_again(self, session: Session, row: ContractRow, contract: Contract) -> None:
        known = contract_of(row)
        if row.is_changed:
            contract = replace(contract, period=known.period, paid_until=known.paid_until)
        if contract != known:
            check_contract(contract, self.book)  # what is wrong says more than that it differs
        check_unchanged(known, contract)
        session.merge(_row(contract, is_changed=row.is_changed))


def _put_settlement(session: Session, settlement: Settlement, actor: str, reason: str) -> None:
    known = session.get(ContractChangeRow, settlement.id)
    if known is None:
        session.add(_settlement_row(settlement, actor, reason))
    elif _settlement(known) != settlement:
        raise SettledError(settlement)


def _check_disjoint(session: Session, contracts: Sequence[Contract]) -> None:
    """Compare contracts with those that could charge the same."""
    wanted = select(ContractRow).order_by(ContractRow.id)
    if len(contracts) <= _AT_ONCE:
        accounts = {c.account for c in contracts}
        resources = {c.resource for c in contracts if c.resource}
        wanted = wanted.where(
            or_(col(ContractRow.account).in_(accounts), col(ContractRow.resource).in_(resources))
        )
    check_disjoint(contract_of(r) for r in session.exec(wanted))


def _row(contract: Contract, *, is_changed: bool = False) -> ContractRow:
    row = ContractRow(
        id=contract.id,
        account=contract.account,
        mode="",
        region=contract.region,
        pool=contract.pool,
        resource=contract.resource,
        sku="",
        months=1,
        discount=Decimal(1),
        starts_at=contract.period.start,
        ends_at=contract.period.end,
        quantity=contract.quantity,
        terms="" if contract.terms == NO_TERMS else _TERMS.dump_json(contract.terms).decode(),
        auto_renew=contract.auto_renew,
        schedule=contract.window,
        own_model=contract.own_model,
        renews=contract.renews,
        factors=_factors_text(contract.factors),
        cash_paid=contract.cash_paid,
        anchor=contract.anchor,
        paid_until=contract.paid_until,
        worth=contract.worth,
        is_changed=is_changed,
    )
    return _with_scheme(row, contract.scheme)


def _with_scheme(row: ContractRow, scheme: Scheme) -> ContractRow:
    match scheme:
        case Subscription():
            row.mode, row.sku = "subscription", scheme.spec
            row.months, row.discount = scheme.months, scheme.discount
        case KvCacheSubscription():
            row.mode, row.gb = "kv-subscription", scheme.gb
            row.months, row.discount = scheme.months, scheme.discount
        case Hourly():
            row.mode, row.sku = "hourly", scheme.spec
        case KvCacheHourly():
            row.mode, row.gb = "kv-hourly", scheme.gb
        case PerToken():
            row.mode, row.sku = "token", scheme.size_class
        case PerModelToken():
            row.mode = "model-token"
        case _:
            assert_never(scheme)
    return row


def contract_of(row: ContractRow | Row[Any]) -> Contract:
    """Return the domain value of a row."""
    return Contract(
        id=row.id,
        account=row.account,
        scheme=_SCHEMES[row.mode](row),
        region=row.region,
        pool=row.pool,
        period=Period(row.starts_at, row.ends_at),
        resource=row.resource,
        quantity=row.quantity,
        terms=_TERMS.validate_json(row.terms) if row.terms else NO_TERMS,
        auto_renew=row.auto_renew,
        window=row.schedule,
        own_model=row.own_model,
        renews=row.renews,
        factors=_factors(row.factors),
        cash_paid=row.cash_paid,
        anchor=row.anchor,
        paid_until=row.paid_until,
        worth=row.worth,
    )


def _factors_text(factors: Mapping[str, Decimal]) -> str:
    return json.dumps({k: f"{v:f}" for k, v in sorted(factors.items())}) if factors else ""


def _factors(text: str) -> dict[str, Decimal]:
    return {k: Decimal(v) for k, v in json.loads(text).items()} if text else {}


def _settlement_row(settlement: Settlement, actor: str, reason: str) -> ContractChangeRow:
    return ContractChangeRow(
        id=settlement.id,
        account=settlement.account,
        contract=settlement.contract,
        at=settlement.at,
        amount=settlement.amount,
        rule=settlement.rule,
        working=settlement.working,
        unused_seconds=int(settlement.unused_hours * 3600),
        expensed=settlement.expensed,
        actor=actor,
        reason=reason,
    )


def _settlement(row: ContractChangeRow) -> Settlement:
    return Settlement(
        id=row.id,
        account=row.account,
        contract=row.contract,
        at=row.at,
        amount=row.amount,
        rule=row.rule,
        working=row.working,
        unused_hours=Fraction(row.unused_seconds, 3600),
        expensed=row.expensed,
    )


class UnknownContractError(LookupError):
    """A contract that nobody declared."""

    def __init__(self, contract_id: str) -> None:
        super().__init__(f"a contract must be declared under contracts, found {contract_id!r}")


class SettledError(ValueError):
    """A contract that was changed at this instant otherwise."""

    def __init__(self, settlement: Settlement) -> None:
        super().__init__(
            f"contract {settlement.contract!r} must be changed once at {settlement.at.isoformat()},"
            f" found another change ({settlement.rule}) there already"
        )
