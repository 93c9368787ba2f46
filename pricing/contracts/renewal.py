"""Renewal: the next term of a subscription, which begins when the present one ends."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from fractions import Fraction

from pricing.contracts.contract import Contract, check_contract
from pricing.contracts.overdue import Standing, overdue_of, stages_of
from pricing.contracts.proration import MONTH_HOURS, month_difference
from pricing.contracts.refund import number
from pricing.contracts.schemes import Prepaid
from pricing.contracts.term import (
    is_renewal_due,
    month_price,
    renewed_period,
    unified_anchor,
    unified_period,
)
from pricing.contracts.turn import (
    Change,
    ChangeError,
    Rule,
    Turn,
    mode_of,
    ordered,
    settled,
    successor,
)
from pricing.money import rounded
from pricing.prices.book import PriceBook


def renew(contract: Contract, months: int, at: datetime, book: PriceBook) -> Change:
    """Return the next term, counted from the anchor, however late it is renewed (rule R6).

    Raises:
        ChangeError, TermError, MissingPriceError: it cannot be renewed so.
    """
    old, turn = _renewable(contract, at, book), Turn(contract, at, book)
    factor = old.discount if months == old.months else book.factor(months)
    scheme = replace(old, months=months, discount=factor)
    renewed = replace(
        successor(turn, scheme, renewed_period(contract, months, book.zone)),
        auto_renew=contract.auto_renew,
        anchor=contract.counted_from,
    )
    return ordered(turn, Rule.RENEWAL, contract, renewed, scheme)


def renew_to_day(contract: Contract, day: int, at: datetime, book: PriceBook) -> Change:
    """Return the next term up to a unified day of expiry, paid by hours of a 720-hour month.

    Raises:
        ChangeError, UnifiedDayError, MissingPriceError: it cannot be renewed so.
    """
    scheme, turn = _renewable(contract, at, book), Turn(contract, at, book)
    period = unified_period(contract, day, book.zone)
    hours = Fraction(period.seconds, 3600)
    monthly = month_price(contract, scheme, book, period.start) * Fraction(scheme.discount)
    amount = rounded(month_difference(monthly, 0, hours), book.order.places, book.order.mode)
    renewed = replace(
        successor(turn, scheme, period),
        auto_renew=contract.auto_renew,
        anchor=unified_anchor(period.start, day, book.zone),
        worth=amount,
    )
    check_contract(renewed, book)
    return settled(
        Change(
            rule=Rule.UNIFIED_RENEWAL,
            at=at,
            amount=amount,
            working=f"{number(monthly)} / {MONTH_HOURS} x {number(hours)} h = {amount}",
            contracts=(contract, renewed),
        )
    )


def to_be_renewed(
    contracts: Sequence[Contract],
    tried: Mapping[str, datetime],
    now: datetime,
    book: PriceBook,
) -> Iterator[tuple[Contract, int]]:
    """Yield the contracts that renew themselves now, each with its months (自动续费).

    ``tried`` tells when each was tried last; one that has its next term already is left alone.
    """
    renewed = {c.renews for c in contracts}
    for contract in contracts:
        tried_at = tried.get(contract.id)
        is_due = contract.id not in renewed and is_renewal_due(contract, tried_at, now, book)
        if is_due and isinstance(contract.scheme, Prepaid):
            yield contract, contract.scheme.months


def _renewable(contract: Contract, at: datetime, book: PriceBook) -> Prepaid:
    """Return the scheme to renew: of a subscription that ran its course and is not released."""
    if not isinstance(contract.scheme, Prepaid):
        raise ChangeError(contract, "be a subscription to be renewed", mode_of(contract))
    if contract.paid_until is not None:
        found = f"one that was ended at {contract.period.end.isoformat()}"
        raise ChangeError(contract, "run to its expiry to be renewed", found)
    overdue = overdue_of(contract, book.policy)
    stages = stages_of(contract.period.end, overdue, book.zone)
    if stages.standing(at) is Standing.RELEASED:
        until = f"be renewed before it is released at {stages.released_at.isoformat()}"
        raise ChangeError(contract, until, at.isoformat(), "at")
    return contract.scheme
