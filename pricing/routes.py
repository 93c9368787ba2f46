"""GET /v1/bills/{account}/{month} and /v1/exports/focus."""

from collections.abc import Callable
from typing import Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Response

from metering.store import MeterStore
from pricing.bill import Bill
from pricing.export import focus_csv, focus_json, json_row, sorted_rows
from pricing.focus import all_faults, columns_of
from pricing.money import plain

Draft = Callable[[str, str], Bill]
"""(account, month YYYY-MM) -> its draft bill, from usage as it stands."""


def routes(meter: MeterStore, draft: Draft, refresh: Callable[[], int]) -> APIRouter:
    """Build the bill routes over one way to draft; ``refresh`` brings usage up to date first."""
    router = APIRouter()

    @router.get("/v1/bills/{account}/{month}", summary="An account's bill of a month")
    def bill(account: str, month: str) -> dict[str, Any]:
        """Draft the bill as usage stands now; rows add up to ``payable``."""
        refresh()
        return bill_json(draft(account, month))

    @router.get("/v1/exports/focus", summary="FOCUS Cost and Usage rows")
    def focus(
        month: str,
        version: str = "1.2",
        account: str | None = None,
        format: Literal["csv", "json"] = "csv",  # noqa: A002
    ) -> Response:
        """Return the month's lines of one account or of all, checked row by row.

        The header ``X-Tallystick-Blocked`` names bills that lack usage nobody can price yet.
        """
        columns_of(version)
        accounts = [account] if account else [a.id for a in meter.accounts()]
        refresh()
        bills = [draft(a, month) for a in accounts]
        rows = sorted_rows(line for bill in bills for line in bill.lines)
        found = all_faults(rows, version)
        if found:
            raise BadRowsError(found)
        blocked = ", ".join(quote(bill.id) for bill in bills if bill.blockers)
        headers = {"X-Tallystick-Blocked": blocked} if blocked else {}
        if format == "json":
            text, media_type = focus_json(rows, version), "application/json"
        else:
            text, media_type = focus_csv(rows, version), "text/csv; charset=utf-8"
        return Response(text, headers=headers, media_type=media_type)

    return router


def bill_json(bill: Bill) -> dict[str, Any]:
    """Return a bill for JSON; decimals are text."""
    columns = columns_of("1.2")
    return {
        "id": bill.id,
        "account": bill.account,
        "state": bill.state,
        "month": {"start": bill.month.start.isoformat(), "end": bill.month.end.isoformat()},
        "currency": bill.currency,
        "payable": f"{bill.payable:f}",
        "rounding": plain(bill.lines[-1]["BilledCost"]),
        "blockers": list(bill.blockers),
        "warnings": list(bill.warnings),
        "cutoffs": {
            "service_to": bill.cutoffs.service_to.isoformat(),
            "stored_before_ns": bill.cutoffs.stored_before,
            "usage_run": bill.cutoffs.usage_run,
        },
        "book_hash": bill.book_hash,
        "result_hash": bill.result_hash,
        "lines": [json_row(line, columns) for line in bill.lines],
    }


class BadRowsError(RuntimeError):
    """Rows that break FOCUS. They are not handed out."""

    def __init__(self, found: list[str]) -> None:
        super().__init__(
            f"all rows must obey FOCUS, found {len(found)} faults, the first: {found[0]}"
        )
