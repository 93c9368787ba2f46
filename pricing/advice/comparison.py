"""What a node would have cost in every other way to be charged, for the month that was.

inputs of a month + a node's contract -> the same usage and running time under other schemes
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from metering.event import TOKEN_CLASSES
from metering.identity import FOR_EVER
from metering.interval import Interval, State
from metering.period import HOUR, Period
from metering.usage import Usage
from pricing.advice.break_even import break_even_hours, break_even_tokens
from pricing.bills.total import nearest, totals_of, unit_of
from pricing.contracts.contract import Contract, subscription_period
from pricing.contracts.schemes import (
    Hourly,
    KvCache,
    PerToken,
    Prepaid,
    Scheme,
    Subscription,
    rate_of,
    spec_of,
)
from pricing.prices.book import MissingPriceError, PriceBook
from pricing.prices.rate import Item, Rate
from pricing.rating.charge import Charge
from pricing.rating.inputs import Inputs
from pricing.rating.rating import rate

_MILLION = 1_000_000
_HOUR = 3600
BUSY = "hourly when busy"
"""By the hour, were the node stopped in every clock hour in which it serves nothing."""
_LOADS = {"p50": Fraction(1, 2), "p90": Fraction(9, 10)}
"""Every hour of the month as busy as the hour with usage at this quantile."""


@dataclass(frozen=True, slots=True)
class Option:
    """One way to be charged, and what the month would have come to."""

    name: str
    """``subscription``, ``hourly``, ``hourly when busy`` or ``token``, with its size class."""
    payable: Decimal
    per_million: Fraction | None
    """What a million tokens cost that way; None where none were served."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A node's month under every scheme that the book prices."""

    contract: str
    spec: str
    region: str
    hours: Fraction
    """How long it ran."""
    idle_hours: int
    """Clock hours in which it ran and served no token."""
    tokens: int
    now: Option
    """As it is charged; a subscription with as much of a month as is over."""
    options: tuple[Option, ...]
    missing: tuple[str, ...]
    """Sentences on what the book does not price."""
    break_even_hours: Fraction | None
    """Running hours a month from which a subscription is cheaper than paying by the hour."""
    break_even_tokens: tuple[tuple[str, int], ...]
    """Size class -> tokens a month from which a subscription is cheaper."""
    terms: tuple[tuple[int, Fraction], ...]
    """Months of a term -> what a month of it costs."""
    quotes: tuple[tuple[str, Fraction], ...]
    """At which load -> the price of a million tokens that makes them cost a month's reservation."""

    @property
    def cheapest(self) -> Option:
        """The first of the options that cost least, without a schedule that nobody made yet."""
        known = (option for option in self.options if option.name != BUSY)
        return min(known, key=lambda option: option.payable)

    @property
    def saving(self) -> Decimal:
        """What the cheapest would have saved; zero where it is the present one."""
        return max(self.now.payable - self.cheapest.payable, Decimal(0))


def comparisons(inputs: Inputs) -> list[Comparison]:
    """Return a comparison for each node that the account has a contract for in the month."""
    nodes = (c for c in inputs.own_contracts if c.resource and not isinstance(c.scheme, KvCache))
    return [_compared(inputs, contract) for contract in nodes]


def token_quote(monthly: Fraction, tokens: int) -> Fraction | None:
    """Return the price of a million tokens at which they cost what a reservation does.

    >>> token_quote(Fraction("6405.92"), 320_296_000)
    Fraction(20, 1)
    """
    return monthly * _MILLION / tokens if tokens else None


def hourly_tokens(usage: Sequence[Usage], share: Fraction) -> int:
    """Return how many tokens an hour with usage has, at a quantile of such hours.

    Of hours in rising order the first one that leaves at most the rest above it.
    """
    hours: dict[object, int] = {}
    for row in usage:
        if row.key.meter in TOKEN_CLASSES:
            hours[row.key.hour] = hours.get(row.key.hour, 0) + row.quantity
    rising = sorted(hours.values())
    at = -(-len(rising) * share.numerator // share.denominator) - 1
    return rising[max(at, 0)] if rising else 0


def _compared(inputs: Inputs, contract: Contract) -> Comparison:
    own = [row for row in inputs.usage if _is_of(contract, row)]
    tokens = sum(row.quantity for row in own if row.key.meter in TOKEN_CLASSES)
    spec = spec_of(contract.scheme) or _spec_of_node(inputs, contract)
    options, missing = [], []
    ran = _running(inputs, contract)
    served = {row.key.hour for row in own if row.key.meter in TOKEN_CLASSES and row.quantity}
    models = {r.key.model for r in own if r.key.meter in TOKEN_CLASSES and r.quantity}
    classes = _size_classes(inputs.book, contract.region, models)
    for name, scheme in _schemes(inputs.book, spec, classes):
        gaps = _gaps(inputs, contract, scheme)
        alone = _measured(_alone(inputs, contract, scheme, own), contract, ran)
        rated = rate(_busy(alone, contract, ran, served) if name == BUSY else alone)
        missing += [*gaps, *rated.blockers]
        if not gaps and not rated.blockers:
            options.append(_option(name, _payable(rated.charges, alone, scheme), tokens))
    now = _alone(inputs, contract, contract.scheme, own)
    node = _Node(inputs.book, spec, contract.region, classes)
    return Comparison(
        contract=contract.id,
        spec=spec,
        region=contract.region,
        hours=Fraction(sum(p.seconds for p in ran), _HOUR),
        idle_hours=len({h.start for p in ran for h in p.hours()} - served),
        tokens=tokens,
        now=_option("now", _payable(rate(now).charges, now, contract.scheme), tokens),
        options=tuple(options),
        missing=tuple(dict.fromkeys(missing)),
        break_even_hours=node.break_even_hours,
        break_even_tokens=tuple(node.break_even_tokens()),
        terms=tuple(node.terms()),
        quotes=tuple(node.quotes(inputs, own)),
    )


def _alone(inputs: Inputs, contract: Contract, scheme: Scheme, usage: Sequence[Usage]) -> Inputs:
    """Return a month in which one node is all there is, charged by one scheme from its start."""
    period = Period(inputs.month.start, FOR_EVER)
    if isinstance(scheme, Prepaid):
        scheme = replace(scheme, months=1)
        period = subscription_period(scheme, period, inputs.book.zone)
    other = replace(
        contract,
        scheme=scheme,
        period=period,
        window="",
        renews="",
        auto_renew=False,
        anchor=None,
        paid_until=None,
        worth=None,
        cash_paid=None,
        own_model="",
        factors={},
    )
    return replace(inputs, contracts=(other,), usage=tuple(usage), settlements=())


def _measured(alone: Inputs, contract: Contract, ran: Sequence[Period]) -> Inputs:
    """Return a month in which a reserved node of which nothing was measured ran all the time."""
    if any(interval.resource == contract.resource for interval in alone.intervals):
        return alone
    states = [Interval(contract.resource, span, State.RUNNING) for span in ran]
    return replace(alone, intervals=(*alone.intervals, *states))


def _busy(
    alone: Inputs, contract: Contract, ran: Sequence[Period], served: Collection[datetime]
) -> Inputs:
    """Return a month in which a node runs as it did, but not in clock hours that serve nothing.

    It is what a schedule can save at most.
    """
    hours = [Period(hour, hour + HOUR) for hour in sorted(served)]
    busy = (part for span in ran for hour in hours if (part := hour.overlap(span)))
    states = tuple(Interval(contract.resource, part, State.RUNNING) for part in busy)
    return replace(alone, intervals=states)


def _gaps(inputs: Inputs, contract: Contract, scheme: Scheme) -> list[str]:
    """Return that a scheme has no price, which a month without use would not show."""
    try:
        rate_of(scheme, contract.region, inputs.book, inputs.month.start)
    except MissingPriceError as gap:
        return [str(gap)]
    return []


def _schemes(book: PriceBook, spec: str, classes: Sequence[str]) -> Iterator[tuple[str, Scheme]]:
    yield "subscription", Subscription(spec, 1, book.factor(1))
    yield "hourly", Hourly(spec)
    yield BUSY, Hourly(spec)
    for size_class in classes:
        yield f"token {size_class}", PerToken(size_class)


def _size_classes(book: PriceBook, region: str, models: Collection[str]) -> list[str]:
    """Return the size classes that the book prices in a region and that are for all the models.

    A request that does not say its model rules none out.
    """
    found = set()
    for one in book.rates:
        match = dict(one.match)
        if one.item is Item.TOKENS and region in match.get("region", (region,)):
            found |= set(match.get("size_class", ()))
    named = [model for model in models if model]
    return sorted(name for name in found if all(book.fits(name, model) for model in named))


@dataclass(frozen=True, slots=True)
class _Node:
    """What the book says of one specification in one region."""

    book: PriceBook
    spec: str
    region: str
    classes: Sequence[str]
    """The size classes that its models can be paid by."""

    @property
    def break_even_hours(self) -> Fraction | None:
        monthly, hourly = self._rate(Item.NODE_MONTH), self._rate(Item.NODE_HOUR)
        return break_even_hours(monthly, hourly) if monthly and hourly else None

    def break_even_tokens(self) -> Iterator[tuple[str, int]]:
        monthly = self._rate(Item.NODE_MONTH)
        if monthly is None:
            return
        for size_class in self.classes:
            tokens = self._priced(Item.TOKENS, region=self.region, size_class=size_class)
            found = break_even_tokens(monthly, tokens) if tokens else None
            if found is not None:
                yield size_class, found

    def terms(self) -> Iterator[tuple[int, Fraction]]:
        monthly = self._rate(Item.NODE_MONTH)
        if monthly is None:
            return
        for months in self.book.terms:
            yield months, Fraction(monthly.price) * Fraction(self.book.factor(months))

    def quotes(self, of: Inputs, usage: Sequence[Usage]) -> Iterator[tuple[str, Fraction]]:
        """Yield quotes: for what was served a reservation costs as much as of its month is over."""
        rate = self._rate(Item.NODE_MONTH)
        if rate is None:
            return
        hours, monthly = of.month.seconds // _HOUR, Fraction(rate.price)
        served = sum(r.quantity for r in usage if r.key.meter in TOKEN_CLASSES)
        loads = {"served": (monthly * _elapsed(of), served)}
        for name, share in _LOADS.items():
            loads[name] = monthly, hourly_tokens(usage, share) * hours
        for name, (cost, tokens) in loads.items():
            quote = token_quote(cost, tokens)
            if quote is not None:
                yield name, quote

    def _rate(self, item: Item) -> Rate | None:
        return self._priced(item, region=self.region, spec=self.spec)

    def _priced(self, item: Item, **wanted: str) -> Rate | None:
        try:
            return self.book.rate_for(item, None, **wanted)
        except LookupError:  # there is none, or it changes over time: no one number would be true
            return None


def _option(name: str, payable: Decimal, tokens: int) -> Option:
    return Option(name, payable, token_quote(Fraction(payable), tokens))


def _payable(charges: Sequence[Charge], of: Inputs, scheme: Scheme) -> Decimal:
    """Return what a month to date comes to; of a reservation, which is paid ahead, its share."""
    units, unit = totals_of(charges, of.book).payable, unit_of(of.book)
    return unit.amount(nearest(units * _elapsed(of)) if isinstance(scheme, Prepaid) else units)


def _elapsed(of: Inputs) -> Fraction:
    return Fraction(of.to_date.seconds, of.month.seconds)


def _is_of(contract: Contract, row: Usage) -> bool:
    """Whether a node served a row: by its name, or by its pool where no node is named."""
    if row.key.resource:
        return row.key.resource == contract.resource
    return row.key.pool == contract.pool


def _running(inputs: Inputs, contract: Contract) -> list[Period]:
    """Return when a node ran in the month to date; a reserved one runs all the time."""
    if isinstance(contract.scheme, Prepaid):
        return [inputs.covered(contract)]
    spans = (
        interval.period.overlap(inputs.covered(contract))
        for interval in inputs.intervals
        if interval.resource == contract.resource and interval.state is State.RUNNING
    )
    return [span for span in spans if span]


def _spec_of_node(inputs: Inputs, contract: Contract) -> str:
    """Return what a node was under another contract, where its present one names no spec."""
    others = (c for c in inputs.contracts if c.resource == contract.resource)
    return next((spec_of(c.scheme) for c in others if spec_of(c.scheme)), "")
