"""Find a line or a bill by its id, and gather what explains it."""

from dataclasses import dataclass

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from metering.usage import Usage
from pricing.bills.bill import Document
from pricing.bills.part import Part
from pricing.bills.tables import BillRow, LineRow
from pricing.proof.explanation import Explanation, explanations
from pricing.run.jobs import Billing


@dataclass(frozen=True, slots=True)
class Found:
    """A bill, and those of its lines that are explained."""

    bill: str
    currency: str
    lines: tuple[Explanation, ...]


@dataclass(frozen=True, slots=True)
class ExplanationStore:
    """Explains lines of stored bills. It changes nothing."""

    engine: Engine
    billing: Billing

    def found(self, asked: str) -> Found:
        """Return what is behind a line, or behind all lines of a bill.

        Raises:
            NothingToExplainError: neither a bill nor a line of one has this id.
        """
        bill = self.billing.bills.bill(self._bill_of(asked))
        lines = tuple(
            one
            for part in self.billing.parts(bill)
            for one in explanations(
                part,
                self._hourly(part),
                lambda line: asked in {bill.id, line.cells["x_LineId"]},
            )
        )
        return Found(bill.id, bill.currency, lines)

    def _bill_of(self, asked: str) -> str:
        query = (
            select(BillRow.id)
            .join(LineRow, col(LineRow.bill) == col(BillRow.id))
            .where(
                BillRow.document == Document.BILL.value,
                (col(LineRow.line_id) == asked) | (col(BillRow.id) == asked),
            )
        )
        with Session(self.engine) as session:
            found = session.exec(query.limit(1)).first()
        if found is None:
            raise NothingToExplainError(asked)
        return found

    def _hourly(self, part: Part) -> list[Usage]:
        inputs = part.rating.inputs
        hours = [hour.start for hour in inputs.to_date.hours()]
        end, run = inputs.to_date.end, part.rating.cutoffs.usage_run
        return self.billing.told.usage.between(inputs.account, hours, end, run) if hours else []


class NothingToExplainError(LookupError):
    """No bill, and no line of one."""

    def __init__(self, asked: str) -> None:
        super().__init__(f"the id must be a bill's or a line's (x_LineId), found {asked!r}")
