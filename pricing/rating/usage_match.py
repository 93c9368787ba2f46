"""Which contract usage falls under: summed first, between the instants at which anything changes.

usage rows -> sums by slot and dimensions -> groups under a contract, or why they block the bill
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from metering.event import Outcome, Quality
from metering.interval import running
from metering.period import HOUR, Period, day_of, hour_from, hour_of, zone_of
from metering.rollup import REQUESTS
from pricing.contracts.contract import Contract
from pricing.contracts.schemes import Hourly
from pricing.prices.rate import Item, Rate
from pricing.rating.inputs import Inputs

_BY_USAGE = (Item.TOKENS, Item.REQUESTS)


class Served(NamedTuple):
    """Everything about usage that its contract, its price or its line may depend on."""

    slot: int
    pool: str
    resource: str
    project: str
    provider: str
    model: str
    operation: str
    band: str
    tier: str
    reason: str
    doubt: str
    """The quality of counts that are not settled; empty where they may be charged."""


class Group(NamedTuple):
    """Usage that has one price for each of its meters."""

    contract: Contract
    at: datetime
    """The first hour of its slot."""
    served: Served
    counts: Mapping[str, int]
    """Meter -> quantity."""


class Matched(NamedTuple):
    """Usage with its contract, and sentences on usage that nobody can price or prove."""

    groups: list[Group]
    blockers: list[str]


def matched(inputs: Inputs) -> Matched:
    """Return usage summed and under its contracts. Failed requests are free, and left out."""
    edges = cuts(inputs)
    finder = _Finder(inputs)
    groups: list[Group] = []
    blocked: dict[str, int] = defaultdict(int)
    for served, counts in _summed(inputs, edges).items():
        at = edges[served.slot]
        contract, why = finder.contract_of(served, at)
        if contract and not why:
            groups.append(Group(contract, at, served, counts))
        else:
            blocked[why] += counts.get(REQUESTS, 0)
    return Matched(groups, [f"{count} requests {why}" for why, count in sorted(blocked.items())])


def cuts(inputs: Inputs) -> list[datetime]:
    """Return the whole hours at which day, contract, price or running state may change.

    Between two of them all hours are alike: their usage may be summed before it is rated, under
    the first of them.
    """
    to_date = inputs.to_date
    edges = {to_date.start, *_price_changes(inputs)}
    if inputs.book.policy.token_lines == "day":  # noqa: S105 - no password
        edges |= set(_midnights(to_date, inputs.zone))
    for contract in inputs.own_contracts:
        edges |= {hour_of(contract.period.start), hour_from(min(contract.period.end, to_date.end))}
        if isinstance(contract.scheme, Hourly):
            edges |= set(_changes(_running_hours(contract, inputs)))
    return sorted(edge for edge in edges if to_date.holds(edge))


def _summed(inputs: Inputs, edges: Sequence[datetime]) -> dict[Served, dict[str, int]]:
    """Sum usage by slot. Each row is looked at once, so this loop is as plain as it can be."""
    to_date, account = inputs.to_date, inputs.account
    slots: dict[datetime, int] = {}
    sums: dict[tuple[object, ...], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for usage in inputs.usage:
        key = usage.key
        slot = slots.get(key.hour)
        if slot is None:
            held = to_date.holds(key.hour)
            slot = slots[key.hour] = bisect_right(edges, key.hour) - 1 if held else -1
        outcome, quality = key.outcome, key.quality
        billable = outcome is Outcome.OK or outcome.is_billable
        if slot < 0 or not billable or key.account != account:
            continue
        settled = quality is Quality.MEASURED or quality.is_settled
        sums[
            slot, key.pool, key.resource, key.project, key.provider, key.model, key.operation,
            key.band, key.tier, key.spill_reason, "" if settled else quality.value,
        ][key.meter] += usage.quantity  # fmt: skip
    return {Served(*key): counts for key, counts in sums.items()}  # type: ignore[arg-type]


class _Finder:
    """Finds the contract of usage; each place and slot is asked for once."""

    def __init__(self, inputs: Inputs) -> None:
        own = inputs.own_contracts
        self._contracts = sorted(own, key=lambda c: (c.is_per_token, c.id))
        hourly = [c for c in own if isinstance(c.scheme, Hourly)]
        self._ran = {c.id: _running_hours(c, inputs) for c in hourly}
        self._known: dict[tuple[int, str, str], tuple[Contract | None, str]] = {}

    def contract_of(self, served: Served, at: datetime) -> tuple[Contract | None, str]:
        """Return the contract, and what is missing before its usage can be charged."""
        place = (served.slot, served.pool, served.resource)
        if place not in self._known:
            self._known[place] = self._find(served, at)
        contract, why = self._known[place]
        if contract and contract.is_per_token and served.doubt:
            return contract, f"must have measured token counts, found {served.doubt} ones"
        return contract, why

    def _find(self, served: Served, at: datetime) -> tuple[Contract | None, str]:
        """Reserved nodes go before pools, then by id."""
        hour = Period(at, at + HOUR)
        covering = [c for c in self._contracts if c.covers(served.pool, served.resource, hour)]
        if not covering:
            return None, f"in pool {served.pool!r} must be under a contract, found none in force"
        best = covering[0]
        if best.id in self._ran and not any(at in self._ran.get(c.id, ()) for c in covering):
            why = f"on node {best.resource!r} must fall into hours in which it ran"
            return best, f"{why}, found other hours"
        return best, ""


def _midnights(within: Period, zone: str) -> Iterator[datetime]:
    start = within.start
    while start < within.end:
        yield start
        start = day_of(start, zone).end


def _price_changes(inputs: Inputs) -> set[datetime]:
    """Return the hours from which another price of usage may hold."""
    month, book = inputs.to_date, inputs.book
    rates = [rate for item in _BY_USAGE for rate in book.rates_of(item)]
    spans = {book.valid, *(r.valid for r in rates)}
    ends = {i for span in spans for i in (span.start, span.end) if month.holds(i)}
    return {hour_from(i) for i in ends} | set(_tariff_changes(rates, month, book.zone))


def _tariff_changes(rates: Sequence[Rate], month: Period, zone: str) -> Iterator[datetime]:
    tariffs = {r.hours for r in rates if r.hours}
    if not tariffs:
        return
    clock = zone_of(zone)
    starts = [hour.start for hour in month.hours()]
    hours = [start.astimezone(clock).hour for start in starts]
    holding = [[hour in tariff for tariff in tariffs] for hour in hours]
    for (before, after), start in zip(pairwise(holding), starts[1:], strict=True):
        if before != after:
            yield start


def _running_hours(contract: Contract, inputs: Inputs) -> set[datetime]:
    """Return the clock hours in which a contract's node ran at all."""
    ran = running(inputs.intervals, contract.resource, inputs.to_date)
    return {hour_of(part.start) for period in ran for part in period.hours()}


def _changes(hours: set[datetime]) -> Iterator[datetime]:
    """Return the hours at which a run of hours begins, or has ended."""
    for hour in hours:
        if hour - HOUR not in hours:
            yield hour
        if hour + HOUR not in hours:
            yield hour + HOUR
