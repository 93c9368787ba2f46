"""Double entry in whole minor units: money never appears, it moves from one account to another.

A movement takes from its credit side what it gives its debit side, so every transaction sums to
zero by its shape. Balances are sums of movements, and a reversal is the same movements turned.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from metering.period import Period
from pricing.money import scaled

MAX_UNITS = 2**63 - 1
"""The most that a movement of the ledger holds."""


class Book(StrEnum):
    """An account of the ledger; every customer has one of each."""

    RECEIVABLE = "receivable"
    """What the customer owes."""
    CASH = "cash"
    """What the customer has paid."""
    WALLET = "wallet"
    """What the customer has prepaid and not used."""
    DEFERRED = "deferred"
    """Orders that are billed and not earned yet."""
    REVENUE = "revenue"
    TAX = "tax"
    ROUNDING = "rounding"
    """What cutting bills to whole minor units took off or added."""
    BREAKAGE = "breakage"
    """Prepaid money that expired."""
    PROMOTION = "promotion"
    """Money in wallets that nobody paid in."""


class Kind(StrEnum):
    """What a transaction is for."""

    BILL = "bill"
    EARNED = "earned"
    """A month's share of prepaid orders becomes revenue."""
    CREDIT_NOTE = "credit-note"
    BURN = "burn"
    """A bill is paid from the wallet."""
    PAYMENT = "payment"
    GRANT = "grant"
    EXPIRY = "expiry"


@dataclass(frozen=True, slots=True)
class Unit:
    """The smallest amount of a currency: ``10 ** -places`` of it."""

    currency: str
    places: int

    def amount(self, units: int) -> Decimal:
        """Return so many units as an amount.

        >>> Unit("CNY", 2).amount(-925)
        Decimal('-9.25')
        """
        return scaled(units, self.places)

    def units(self, amount: Decimal) -> int:
        """Return an amount as whole units.

        Raises:
            PartUnitError: it is finer than the unit.
        """
        units = Fraction(amount) * Fraction(10) ** self.places
        if units.denominator != 1:
            raise PartUnitError(amount, self)
        return units.numerator


@dataclass(frozen=True, slots=True)
class Movement:
    """So many units go from the credit side to the debit side."""

    debit: Book
    credit: Book
    units: int
    about: str = ""
    """The contract of deferred money, or the grant of prepaid money."""

    def __post_init__(self) -> None:
        if not 0 < self.units <= MAX_UNITS or self.debit is self.credit:
            raise MovementError(self)

    @property
    def turned(self) -> "Movement":
        """The movement that undoes this one."""
        return replace(self, debit=self.credit, credit=self.debit)


@dataclass(frozen=True, slots=True)
class Transaction:
    """Movements that are made together or not at all."""

    id: str
    kind: Kind
    account: str
    """The customer."""
    unit: Unit
    document: str
    """The bill, credit note or grant that it comes from."""
    made_at: datetime
    movements: tuple[Movement, ...]
    month: Period | None = None
    """The month that is billed or earned."""
    reverses: str = ""

    @property
    def balances(self) -> Mapping[Book, int]:
        """What it adds to each account, debits above zero; together they are nothing."""
        return balances(self.movements)

    def reversal(self, document: str, made_at: datetime) -> "Transaction":
        """Return the transaction that undoes this one, entry by entry."""
        return replace(
            self,
            id=f"{self.id}:reversed",
            document=document,
            made_at=made_at,
            movements=tuple(m.turned for m in self.movements),
            reverses=self.id,
        )


def moved(debit: Book, credit: Book, units: int, about: str = "") -> tuple[Movement, ...]:
    """Return units as a movement: turned where they are below zero, none where they are zero.

    >>> [(m.debit.value, m.units) for m in moved(Book.RECEIVABLE, Book.REVENUE, -3)]
    [('revenue', 3)]
    """
    if not units:
        return ()
    movement = Movement(debit, credit, abs(units), about)
    return (movement,) if units > 0 else (movement.turned,)


def balances(movements: Iterable[Movement]) -> dict[Book, int]:
    """Return what movements leave in each account that they touch, debits above zero."""
    found: dict[Book, int] = defaultdict(int)
    for movement in movements:
        found[movement.debit] += movement.units
        found[movement.credit] -= movement.units
    return dict(found)


class MovementError(ValueError):
    """A movement that moves nothing, or moves it nowhere."""

    def __init__(self, movement: Movement) -> None:
        super().__init__(
            f"a movement must be of 1 to {MAX_UNITS} units between two accounts, "
            f"found {movement.units} from {movement.credit} to {movement.debit}"
        )


class PartUnitError(ValueError):
    """An amount that is finer than its currency's smallest unit."""

    def __init__(self, amount: Decimal, unit: Unit) -> None:
        super().__init__(
            f"an amount of {unit.currency} must have at most {unit.places} decimals, found {amount}"
        )
