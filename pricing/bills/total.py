"""What charges of a month come to in whole minor units, told apart as the ledger books them.

Every figure is cut from the exact sum of the month to date; what a bill posts is the difference
of two of them. So a month billed in many parts comes to what it comes to billed once.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from pricing.ledger.entry import Book, Movement, Unit, moved
from pricing.money import Rounding, rounded
from pricing.prices.book import PriceBook, Scope
from pricing.rating.charge import PREPAID, Charge, Kind


@dataclass(frozen=True, slots=True)
class Totals:
    """Whole minor units of one month, or of what one bill adds to it."""

    payable: int = 0
    tax: int = 0
    revenue: int = 0
    deferred: tuple[tuple[str, int], ...] = ()
    """What is prepaid, per contract; contracts that come to nothing are left out."""
    earned: Fraction = Fraction(0)
    """How much of what is prepaid was earned: an exact amount, cut when the ledger books it."""

    @property
    def rounding(self) -> int:
        """What payable has more than its parts, because it is cut and not rounded."""
        return self.payable - self.tax - self.revenue - sum(units for _, units in self.deferred)

    def plus(self, other: "Totals") -> "Totals":
        """Return both together."""
        return Totals(
            self.payable + other.payable,
            self.tax + other.tax,
            self.revenue + other.revenue,
            _per_contract([*self.deferred, *other.deferred]),
            self.earned + other.earned,
        )

    @property
    def negative(self) -> "Totals":
        """What takes these back."""
        deferred = tuple((contract, -units) for contract, units in self.deferred)
        return Totals(-self.payable, -self.tax, -self.revenue, deferred, -self.earned)

    @property
    def movements(self) -> tuple[Movement, ...]:
        """How the ledger books a bill of these: all of it is owed by the customer."""
        return (
            *moved(Book.RECEIVABLE, Book.REVENUE, self.revenue),
            *moved(Book.RECEIVABLE, Book.TAX, self.tax),
            *moved(Book.RECEIVABLE, Book.ROUNDING, self.rounding),
            *(m for c, due in self.deferred for m in moved(Book.RECEIVABLE, Book.DEFERRED, due, c)),
        )


NOTHING_DUE = Totals()


def unit_of(book: PriceBook) -> Unit:
    """Return the unit that a book's bills are cut to."""
    return Unit(book.currency, max(book.postpaid.places, book.order.places))


def totals_of(charges: Sequence[Charge], book: PriceBook) -> Totals:
    """Return what charges come to: the exact postpaid sum is cut once, not line by line.

    Orders are whole units already. Tax and revenue are rounded to the nearest unit, and what the
    cut took off them is rounding.
    """
    unit = 10 ** unit_of(book).places
    exact = _sums(charges)
    orders = sum(exact.orders.values(), Fraction(0))
    return Totals(
        payable=int((_cut(charges, exact, book) + orders) * unit),
        tax=nearest(exact.tax * unit),
        revenue=nearest(exact.revenue * unit),
        deferred=_per_contract((c, nearest(o * unit)) for c, o in exact.orders.items()),
        earned=sum((c.effective for c in charges if c.kind in PREPAID), Fraction(0)),
    )


def is_over(charges: Iterable[Charge], at: datetime) -> bool:
    """Whether nothing prepaid goes on: what is not earned by then never will be otherwise."""
    return not any(c.kind in PREPAID and c.contract and c.contract.period.end > at for c in charges)


def nearest(units: Fraction) -> int:
    """Return whole units; a half goes away from zero."""
    return int(rounded(units, 0, Rounding.HALF_UP))


def _cut(charges: Iterable[Charge], exact: "_Sums", book: PriceBook) -> Fraction:
    """Return the postpaid sum as it is payable; a book may ask to cut each charge on its own."""
    places, mode = book.postpaid.places, book.postpaid.mode
    if book.postpaid.scope is Scope.PERIOD:
        return Fraction(rounded(exact.tax + exact.revenue, places, mode))
    each = (rounded(c.billed, places, mode) for c in charges if c.kind not in PREPAID)
    return sum(map(Fraction, each), Fraction(0))


@dataclass(frozen=True, slots=True)
class _Sums:
    tax: Fraction
    revenue: Fraction
    orders: Mapping[str, Fraction]


def _sums(charges: Iterable[Charge]) -> _Sums:
    tax = revenue = Fraction(0)
    orders: dict[str, Fraction] = defaultdict(Fraction)
    for charge in charges:
        if charge.kind in PREPAID and charge.contract:
            orders[charge.contract.id] += charge.billed
        elif charge.kind is Kind.TAX:
            tax += charge.billed
        else:
            revenue += charge.billed
    return _Sums(tax, revenue, orders)


def _per_contract(parts: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    sums: dict[str, int] = defaultdict(int)
    for contract, units in parts:
        sums[contract] += units
    return tuple((contract, units) for contract, units in sorted(sums.items()) if units)
