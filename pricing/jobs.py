"""What the clock starts: renewals, drafts of open months, issuing by itself, expired credit."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from metering.period import HOUR, Period, hour_of, month_at, month_of
from metering.store import Account, MeterStore
from metering.usage import Usage, UsageKey
from pricing.bills.bill import Bill, State
from pricing.bills.signed import Signed
from pricing.bills.store import BillStore, Wanted
from pricing.bills.total import totals_of, unit_of
from pricing.contracts.store import ContractStore
from pricing.rating.rating import rate
from pricing.run.jobs import Billing
from pricing.run.note_store import NoteStore
from pricing.run.posting_store import PostingStore
from pricing.wallets.store import WalletStore

_DRAFTS = frozenset({State.DRAFT, State.BLOCKED, State.PARKED})
CLOCK = "tallystick"
"""Who does what the clock starts."""
TOGETHER = 50
"""Accounts that are billed in one transaction, whose bills are held in memory at once."""


@dataclass(frozen=True, slots=True)
class PayableChange:
    """What is payable for a month as usage stands, and as it would stand."""

    account: str
    month: Period
    before: Decimal
    after: Decimal


@dataclass(frozen=True, slots=True)
class Office:
    """What bills are made with."""

    meter: MeterStore
    contracts: ContractStore
    billing: Billing
    postings: PostingStore
    notes: NoteStore
    wallets: WalletStore
    issue_after: timedelta | None = None
    """How long after a month its bills are issued by themselves; None for never."""

    @property
    def bills(self) -> BillStore:
        """Bills as they are kept."""
        return self.billing.bills


@dataclass(frozen=True, slots=True)
class Ticked:
    """What a tick did."""

    drafted: int
    issued: int
    expired: int
    failed: tuple[str, ...]
    """Sentences on accounts that could not be billed, or contracts that were not renewed."""

    @property
    def did_something(self) -> bool:
        """Whether anything was due."""
        return bool(self.drafted or self.issued or self.expired)


def draft_bill(office: Office, account_id: str, month: str, now: datetime) -> Bill:
    """Rate an account's month as usage stands now, and store the draft.

    Raises:
        UnknownAccountError, MonthTextError: there is no such account or month.
    """
    account = office.meter.account(account_id)
    return office.billing.draft(account, month_of(month, account.zone), now)


def payable_changes(office: Office, changes: Sequence[Usage], now: datetime) -> list[PayableChange]:
    """Return what changes of usage would do to drafts of the months that they fall in.

    ``changes`` hold differences of quantities, which may be negative.
    """
    accounts = {account.id: account for account in office.meter.accounts()}
    months: dict[tuple[str, Period], list[Usage]] = defaultdict(list)
    for change in changes:
        account = accounts.get(change.key.account)
        if account:
            months[account.id, month_at(change.key.hour, account.zone)].append(change)
    found = []
    for (account_id, month), some in sorted(months.items()):
        rating = office.billing.rating(accounts[account_id], month, now)
        book = rating.inputs.book
        would = replace(rating.inputs, usage=_with(rating.inputs.usage, some))
        both = (totals_of(c, book).payable for c in (rating.rated.charges, rate(would).charges))
        found.append(PayableChange(account_id, month, *map(unit_of(book).amount, both)))
    return found


def tick(office: Office, now: datetime) -> Ticked:
    """Renew what renews itself, and draft the bills of open months, about once an hour.

    What is due is a question to the ledger, so a restart loses nothing, and a second tick finds
    nothing to do. Bills are issued only where that is wished, and only when nothing blocks them.
    """
    failed = office.contracts.renew_due(now, CLOCK)
    drafted = 0
    for month, accounts in _due(office, now):
        for at in range(0, len(accounts), TOGETHER):
            drafted += _draft(office, accounts[at : at + TOGETHER], (month, now), failed)
    issued = _issue_due(office, now, failed)
    return Ticked(drafted, issued, len(office.wallets.expire(now)), tuple(failed))


def _draft(
    office: Office, accounts: Sequence[Account], when: tuple[Period, datetime], failed: list[str]
) -> int:
    """Draft bills together and return how many; one that cannot be made keeps no other waiting."""
    try:
        return len(office.billing.draft_all(accounts, *when))
    except (ValueError, LookupError) as error:
        if len(accounts) == 1:
            failed.append(f"{accounts[0].id}: {error}")
            return 0
    half = len(accounts) // 2
    halves = (accounts[:half], accounts[half:])
    return sum(_draft(office, some, when, failed) for some in halves)


def _due(office: Office, now: datetime) -> Iterator[tuple[Period, list[Account]]]:
    """Yield months with the accounts that have no draft, or one that is old."""
    months: dict[Period, list[Account]] = defaultdict(list)
    for account in office.meter.accounts():
        this = month_at(now, account.zone)
        for month in (month_at(this.start - HOUR, account.zone), this):
            months[month].append(account)
    for month, accounts in sorted(months.items(), key=lambda item: item[0]):
        fresh = min(hour_of(now), month.end)
        new = [b for b in office.bills.bills(Wanted(month=month)) if b.cutoffs.service_to >= fresh]
        old = _old(office, month, new)
        done = {bill.account for bill in new if bill.id not in old}
        active = office.billing.told.active(month)
        due = [a for a in accounts if a.id in active and a.id not in done]
        if due:
            yield month, due


def _old(office: Office, month: Period, bills: Iterable[Bill]) -> set[str]:
    """Return the ids of drafts of a month whose usage was revised since they were made."""
    drafts = [bill for bill in bills if bill.state in _DRAFTS]
    last = office.billing.told.usage.last_changes(sorted({b.account for b in drafts}), month)
    return {b.id for b in drafts if last.get(b.account, 0) > b.cutoffs.usage_run}


def _issue_due(office: Office, now: datetime, failed: list[str]) -> int:
    if office.issue_after is None:
        return 0
    signed = Signed(CLOCK, "the month is over", now)
    due = [
        bill
        for bill in office.bills.bills(Wanted(state=State.DRAFT))
        if bill.month.end + office.issue_after <= now and bill.cutoffs.service_to >= bill.month.end
    ]
    groups = (due[at : at + TOGETHER] for at in range(0, len(due), TOGETHER))
    return sum(_issue(office, some, signed, failed) for some in groups)


def _issue(office: Office, bills: Sequence[Bill], signed: Signed, failed: list[str]) -> int:
    """Issue bills together and return how many; one that cannot be keeps no other waiting."""
    try:
        office.postings.issue([bill.id for bill in bills], signed)
    except ValueError as error:
        if len(bills) == 1:
            failed.append(f"{bills[0].account}: {error}")
            return 0
    else:
        return len(bills)
    half = len(bills) // 2
    return sum(_issue(office, some, signed, failed) for some in (bills[:half], bills[half:]))


def _with(usage: Iterable[Usage], changes: Iterable[Usage]) -> list[Usage]:
    quantities: dict[UsageKey, int] = defaultdict(int)
    for row in (*usage, *changes):
        quantities[row.key] += row.quantity
    return [Usage(key, quantity) for key, quantity in sorted(quantities.items()) if quantity]
