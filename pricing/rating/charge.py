"""A charge: one exact amount of a bill, before any rounding, and the key that it is known by."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any, NamedTuple

from metering.period import Period
from pricing.contracts.contract import Contract
from pricing.prices.rate import Model, Rate, slices


class Kind(StrEnum):
    """What a charge is for."""

    TERM = "term"
    """A subscription's whole term, paid in advance."""
    TERM_USED = "term-used"
    """Reserved time in which the node ran; billed nothing, it carries its share of the term."""
    TERM_UNUSED = "term-unused"
    """Reserved time in which the node did not run."""
    CHANGE = "change"
    """What an upgrade, downgrade or early end of a contract costs or gives back, at once."""
    NODE_TIME = "node-time"
    """Running seconds of one clock hour."""
    KV_CACHE = "kv-cache"
    """Gigabyte-hours of one clock hour."""
    FEE = "fee"
    """A contract's flat fee for a month."""
    TOKENS = "tokens"
    """Tokens of one class and model."""
    REQUESTS = "requests"
    """Requests of one model, where the book prices them."""
    RESERVED = "reserved"
    """Tokens served inside a reservation: shown, and never charged."""
    INCLUDED = "included"
    """Usage that a contract includes, given back at the price it was charged."""
    USAGE_DISCOUNT = "usage-discount"
    """A part taken off usage before commitments are looked at."""
    TRUE_UP = "true-up"
    """What a month's usage lacks of the minimum that was promised."""
    CAP = "cap"
    """What a month's usage exceeds its maximum by, given back."""
    DISCOUNT = "discount"
    """A percentage or an amount taken off what commitments left."""
    TAX = "tax"
    CREDIT = "credit"
    """Prepaid money of the account's wallet, used."""


PREPAID = frozenset({Kind.TERM, Kind.TERM_USED, Kind.TERM_UNUSED, Kind.CHANGE})
"""Orders, which are whole minor units already; the rest is summed exactly and cut once."""


class LineKey(NamedTuple):
    """What tells a line from all others: the same inputs give the same keys, for ever.

    It holds no instant of a run, so that rating a month to date again finds the lines it posted.
    """

    contract: str
    kind: str
    start: str
    end: str
    rate: str
    """The rate's id, or the name of an adjustment."""
    tier: str
    project: str
    resource: str
    model: str
    operation: str
    meter: str
    band: str
    service_tier: str
    reason: str


@dataclass(frozen=True, slots=True)
class Charge:
    """One exact charge: ``billed = rate x quantity / per``, before any rounding of the bill."""

    contract: Contract | None
    """None where a charge is for the whole account: a tax, a credit."""
    kind: Kind
    period: Period
    """Never cut by the instant that is charged up to: a month to date is a line of the month."""
    rate: Rate | None
    """None where no price of the book was applied: an adjustment, a tax."""
    quantity: Fraction
    """In the rate's unit: months, hours or tokens; without a rate, the amount it is taken of."""
    listed: Fraction
    billed: Fraction
    effective: Fraction
    """The share of a term that falls into the period; elsewhere the same as ``billed``."""
    discount: Fraction = Fraction(1)
    tier: int = 0
    """Which tier of the rate, from 0."""
    rule: str = ""
    """The rule by which it came about, as in ``R4 hourly``."""
    name: str = ""
    """The name of an adjustment: which discount, which tax."""
    reason: str = ""
    """Why the requests left the reservation, where they did."""
    project: str = ""
    resource: str = ""
    """The endpoint that served the tokens, where usage names it."""
    model: str = ""
    operation: str = ""
    meter: str = ""
    band: str = ""
    service_tier: str = ""
    requests: int = 0

    @property
    def key(self) -> LineKey:
        """What this charge's line is known by."""
        return LineKey(
            contract=self.contract.id if self.contract else "",
            kind=self.kind.value,
            start=self.period.start.isoformat(),
            end=self.period.end.isoformat(),
            rate=self.rate.id if self.rate else self.name,
            tier=str(self.tier),
            project=self.project,
            resource=self.resource,
            model=self.model,
            operation=self.operation,
            meter=self.meter,
            band=self.band,
            service_tier=self.service_tier,
            reason=self.reason,
        )

    @property
    def sold(self) -> tuple[Contract, Rate]:
        """The contract and the rate of a charge that has both."""
        assert self.contract is not None
        assert self.rate is not None
        return self.contract, self.rate

    @property
    def unit_price(self) -> Decimal | None:
        """The list price of one pricing unit; None where no one price makes the amount."""
        assert self.rate is not None
        if not self.rate.tiers:
            return self.rate.price
        tier = self.rate.tiers[self.tier]
        return None if tier.flat else tier.price

    @property
    def priced_quantity(self) -> Fraction:
        """How many pricing units are charged: so many ``per``, packages, or flat prices."""
        assert self.rate is not None
        if self.rate.model in {Model.PACKAGE, Model.FLAT}:
            return self.listed / Fraction(self.rate.price) if self.rate.price else Fraction(0)
        return self.quantity / self.rate.per

    @property
    def pricing_unit(self) -> str:
        """What a price is for: ``10000 Tokens``."""
        assert self.rate is not None
        per, unit = self.rate.per, self.rate.unit
        match self.rate.model:
            case Model.FLAT:
                return "Flat Prices"
            case Model.PACKAGE:
                return f"Packages of {per} {unit}"
            case _:
                return unit if per == 1 else f"{per} {unit}"


class Priced(NamedTuple):
    """A rate that applies, what a contract leaves to pay of it, and by which rule."""

    rate: Rate
    factor: Fraction
    rule: str


def charges_at(
    priced: Priced, quantity: Fraction, kind: Kind, period: Period, **said: Any
) -> Iterator[Charge]:
    """Yield the charges of a period's whole quantity: one, or one a tier that it enters.

    Requests are shown on the first alone.
    """
    for part in slices(priced.rate, quantity):
        amount = part.amount if priced.factor == 1 else part.amount * priced.factor
        yield Charge(
            kind=kind,
            period=period,
            rate=priced.rate,
            quantity=part.quantity,
            listed=part.amount,
            billed=amount,
            effective=amount,
            discount=priced.factor,
            tier=part.tier,
            rule=priced.rule,
            **said,
        )
        said["requests"] = 0


def adjustment(kind: Kind, period: Period, base: Fraction, amount: Fraction, **said: Any) -> Charge:
    """Return an amount that no price of the book makes, and the amount that it was taken of."""
    return Charge(
        kind=kind,
        period=period,
        rate=None,
        quantity=base,
        listed=amount,
        billed=amount,
        effective=amount,
        **said,
    )


def total(charges: Iterable[Charge]) -> Fraction:
    """Return what charges come to together, exactly."""
    return sum((c.billed for c in charges), Fraction(0))
