"""What a run was told of a month, and whether a month must be looked at again.

Inputs of the service -> those of one account's month, as small as they can be -> snapshot
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from metering.interval import Interval, Resource
from metering.period import Period
from metering.usage import Usage
from pricing.bills.part import Cutoffs
from pricing.contracts.contract import Contract
from pricing.prices.book import PriceBook
from pricing.rating.inputs import Inputs
from pricing.run.snapshot import read, written

_KEPT_ELSEWHERE = frozenset({"usage", "book"})
"""Usage is kept in revisions, and books by their hash."""


@dataclass(frozen=True, slots=True)
class Run:
    """One rating of an account's month, as the ledger lists it."""

    id: str
    bill: str
    account: str
    month: Period
    sequence: int | None
    """Its place among the runs that were posted for the month; None for a draft's."""
    base: int
    """How many runs of the month were posted before it."""
    cutoffs: Cutoffs
    book_hash: str
    inputs: str
    """The digest of what it was told."""
    rating_hash: str
    corrects: str
    """The run whose result it corrects, where the month was closed."""
    payable: int
    """Minor units that it added to what bills carry of the month."""


@dataclass(frozen=True, slots=True)
class Told:
    """All that a rating depends on, and the words its rows use."""

    inputs: Inputs
    account_name: str
    resources: tuple[Resource, ...]


def narrowed(told: Told) -> Told:
    """Return what matters for the month: what else there is, or happens later, changes nothing."""
    inputs = told.inputs
    changes = [s for s in inputs.settlements if inputs.month.holds(s.at)]
    changed = {settlement.contract for settlement in changes}
    contracts = sorted(
        (c for c in inputs.contracts if _matters(c, inputs) or c.id in changed),
        key=lambda c: c.id,
    )
    nodes = {c.resource for c in contracts}
    return replace(
        told,
        inputs=replace(
            inputs,
            contracts=tuple(contracts),
            settlements=tuple(sorted(changes, key=lambda s: s.id)),
            intervals=tuple(_within(inputs.intervals, nodes, inputs.month)),
        ),
        resources=tuple(sorted((r for r in told.resources if r.id in nodes), key=lambda r: r.id)),
    )


def snapshot(told: Told) -> str:
    """Return what a run was told, as text, but for usage and the book."""
    kept = {
        f.name: getattr(told.inputs, f.name)
        for f in fields(Inputs)
        if f.name not in _KEPT_ELSEWHERE
    }
    return written([told.account_name, told.resources, kept])


def told_again(text: str, book: PriceBook, usage: Sequence[Usage]) -> Told:
    """Read a snapshot back, with the book and the usage that belong to it."""
    name, resources, kept = read(text, Inputs, Resource)
    return Told(Inputs(**kept, usage=usage, book=book), name, resources)


def _matters(contract: Contract, inputs: Inputs) -> bool:
    """Whether a contract is the account's and holds in the month, if only for an instant."""
    period, month = contract.period, inputs.month
    is_near = period.overlap(month) is not None or month.holds(period.start)
    return is_near and contract.account == inputs.account


def _within(intervals: Sequence[Interval], nodes: set[str], month: Period) -> Sequence[Interval]:
    cut = ((i, i.period.overlap(month)) for i in intervals if i.resource in nodes)
    return sorted(replace(i, period=shared) for i, shared in cut if shared)
