"""What the data sets of FOCUS 1.4 are made of, out of the ledger."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from metering.period import month_of
from metering.store import Account, MeterStore
from pricing.bills.bill import Bill, State
from pricing.bills.export_store import Draft, statement_of
from pricing.bills.store import BillStore, Wanted
from pricing.contracts.store import ContractStore
from pricing.focus.package import Package
from pricing.focus.sets import Invoice


@dataclass(frozen=True, slots=True)
class Packages:
    """Reads bills and contracts of a month."""

    meter: MeterStore
    bills: BillStore
    contracts: ContractStore
    draft: Draft
    refresh: Callable[[], int]

    def package(self, month: str, account: str | None = None) -> Package:
        """Return what is told of a month YYYY-MM, of one account or of all.

        Raises:
            UnknownAccountError: there is no such account.
        """
        accounts = [self.meter.account(account)] if account else self.meter.accounts()
        self.refresh()
        bills = [bill for one in accounts for bill in self._bills(one, month)]
        ids = {one.id for one in accounts}
        named = {row["CommitmentDiscountId"] for bill in bills for row in bill.rows}
        period = month_of(month, accounts[0].zone if accounts else self.contracts.book.zone)
        return Package(
            period,
            f"{period.start + timedelta(days=15):%Y%m}",
            [self._invoice(bill) for bill in bills],
            [
                one
                for one in self.contracts.contracts()
                if one.account in ids and (one.id in named or one.period.overlap(period))
            ],
            self.contracts.book,
        )

    def _bills(self, account: Account, month: str) -> list[Bill]:
        wanted = Wanted(account.id, month_of(month, account.zone))
        return list(statement_of(self.bills, self.draft(account.id, month), wanted))

    def _invoice(self, bill: Bill) -> Invoice:
        issued = (s.made_at for s in self.bills.steps(bill.id) if s.state is State.ISSUED)
        reference = self.bills.bill(bill.corrects).number if bill.corrects else ""
        return Invoice(bill, next(issued, None), reference)
