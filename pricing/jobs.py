"""Draft bills: read what a month depends on, rate it, store the draft."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from metering.identity import UNATTRIBUTED
from metering.period import Period, month_at, month_of
from metering.rollup import REQUESTS
from metering.store import Account, MeterStore
from metering.usage import Usage, UsageKey
from pricing.bill import Bill, Cutoffs, make_bill, payable_of
from pricing.rating import Inputs, rate
from pricing.store import PriceStore


@dataclass(frozen=True, slots=True)
class PayableChange:
    """What is payable for a month as usage stands, and as it would stand."""

    account: str
    month: Period
    before: Decimal
    after: Decimal


def draft_bill(
    meter: MeterStore, prices: PriceStore, account_id: str, month: str, now: datetime
) -> Bill:
    """Rate an account's month as usage stands now, and store the draft.

    Raises:
        UnknownAccountError, MonthTextError: there is no such account or month.
        MissingPriceError: a contract asks for a price that the book does not have.
    """
    account = meter.account(account_id)
    close = meter.last_close()
    resources = [r for r in meter.resources() if r.account == account_id]
    inputs = _inputs(meter, prices, account, month_of(month, account.zone), now)
    cutoffs = Cutoffs(inputs.service_to, close.stored_before, close.run)
    warnings = _warnings(meter, inputs.month, close.run)
    bill = make_bill(inputs, account.name, resources, cutoffs, warnings)
    prices.put_bill(bill)
    return bill


def payable_changes(
    meter: MeterStore, prices: PriceStore, changes: Sequence[Usage], now: datetime
) -> list[PayableChange]:
    """Return what changes of usage would do to drafts of the months that they fall in.

    ``changes`` hold differences of quantities, which may be negative.
    """
    accounts = {account.id: account for account in meter.accounts()}
    months: dict[tuple[str, Period], list[Usage]] = defaultdict(list)
    for change in changes:
        account = accounts.get(change.key.account)
        if account:
            months[account.id, month_at(change.key.hour, account.zone)].append(change)
    found = []
    for (account_id, month), some in sorted(months.items()):
        inputs = _inputs(meter, prices, accounts[account_id], month, now)
        would = replace(inputs, usage=_with(inputs.usage, some))
        both = (payable_of(rate(each).charges, prices.book) for each in (inputs, would))
        found.append(PayableChange(account_id, month, *both))
    return found


def _with(usage: Iterable[Usage], changes: Iterable[Usage]) -> list[Usage]:
    quantities: dict[UsageKey, int] = defaultdict(int)
    for row in (*usage, *changes):
        quantities[row.key] += row.quantity
    return [Usage(key, quantity) for key, quantity in sorted(quantities.items()) if quantity]


def _inputs(
    meter: MeterStore, prices: PriceStore, account: Account, month: Period, now: datetime
) -> Inputs:
    contracts = prices.contracts()
    return Inputs(
        account=account.id,
        month=month,
        usage=meter.usage(month, account.id, as_of=meter.last_close().run),
        intervals=meter.intervals(c.resource for c in contracts if c.account == account.id),
        contracts=contracts,
        book=prices.book,
        zone=account.zone,
        service_to=min(now, month.end),
    )


def _warnings(meter: MeterStore, period: Period, run: int) -> list[str]:
    """Say what the month holds that belongs to nobody, and so to no bill."""
    nobody = meter.usage(period, UNATTRIBUTED, as_of=run)
    requests = sum(u.quantity for u in nobody if u.key.meter == REQUESTS)
    if not requests:
        return []
    return [f"{requests} requests of the month belong to no account: bind their identity"]
