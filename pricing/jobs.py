"""Draft bills: read what a month depends on, rate it, store the draft."""

from datetime import datetime

from metering.identity import UNATTRIBUTED
from metering.period import Period, month_of
from metering.rollup import REQUESTS
from metering.store import MeterStore
from pricing.bill import Bill, Cutoffs, make_bill
from pricing.rating import Inputs
from pricing.store import PriceStore


def draft_bill(
    meter: MeterStore, prices: PriceStore, account_id: str, month: str, now: datetime
) -> Bill:
    """Rate an account's month as usage stands now, and store the draft.

    Raises:
        UnknownAccountError, MonthTextError: there is no such account or month.
        MissingPriceError: a contract asks for a price that the book does not have.
    """
    account = meter.account(account_id)
    period = month_of(month, account.zone)
    close = meter.last_close()
    contracts = prices.contracts()
    resources = [r for r in meter.resources() if r.account == account_id]
    service_to = min(now, period.end)
    inputs = Inputs(
        account=account_id,
        month=period,
        usage=meter.usage(period, account_id, as_of=close.run),
        intervals=meter.intervals(c.resource for c in contracts if c.account == account_id),
        contracts=contracts,
        book=prices.book,
        zone=account.zone,
        service_to=service_to,
    )
    cutoffs = Cutoffs(service_to, close.stored_before, close.run)
    bill = make_bill(inputs, account.name, resources, cutoffs, _warnings(meter, period, close.run))
    prices.put_bill(bill)
    return bill


def _warnings(meter: MeterStore, period: Period, run: int) -> list[str]:
    """Say what the month holds that belongs to nobody, and so to no bill."""
    nobody = meter.usage(period, UNATTRIBUTED, as_of=run)
    requests = sum(u.quantity for u in nobody if u.key.meter == REQUESTS)
    if not requests:
        return []
    return [f"{requests} requests of the month belong to no account: bind their identity"]
