"""All that a bill depends on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from metering.interval import Interval
from metering.period import Period
from metering.usage import Usage
from pricing.contracts.contract import Contract
from pricing.contracts.settlement import Settlement
from pricing.prices.book import PriceBook


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that a bill depends on. The same inputs give the same charges, for ever."""

    account: str
    month: Period
    usage: Sequence[Usage]
    intervals: Sequence[Interval]
    contracts: Sequence[Contract]
    book: PriceBook
    zone: str
    service_to: datetime
    """Nothing at or after this instant is charged yet."""
    settlements: Sequence[Settlement] = ()
    """What changes of contracts made due, or gave back."""

    @property
    def to_date(self) -> Period:
        """The part of the month that is charged."""
        return Period(self.month.start, max(self.month.start, min(self.month.end, self.service_to)))

    @property
    def own_contracts(self) -> list[Contract]:
        """The account's contracts that begin or are in force in the month to date, by id.

        One that was changed in the second of its purchase is in force for no time, but was bought.
        """
        to_date = self.to_date
        own = (c for c in self.contracts if c.account == self.account)
        some = (c for c in own if c.period.overlap(to_date) or to_date.holds(c.period.start))
        return sorted(some, key=lambda c: c.id)

    def covered(self, contract: Contract) -> Period:
        """Return the part of the month to date in which one of these contracts is in force."""
        return _shared(contract.period, self.to_date)

    def covered_month(self, contract: Contract) -> Period:
        """Return the part of the whole month in which one of these contracts is in force."""
        return _shared(contract.period, self.month)


def _shared(one: Period, other: Period) -> Period:
    start = max(one.start, other.start)
    return Period(start, max(start, min(one.end, other.end)))
