"""Billing runs: rate what a month and closed months before it come to, and draft the difference."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Engine

from metering.period import Period
from metering.store import Account
from pricing.bills.bill import Bill, Document, State, bill_id, bill_of, context_of
from pricing.bills.part import FIRST, Before, Cutoffs, Part, Rating, part_of
from pricing.bills.signed import Signed
from pricing.bills.store import BillStore, Wanted
from pricing.contracts.store import ContractStore
from pricing.prices.book import PriceBook
from pricing.prices.store import BookStore
from pricing.run.run import Run, snapshot, told_again
from pricing.run.run_store import Decision, RunStore
from pricing.run.snapshot import digest
from pricing.run.told_store import Asked, Customer, ToldStore, told

_STANDING = frozenset({State.ISSUED, State.SETTLED})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What repeating the runs of a stored bill came to."""

    bill: str
    stored: str
    """The hash of the rows as they are kept."""
    again: str
    """The hash of the rows as they come out now."""

    @property
    def is_same(self) -> bool:
        """Whether the bill came out to the byte."""
        return self.stored == self.again


class _Past(NamedTuple):
    """What is known of closed months, asked for many accounts at once."""

    closed: Mapping[str, Sequence[Run]]
    last: Mapping[Period, Mapping[str, int]]
    """Month -> account -> the last close run that changed its usage."""
    decisions: Mapping[tuple[str, datetime], tuple[str, int | None]]
    cutoffs: Mapping[Period, Cutoffs]


class Billing:
    """Drafts bills, and says what would change. Safe to use from several threads."""

    def __init__(self, engine: Engine, contracts: ContractStore) -> None:
        """Bill from what the ledger holds, by the book of the contracts."""
        self._contracts = contracts
        self._books = BookStore(engine)
        self.told = ToldStore(engine, contracts)
        self.runs = RunStore(engine)
        self.bills = BillStore(engine)

    def draft(self, account: Account, month: Period, now: datetime) -> Bill:
        """Draft an account's bill of a month from usage as it stands, and store it.

        A month of which a whole bill was issued is closed: its bill comes back as it is, and says
        what goes on the next one.
        """
        [bill] = self.draft_all([account], month, now)
        return bill

    def draft_all(self, accounts: Sequence[Account], month: Period, now: datetime) -> list[Bill]:
        """Draft the bills of accounts whose months turn together; they are stored together.

        All that is asked of the ledger is asked for all of them at once: a few hundred at a time.
        """
        cutoffs = self.told.cutoffs(min(now, month.end))
        warnings = self._warnings(month, cutoffs)
        ids = [account.id for account in accounts]
        closed = self.runs.closed_of(ids, month.end)
        own = {id_: runs[-1] for id_, runs in closed.items() if runs and runs[-1].month == month}
        customers = self.told.customers(accounts)
        still_open = [c for c in customers if c.account.id not in own]
        new = self._drafted(still_open, closed, month, cutoffs)
        drafts = iter(self.bills.put_drafts([replace(bill, warnings=warnings) for bill in new]))
        return [
            self._issued(customer, own[customer.account.id])
            if customer.account.id in own
            else next(drafts)
            for customer in customers
        ]

    def rating(self, account: Account, month: Period, now: datetime) -> Rating:
        """Rate a month as usage stands, whatever was billed of it."""
        cutoffs = self.told.cutoffs(min(now, month.end))
        asked = Asked(self.told.customer(account), month, self._contracts.book, cutoffs)
        return self.told.rating(asked)

    def standing(self, account: Account, month: Period, now: datetime) -> Rating:
        """Rate a month as it goes on bills from now on: a closed one by the book that closed it."""
        for run in self.runs.closed(account.id, month.end):
            if run.month == month:
                decided = self.runs.decision(account.id, month)
                customer, cutoffs = self.told.customer(account), self.told.cutoffs(month.end)
                return self.told.rating(self._as_decided(customer, run, decided, cutoffs))
        return self.rating(account, month, now)

    def difference(self, account: Account, month: Period, decision: Decision) -> Part:
        """Return what rating a month by another book, or as of another close run, would change.

        Raises:
            OpenMonthError: no whole bill of the month was issued.
        """
        run = self._closed(account, month)
        asked = Asked(
            self.told.customer(account),
            month,
            decision.book,
            self.told.cutoffs(month.end, decision.usage_run),
        )
        return self._part(self.told.rating(asked), run.bill, month)

    def book_of(self, account: Account, month: Period) -> PriceBook:
        """Return the book that a closed month was billed by.

        Raises:
            OpenMonthError: no whole bill of the month was issued.
        """
        return self._books.of_digest(self._closed(account, month).book_hash)

    def decide(self, account: Account, month: Period, decision: Decision, signed: Signed) -> str:
        """Have a closed month rated otherwise from now on: the next bill carries the difference.

        Raises:
            OpenMonthError: no whole bill of the month was issued.
        """
        self._closed(account, month)
        return self.runs.decide(account.id, month, decision, signed)

    def verify(self, bill_id_: str) -> Verdict:
        """Repeat all runs of a stored bill with what they were told, and compare the rows."""
        bill = self.bills.bill(bill_id_)
        return Verdict(bill.id, bill.result_hash, bill_of(self.parts(bill), bill.id).result_hash)

    def parts(self, bill: Bill) -> list[Part]:
        """Return how a stored bill came about: its runs, repeated with what they were told."""
        return [self._again(bill, run) for run in self.runs.of_bill(bill.id)]

    def _drafted(
        self,
        customers: Sequence[Customer],
        closed: Mapping[str, Sequence[Run]],
        month: Period,
        cutoffs: Cutoffs,
    ) -> Iterator[Bill]:
        """Yield new drafts of a month that no bill closed yet."""
        ids = [customer.account.id for customer in customers]
        begun = self.runs.begun(ids, month)
        past = self._past(closed, ids)
        numbers = self.bills.next_numbers(ids, month)
        asked = [Asked(c, month, self._contracts.book, cutoffs) for c in customers]
        for customer, own in zip(customers, self.told.ratings(asked), strict=True):
            account = customer.account
            name = bill_id(account.id, month, account.zone, numbers[account.id])
            before = self.runs.before(account.id, month) if account.id in begun else FIRST
            parts = [part_of(own, before, context_of(own, name, month))]
            parts += self._corrections(customer, past, name, month)
            yield bill_of(parts, name)

    def _issued(self, customer: Customer, run: Run) -> Bill:
        """Return a closed month's bill, with a word on what was found since."""
        bill = self._own_bill(run)
        past = self._past({run.account: [run]}, [run.account])
        found = list(self._corrections(customer, past, bill.id, run.month))
        if not found:
            return bill
        difference = bill.unit.amount(found[0].totals.payable)
        said = f"issued; a difference of {difference} {bill.currency} goes on the next bill"
        return replace(bill, warnings=(*bill.warnings, said))

    def _own_bill(self, run: Run) -> Bill:
        """Return the bill that closed a run's month, which the run itself may only correct."""
        heads = self.bills.bills(Wanted(run.account, run.month))
        standing = [h.id for h in heads if h.document is Document.BILL and h.state in _STANDING]
        return self.bills.bill(max(standing, key=lambda name: (len(name), name)))

    def _past(self, closed: Mapping[str, Sequence[Run]], accounts: Sequence[str]) -> _Past:
        """Return what is known today of the closed months of some accounts."""
        months: dict[Period, list[str]] = defaultdict(list)
        for account in accounts:
            for run in closed[account]:
                months[run.month].append(account)
        last = {month: self.told.usage.last_changes(some, month) for month, some in months.items()}
        decisions = self.runs.decisions(accounts) if months else {}
        cutoffs = {month: self.told.cutoffs(month.end) for month in months}
        return _Past(closed, last, decisions, cutoffs)

    def _corrections(
        self, customer: Customer, past: _Past, bill: str, month: Period
    ) -> Iterator[Part]:
        """Yield what closed months come to now that no bill carries."""
        for run in past.closed[customer.account.id]:
            decided = past.decisions.get((run.account, run.month.start))
            asked = self._as_decided(customer, run, decided, past.cutoffs[run.month])
            last = past.last[run.month].get(run.account, 0)
            is_same = asked.book.digest == run.book_hash and not _has_changed(asked, run, last)
            if is_same:
                continue
            part = self._part(self.told.rating(asked), bill, month)
            if part.says_something:
                yield part

    def _as_decided(
        self,
        customer: Customer,
        run: Run,
        decided: tuple[str, int | None] | None,
        cutoffs: Cutoffs,
    ) -> Asked:
        """Return how a closed month is to be rated: by its own book, or as somebody decided."""
        book_hash, usage_run = decided or (run.book_hash, None)
        if usage_run is not None:
            cutoffs = self.told.cutoffs(run.month.end, usage_run)
        return Asked(customer, run.month, self._books.of_digest(book_hash), cutoffs)

    def _part(self, rating: Rating, bill: str, month: Period) -> Part:
        before = self.runs.before(rating.inputs.account, rating.inputs.month)
        return part_of(rating, before, context_of(rating, bill, month))

    def _again(self, bill: Bill, run: Run) -> Part:
        book = self._books.of_digest(run.book_hash)
        again = told_again(self.runs.told(run.inputs), book, ())
        rating = self.told.rated(again, run.cutoffs)
        before: Before = self.runs.before(run.account, run.month, run.base)
        before = replace(before, last_run=run.corrects, is_closed=bool(run.corrects))
        return part_of(rating, before, context_of(rating, bill.id, bill.month))

    def _closed(self, account: Account, month: Period) -> Run:
        for run in self.runs.closed(account.id, month.end):
            if run.month == month:
                return run
        raise OpenMonthError(account.id, month)

    def _warnings(self, month: Period, cutoffs: Cutoffs) -> tuple[str, ...]:
        """Say what the month holds that belongs to nobody, and so to no bill."""
        nobody = self.told.usage.unattributed(month, cutoffs.usage_run)
        if not nobody:
            return ()
        return (f"{nobody} requests of the month belong to no account: bind their identity",)


def _has_changed(asked: Asked, run: Run, last: int) -> bool:
    """Whether a run would be told something else today: usage changed, or all else."""
    since = min(run.cutoffs.usage_run, asked.cutoffs.usage_run)
    return last > since or digest(snapshot(told(asked))) != run.inputs


class OpenMonthError(ValueError):
    """A month that is not closed: its next draft is what it comes to anyhow."""

    def __init__(self, account: str, month: Period) -> None:
        super().__init__(
            f"a month must be closed by a bill to be rated again, found an open one: "
            f"{account} from {month.start.isoformat()}"
        )
