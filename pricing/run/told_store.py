"""What a run is told of an account's month: all that rating depends on, read from the ledger."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple, Self

from sqlalchemy import Connection, Engine

from metering.interval import Interval, Resource
from metering.period import Period
from metering.store import Account, MeterStore
from metering.usage import Usage
from pricing.bills.part import Cutoffs, Rating
from pricing.contracts.contract import Contract
from pricing.contracts.settlement import Settlement
from pricing.contracts.store import ContractStore
from pricing.prices.book import PriceBook
from pricing.rating.inputs import Inputs
from pricing.rating.rating import rate
from pricing.rating.usage_match import cuts
from pricing.run.run import Told, narrowed
from pricing.run.usage_store import UsageSums


@dataclass(frozen=True, slots=True)
class Customer:
    """Everything about an account that does not depend on the month."""

    account: Account
    contracts: list[Contract]
    settlements: list[Settlement]
    intervals: list[Interval]
    resources: list[Resource]


@dataclass(frozen=True, slots=True)
class Asked:
    """A month of an account that is to be rated: by which book, and with usage as of when."""

    customer: Customer
    month: Period
    book: PriceBook
    cutoffs: Cutoffs


class ToldStore:
    """Reads what runs are told. It changes nothing."""

    def __init__(self, engine: Engine | Connection, contracts: ContractStore) -> None:
        """Read a ledger."""
        self._meter = MeterStore(engine)
        self._contracts = contracts
        self.usage = UsageSums(engine)

    def customer(self, account: Account) -> Customer:
        """Return what is known of an account."""
        [customer] = self.customers([account])
        return customer

    def customers(self, accounts: Sequence[Account]) -> list[Customer]:
        """Return what is known of some accounts, asked for together."""
        ids = [account.id for account in accounts]
        contracts = self._contracts.contracts_of(ids)
        settlements = self._contracts.settlements_of(ids)
        nodes = {c.resource for some in contracts.values() for c in some if c.resource}
        intervals: dict[str, list[Interval]] = defaultdict(list)
        for interval in self._meter.intervals(nodes) if nodes else ():
            intervals[interval.resource].append(interval)
        resources = {r.id: r for r in (self._meter.resources(nodes) if nodes else ())}
        return [
            _customer(
                account, contracts[account.id], settlements[account.id], (intervals, resources)
            )
            for account in accounts
        ]

    def active(self, month: Period) -> set[str]:
        """Return the accounts of which a month may come to something: a contract, or usage."""
        found = {c.account for c in self._contracts.contracts() if c.period.overlap(month)}
        others = [a.id for a in self._meter.accounts() if a.id not in found]
        return found | self.usage.last_changes(others, month).keys()

    def cutoffs(self, service_to: datetime, usage_run: int | None = None) -> Cutoffs:
        """Return what a run sees that charges up to an instant: usage as of a close run, or now."""
        close = self._meter.last_close()
        if usage_run is None:
            return Cutoffs(service_to, close.stored_before, close.run)
        return Cutoffs(service_to, self.usage.stored_before(usage_run), usage_run)

    def rating(self, asked: Asked) -> Rating:
        """Rate a month whole."""
        return self.rated(told(asked), asked.cutoffs)

    def ratings(self, asked: Sequence[Asked]) -> Iterator[Rating]:
        """Rate months whole, in order; usage that is cut at the same instants is read together."""
        tolds = [(told(each), each.cutoffs) for each in asked]
        wanted = [_Cut.of(each.inputs, cutoffs) for each, cutoffs in tolds]
        accounts: dict[_Cut, set[str]] = defaultdict(set)
        for cut, (each, _) in zip(wanted, tolds, strict=True):
            accounts[cut].add(each.inputs.account)
        usage = {cut: self.usage.of_all(sorted(who), *cut) for cut, who in accounts.items()}
        for cut, (each, cutoffs) in zip(wanted, tolds, strict=True):
            yield _rated(each, cutoffs, usage[cut][each.inputs.account])

    def rated(self, without_usage: Told, cutoffs: Cutoffs) -> Rating:
        """Rate a month of which all but the usage is told."""
        inputs = without_usage.inputs
        usage = self.usage.between(inputs.account, *_Cut.of(inputs, cutoffs))
        return _rated(without_usage, cutoffs, usage)


class _Cut(NamedTuple):
    """Between which instants usage is summed, and as of which close run."""

    edges: tuple[datetime, ...]
    end: datetime
    run: int

    @classmethod
    def of(cls, inputs: Inputs, cutoffs: Cutoffs) -> Self:
        """Return where a month's usage is cut."""
        return cls(tuple(cuts(inputs)), inputs.to_date.end, cutoffs.usage_run)


def _rated(without_usage: Told, cutoffs: Cutoffs, usage: Sequence[Usage]) -> Rating:
    inputs = replace(without_usage.inputs, usage=usage)
    return Rating(
        inputs, without_usage.account_name, without_usage.resources, cutoffs, rate(inputs)
    )


def _customer(
    account: Account,
    contracts: list[Contract],
    settlements: list[Settlement],
    known: tuple[Mapping[str, list[Interval]], Mapping[str, Resource]],
) -> Customer:
    intervals, resources = known
    nodes = sorted({c.resource for c in contracts if c.resource})
    return Customer(
        account=account,
        contracts=contracts,
        settlements=settlements,
        intervals=[interval for node in nodes for interval in intervals.get(node, ())],
        resources=[resources[node] for node in nodes if node in resources],
    )


def told(asked: Asked) -> Told:
    """Return what matters for a month, but for its usage."""
    customer = asked.customer
    inputs = Inputs(
        account=customer.account.id,
        month=asked.month,
        usage=(),
        intervals=customer.intervals,
        contracts=customer.contracts,
        book=asked.book,
        zone=customer.account.zone,
        service_to=asked.cutoffs.service_to,
        settlements=customer.settlements,
    )
    return narrowed(Told(inputs, customer.account.name, tuple(customer.resources)))
