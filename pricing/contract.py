"""Contracts: which scheme an account's resource or pool is under, and since when."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import combinations

from metering.identity import FOR_EVER
from metering.interval import Resource
from metering.period import Period, hour_of, midnight_after
from pricing.book import PriceBook
from pricing.schemes import PerToken, Scheme, Subscription, rate_of


@dataclass(frozen=True, slots=True)
class Contract:
    """One account's terms for one node or pool, for a period."""

    id: str
    account: str
    scheme: Scheme
    region: str
    pool: str
    """Requests of this pool are what the contract covers: by reservation, or per token."""
    period: Period
    resource: str = ""
    """The node that is charged by time; empty for a whole pool charged per token."""

    @property
    def is_per_token(self) -> bool:
        """Whether requests are charged; under the other schemes they are served free."""
        return isinstance(self.scheme, PerToken)

    def covers(self, pool: str, resource: str, hour: Period) -> bool:
        """Whether usage of a pool and resource in an hour falls under this contract."""
        same_place = not (self.resource and resource) or self.resource == resource
        return pool == self.pool and same_place and self.period.overlap(hour) is not None


def subscription_period(scheme: Subscription, start: Period, zone: str) -> Period:
    """Return the term: from the second of purchase to midnight after the last day (rule R6)."""
    return Period(start.start, midnight_after(start.start, scheme.months, zone))


def check_contract(contract: Contract, book: PriceBook) -> None:
    """Refuse a contract that the book cannot price or that no hour can be told apart by.

    Raises:
        UnknownRegionError, MissingPriceError, TermError, ContractError: what was wrong.
    """
    rate_of(contract.scheme, contract.region, book)
    match contract.scheme:
        case PerToken():
            _check_whole_hours(contract)
        case Subscription(months=months, discount=discount):
            if months not in book.terms:
                raise TermError(months, book.terms)
            if not 0 < discount <= 1:
                raise DiscountError(contract.id, discount)
        case _:
            pass
    if not contract.is_per_token and not contract.resource:
        raise ContractError(contract.id, "name the node it is for", "none")


def check_disjoint(contracts: Iterable[Contract]) -> None:
    """Refuse contracts that would charge the same thing twice.

    Raises:
        OverlappingContractsError: names both.
    """
    for one, other in combinations(contracts, 2):
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
            raise ContractError(contract.id, required, repr(contract.resource))
        spec = node.spec if isinstance(contract.scheme, PerToken) else contract.scheme.spec
        said = (contract.account, contract.region, spec)
        if said != (node.account, node.region, node.spec):
            own = f"agree with {node.id} on account, region and spec"
            required = f"{own} ({node.account}, {node.region}, {node.spec})"
            raise ContractError(contract.id, required, ", ".join(said))


def check_unchanged(old: Contract, new: Contract) -> None:
    """Refuse to rewrite a contract: it may only end, and another may begin.

    Raises:
        ContractError: something other than its end differs.
    """
    ends = Period(old.period.start, new.period.end) if new.period.end > old.period.start else None
    if ends is None or replace(old, period=ends) != new:
        raise ContractError(
            new.id, "stay as it was but for its end (give new terms a new id)", "other terms"
        )


def _same_scope(one: Contract, other: Contract) -> bool:
    if one.resource and one.resource == other.resource:
        return True
    per_token = one.is_per_token or other.is_per_token
    same_pool = one.account == other.account and one.pool == other.pool
    return per_token and same_pool and not (one.resource and other.resource)


def _check_whole_hours(contract: Contract) -> None:
    for instant in (contract.period.start, contract.period.end):
        if instant not in {hour_of(instant), FOR_EVER}:
            raise ContractError(contract.id, "start and end on a whole hour", instant.isoformat())


class ContractError(ValueError):
    """A contract that misses something."""

    def __init__(self, contract: str, required: str, found: str) -> None:
        super().__init__(f"contract {contract!r} must {required}, found {found}")


class TermError(ValueError):
    """A term that is not sold."""

    def __init__(self, months: int, terms: tuple[int, ...]) -> None:
        sold = ", ".join(map(str, terms))
        super().__init__(f"a term must be one of {sold} months, found {months}")


class DiscountError(ValueError):
    """A discount factor that is none."""

    def __init__(self, contract: str, discount: Decimal) -> None:
        super().__init__(
            f"the discount factor of contract {contract!r} must be above 0 and at most 1, "
            f"found {discount}"
        )


class OverlappingContractsError(ValueError):
    """Two contracts for the same thing at the same time."""

    def __init__(self, one: Contract, other: Contract, shared: Period) -> None:
        what = one.resource or f"pool {one.pool}"
        super().__init__(
            f"{what} must be under one contract at a time, found {one.id!r} and {other.id!r} "
            f"both from {shared.start.isoformat()}"
        )
