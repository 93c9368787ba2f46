"""Advice from what the ledger holds: it reads, rates, and posts nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from metering.period import Period, hour_of
from metering.store import Account
from metering.usage import Usage
from pricing.advice.comparison import Comparison, comparisons
from pricing.advice.forecast import (
    MOST_WEEKS,
    WEEK,
    Projection,
    projected,
    running_on,
    weeks_before,
)
from pricing.advice.simulation import Outcome
from pricing.bills.part import Rating
from pricing.bills.total import totals_of, unit_of
from pricing.contracts.contract import Contract
from pricing.jobs import Office
from pricing.prices.book import PriceBook
from pricing.rating.inputs import Inputs
from pricing.rating.rating import rate
from pricing.rating.spill import SpillReport, spill_report
from pricing.run.told_store import Asked


@dataclass(frozen=True, slots=True)
class Otherwise:
    """By which book, and with which contracts in place of those of the same id."""

    book: PriceBook
    contracts: tuple[Contract, ...] = ()


@dataclass(frozen=True, slots=True)
class Forecast:
    """What an open month comes to by now, and what it will have come to."""

    account: str
    month: Period
    to_date: Decimal
    low: Decimal
    expected: Decimal
    high: Decimal
    weeks: int
    """How many weeks the rest was made from; none: it is taken to be empty."""


class Adviser:
    """Rates months otherwise than they are billed."""

    def __init__(self, office: Office) -> None:
        """Advise on what an office bills."""
        self._office = office
        self._told = office.billing.told

    def inputs(self, account: Account, month: Period, now: datetime) -> Rating:
        """Return a month as it is rated now."""
        return self._office.billing.rating(account, month, now)

    def compared(self, account: Account, month: Period, now: datetime) -> list[Comparison]:
        """Return what each node of an account would cost in every other way."""
        inputs = self.inputs(account, month, now).inputs
        hours = [hour.start for hour in month.hours() if hour.start < inputs.to_date.end]
        run = self._told.cutoffs(now).usage_run
        usage = self._told.usage.between(account.id, hours, inputs.to_date.end, run)
        return comparisons(replace(inputs, usage=usage))

    def spilled(self, account: Account, month: Period, now: datetime) -> SpillReport:
        """Return what overflowed from an account's reservations, and what one more would cost."""
        rating = self.inputs(account, month, now)
        return spill_report(rating.rated.charges, rating.inputs.book)

    def simulated(
        self, accounts: Sequence[Account], month: Period, otherwise: Otherwise, now: datetime
    ) -> Iterator[Outcome]:
        """Yield each account's month as it is rated and as it would be, one after the other."""
        for account in accounts:
            before = self.inputs(account, month, now)
            cutoffs = self._told.cutoffs(min(now, month.end), before.cutoffs.usage_run)
            customer = self._told.customer(account)
            own = [c for c in otherwise.contracts if c.account == account.id]
            ids = {c.id for c in own}
            kept = [c for c in customer.contracts if c.id not in ids]
            customer = replace(customer, contracts=[*kept, *own])
            after = self._told.rating(Asked(customer, month, otherwise.book, cutoffs))
            yield Outcome(
                account.id, month, _payable(before), _payable(after), tuple(after.rated.blockers)
            )

    def forecast(self, account: Account, month: Period, now: datetime) -> Forecast:
        """Return what a month will come to; of a month that is over, what it comes to."""
        rating = self.inputs(account, month, now)
        end = min(now, month.end)
        rest = self._projected(account, Period(end, max(end, month.end)), rating)
        inputs = replace(rating.inputs, service_to=month.end)
        ran = running_on(self._told.customer(account).intervals, end, month.end)
        whole = [
            _payable_of(replace(inputs, intervals=states), usage)
            for states, usage in zip(ran, (rest.low, rest.expected, rest.high), strict=True)
        ]
        low, expected, high = sorted(whole)
        return Forecast(account.id, month, _payable(rating), low, expected, high, rest.weeks)

    def _projected(self, account: Account, rest: Period, rating: Rating) -> Projection:
        until = hour_of(rest.start)
        hours = [hour.start for hour in Period(until - MOST_WEEKS * WEEK, until).hours()]
        run = rating.cutoffs.usage_run
        history = self._told.usage.between(account.id, hours, until, run)
        first = min((row.key.hour for row in history), default=until)
        return projected(history, weeks_before(rest.start, first), rest, account.zone)


def _payable(rating: Rating) -> Decimal:
    book = rating.inputs.book
    return unit_of(book).amount(totals_of(rating.rated.charges, book).payable)


def _payable_of(inputs: Inputs, more: Sequence[Usage]) -> Decimal:
    whole = rate(replace(inputs, usage=(*inputs.usage, *more)))
    return unit_of(inputs.book).amount(totals_of(whole.charges, inputs.book).payable)
