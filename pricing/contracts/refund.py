"""What is left of a prepaid contract at an instant, and what of it goes back in money."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from metering.period import Period
from pricing.contracts.contract import Contract
from pricing.contracts.proration import MONTH_DAYS, days_of, expenses_and_costs, started_days
from pricing.contracts.schemes import Prepaid
from pricing.contracts.term import earned, worth
from pricing.money import Rounding, plain, rounded, shown
from pricing.prices.book import PriceBook


@dataclass(frozen=True, slots=True)
class Remainder:
    """The part of a prepayment that no time has used yet."""

    term: Period
    unused: Period
    paid: Decimal
    """What of the whole prepayment was cash; vouchers are never refunded."""
    share: Fraction
    """Cash as a part of the whole prepayment."""
    worth: Decimal
    cash: Decimal

    @property
    def hours(self) -> Fraction:
        """The unused time, to the second."""
        return Fraction(self.unused.seconds, 3600)


@dataclass(frozen=True, slots=True)
class Due:
    """An exact amount and the formula that it came from; negative where it goes back."""

    amount: Fraction
    working: str


def remainder(contract: Contract, scheme: Prepaid, at: datetime, book: PriceBook) -> Remainder:
    """Return what a contract has left at an instant.

    What is left and what lines show as earned add up to the prepayment, to the last decimal.
    """
    term, whole = contract.prepaid_period, worth(contract, scheme, book)
    paid = whole if contract.cash_paid is None else min(contract.cash_paid, whole)
    return Remainder(
        term=term,
        unused=Period(at, term.end),
        paid=paid,
        share=Fraction(paid) / Fraction(whole) if whole else Fraction(0),
        worth=whole - earned(whole, term, at),
        cash=paid - earned(paid, term, at),
    )


def capped(due: Due, left: Remainder, book: PriceBook) -> Decimal:
    """Return an amount in whole minor units; a refund is never above the cash that is left."""
    amount = rounded(due.amount, book.order.places, book.order.mode)
    return max(amount, -rounded(Fraction(left.cash), book.order.places, Rounding.DOWN))


def rest_refund(left: Remainder, book: PriceBook) -> Due:
    """Return what goes back of a term that ends early, by the book's policy (rule R8)."""
    if book.policy.conversion_refund == "seconds":
        part = Fraction(left.unused.seconds, left.term.seconds or 1)
        said = f"{left.unused.seconds} of {left.term.seconds} seconds"
    else:
        days = days_of(left.term, left.unused.start, book.zone)
        part, said = days.unused, f"{days.remaining} of {days.total} days"
    return Due(-part * Fraction(left.paid), f"{said} left x {plain(left.paid)} paid in cash")


def downgrade_refund(left: Remainder, old: Fraction, new: Fraction, book: PriceBook) -> Due:
    """Return what goes back of a term by the general rule of expenses and costs."""
    used = started_days(Period(left.term.start, left.unused.start))
    factor = _factor_of_used(used, book)
    found = expenses_and_costs(left.paid, old, new, used, factor)
    working = (
        f"({plain(left.paid)} paid - {number(old)} / {MONTH_DAYS} x {used} days x {factor}) "
        f"x ({number(old)} - {number(new)}) / {number(old)}"
    )
    return Due(-found.refund, working)


def number(amount: Fraction) -> str:
    """Write an amount as lines do, without needless zeros."""
    return plain(shown(amount)).removesuffix(".0")


def _factor_of_used(days: int, book: PriceBook) -> Decimal:
    """Return the discount of the longest term that the used days would have filled."""
    filled = (months for months in book.terms if months * MONTH_DAYS <= days)
    longest = max(filled, default=0)
    return book.factor(longest)
