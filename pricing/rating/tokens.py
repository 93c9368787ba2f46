"""Tokens and requests: usage becomes lines at the price of its contract, class, model and time.

groups under contracts -> a rate for each meter -> lines by day or month -> charges, tier by tier
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from metering.period import Period, day_of
from metering.rollup import METERS, REQUESTS
from pricing.contracts.contract import Contract
from pricing.prices.book import MissingPriceError, PriceBook
from pricing.prices.rate import Item, Model, Rate
from pricing.rating.charge import Charge, Kind, LineKey, Priced, charges_at
from pricing.rating.inputs import Inputs
from pricing.rating.token_price import request_price, token_price
from pricing.rating.usage_match import Group

RESERVED = Priced(Rate(Item.TOKENS, (), Decimal(0), 1, "Tokens"), Fraction(1), "reserved")
"""What tokens inside a reservation cost beside it."""

BY_THE_UNIT = frozenset({Model.UNIT, Model.TIME})
"""Models by which a quantity has a price of its own, whatever else was used."""


class UsageCharges(NamedTuple):
    """Charges for usage, and sentences on usage that has no price."""

    charges: list[Charge]
    blockers: list[str]


def usage_charges(groups: Iterable[Group], inputs: Inputs) -> UsageCharges:
    """Return what usage costs: lines by day or month, or by tier over the whole month.

    Tiers, packages and flat prices count all usage of a contract that their rate prices.
    """
    lines: dict[UsageLine, _Sum] = {}
    gaps: dict[str, int] = defaultdict(int)
    for group in groups:
        requests = group.counts.get(REQUESTS, 0)
        for line, _, quantity, priced in priced_lines(group, inputs, gaps):
            held = lines.setdefault(line, _Sum(group.contract, priced))
            held.quantity += quantity
            held.requests += requests
            requests = 0
    charges = [c for line, held in sorted(lines.items(), key=_order) for c in _charges(line, held)]
    return UsageCharges(charges, [f"{n} {why}" for why, n in sorted(gaps.items())])


def priced_lines(
    group: Group, inputs: Inputs, gaps: dict[str, int]
) -> Iterator[tuple["UsageLine", str, int, Priced]]:
    """Yield each meter of a group with its line, quantity and price; count what has no price."""
    by_month = inputs.book.policy.token_lines == "month"  # noqa: S105 - no password
    for meter, quantity, priced in _priced(group, inputs.book, gaps):
        daily = not by_month and priced is not RESERVED and priced.rate.model in BY_THE_UNIT
        period = _day(group.at, inputs.zone) if daily else inputs.month
        yield _line(group, meter, priced, period), meter, quantity, priced


_day = lru_cache(1000)(day_of)


class UsageLine(NamedTuple):
    """What usage is summed by before it is charged."""

    contract: str
    period: Period
    project: str
    resource: str
    model: str
    operation: str
    meter: str
    band: str
    tier: str
    reason: str
    kind: Kind
    rate: str

    @property
    def key(self) -> LineKey:
        """What its charges are known by, but for their tier."""
        return LineKey(
            contract=self.contract,
            kind=self.kind.value,
            start=self.period.start.isoformat(),
            end=self.period.end.isoformat(),
            rate=self.rate,
            tier="",
            project=self.project,
            resource=self.resource,
            model=self.model,
            operation=self.operation,
            meter=self.meter,
            band=self.band,
            service_tier=self.tier,
            reason=self.reason,
        )


@dataclass(slots=True)
class _Sum:
    contract: Contract
    priced: Priced
    quantity: int = 0
    requests: int = 0


def _priced(
    group: Group, book: PriceBook, gaps: dict[str, int]
) -> Iterator[tuple[str, int, Priced]]:
    """Yield each meter of a group with its price, tokens first; count what has none."""
    contract, at, served, counts = group
    for meter in METERS[1:]:
        if not counts.get(meter):
            continue
        priced = RESERVED
        if contract.is_per_token:
            try:
                priced = token_price(contract, served, meter, at, book)
            except MissingPriceError as gap:
                gaps[f"{meter} tokens: {gap}"] += counts[meter]
                continue
        yield meter, counts[meter], priced
    each = request_price(contract, served, at, book) if contract.is_per_token else None
    if each:
        yield REQUESTS, counts.get(REQUESTS, 0), each


def _line(group: Group, meter: str, priced: Priced, whole: Period) -> UsageLine:
    """Return the line that a meter of a group belongs to."""
    contract, _, served, _ = group
    rate = priced.rate
    if priced is RESERVED:
        return UsageLine(
            contract.id, whole, "", contract.resource, served.model, "", meter, "", "", "",
            Kind.RESERVED, rate.id,
        )  # fmt: skip
    kind = Kind.REQUESTS if meter == REQUESTS else Kind.TOKENS
    period = whole.overlap(rate.valid)
    assert period is not None
    if rate.model in BY_THE_UNIT:
        return UsageLine(
            contract.id, period, served.project, contract.resource or served.resource,
            served.model, served.operation, meter, served.band, served.tier, served.reason,
            kind, rate.id,
        )  # fmt: skip
    named = dict(rate.dimensions)
    factored = priced.factor != 1
    return UsageLine(
        contract.id, period, "", named.get("resource", ""), named.get("model", ""),
        named.get("operation", ""), meter if factored else named.get("meter", ""),
        named.get("band", ""), served.tier if factored else named.get("tier", ""), "",
        kind, rate.id,
    )  # fmt: skip


def _order(item: tuple[UsageLine, _Sum]) -> tuple[UsageLine, int, str]:
    """Order lines so that input comes first: it carries the requests, the others repeat none."""
    line, _ = item
    return line._replace(meter="", rate=""), METERS.index(line.meter or METERS[-1]), line.rate


def _charges(line: UsageLine, held: _Sum) -> list[Charge]:
    """Return the charges of a line; what corrections took back altogether has none."""
    if not held.quantity:
        return []
    return list(
        charges_at(
            held.priced,
            Fraction(held.quantity),
            line.kind,
            line.period,
            contract=held.contract,
            reason=line.reason,
            project=line.project,
            resource=line.resource,
            model=line.model,
            operation=line.operation,
            meter=line.meter,
            band=line.band,
            service_tier=line.tier,
            requests=held.requests,
        )
    )
