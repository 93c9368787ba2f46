"""Terms of subscriptions: what they cost, when they end, and how they are renewed (rule R6)."""

from datetime import datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction

from metering.period import Period, as_utc, midnight_after, zone_of
from pricing.contracts.contract import Contract
from pricing.contracts.schemes import Prepaid, Scheme, rate_of, units_of
from pricing.money import rounded, shown
from pricing.prices.book import PriceBook
from pricing.prices.policy import Policy
from pricing.prices.rate import charge

LONGEST_MONTH = 31


def month_price(contract: Contract, scheme: Scheme, book: PriceBook, at: datetime) -> Fraction:
    """Return the list price of a month of a scheme, for all of a contract's quantity."""
    monthly = rate_of(scheme, contract.region, book, at)
    return charge(monthly, Fraction(units_of(scheme) * contract.quantity))


def order_list_price(contract: Contract, scheme: Prepaid, book: PriceBook) -> Fraction:
    """Return what a term costs before its discount."""
    monthly = rate_of(scheme, contract.region, book, contract.period.start)
    return charge(monthly, Fraction(scheme.months * units_of(scheme) * contract.quantity))


def order_amount(contract: Contract, scheme: Prepaid, book: PriceBook) -> Decimal:
    """Return what the order of a term costs, in whole minor units (rule R3)."""
    listed = order_list_price(contract, scheme, book)
    return rounded(listed * Fraction(scheme.discount), book.order.places, book.order.mode)


def worth(contract: Contract, scheme: Prepaid, book: PriceBook) -> Decimal:
    """Return what a prepaid contract is worth at its start: its order, unless a change made it."""
    return order_amount(contract, scheme, book) if contract.worth is None else contract.worth


def earned(amount: Decimal, term: Period, until: datetime) -> Decimal:
    """Return what of an amount belongs to a term up to an instant, as lines show it.

    Always counted from the start, so that the parts of any split add up to the whole.
    """
    if not term.seconds:
        return amount
    elapsed = Period(term.start, min(max(until, term.start), term.end)).seconds
    return shown(Fraction(amount) * elapsed / term.seconds)


def months_run(anchor: datetime, end: datetime, zone: str) -> int:
    """Return after how many months from its anchor a term ends.

    A day that is clamped stays in its month, so the months between the two are the answer.
    """
    last = end.astimezone(zone_of(zone)) - timedelta(days=1)
    first = anchor.astimezone(zone_of(zone))
    return (last.year - first.year) * 12 + last.month - first.month


def renewed_period(contract: Contract, months: int, zone: str) -> Period:
    """Return the term after a contract's: from its expiry, its end counted from the anchor.

    So a term begun on 31 January and renewed month by month ends on 28 February and 31 March, and
    a renewal that comes late begins at the expiry all the same.
    """
    expiry, anchor = contract.prepaid_period.end, contract.counted_from
    run = months_run(anchor, expiry, zone)
    return Period(expiry, midnight_after(anchor, run + months, zone))


def unified_anchor(expires_at: datetime, day: int, zone: str) -> datetime:
    """Return the anchor of terms whose last day is a chosen day of the month, or its last.

    In January, which has every day; before any term that is counted from it.
    """
    if not 1 <= day <= LONGEST_MONTH:
        raise UnifiedDayError(day)
    last = expires_at.astimezone(zone_of(zone)) - timedelta(days=1)
    return as_utc(last.replace(month=1, day=day))


def unified_period(contract: Contract, day: int, zone: str) -> Period:
    """Return the renewal that ends on a chosen day of the month (统一到期日), a month at least."""
    expiry = contract.prepaid_period.end
    last = expiry.astimezone(zone_of(zone)) - timedelta(days=1)
    anchor, earliest = unified_anchor(expiry, day, zone), midnight_after(last, 1, zone)
    ends = (midnight_after(anchor, last.month - 1 + more, zone) for more in (1, 2))
    return Period(expiry, next(end for end in ends if end >= earliest))


def renewal_attempts(expires_at: datetime, policy: Policy, zone: str) -> list[datetime]:
    """Return when renewal is tried: from so many days before expiry, once a day, all before it.

    Source: https://alibabacloud.com/help/zh/polardb/renewal-description
    """
    local = zone_of(zone)
    day = expires_at.astimezone(local).date() - timedelta(days=policy.renew_first_days_before)
    clock = time(policy.renew_hour, tzinfo=local)
    tries = (
        as_utc(datetime.combine(day + timedelta(days=n), clock))
        for n in range(policy.renew_attempts)
    )
    return [instant for instant in tries if instant < expires_at]


def is_renewal_due(
    contract: Contract, tried_at: datetime | None, now: datetime, book: PriceBook
) -> bool:
    """Whether a contract that renews itself is to be tried now: once an attempt that has come.

    A service that was down for some attempts makes the last of them, and none twice.
    """
    if not contract.auto_renew or contract.paid_until is not None or now >= contract.period.end:
        return False
    attempts = renewal_attempts(contract.period.end, book.policy, book.zone)
    come = [instant for instant in attempts if instant <= now]
    return bool(come) and (tried_at is None or tried_at < come[-1])


class UnifiedDayError(ValueError):
    """A day that no month has."""

    def __init__(self, day: int) -> None:
        super().__init__(f"a unified day of expiry must be 1 to {LONGEST_MONTH}, found {day}")
