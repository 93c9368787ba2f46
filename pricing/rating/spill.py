"""Hybrid: what reservations cost and served, what overflowed, and what one more would cost.

charges of a month -> reservations and overflow -> blended price, overflow against one more node
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from pricing.contracts.contract import Contract
from pricing.contracts.schemes import spec_of
from pricing.prices.book import MissingPriceError, PriceBook
from pricing.prices.rate import Item, charge
from pricing.rating.charge import Charge, Kind, total

_MILLION = 1_000_000
_FEES = frozenset({Kind.TERM_USED, Kind.TERM_UNUSED, Kind.NODE_TIME})
_OVERFLOW = frozenset({Kind.TOKENS, Kind.REQUESTS, Kind.INCLUDED})


@dataclass(frozen=True, slots=True)
class Reservation:
    """One contract for nodes in one month."""

    contract: str
    fee: Fraction
    """What its time cost: the month's share of a term, or the hours that ran."""
    tokens: int
    """Served inside, at no further cost."""
    node_month: Fraction | None
    """What one more node of its specification costs a month; None where none is sold so."""
    node_hour: Fraction | None


@dataclass(frozen=True, slots=True)
class Overflow:
    """What left the reservations for one reason, and is paid under one contract for a pool."""

    contract: str
    reason: str
    tokens: int
    amount: Fraction


@dataclass(frozen=True, slots=True)
class SpillReport:
    """Reservations and overflow of one account and month."""

    reservations: tuple[Reservation, ...]
    overflows: tuple[Overflow, ...]

    @property
    def fee(self) -> Fraction:
        """What all reservations cost."""
        return sum((r.fee for r in self.reservations), Fraction(0))

    @property
    def spilled(self) -> Fraction:
        """What all overflow cost."""
        return sum((o.amount for o in self.overflows), Fraction(0))

    @property
    def tokens(self) -> int:
        """Tokens served inside the reservations and beyond them."""
        return sum(r.tokens for r in self.reservations) + sum(o.tokens for o in self.overflows)

    @property
    def blended_per_million(self) -> Fraction | None:
        """What a million tokens cost, wherever they were served; None without any."""
        return (self.fee + self.spilled) / self.tokens * _MILLION if self.tokens else None

    def over_one_more(self, reservation: Reservation) -> Fraction | None:
        """What overflow cost above one more node a month; negative where overflow is cheaper."""
        return None if reservation.node_month is None else self.spilled - reservation.node_month


def spill_report(charges: Sequence[Charge], book: PriceBook) -> SpillReport:
    """Return what overflow cost, beside the reservations that it flowed over from."""
    reserved: dict[str, list[Charge]] = defaultdict(list)
    spilled: dict[tuple[str, str], list[Charge]] = defaultdict(list)
    for each in charges:
        if each.contract and each.kind in {*_FEES, Kind.RESERVED} and not each.contract.is_kv_cache:
            reserved[each.contract.id].append(each)
        elif each.contract and each.kind in _OVERFLOW and each.reason:
            spilled[each.contract.id, each.reason].append(each)
    return SpillReport(
        tuple(_reservation(some, book) for _, some in sorted(reserved.items())),
        tuple(
            Overflow(contract, reason, _tokens(some, Kind.TOKENS), total(some))
            for (contract, reason), some in sorted(spilled.items())
        ),
    )


def _reservation(charges: Sequence[Charge], book: PriceBook) -> Reservation:
    contract, at = charges[0].contract, charges[0].period.start
    assert contract is not None
    return Reservation(
        contract=contract.id,
        fee=sum((c.effective for c in charges), Fraction(0)),
        tokens=_tokens(charges, Kind.RESERVED),
        node_month=_price(Item.NODE_MONTH, contract, at, book),
        node_hour=_price(Item.NODE_HOUR, contract, at, book),
    )


def _tokens(charges: Iterable[Charge], kind: Kind) -> int:
    return sum(int(c.quantity) for c in charges if c.kind is kind)


def _price(item: Item, contract: Contract, at: datetime, book: PriceBook) -> Fraction | None:
    try:
        rate = book.rate_for(item, at, region=contract.region, spec=spec_of(contract.scheme))
    except MissingPriceError:
        return None
    return charge(rate, Fraction(1))
