"""Contracts: which scheme an account's resource or pool is under, and since when."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from itertools import combinations

from metering.event import TOKEN_CLASSES
from metering.identity import FOR_EVER
from metering.interval import Resource, ResourceKind
from metering.period import HOUR, Period, hour_of, midnight_after
from pricing.contracts.schemes import (
    KV_CACHE_GB,
    Hourly,
    KvCache,
    PerModelToken,
    Prepaid,
    Scheme,
    Used,
    rate_of,
    spec_of,
)
from pricing.contracts.terms import NO_TERMS, Terms
from pricing.prices.book import PriceBook

FACTORS = (*TOKEN_CLASSES, "batch", "flex", "priority", "scale")
"""Token classes and service tiers, whose part of the price a contract may agree on."""

_OF_NODE = ("account", "region", "spec")
"""What a contract says as its node does."""


@dataclass(frozen=True, slots=True)
class Contract:
    """One account's terms for one node, KV-cache or pool, for a period. Only its end may change."""

    id: str
    account: str
    scheme: Scheme
    region: str
    pool: str
    """Requests of this pool are what the contract covers: by reservation, or per token."""
    period: Period
    resource: str = ""
    """What is charged by time, or whose running time is; empty for a whole pool per token."""
    quantity: int = 1
    terms: Terms = NO_TERMS
    auto_renew: bool = False
    window: str = ""
    """The schedule by which an hourly node is started and stopped (开启周期分时)."""
    own_model: str = ""
    """Where the customer's own model lies, which is paid by the hour only."""
    renews: str = ""
    """The contract that this one goes on from: the term before, or what was changed."""
    factors: Mapping[str, Decimal] = field(default_factory=dict, hash=False)
    """Token class or service tier -> its part of the price, as in cached -> 0.1."""
    cash_paid: Decimal | None = None
    """What of its price was paid in cash, for vouchers are never refunded. None: all of it."""
    anchor: datetime | None = None
    """Since when its months are counted, where a term before began them."""
    paid_until: datetime | None = None
    """The end that was paid for, where a change ended it earlier."""
    worth: Decimal | None = None
    """What it is worth where a change made it: what was left before and what the change cost."""

    @property
    def is_per_token(self) -> bool:
        """Whether requests are charged; under the other schemes they are served free."""
        return isinstance(self.scheme, Used)

    @property
    def is_kv_cache(self) -> bool:
        """Whether it is for memory, which serves no requests."""
        return isinstance(self.scheme, KvCache)

    @property
    def prepaid_period(self) -> Period:
        """What was paid for in advance; a change may have ended it earlier."""
        return Period(self.period.start, self.paid_until or self.period.end)

    @property
    def counted_from(self) -> datetime:
        """The instant from which months are counted, so that no term drifts (rule R6)."""
        return self.anchor or self.period.start

    def covers(self, pool: str, resource: str, hour: Period) -> bool:
        """Whether usage of a pool and resource in an hour falls under this contract."""
        same_place = not (self.resource and resource) or self.resource == resource
        serves = pool == self.pool and not self.is_kv_cache
        return serves and same_place and self.period.overlap(hour) is not None


def subscription_period(scheme: Prepaid, start: Period, zone: str) -> Period:
    """Return the term: from the second of purchase to midnight after the last day (rule R6)."""
    return Period(start.start, midnight_after(start.start, scheme.months, zone))


def check_contract(contract: Contract, book: PriceBook) -> None:
    """Refuse a contract that the book cannot price or that no hour can be told apart by.

    Raises:
        UnknownRegionError, MissingPriceError, TermError, ContractError: what was wrong.
    """
    scheme = contract.scheme
    book.region(contract.region)
    if not isinstance(scheme, PerModelToken):
        rate_of(scheme, contract.region, book, contract.period.start)
    if isinstance(scheme, Prepaid):
        _check_term(contract, scheme, book)
    if isinstance(scheme, KvCache) and scheme.gb not in KV_CACHE_GB:
        sold = f"have {KV_CACHE_GB[0]} to {KV_CACHE_GB[-1]} GB"
        raise ContractError(contract.id, sold, str(scheme.gb), "kv_cache_gb")
    if contract.own_model and not isinstance(scheme, Hourly):
        required = "be hourly for a model of one's own"
        raise ContractError(contract.id, required, "another scheme", "mode")
    if contract.is_per_token:
        check_whole_hour(contract, contract.period.start, "start")
        check_whole_hour(contract, contract.period.end, "end")
    elif not contract.resource:
        raise ContractError(contract.id, "name the node it is for", "none", "resource")
    _check_numbers(contract)


def check_disjoint(contracts: Iterable[Contract]) -> None:
    """Refuse contracts that would charge the same thing twice.

    Raises:
        OverlappingContractsError: names both.
    """
    neighbours: dict[tuple[str, ...], list[Contract]] = defaultdict(list)
    for contract in contracts:
        for place in _places(contract):
            neighbours[place].append(contract)
    for near in neighbours.values():
        for one, other in combinations(near, 2):
            shared = one.period.overlap(other.period)
            if shared and _same_scope(one, other):
                raise OverlappingContractsError(one, other, shared)


def check_resources(contracts: Iterable[Contract], resources: Iterable[Resource]) -> None:
    """Refuse contracts for a node that is not declared, or not as the contract says.

    Raises:
        ContractError: names what differs.
    """
    known = {r.id: r for r in resources}
    for contract in contracts:
        if not contract.resource:
            continue
        node = known.get(contract.resource)
        if node is None:
            required = f"be for a declared resource ({', '.join(known) or 'there is none yet'})"
            raise ContractError(contract.id, required, repr(contract.resource), "resource")
        said = (contract.account, contract.region, spec_of(contract.scheme) or node.spec)
        own = (node.account, node.region, node.spec)
        if said != own:
            required = f"agree with {node.id} on account, region and spec ({', '.join(own)})"
            field = next(f for f, a, b in zip(_OF_NODE, said, own, strict=True) if a != b)
            raise ContractError(contract.id, required, ", ".join(said), field)
        if node.kind is ResourceKind.KV_CACHE and not contract.is_kv_cache:
            required = f"charge {node.id} as KV-cache"
            raise ContractError(contract.id, required, "another scheme", "kv_cache_gb")


def check_window(contract: Contract, schedules: Mapping[str, Collection[str]]) -> None:
    """Refuse a contract by a schedule that its node does not have, where the node can have one.

    ``schedules``: node -> the names of its schedules; a node that is declared only now has none
    yet, and is not in it.

    Raises:
        ContractError: names the schedules that there are.
    """
    told = schedules.get(contract.resource)
    if contract.window and told is not None and contract.window not in told:
        required = f"have in window {schedules_said(contract.resource, told)}"
        raise ContractError(contract.id, required, repr(contract.window), "window")


def schedules_said(node: str, told: Collection[str]) -> str:
    """Return what a window must name, for a sentence.

    >>> schedules_said("n1", ["office", "nights"])
    'the name of a schedule of n1 (nights, office)'
    """
    return f"the name of a schedule of {node} ({', '.join(sorted(told)) or 'there is none yet'})"


def check_unchanged(old: Contract, new: Contract) -> None:
    """Refuse to rewrite a contract: it may only end, and another may begin.

    Raises:
        ContractError: something other than its end differs.
    """
    ends = Period(old.period.start, max(old.period.start, new.period.end))
    if replace(old, period=ends, paid_until=new.paid_until) != new:
        raise ContractError(
            new.id, "stay as it was but for its end (give new terms a new id)", "other terms"
        )


def ended(contract: Contract, at: datetime) -> Contract:
    """Return the contract as it ends early: what it was paid for until stays known.

    Raises:
        ContractError: it is not in force at the instant, or is per token and ends in an hour.
    """
    if not contract.period.holds(at):
        span = f"{contract.period.start.isoformat()} to {contract.period.end.isoformat()}"
        required = f"be in force ({span}) when it ends"
        raise ContractError(contract.id, required, at.isoformat(), "at")
    until = contract.prepaid_period.end if isinstance(contract.scheme, Prepaid) else None
    if contract.is_per_token:
        check_whole_hour(contract, at, "at")
    return replace(contract, period=Period(contract.period.start, at), paid_until=until)


def check_whole_hour(contract: Contract, instant: datetime, field: str) -> None:
    """Refuse to begin or end tokens within a clock hour, of which usage is one sum.

    Raises:
        ContractError: names the field that says the instant, and the whole hours around it.
    """
    hour = hour_of(instant)
    if instant not in {hour, FOR_EVER}:
        around = f"as {hour.isoformat()} or {(hour + HOUR).isoformat()}"
        required = f"start and end on a whole hour, by which usage is kept, {around}"
        raise ContractError(contract.id, required, instant.isoformat(), field)


def _places(contract: Contract) -> Iterator[tuple[str, ...]]:
    """Yield what contracts must share to charge the same thing: a resource, or a pool."""
    if contract.resource:
        yield ("resource", contract.resource)
    if not contract.is_kv_cache:
        yield ("pool", contract.account, contract.pool)


def _same_scope(one: Contract, other: Contract) -> bool:
    if one.is_kv_cache != other.is_kv_cache:
        return False
    if one.resource and one.resource == other.resource:
        return True
    per_token = one.is_per_token or other.is_per_token
    same_pool = one.account == other.account and one.pool == other.pool
    return per_token and same_pool and not (one.resource and other.resource)


def _check_term(contract: Contract, scheme: Prepaid, book: PriceBook) -> None:
    if scheme.months not in book.terms:
        raise TermError(scheme.months, book.terms)
    if not 0 < scheme.discount <= 1:
        raise DiscountError(contract.id, scheme.discount)


def _check_numbers(contract: Contract) -> None:
    if contract.quantity < 1:
        found = str(contract.quantity)
        raise ContractError(contract.id, "have a quantity of 1 or more", found, "quantity")
    if contract.auto_renew and not isinstance(contract.scheme, Prepaid):
        required = "be a subscription to renew itself"
        raise ContractError(contract.id, required, "another scheme", "auto_renew")
    for name, amount in (("cash_paid", contract.cash_paid), ("worth", contract.worth)):
        if amount is not None and amount < 0:
            raise ContractError(contract.id, f"have a {name} of 0 or more", str(amount), name)
    for meter, factor in contract.factors.items():
        if meter not in FACTORS or factor < 0:
            known = f"have factors of 0 or more for {', '.join(FACTORS)}"
            raise ContractError(contract.id, known, f"{meter}: {factor}", "factors")


class ContractError(ValueError):
    """A contract that misses something."""

    def __init__(self, contract: str, required: str, found: str, field: str = "") -> None:
        super().__init__(f"contract {contract!r} must {required}, found {found}")
        self.field = field
        """What of it is wrong, where it is one thing."""


class TermError(ValueError):
    """A term that is not sold."""

    field = "months"

    def __init__(self, months: int, terms: tuple[int, ...]) -> None:
        sold = ", ".join(map(str, terms))
        super().__init__(f"a term must be one of {sold} months, found {months}")


class DiscountError(ValueError):
    """A discount factor that is none."""

    field = "discount"

    def __init__(self, contract: str, discount: Decimal) -> None:
        super().__init__(
            f"the discount factor of contract {contract!r} must be above 0 and at most 1, "
            f"found {discount}"
        )


class OverlappingContractsError(ValueError):
    """Two contracts for the same thing at the same time."""

    def __init__(self, one: Contract, other: Contract, shared: Period) -> None:
        what = one.resource or f"pool {one.pool}"
        self.field = "resource" if one.resource else "pool"
        super().__init__(
            f"{what} must be under one contract at a time, found {one.id!r} and {other.id!r} "
            f"both from {shared.start.isoformat()}"
        )
