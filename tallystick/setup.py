"""What an operator declares in one file: accounts, identities, nodes, states, contracts, orders.

Wire models here, domain values out; anything unclear is refused with the field's name.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Annotated

from pydantic import AfterValidator, Field
from sqlalchemy import Connection, Engine

from metering.identity import FOR_EVER, UNATTRIBUTED, Identity, Kind
from metering.interval import Interval, Resource, ResourceKind, State
from metering.period import Period, parse_instant
from metering.resources.inventory import MAX_HEARTBEAT_SECONDS
from metering.resources.schedule_store import ScheduleStore
from metering.store import Account, MeterStore
from pricing.contracts.contract import check_resources
from pricing.contracts.order_store import Deployed, OrderStore
from pricing.contracts.store import ContractStore
from pricing.prices.book import PriceBook
from tallystick.declared import AccountId, Id, Instant, Wire, Zone
from tallystick.declared_contract import ContractDeclared
from tallystick.declared_order import OrderDeclared


def _not_reserved(value: str) -> str:
    if value == UNATTRIBUTED:
        raise ValueError(f"an account must not be called {UNATTRIBUTED!r}: that is usage of nobody")
    return value


class AccountDeclared(Wire):
    """An account and the zone in which its months turn."""

    id: Annotated[AccountId, AfterValidator(_not_reserved)]
    name: str
    zone: Zone = "Asia/Shanghai"


class IdentityDeclared(Wire):
    """A raw identity and who pays for it, from and to a whole hour."""

    kind: Kind
    value: Id
    account: Id
    project: str = ""
    valid_from: Instant = parse_instant("1970-01-01T00:00:00Z")
    valid_to: Instant = FOR_EVER

    def identity(self) -> Identity:
        """Return the domain value."""
        valid = Period(self.valid_from, self.valid_to)
        return Identity(self.kind, self.value, self.account, self.project, valid)


class StateDeclared(Wire):
    """A state that a resource was in from one instant to another."""

    state: State
    start: Instant
    end: Instant = FOR_EVER


class ResourceDeclared(Wire):
    """A node, KV-cache or endpoint, with the states it was in."""

    id: Id
    account: Id
    region: Id
    spec: Id
    name: str = ""
    kind: ResourceKind = ResourceKind.NODE
    heartbeat_seconds: Annotated[int, Field(ge=0, le=MAX_HEARTBEAT_SECONDS)] = 0
    states: tuple[StateDeclared, ...] = ()

    def resource(self) -> Resource:
        """Return the domain value."""
        return Resource(
            self.id,
            self.account,
            self.region,
            self.spec,
            self.name,
            self.kind,
            self.heartbeat_seconds,
        )

    def intervals(self) -> list[Interval]:
        """Return the states as domain values."""
        return [Interval(self.id, Period(s.start, s.end), s.state) for s in self.states]


class Setup(Wire):
    """A whole declaration. Applying it twice changes nothing."""

    accounts: tuple[AccountDeclared, ...] = ()
    identities: tuple[IdentityDeclared, ...] = ()
    resources: tuple[ResourceDeclared, ...] = ()
    contracts: tuple[ContractDeclared, ...] = ()
    orders: tuple[OrderDeclared, ...] = ()


def apply_setup(
    setup: Setup, engine: Engine, book: PriceBook, *, dry_run: bool = False
) -> dict[str, int]:
    """Store what is declared and return how many of each; all of it, or nothing.

    ``dry_run``: find out whether it could be stored, and store nothing.

    Raises:
        ValueError, LookupError: what was wrong, in one sentence.
    """
    contracts = [c.contract(book) for c in setup.contracts]
    identities = [i.identity() for i in setup.identities]
    intervals = [i for r in setup.resources for i in r.intervals()]
    resources = [r.resource() for r in setup.resources]
    for resource in resources:
        book.region(resource.region)
    with engine.connect() as connection, connection.begin() as transaction:
        meter, prices = MeterStore(connection), ContractStore(connection, book)
        meter.put_accounts(Account(a.id, a.name, a.zone) for a in setup.accounts)
        used = {i.account for i in identities} | {c.account for c in contracts}
        used |= {r.account for r in resources} | {o.account for o in setup.orders}
        for account in sorted(used - {a.id for a in meter.accounts()}):
            raise UndeclaredAccountError(account)
        meter.put_identities(identities)
        schedules = _schedules(setup, connection)
        meter.put_resources(resources)
        known = meter.resources()
        check_resources(contracts, known)
        prices.put_contracts(contracts, schedules)
        noted = _put_orders(setup, known, OrderStore(connection, book), schedules)
        meter.put_intervals(intervals)
        if dry_run:
            transaction.rollback()
    return {
        "accounts": len(setup.accounts),
        "identities": len(identities),
        "resources": len(resources),
        "states": len(intervals),
        "contracts": len(contracts),
    } | noted


def _schedules(setup: Setup, connection: Connection) -> dict[str, list[str]]:
    """Return the names of schedules by node, where a window names one.

    Of nodes that were declared before: one that is declared only now can have no schedule yet.
    """
    windows = [c.window for c in setup.contracts] + [o.window for o in setup.orders]
    if not any(windows):
        return {}
    found: dict[str, list[str]] = {node.id: [] for node in MeterStore(connection).resources()}
    for one in ScheduleStore(connection).schedules():
        found[one.resource].append(one.name)
    return found


def _put_orders(
    setup: Setup,
    known: Iterable[Resource],
    store: OrderStore,
    schedules: Mapping[str, Collection[str]],
) -> dict[str, int]:
    """Store orders and return how many, and of how many something else is charged than ordered."""
    nodes = {r.id: r for r in known}
    for declared in setup.orders:
        if declared.resource not in nodes:
            raise UndeclaredNodeError(declared.id, declared.resource)
    found = store.put_orders(
        [
            Deployed(o.order(), nodes[o.resource], o.start, schedules.get(o.resource))
            for o in setup.orders
        ]
    )
    differing = sum(1 for opened in found if opened.notices)
    counts = {"orders": len(found), "charged as deployed, not as ordered": differing}
    return {what: count for what, count in counts.items() if count}


class UndeclaredAccountError(LookupError):
    """Something is declared for an account that nobody declared."""

    def __init__(self, account: str) -> None:
        super().__init__(f"an account must be declared under accounts, found {account!r} only used")


class UndeclaredNodeError(LookupError):
    """An application was ordered for a node that nobody declared."""

    def __init__(self, order: str, node: str) -> None:
        super().__init__(f"order {order!r} must run on a declared resource, found {node!r}")
