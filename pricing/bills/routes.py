"""Bills to read: GET /v1/bills and /v1/exports/focus."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Response

from metering.period import month_of
from metering.store import MeterStore
from pricing.bills.bill import POSTED, Bill, State
from pricing.bills.export import focus_csv, focus_json, json_row, sorted_rows
from pricing.bills.part import ROUNDING_ZH
from pricing.bills.store import BillStore, Step, Wanted
from pricing.focus.check import all_faults
from pricing.focus.column import Row
from pricing.focus.columns import columns_of
from pricing.focus.parquet import focus_parquet
from pricing.focus.version import as_version
from pricing.money import plain

Draft = Callable[[str, str], Bill]
"""(account, month YYYY-MM) -> its draft from usage as it stands, or the bill that closed it."""

_AT_MOST = 1000
"""Bills of a page."""


def routes(
    meter: MeterStore, bills: BillStore, draft: Draft, refresh: Callable[[], int]
) -> APIRouter:
    """Build the routes over one way to draft; ``refresh`` brings usage up to date first."""
    router = APIRouter()
    router.include_router(_exports(meter, bills, draft, refresh))

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
        refresh()
        return bill_json(draft(account, month))

    return router


def _exports(
    meter: MeterStore, bills: BillStore, draft: Draft, refresh: Callable[[], int]
) -> APIRouter:
    router = APIRouter()

    @router.get("/v1/exports/focus", summary="FOCUS Cost and Usage rows")
    def focus(
        month: str,
        version: str = "1.2",
        account: str | None = None,
        format: Literal["csv", "json", "parquet"] = "csv",  # noqa: A002
    ) -> Response:
        """Return the rows of all bills of the month, of one account or of all, checked one by one.

        The header ``X-Tallystick-Blocked`` names bills that lack usage nobody can price yet.
        """
        columns_of(version)
        accounts = [meter.account(account)] if account else meter.accounts()
        refresh()
        found = [
            one
            for a in accounts
            for one in statement_of(
                bills, draft(a.id, month), Wanted(a.id, month_of(month, a.zone))
            )
        ]
        rows = sorted_rows(row for bill in found for row in bill.rows)
        faulty = all_faults((as_version(row, version) for row in rows), version)
        if faulty:
            raise BadRowsError(faulty)
        blocked = ", ".join(quote(bill.id) for bill in found if bill.blockers)
        headers = {"X-Tallystick-Blocked": blocked} if blocked else {}
        write, media_type = _WRITTEN[format]
        return Response(write(rows, version), headers=headers, media_type=media_type)

    return router


_WRITTEN: Mapping[str, tuple[Callable[[Iterable[Row], str], str | bytes], str]] = {
    "csv": (focus_csv, "text/csv; charset=utf-8"),
    "json": (focus_json, "application/json"),
    "parquet": (focus_parquet, "application/vnd.apache.parquet"),
}
"""Format -> how rows are written, and what that is called."""


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


def statement_of(bills: BillStore, drafted: Bill, wanted: Wanted) -> Iterator[Bill]:
    """Yield all that a month's bills say: those that were issued, then what is not billed yet."""
    for head in bills.bills(wanted):
        if head.state in POSTED and head.id != drafted.id:
            yield bills.bill(head.id)
    yield drafted


def _step(step: Step) -> dict[str, str]:
    return {
        "state": step.state.value,
        "actor": step.actor,
        "reason": step.reason,
        "made_at": step.made_at.isoformat(),
    }


class BadRowsError(RuntimeError):
    """Rows that break FOCUS. They are not handed out."""

    def __init__(self, found: list[str]) -> None:
        super().__init__(
            f"all rows must obey FOCUS, found {len(found)} faults, the first: {found[0]}"
        )
