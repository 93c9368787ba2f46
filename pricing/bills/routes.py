"""Bills to read: GET /v1/bills and /v1/exports/focus."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from metering.period import month_of
from pricing.bills.bill import Bill, State
from pricing.bills.export import MEDIA_TYPES, Shape, json_row
from pricing.bills.export_store import Asked, Exports
from pricing.bills.part import ROUNDING_ZH
from pricing.bills.store import Step, Wanted
from pricing.focus.columns import columns_of
from pricing.money import plain

_AT_MOST = 1000
"""Bills of a page."""


def routes(exports: Exports) -> APIRouter:
    """Build the routes over the ledger and one way to draft."""
    meter, bills = exports.meter, exports.bills
    router = APIRouter()
    router.include_router(_exports(exports))

    @router.get("/v1/bills", summary="Bills and credit notes, without their rows")
    def listed(
        account: str | None = None,
        month: str | None = None,
        state: State | None = None,
        after: str = "",
        limit: Annotated[int, Query(ge=1, le=_AT_MOST)] = 100,
    ) -> dict[str, Any]:
        """Return bills by id; ``next`` is what ``after`` must be for the next page."""
        zone = meter.account(account).zone if account and month else "Asia/Shanghai"
        period = month_of(month, zone) if month else None
        found = bills.bills(Wanted(account, period, state, after, limit + 1))
        page = found[:limit]
        return {
            "rows": [head_json(bill) for bill in page],
            "next": page[-1].id if len(found) > limit else None,
        }

    @router.get("/v1/bills/{bill_id}", summary="A bill as it is kept")
    def kept(bill_id: str) -> dict[str, Any]:
        """Return a draft, bill or credit note with its rows, and who changed its state."""
        return bill_json(bills.bill(bill_id)) | {
            "steps": [_step(step) for step in bills.steps(bill_id)]
        }

    @router.get("/v1/bills/{account}/{month}", summary="An account's bill of a month")
    def bill(account: str, month: str) -> dict[str, Any]:
        """Draft the bill as usage stands now, or return the one that the month was closed by."""
        exports.refresh()
        return bill_json(exports.draft(account, month))

    return router


def _exports(exports: Exports) -> APIRouter:
    router = APIRouter()

    @router.get("/v1/exports/focus", summary="FOCUS Cost and Usage rows")
    def focus(
        month: str,
        version: str = "1.2",
        account: str | None = None,
        format: Shape = Shape.CSV,  # noqa: A002
    ) -> Response:
        """Return the rows of all bills of the month, of one account or of all, checked one by one.

        The answer begins when all rows are written to a temporary file, however many they are. The
        header ``X-Tallystick-Blocked`` names bills that lack usage nobody can price yet, and
        ``X-Tallystick-Complete-Until`` tells up to when usage is on the bills.
        """
        found = exports.export(Asked(month, version, account, format))
        headers = {"Content-Length": str(found.size), **found.headers}
        return StreamingResponse(found.chunks(), headers=headers, media_type=MEDIA_TYPES[format])

    return router


def head_json(bill: Bill) -> dict[str, Any]:
    """Return what a bill says besides its rows."""
    return {
        "id": bill.id,
        "number": bill.number or None,
        "document": bill.document.value,
        "corrects": bill.corrects or None,
        "account": bill.account,
        "state": bill.state.value,
        "reason": bill.reason,
        "month": {"start": bill.month.start.isoformat(), "end": bill.month.end.isoformat()},
        "currency": bill.currency,
        "payable": f"{bill.payable:f}",
        "blockers": list(bill.blockers),
        "warnings": list(bill.warnings),
        "cutoffs": {
            "service_to": bill.cutoffs.service_to.isoformat(),
            "stored_before_ns": bill.cutoffs.stored_before,
            "usage_run": bill.cutoffs.usage_run,
        },
        "book_hash": bill.book_hash,
    }


def bill_json(bill: Bill) -> dict[str, Any]:
    """Return a bill for JSON; decimals are text."""
    columns = columns_of("1.2")
    rounding = (r["BilledCost"] for r in bill.lines if r["x_ChargeDescriptionZh"] == ROUNDING_ZH)
    return head_json(bill) | {
        "rounding": plain(sum(rounding, start=bill.unit.amount(0))),
        "result_hash": bill.result_hash,
        "lines": [json_row(row, columns) for row in bill.rows],
    }


def _step(step: Step) -> dict[str, str]:
    return {
        "state": step.state.value,
        "actor": step.actor,
        "reason": step.reason,
        "made_at": step.made_at.isoformat(),
    }
