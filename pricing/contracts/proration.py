"""What a part of a paid term is worth: the published formulas, exact and on plain figures.

Months are 30 days of 24 hours here, whatever the calendar says: a term of 32 days costs more to
upgrade than one month's difference. That is as published; bills show the unused hours.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from metering.period import Period, zone_of

MONTH_DAYS = 30
MONTH_HOURS = MONTH_DAYS * 24

Amount = Fraction | Decimal | int


def month_difference(new: Amount, old: Amount, unused_hours: Fraction) -> Fraction:
    """Return what another monthly price comes to for the unused hours (rule R7).

    >>> month_difference(14400, 7200, Fraction(50 * 24)), month_difference(800, 1000, Fraction(720))
    (Fraction(12000, 1), Fraction(-200, 1))

    Source: https://alibabacloud.com/help/en/polardb/polardb-for-mysql/change-configuration
    """
    return (Fraction(new) - Fraction(old)) / MONTH_HOURS * unused_hours


@dataclass(frozen=True, slots=True)
class Days:
    """A term in days: from the day of its start to the same day of its last month."""

    total: int
    used: int
    """Started days of 24 hours since the second of purchase."""

    @property
    def remaining(self) -> int:
        """Whole days that are left; the hours after the last day's anniversary are none."""
        return max(self.total - self.used, 0)

    @property
    def unused(self) -> Fraction:
        """The part of the term that is left (rule R8)."""
        return Fraction(self.remaining, self.total) if self.total else Fraction(0)


def days_of(term: Period, at: datetime, zone: str) -> Days:
    """Return the days of a term, and how many of them an instant finds used.

    Source: https://www.alibabacloud.com/help/en/polardb-for-postgresql/latest/change-the-billing-method-from-subscription-to-pay-as-you-go
    """
    first = term.start.astimezone(zone_of(zone)).date()
    last = term.end.astimezone(zone_of(zone)).date() - timedelta(days=1)
    return Days(total=(last - first).days, used=started_days(Period(term.start, at)))


def started_days(period: Period) -> int:
    """Return how many days of 24 hours a period began."""
    return -(-period.seconds // 86_400)


@dataclass(frozen=True, slots=True)
class Expenses:
    """A downgrade by expenses and costs: what is left of a payment, and the part of it due back."""

    left: Fraction
    ratio: Fraction

    @property
    def refund(self) -> Fraction:
        """What is paid back."""
        return self.left * self.ratio


def expenses_and_costs(
    paid: Amount, old: Amount, new: Amount, used_days: int, factor: Amount = 1
) -> Expenses:
    """Return the downgrade of a term by the general rule, from ``old`` to ``new`` a month.

    The days used are charged at the old daily price with the discount of so long a term, and what
    is left of the payment goes back by the ratio of the prices. Never below 0.

    >>> found = expenses_and_costs(150, 150, 120, used_days=24)
    >>> found.left, found.ratio, found.refund
    (Fraction(30, 1), Fraction(1, 5), Fraction(6, 1))

    Source: https://www.alibabacloud.com/help/en/user-center/latest/refund-rules-for-real-time-configuration-downgrade
    """
    cost = Fraction(old) / MONTH_DAYS * used_days * Fraction(factor)
    ratio = (Fraction(old) - Fraction(new)) / Fraction(old) if old else Fraction(0)
    return Expenses(max(Fraction(paid) - cost, Fraction(0)), max(ratio, Fraction(0)))
