"""Rate an account's month: a pure function of usage, intervals, contracts, book and cutoff.

usage + intervals + contracts + book -> charges (exact) and whatever blocks the bill
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple, assert_never

from metering.interval import Interval, running, running_seconds
from metering.period import HOUR, Period, day_of, hour_of
from metering.rollup import METERS, REQUESTS
from metering.usage import Usage, UsageKey
from pricing.book import Item, PriceBook, Rate
from pricing.contract import Contract
from pricing.money import rounded, shown
from pricing.schemes import Hourly, PerToken, Subscription, charge, rate_of


class Kind(StrEnum):
    """What a charge is for."""

    TERM = "term"
    """A subscription's whole term, paid in advance."""
    TERM_USED = "term-used"
    """Reserved time in which the node ran; billed nothing, it carries its share of the term."""
    TERM_UNUSED = "term-unused"
    """Reserved time in which the node did not run."""
    NODE_TIME = "node-time"
    """Running seconds of one clock hour."""
    TOKENS = "tokens"
    """Tokens of one class, model and day."""


@dataclass(frozen=True, slots=True)
class Charge:
    """One exact charge: ``billed = rate x quantity / per``, before any rounding of the bill."""

    contract: Contract
    kind: Kind
    period: Period
    rate: Rate
    quantity: Fraction
    """In the rate's unit: months, hours or tokens."""
    listed: Fraction
    billed: Fraction
    effective: Fraction
    """The share of a term that falls into the period; elsewhere the same as ``billed``."""
    discount: Fraction = Fraction(1)
    project: str = ""
    resource: str = ""
    """The endpoint that served the tokens, where usage names it."""
    model: str = ""
    operation: str = ""
    meter: str = ""
    requests: int = 0


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that a bill depends on. The same inputs give the same charges, for ever."""

    account: str
    month: Period
    usage: Sequence[Usage]
    intervals: Sequence[Interval]
    contracts: Sequence[Contract]
    book: PriceBook
    zone: str
    service_to: datetime
    """Nothing at or after this instant is charged yet."""

    @property
    def to_date(self) -> Period:
        """The part of the month that is charged."""
        return Period(self.month.start, max(self.month.start, min(self.month.end, self.service_to)))

    @property
    def own_contracts(self) -> list[Contract]:
        """The account's contracts that are in force in the month to date, by id."""
        mine = (c for c in self.contracts if c.account == self.account)
        return sorted((c for c in mine if c.period.overlap(self.to_date)), key=lambda c: c.id)


class Rated(NamedTuple):
    """What rating came to: charges, and sentences on what nobody can price or prove."""

    charges: list[Charge]
    blockers: list[str]


def rate(inputs: Inputs) -> Rated:
    """Return the month's charges and what blocks its bill.

    Raises:
        MissingPriceError: a contract asks for a price that the book does not have.
    """
    charges = [c for contract in inputs.own_contracts for c in _time_charges(contract, inputs)]
    priced, blockers = _sorted_usage(inputs)
    charges += _token_charges(priced, inputs)
    return Rated(charges, blockers)


def _time_charges(contract: Contract, inputs: Inputs) -> Iterator[Charge]:
    match contract.scheme:
        case Subscription():
            yield from _term_charges(contract, contract.scheme, inputs)
        case Hourly():
            yield from _hourly_charges(contract, inputs)
        case PerToken():
            return
        case _:
            assert_never(contract.scheme)


def _term_charges(contract: Contract, scheme: Subscription, inputs: Inputs) -> Iterator[Charge]:
    """Yield the order, if it was placed this month, and the month's used and unused time."""
    monthly = rate_of(scheme, contract.region, inputs.book)
    months = Fraction(scheme.months)
    listed = charge(monthly, months)
    cut = inputs.book.order
    order = Fraction(rounded(listed * Fraction(scheme.discount), cut.places, cut.mode))
    if inputs.to_date.holds(contract.period.start):
        yield Charge(
            contract=contract,
            kind=Kind.TERM,
            period=contract.period,
            rate=monthly,
            quantity=months,
            listed=listed,
            billed=order,
            effective=Fraction(0),
            discount=Fraction(scheme.discount),
        )
    covered = contract.period.overlap(inputs.to_date)
    assert covered is not None
    ran = running_seconds(inputs.intervals, contract.resource, covered)
    hourly = inputs.book.rate_for(Item.NODE_HOUR, region=contract.region, spec=scheme.spec)
    share = _earned(order, contract.period, covered.end) - _earned(
        order, contract.period, covered.start
    )
    share_used = Fraction(shown(share * ran / max(1, covered.seconds)))
    parts = (
        (Kind.TERM_USED, ran, share_used),
        (Kind.TERM_UNUSED, covered.seconds - ran, share - share_used),
    )
    for kind, seconds, effective in parts:
        if seconds:
            hours = Fraction(seconds, 3600)
            yield Charge(
                contract=contract,
                kind=kind,
                period=covered,
                rate=hourly,
                quantity=hours,
                listed=charge(hourly, hours),
                billed=Fraction(0),
                effective=effective,
            )


def _earned(order: Fraction, term: Period, until: datetime) -> Fraction:
    """Return how much of an order is earned by an instant, as lines show it.

    Rounded cumulatively, so that the shares of all months add up to the order exactly.
    """
    elapsed = Period(term.start, until).seconds
    return Fraction(shown(order * elapsed / term.seconds))


def _hourly_charges(contract: Contract, inputs: Inputs) -> Iterator[Charge]:
    """Yield one charge per clock hour in which the node ran (rule R4)."""
    hourly = rate_of(contract.scheme, contract.region, inputs.book)
    covered = contract.period.overlap(inputs.to_date)
    assert covered is not None
    seconds: dict[Period, int] = defaultdict(int)
    for ran in running(inputs.intervals, contract.resource, covered):
        for part in ran.hours():
            hour = part.start.replace(minute=0, second=0, microsecond=0)
            seconds[Period(hour, hour + HOUR)] += part.seconds
    for hour_period, ran_seconds in sorted(seconds.items()):
        hours = Fraction(ran_seconds, 3600)
        amount = charge(hourly, hours)
        yield Charge(
            contract=contract,
            kind=Kind.NODE_TIME,
            period=hour_period,
            rate=hourly,
            quantity=hours,
            listed=amount,
            billed=amount,
            effective=amount,
        )


class _TokenLine(NamedTuple):
    """What tokens are summed by before they are priced."""

    contract: str
    day: Period
    project: str
    resource: str
    model: str
    operation: str
    meter: str


def _token_charges(priced: Sequence[tuple[Contract, Usage]], inputs: Inputs) -> Iterator[Charge]:
    """Yield one charge per day, project, resource, model and token class."""
    contracts = {c.id: c for c, _ in priced}
    rates = {c.id: rate_of(c.scheme, c.region, inputs.book) for c in contracts.values()}
    tokens: dict[_TokenLine, int] = defaultdict(int)
    requests: dict[_TokenLine, int] = defaultdict(int)
    days: dict[object, Period] = {}
    for contract, usage in priced:
        hour = usage.key.hour
        if hour not in days:
            days[hour] = day_of(hour, inputs.zone)
        line = _token_line(contract, days[hour], usage.key)
        target = requests if usage.key.meter == REQUESTS else tokens
        target[line] += usage.quantity
    for line, quantity in sorted(tokens.items(), key=_by_meter):
        counted = line._replace(meter=REQUESTS)
        token_rate = rates[line.contract]
        amount = charge(token_rate, Fraction(quantity))
        yield Charge(
            contract=contracts[line.contract],
            kind=Kind.TOKENS,
            period=line.day,
            rate=token_rate,
            quantity=Fraction(quantity),
            listed=amount,
            billed=amount,
            effective=amount,
            project=line.project,
            resource=line.resource,
            model=line.model,
            operation=line.operation,
            meter=line.meter,
            requests=requests.pop(counted, 0),
        )


def _by_meter(item: tuple[_TokenLine, int]) -> tuple[_TokenLine, int]:
    """Order lines so that input comes first: it carries the requests, the others repeat none."""
    line, _ = item
    return line._replace(meter=""), METERS.index(line.meter)


def _token_line(contract: Contract, day: Period, key: UsageKey) -> _TokenLine:
    resource = contract.resource or key.resource
    return _TokenLine(contract.id, day, key.project, resource, key.model, key.operation, key.meter)


def _sorted_usage(inputs: Inputs) -> tuple[list[tuple[Contract, Usage]], list[str]]:
    """Return the usage to be priced, each with its contract, and why other usage blocks the bill.

    Failed requests are free, and so are requests that a reserved node served.
    """
    priced: list[tuple[Contract, Usage]] = []
    blocked: dict[str, int] = defaultdict(int)
    contracts = inputs.own_contracts
    ran = {c.id: _running_hours(c, inputs) for c in contracts}
    for usage in inputs.usage:
        key = usage.key
        is_own = key.account == inputs.account and inputs.to_date.holds(key.hour)
        if not is_own or not key.outcome.is_billable:
            continue
        matching = _matching(contracts, key)
        why = _why_blocked(matching, key, ran)
        if why:
            blocked[why] += usage.quantity * (key.meter == REQUESTS)
        elif matching[0].is_per_token:
            priced.append((matching[0], usage))
    return priced, [f"{count} requests {why}" for why, count in sorted(blocked.items())]


def _why_blocked(
    matching: Sequence[Contract], key: UsageKey, ran: Mapping[str, set[datetime]]
) -> str:
    """Return what is missing before usage can be priced, or nothing."""
    if not matching:
        return f"in pool {key.pool!r} must be under a contract, found none in force"
    best = matching[0]
    if best.is_per_token and not key.quality.is_settled:
        return f"must have measured token counts, found {key.quality} ones"
    if isinstance(best.scheme, Hourly) and not any(key.hour in ran[c.id] for c in matching):
        return f"on node {best.resource!r} must fall into hours in which it ran, found other hours"
    return ""


def _matching(contracts: Sequence[Contract], key: UsageKey) -> list[Contract]:
    """Return the contracts that cover a usage row: reserved nodes before pools, then by id."""
    hour = Period(key.hour, key.hour + HOUR)
    matching = [c for c in contracts if c.covers(key.pool, key.resource, hour)]
    return sorted(matching, key=lambda c: (c.is_per_token, c.id))


def _running_hours(contract: Contract, inputs: Inputs) -> set[datetime]:
    """Return the clock hours in which a contract's node ran at all."""
    ran = running(inputs.intervals, contract.resource, inputs.to_date)
    return {hour_of(part.start) for period in ran for part in period.hours()}
