"""Which accounts owe issued bills, and since when."""

from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from pricing.bills.bill import Document, State
from pricing.bills.tables import BillRow, StepRow


class Arrears:
    """Accounts with bills that are issued and not settled."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def unpaid_since(self, account: str | None = None) -> dict[str, datetime]:
        """Return when the oldest unpaid bill of each account was issued, or of one account.

        A bill is owed from its issue on. What the wallet paid altogether is not owed.
        """
        query = select(col(BillRow.account), col(BillRow.payable), col(StepRow.made_at)).where(
            col(BillRow.id) == col(StepRow.bill),
            BillRow.document == Document.BILL.value,
            BillRow.state == State.ISSUED.value,
            StepRow.state == State.ISSUED.value,
        )
        if account is not None:
            query = query.where(BillRow.account == account)
        found: dict[str, datetime] = {}
        with Session(self._engine) as session:
            for owner, payable, issued_at in session.exec(query):
                if payable > 0:
                    found[owner] = min(issued_at, found.get(owner, issued_at))
        return found
