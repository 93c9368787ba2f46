"""What served tokens earn and what serving them costs, by place, customer and model.

usage by hour + what an hour of a node or pool costs its operator -> each hour's cost, shared by
tokens -> beside what the same usage was charged
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from metering.event import TOKEN_CLASSES
from metering.period import HOUR, Period
from metering.usage import Usage
from pricing.contracts.contract import Contract
from pricing.rating.charge import Charge, Kind

_MILLION = 1_000_000
_BESIDE = frozenset({Kind.TAX, Kind.CREDIT})
"""Charges that are nobody's revenue."""


@dataclass(frozen=True, slots=True)
class Custom:
    """An account's month: what it used, hour by hour, and what it is charged."""

    account: str
    usage: Sequence[Usage]
    contracts: Sequence[Contract]
    charges: Sequence[Charge]


class Of(NamedTuple):
    """Whose tokens, of which model. The model is empty where nothing tells it."""

    account: str
    model: str


@dataclass(frozen=True, slots=True)
class Share:
    """What one customer and model earned at a place, and their share of its cost."""

    of: Of
    tokens: int
    revenue: Fraction
    """What falls into the month, before tax and credit; of a term its share."""
    on_use: Fraction
    """Of each hour with tokens, the share of its cost by tokens."""
    on_reservation: Fraction
    """The same, and a share of the cost of idle hours in the ratio of it."""

    @property
    def margin(self) -> Fraction:
        """What is left of the revenue."""
        return self.revenue - self.on_reservation


@dataclass(frozen=True, slots=True)
class Place:
    """A node or pool: what it cost its operator, and what became of that."""

    name: str
    hours: int
    idle_hours: int
    """Hours in which it served no token."""
    cost: Fraction
    idle_cost: Fraction
    shares: tuple[Share, ...]

    @property
    def tokens(self) -> int:
        """What it served."""
        return sum(share.tokens for share in self.shares)

    @property
    def revenue(self) -> Fraction:
        """What it earned."""
        return sum((share.revenue for share in self.shares), Fraction(0))

    @property
    def margin(self) -> Fraction:
        """What it earned less what it cost, idle hours and all."""
        return self.revenue - self.cost


def per_million(amount: Fraction, tokens: int) -> Fraction | None:
    """Return what a million tokens cost, or None where none were served.

    >>> per_million(Fraction(3), 2_000_000)
    Fraction(3, 2)
    """
    return amount * _MILLION / tokens if tokens else None


def margins(customs: Iterable[Custom], period: Period, costs: Mapping[str, Decimal]) -> list[Place]:
    """Return what each place with a cost earned and cost in a period.

    ``costs`` names nodes and pools, each with what one hour of it costs its operator, whether it
    serves or not. Usage and contracts at places without a cost are left out.
    """
    found = {name: _Served() for name in costs}
    for custom in customs:
        placed = _Placing(custom, costs)
        for name, of, hour, tokens in placed.tokens(period):
            found[name].tokens[hour][of] += tokens
        for name, model, amount in placed.revenue():
            found[name].revenue[Of(custom.account, model)] += amount
    hours = period.seconds // int(HOUR.total_seconds())
    return [_place(name, hours, Fraction(costs[name]), found[name]) for name in sorted(found)]


@dataclass(slots=True)
class _Served:
    """What a place served by hour, and what was charged for it."""

    tokens: dict[datetime, dict[Of, int]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(int))
    )
    revenue: dict[Of, Fraction] = field(default_factory=lambda: defaultdict(Fraction))


@dataclass(frozen=True, slots=True)
class _Placing:
    """Tells at which place an account's usage and charges were."""

    custom: Custom
    costs: Mapping[str, Decimal]

    def tokens(self, period: Period) -> Iterator[tuple[str, Of, datetime, int]]:
        nodes = self._nodes()
        for row in self.custom.usage:
            key = row.key
            node = key.resource or nodes.get(key.pool, "")
            name = self._known((node, key.pool))
            if name and key.meter in TOKEN_CLASSES and period.holds(key.hour):
                yield name, Of(self.custom.account, key.model), key.hour, row.quantity

    def revenue(self) -> Iterator[tuple[str, str, Fraction]]:
        for charge in self.custom.charges:
            if charge.contract and charge.kind not in _BESIDE and charge.effective:
                own = charge.contract
                name = self._known((charge.resource, own.resource, own.pool))
                if name:
                    yield name, charge.model, charge.effective

    def _nodes(self) -> dict[str, str]:
        """Return the node of each pool in which the account has just one."""
        found: dict[str, set[str]] = defaultdict(set)
        for contract in self.custom.contracts:
            if contract.resource:
                found[contract.pool].add(contract.resource)
        return {pool: next(iter(nodes)) for pool, nodes in found.items() if len(nodes) == 1}

    def _known(self, names: Iterable[str]) -> str:
        return next((name for name in names if name in self.costs), "")


def _place(name: str, hours: int, hourly: Fraction, served: _Served) -> Place:
    on_use: dict[Of, Fraction] = defaultdict(Fraction)
    tokens: dict[Of, int] = defaultdict(int)
    busy = 0
    for told in served.tokens.values():
        whole = sum(told.values())
        busy += whole > 0
        for of, count in told.items():
            tokens[of] += count
            on_use[of] += hourly * count / whole if whole > 0 else 0
    cost, used = hourly * hours, hourly * busy
    revenue = _by_model(served.revenue, on_use)
    shares = (
        Share(
            of=of,
            tokens=tokens.get(of, 0),
            revenue=revenue.get(of, Fraction(0)),
            on_use=on_use.get(of, Fraction(0)),
            on_reservation=on_use.get(of, Fraction(0)) * cost / used if used else Fraction(0),
        )
        for of in sorted({*tokens, *revenue})
    )
    return Place(name, hours, hours - busy, cost, cost - used, tuple(shares))


def _by_model(revenue: Mapping[Of, Fraction], on_use: Mapping[Of, Fraction]) -> dict[Of, Fraction]:
    """Share what was charged for no one model among the customer's models, by what they cost."""
    found: dict[Of, Fraction] = defaultdict(Fraction)
    for of, amount in revenue.items():
        own = {one: cost for one, cost in on_use.items() if one.account == of.account and cost}
        whole = sum(own.values(), Fraction(0))
        if of.model or not whole:
            found[of] += amount
        else:
            for one, cost in own.items():
                found[one] += amount * cost / whole
    return dict(found)
