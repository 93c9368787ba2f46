"""What one request costs: each of its meters at the rate that its month is billed by.

a bill record's usage -> its contract -> a line and a rate for each meter -> its amount on the line
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from metering.usage import Usage
from pricing.bills.part import Rating
from pricing.prices.lookup import Explained
from pricing.prices.rate import Rate
from pricing.proof.explanation import beside, figure, product
from pricing.rating.charge import Charge, LineKey, charges_at, total
from pricing.rating.token_price import asked
from pricing.rating.tokens import BY_THE_UNIT, RESERVED, priced_lines
from pricing.rating.usage_match import Group, matched


@dataclass(frozen=True, slots=True)
class MeterPrice:
    """What one meter of a request costs."""

    meter: str
    quantity: int
    contract: str
    arithmetic: str
    """What it comes to, in figures."""
    rule: str
    amount: Fraction
    """Exact, before what the bill takes off or adds as a whole."""
    rates: tuple[Explained, ...]
    """The rate that applied first, then those that lost, and why. None inside a reservation."""
    charges: tuple[LineKey, ...]
    """The charges that hold it: one, or one a tier."""


@dataclass(frozen=True, slots=True)
class RequestPrice:
    """What a request costs, meter by meter."""

    meters: tuple[MeterPrice, ...] = ()
    why: tuple[str, ...] = ()
    """Why it costs nothing, or why something of it has no price."""

    @property
    def amount(self) -> Fraction:
        """What its meters come to together."""
        return sum((one.amount for one in self.meters), Fraction(0))


def request_price(rating: Rating, usage: Sequence[Usage]) -> RequestPrice:
    """Return what one request costs; ``usage`` is what it counts for, ``rating`` its month."""
    inputs = replace(rating.inputs, usage=usage)
    if not all(one.key.outcome.is_billable for one in usage):
        [outcome] = {one.key.outcome.value for one in usage}
        return RequestPrice(why=(f"a request that ends in {outcome} is free",))
    if not all(inputs.to_date.holds(one.key.hour) for one in usage):
        return RequestPrice(why=("it ended after what is charged up to now",))
    under, blockers = matched(inputs)
    gaps: dict[str, int] = defaultdict(int)
    meters = [one for group in under for one in _meters(group, rating, gaps)]
    said = (f"{count} {why}" for why, count in sorted(gaps.items()))
    return RequestPrice(tuple(meters), (*blockers, *said))


def _meters(group: Group, rating: Rating, gaps: dict[str, int]) -> Iterator[MeterPrice]:
    inputs = rating.inputs
    for line, meter, quantity, priced in priced_lines(group, inputs, gaps):
        on_line = [c for c in rating.rated.charges if c.key._replace(tier="") == line.key]
        if priced.rate.model in BY_THE_UNIT:
            [own] = charges_at(
                priced, Fraction(quantity), line.kind, line.period, contract=group.contract
            )
            amount, arithmetic = own.billed, product(own)
        else:
            amount, arithmetic = _share(quantity, priced.rate, on_line)
        wanted = asked(group.contract, group.served)
        is_sold = priced is not RESERVED
        yield MeterPrice(
            meter=meter,
            quantity=quantity,
            contract=group.contract.id,
            arithmetic=arithmetic,
            rule=priced.rule,
            amount=amount,
            rates=beside(priced.rate, inputs.book, group.at, wanted) if is_sold else (),
            charges=tuple(c.key for c in on_line),
        )


def _share(quantity: int, rate: Rate, on_line: Sequence[Charge]) -> tuple[Fraction, str]:
    """Return a quantity's share of what all usage on its line comes to, and how it comes about.

    Where tiers, packages or a flat price count all usage of a month, no request has a price of
    its own.
    """
    whole, of = total(on_line), sum((c.quantity for c in on_line), Fraction(0))
    share = whole * quantity / of if of else Fraction(0)
    return share, (
        f"{quantity} of {figure(of)} {rate.unit}, by {rate.model.value} {figure(whole)} together "
        f"= {figure(share)}"
    )
