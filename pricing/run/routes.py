"""A bill's life over HTTP: issue, settle, void, credit, release; runs, and rating again."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from metering.period import month_of
from pricing.bills.part import Part
from pricing.bills.routes import bill_json, head_json
from pricing.bills.signed import Signed
from pricing.bills.stored_row import written_amounts
from pricing.bills.total import unit_of
from pricing.jobs import Office
from pricing.money import price_of
from pricing.page import page_of
from pricing.prices.book import PriceBook
from pricing.run.run import Run
from pricing.run.run_store import Decision

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
Id = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[\w.:-]+$")]
Amount = Annotated[Decimal, BeforeValidator(price_of), Field(gt=0)]
"""Decimal text in quotes: a JSON number is a float."""
PageSize = Annotated[int, Query(ge=1, le=1000)]


class _Wire(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class By(_Wire):
    """Who does it, and why."""

    actor: Text = "operator"
    reason: Text

    def signed(self, at: datetime) -> Signed:
        """Return the domain value."""
        return Signed(self.actor, self.reason, at)


class Issue(By):
    """A draft that is to be issued."""

    reason: Text = "checked"
    interim: bool = False
    """Also where the month has not ended."""


class Credit(By):
    """Money to be given back; sent again under the same id it is given once."""

    id: Id
    amount: Amount


class Rerating(By):
    """A closed month that is to be rated otherwise."""

    account: Id
    month: str
    book: str = ""
    """Name of a book; empty for the one that the month was billed by."""
    usage_run: Annotated[int | None, Field(ge=0)] = None
    """Take usage as this close run left it, not as it stands."""
    apply: bool = False
    """Have it rated so from now on; else only say what would change."""


@dataclass(frozen=True, slots=True)
class Around:
    """What the routes use besides the office."""

    book: Callable[[str], PriceBook]
    """Name -> the newest version of a book."""
    refresh: Callable[[], int]
    now: Callable[[], datetime]


def routes(office: Office, around: Around) -> APIRouter:
    """Build the routes over one office."""
    router = APIRouter()
    router.include_router(_life(office, around))
    router.include_router(_runs(office, around))
    return router


def _life(office: Office, around: Around) -> APIRouter:
    router = APIRouter()

    @router.post("/v1/bills/{bill}/issue", summary="Give a draft its number and book it")
    def issue(bill: str, asked: Issue) -> dict[str, Any]:
        """Freeze the rows as they were drafted; issuing twice changes nothing."""
        office.postings.issue([bill], asked.signed(around.now()), interim=asked.interim)
        return bill_json(office.bills.bill(bill))

    @router.post("/v1/bills/{bill}/settlement", summary="Book the payment of a bill")
    def settle(bill: str, by: By) -> dict[str, Any]:
        """Close what the customer owes of it."""
        office.postings.settle(bill, by.signed(around.now()))
        return head_json(office.bills.bill(bill))

    @router.post("/v1/bills/{bill}/void", summary="Take a whole bill back")
    def void(bill: str, by: By) -> dict[str, Any]:
        """Make the credit note that takes it back, and return it; its month is open again."""
        note = office.notes.void(bill, by.signed(around.now()))
        return bill_json(office.bills.bill(note))

    @router.post("/v1/bills/{bill}/credit-notes", summary="Give a part of a bill back")
    def credit(bill: str, asked: Credit) -> dict[str, Any]:
        """Make a credit note and return it: at most what the bill still carries."""
        office.notes.credit(bill, asked.id, asked.amount, asked.signed(around.now()))
        return bill_json(office.bills.bill(asked.id))

    @router.post("/v1/bills/{bill}/release", summary="Let a parked draft pass")
    def release(bill: str, by: By) -> dict[str, Any]:
        """Let this very result pass; another one is parked again."""
        office.postings.release(bill, by.signed(around.now()))
        return head_json(office.bills.bill(bill))

    return router


def _runs(office: Office, around: Around) -> APIRouter:
    router = APIRouter()

    @router.get("/v1/runs", summary="Billing runs of an account")
    def runs(account: str, after: str = "", limit: PageSize = 100) -> dict[str, Any]:
        """Return runs by month, in the order of postings; those of drafts come last."""
        office.meter.account(account)
        every = office.billing.runs.of_account(account)
        page = page_of(every, lambda run: run.id, after, limit)
        return {"rows": [_run(run) for run in page.rows], "next": page.next}

    @router.get("/v1/verifications/{bill}", summary="Repeat the runs of a bill")
    def verify(bill: str) -> dict[str, Any]:
        """Rate again with the cutoffs, inputs and books that were stored, and compare the rows."""
        found = office.billing.verify(bill)
        return {
            "bill": found.bill,
            "is_same": found.is_same,
            "result_hash": found.stored,
            "result_hash_again": found.again,
        }

    @router.post("/v1/reratings", summary="Rate a closed month otherwise")
    def rerate(asked: Rerating) -> dict[str, Any]:
        """Say what would change; with ``apply`` the next bill carries the difference."""
        around.refresh()
        account = office.meter.account(asked.account)
        month = month_of(asked.month, account.zone)
        own = office.billing.book_of(account, month)
        book = around.book(asked.book) if asked.book else own
        decision = Decision(book, asked.usage_run)
        part = office.billing.difference(account, month, decision)
        made = ""
        if asked.apply:
            signed = asked.signed(around.now())
            made = office.billing.decide(account, month, decision, signed)
        return {"id": made or None, "is_made": asked.apply} | _difference(part)

    return router


def _difference(part: Part) -> dict[str, Any]:
    unit = unit_of(part.rating.inputs.book)
    before, change = part.before.totals.payable, part.totals.payable
    return {
        "account": part.rating.inputs.account,
        "book_hash": part.rating.inputs.book.digest,
        "currency": unit.currency,
        "payable_before": f"{unit.amount(before):f}",
        "payable_after": f"{unit.amount(before + change):f}",
        "difference": f"{unit.amount(change):f}",
        "lines": [
            {
                "contract": line.cells["x_ContractId"],
                "description": line.cells["ChargeDescription"],
                "start": line.cells["ChargePeriodStart"].isoformat(),
                "end": line.cells["ChargePeriodEnd"].isoformat(),
                "billed": f"{line.cells['BilledCost']:f}",
                "exact": written_amounts(line.amounts),
            }
            for line in part.lines
        ],
    }


def _run(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "bill": run.bill,
        "month": {"start": run.month.start.isoformat(), "end": run.month.end.isoformat()},
        "sequence": run.sequence,
        "cutoffs": {
            "service_to": run.cutoffs.service_to.isoformat(),
            "stored_before_ns": run.cutoffs.stored_before,
            "usage_run": run.cutoffs.usage_run,
        },
        "book_hash": run.book_hash,
        "inputs": run.inputs,
        "rating_hash": run.rating_hash,
        "corrects": run.corrects or None,
        "minor_units": run.payable,
    }
