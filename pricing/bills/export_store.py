"""A month's rows out of the ledger into a temporary file, an account after the other."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, Self
from urllib.parse import quote

from metering.period import month_of
from metering.store import Account, MeterStore
from pricing.bills.bill import POSTED, Bill
from pricing.bills.export import Shape, checked, sorted_rows, write_focus
from pricing.bills.store import BillStore, Wanted
from pricing.focus.column import Row
from pricing.focus.columns import columns_of

Draft = Callable[[str, str], Bill]
"""(account, month YYYY-MM) -> its draft from usage as it stands, or the bill that closed it."""

BLOCKED = "X-Tallystick-Blocked"
COMPLETE_UNTIL = "X-Tallystick-Complete-Until"
_CHUNK = 256 * 1024
_NAMED = 50
"""Blocked bills that are named; of more, only how many."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be exported: a month YYYY-MM in each account's zone, of one account or of all."""

    month: str
    version: str = "1.2"
    account: str | None = None
    shape: Shape = Shape.CSV


@dataclass(slots=True)
class Exported:
    """A file without a name, gone when it is closed, and what was seen while it was written."""

    file: BinaryIO
    rows: int = 0
    blocked: list[str] = field(default_factory=list)
    """Bills that lack usage nobody can price yet."""
    complete_until: datetime | None = None
    """Up to when usage is on all of the bills."""

    @property
    def size(self) -> int:
        """Return the file's length in bytes."""
        return self.file.seek(0, 2)

    @property
    def headers(self) -> Mapping[str, str]:
        """Return what an answer says besides the rows."""
        return said_of(self.blocked, self.complete_until)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def chunks(self) -> Iterator[bytes]:
        """Yield the file in pieces, and close it."""
        with self.file:
            self.file.seek(0)
            while chunk := self.file.read(_CHUNK):
                yield chunk


def said_of(blocked: Sequence[str], complete_until: datetime | None) -> Mapping[str, str]:
    """Return what an answer's headers say of the rows in it."""
    told = {COMPLETE_UNTIL: complete_until.isoformat()} if complete_until else {}
    if blocked:
        more = len(blocked) - _NAMED
        named = ", ".join(map(quote, blocked[:_NAMED]))
        told[BLOCKED] = f"{named} and {more} more" if more > 0 else named
    return told


@dataclass(frozen=True, slots=True)
class Exports:
    """Writes months. What is held in memory is the bills of one account."""

    meter: MeterStore
    bills: BillStore
    draft: Draft
    refresh: Callable[[], int]

    def export(self, asked: Asked) -> Exported:
        """Write the rows of a month's bills, by account, time, price and line.

        Raises:
            UnknownAccountError: there is no such account.
            BadRowsError: a row breaks FOCUS. Nothing is handed out.
            OSError: there is no space for the file.
        """
        columns_of(asked.version)
        accounts = [self.meter.account(asked.account)] if asked.account else self.meter.accounts()
        self.refresh()
        found = Exported(tempfile.TemporaryFile())  # noqa: SIM115 - closed by who reads it
        try:
            rows = checked(self._rows(accounts, asked.month, found), asked.version)
            write_focus(rows, asked.version, asked.shape, found.file)
        except BaseException:
            found.file.close()
            raise
        return found

    def _rows(self, accounts: Sequence[Account], month: str, seen: Exported) -> Iterator[Row]:
        for account in sorted(accounts, key=lambda one: one.id):
            wanted = Wanted(account.id, month_of(month, account.zone))
            bills = list(statement_of(self.bills, self.draft(account.id, month), wanted))
            seen.blocked += [bill.id for bill in bills if bill.blockers]
            times = [bill.cutoffs.service_to for bill in bills[-1:]]
            seen.complete_until = min(filter(None, [seen.complete_until, *times]))
            rows = sorted_rows(row for bill in bills for row in bill.rows)
            seen.rows += len(rows)
            yield from rows


def statement_of(bills: BillStore, drafted: Bill, wanted: Wanted) -> Iterable[Bill]:
    """Yield all that a month's bills say: those that were issued, then what is not billed yet."""
    for head in bills.bills(wanted):
        if head.state in POSTED and head.id != drafted.id:
            yield bills.bill(head.id)
    yield drafted
