"""Margins from what the ledger holds: it reads, rates, and posts nothing."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from metering.period import Period, hour_of, month_of
from metering.store import Account
from pricing.advice.margin import Custom, Place, margins
from pricing.jobs import Office


@dataclass(frozen=True, slots=True)
class Margins:
    """What places earned and cost in a month up to now."""

    period: Period
    """Whole hours, in the zone of the book."""
    currency: str
    places: list[Place]


@dataclass(frozen=True, slots=True)
class MarginStore:
    """Sets what customers are charged beside what their nodes cost."""

    office: Office

    def found(
        self, accounts: Sequence[Account], month: str, costs: Mapping[str, Decimal], now: datetime
    ) -> Margins:
        """Return what each place with a cost earned from these accounts, and cost.

        Raises:
            UnknownPlaceError: a cost is of what is neither a node nor a pool.
        """
        self._check(costs)
        book = self.office.contracts.book
        whole = month_of(month, book.zone)
        period = Period(whole.start, max(whole.start, min(whole.end, hour_of(now))))
        places = margins(self._customs(accounts, month, period, now), period, costs)
        return Margins(period, book.currency, places)

    def _customs(
        self, accounts: Iterable[Account], month: str, period: Period, now: datetime
    ) -> Iterator[Custom]:
        """Yield one account's month after the other."""
        billing = self.office.billing
        hours = [hour.start for hour in period.hours()]
        for account in accounts:
            rating = billing.standing(account, month_of(month, account.zone), now)
            run = rating.cutoffs.usage_run
            usage = billing.told.usage.between(account.id, hours, period.end, run) if hours else ()
            yield Custom(account.id, usage, rating.inputs.own_contracts, rating.rated.charges)

    def _check(self, costs: Mapping[str, Decimal]) -> None:
        contracts = self.office.contracts.contracts()
        known = {c.pool for c in contracts} | {c.resource for c in contracts}
        unknown = sorted(costs.keys() - known)
        unknown = sorted({*unknown} - {one.id for one in self.office.meter.resources(unknown)})
        if unknown:
            raise UnknownPlaceError(unknown[0])


class UnknownPlaceError(LookupError):
    """A cost of nothing that is known."""

    def __init__(self, place: str) -> None:
        super().__init__(f"a cost must be of a node or of a contract's pool, found {place!r}")
