"""Gather what a bill is proven by: its runs from the ledger, its events from the event store."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from metering.arrival import first_arrivals
from metering.band import Bands
from metering.choice import Why, verdicts
from metering.corrections.correction import Correction, effective
from metering.event_store import EventStore
from metering.identity import Identity
from metering.period import HOUR, Period
from metering.query.request_sql import Listing, listing
from metering.store import MeterStore
from metering.usage import UsageKey
from pricing.bills.bill import Bill, Document, bill_of
from pricing.bills.part import Cutoffs, Part
from pricing.proof.bundle import Month, bundle_files
from pricing.proof.record import Record
from pricing.proof.resum import Binding, resummed
from pricing.run.jobs import Billing

Heeded = Callable[[int], Sequence[Correction]]
_PAGE = 100_000


@dataclass(frozen=True, slots=True)
class BundleStore:
    """Makes bundles of stored bills. It changes nothing."""

    billing: Billing
    events: EventStore
    meter: MeterStore
    heeded: Heeded
    """The corrections up to a stamp."""
    bands: Bands

    def files(self, bill_id: str) -> dict[str, bytes]:
        """Return the files of a bill's bundle.

        Raises:
            UnknownBillError: there is no such bill.
            UnprovenError: it cannot be shown from what is stored any more.
        """
        bill = self.billing.bills.bill(bill_id)
        if bill.document is not Document.BILL:
            raise UnprovenError(bill.id, "be rated", "a credit note, which takes rows back")
        parts = self.billing.parts(bill)
        if bill_of(parts, bill.id).result_hash != bill.result_hash:
            raise UnprovenError(bill.id, "come out as it is kept", "other rows")
        binding = self._binding(bill.account)
        return bundle_files(bill, [self._month(bill, part, binding) for part in parts], binding)

    def _binding(self, account: str) -> Binding:
        return Binding(account, tuple(self._own(account)), self.bands)

    def _own(self, account: str) -> list[Identity]:
        return [one for one in self.meter.identities() if one.account == account]

    def _month(self, bill: Bill, part: Part, binding: Binding) -> Month:
        rating = part.rating
        billed = self._usage(part)
        records = self._records(rating.inputs.to_date, rating.cutoffs, binding)
        again = {
            key: quantity
            for key, quantity in resummed(records, binding).items()
            if rating.inputs.to_date.holds(key.hour)
        }
        for key in sorted(billed.keys() | again.keys()):
            if billed.get(key) != again.get(key):
                rule = f"have events that come to {billed.get(key, 0)} {key.meter} at {key.hour}"
                raise UnprovenError(bill.id, rule, str(again.get(key, 0)))
        return Month(part, billed, tuple(records))

    def _usage(self, part: Part) -> dict[UsageKey, int]:
        """Return usage by hour, as the run's close left it."""
        inputs = part.rating.inputs
        hours = [hour.start for hour in inputs.to_date.hours()]
        if not hours:
            return {}
        end, run = inputs.to_date.end, part.rating.cutoffs.usage_run
        found = self.billing.told.usage.between(inputs.account, hours, end, run)
        return {usage.key: usage.quantity for usage in found}

    def _records(self, period: Period, cutoffs: Cutoffs, binding: Binding) -> list[Record]:
        """Return the account's events of a period as they counted, corrected."""
        heeded = self.heeded(cutoffs.stored_before)
        keys, hours = self._listed(period, binding)
        span = {"start": int(period.start.timestamp()), "end": int(period.end.timestamp())}
        keys |= self.events.corrected.keys(heeded, span)
        if not keys:
            return []
        hours = sorted({*hours, period.start, max(period.start, period.end - HOUR)})
        arrivals, about = self.events.told(keys, hours, cutoffs.stored_before, heeded)
        seen = [a for a in arrivals if a.stored_at < cutoffs.stored_before]
        stored = {a.event.event_id: a.stored_at for a in first_arrivals(seen)}
        counted = effective(seen, about)
        everybody = self._everybody(binding)
        records = {
            event.event_id: Record(
                event, stored[event.event_id], tuple(c.id for c in about.get(event.event_id, ()))
            )
            for event in counted
        }
        own = {
            key
            for key, record in records.items()
            if everybody.owns(record) and period.start <= _ended(record) < period.end
        }
        found = verdicts(counted)
        kept = [
            v.event.event_id
            for v in found
            if v.event.event_id in own and (v.bills or v.instead in own or v.why is Why.CHOICE)
        ]
        return [records[key] for key in kept]

    def _everybody(self, binding: Binding) -> Binding:
        """Return who pays, with everybody's identities: somebody's key may go before a tenant."""
        return Binding(binding.account, tuple(self.meter.identities()), binding.bands)

    def _listed(self, period: Period, binding: Binding) -> tuple[set[int], list[datetime]]:
        """Return the keys of an account's events of a period, and their hours."""
        asked = Listing(period, role=None, accounts=(binding.account,))
        after: tuple[int, str] | None = None
        keys: set[int] = set()
        hours: set[int] = set()
        while True:
            query, parameters = listing(asked, self.meter.identities(), after, _PAGE)
            rows = self.events.rows(query, parameters)
            keys |= {row[1] for row in rows}
            hours |= {row[2] for row in rows}
            if len(rows) < _PAGE:
                return keys, [datetime.fromtimestamp(hour, UTC) for hour in sorted(hours)]
            after = (rows[-1][3], rows[-1][0])


def _ended(record: Record) -> datetime:
    return datetime.fromtimestamp(record.event.ended_at // 1_000_000_000, UTC)


class UnprovenError(ValueError):
    """A bill that what is stored does not show: its events are gone, or bound to somebody else."""

    def __init__(self, bill: str, rule: str, found: str) -> None:
        super().__init__(f"bill {bill} must {rule} to be bundled, found {found}")
