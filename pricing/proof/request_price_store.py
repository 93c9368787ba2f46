"""Gather what a stored request costs: its bill records, their account's month, lines of bills."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from metering.event import UsageEvent
from metering.explain import Explained
from metering.identity import UNATTRIBUTED
from metering.period import Period, month_at
from metering.rollup import Sums, raw_key
from metering.usage import Usage, bound_usage
from pricing.bills.stored_row import read_key, written_key
from pricing.bills.tables import BillRow, LineRow
from pricing.proof.bundle_store import BundleStore
from pricing.proof.request_price import RequestPrice, request_price
from pricing.rating.charge import LineKey

_NOBODY = "it belongs to no account: bind its identity"
_UNSEEN = "it was stored after usage was last summed: no bill has it yet"


@dataclass(frozen=True, slots=True)
class BillLine:
    """A line of a bill or draft."""

    bill: str
    line: str


@dataclass(frozen=True, slots=True)
class PricedRecord:
    """A record that bills, and what it costs."""

    event: UsageEvent
    account: str
    month: Period | None
    """The month that bills it; None where nobody pays."""
    currency: str
    price: RequestPrice
    lines: Mapping[LineKey, Sequence[BillLine]]
    """Where its charges stand, the first bill first."""


@dataclass(frozen=True, slots=True)
class RequestPriceStore:
    """Prices stored requests. It changes nothing."""

    engine: Engine
    stores: BundleStore

    def priced(self, request: str, now: datetime) -> list[PricedRecord]:
        """Return what each record of a request that bills costs, as its month stands now.

        Raises:
            UnknownRequestError: no stored record has this id.
        """
        events = self.stores.events
        found = events.explained(request, self.stores.heeded(events.cutoff()))
        return [self._priced(one, now) for one in found if one.verdict.bills]

    def _priced(self, one: Explained, now: datetime) -> PricedRecord:
        event = one.verdict.event
        usage = self._usage(event)
        [payer] = {row.key.account for row in usage}
        if payer == UNATTRIBUTED:
            return PricedRecord(event, payer, None, "", RequestPrice(why=(_NOBODY,)), {})
        account = self.stores.meter.account(payer)
        month = month_at(usage[0].key.hour, account.zone)
        rating = self.stores.billing.standing(account, month, now)
        price = request_price(rating, usage)
        is_seen = one.stored_at < rating.cutoffs.stored_before
        if not is_seen:
            price = replace(price, why=(*price.why, _UNSEEN))
        keys = {key for meter in price.meters for key in meter.charges}
        lines = self._lines(payer, month, keys) if is_seen else {}
        return PricedRecord(event, payer, month, rating.inputs.book.currency, price, lines)

    def _usage(self, event: UsageEvent) -> list[Usage]:
        """Return what an event counts for, bound to its account as it is bound now."""
        sums = Sums(1, *(count for _, count in event.tokens.items()))
        raw = {raw_key(event, self.stores.bands): sums}
        bound = bound_usage(raw, self.stores.meter.identities())
        return [Usage(replace(key, cluster=""), quantity) for key, quantity in bound.items()]

    def _lines(
        self, account: str, month: Period, keys: Iterable[LineKey]
    ) -> Mapping[LineKey, Sequence[BillLine]]:
        query = (
            select(LineRow.key, LineRow.bill, LineRow.line_id)
            .join(BillRow, col(LineRow.bill) == col(BillRow.id))
            .where(
                BillRow.account == account,
                LineRow.month_start == month.start,
                col(LineRow.key).in_([written_key(key) for key in keys]),
            )
            .order_by(LineRow.bill, col(LineRow.number))
        )
        found: dict[LineKey, list[BillLine]] = defaultdict(list)
        with Session(self.engine) as session:
            for key, bill, line in session.exec(query).all():
                found[read_key(key)].append(BillLine(bill, line))
        return found
