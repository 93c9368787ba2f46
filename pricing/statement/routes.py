"""A bill in other shapes: GET /v1/bills/{bill_id}/statement."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import quote

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse

from metering.store import MeterStore
from pricing.bills.bill import Bill
from pricing.bills.store import BillStore
from pricing.shapes.alibaba import alibaba_csv
from pricing.shapes.journal import Side, beancount, journal_csv, journal_of
from pricing.shapes.ndjson import ndjson
from pricing.shapes.pdf import pdf
from pricing.shapes.xlsx import workbook
from pricing.statement.statement import statement_of
from pricing.statement.words import Language


class Shape(StrEnum):
    """A form that a bill is handed out in."""

    PDF = "pdf"
    XLSX = "xlsx"
    ALIBABA = "alibaba"
    NDJSON = "ndjson"
    JOURNAL = "journal"
    BEANCOUNT = "beancount"


@dataclass(frozen=True, slots=True)
class Print:
    """What statements are made with besides the bill."""

    fonts: Sequence[Path]
    """Folders of fonts."""
    accounts: Mapping[Side, str]
    """What the journal's accounts are called."""


@dataclass(frozen=True, slots=True)
class _Asked:
    bill: Bill
    language: Language
    zone: str
    by: Print


def _pdf(asked: _Asked) -> bytes:
    return pdf(statement_of(asked.bill, asked.language, asked.zone), asked.by.fonts)


def _xlsx(asked: _Asked) -> bytes:
    return workbook(statement_of(asked.bill, asked.language, asked.zone), asked.bill.rows)


def _journal(asked: _Asked) -> str:
    return journal_csv(journal_of(asked.bill, asked.zone), asked.by.accounts)


def _beancount(asked: _Asked) -> str:
    return beancount(journal_of(asked.bill, asked.zone), asked.by.accounts)


_CSV = "text/csv; charset=utf-8"
_MADE: Mapping[Shape, tuple[str, str, Callable[[_Asked], bytes | str | Iterator[str]]]] = {
    Shape.PDF: ("pdf", "application/pdf", _pdf),
    Shape.XLSX: (
        "xlsx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        _xlsx,
    ),
    Shape.ALIBABA: ("alibaba.csv", _CSV, lambda a: alibaba_csv(a.bill, a.zone)),
    Shape.NDJSON: ("ndjson", "application/x-ndjson", lambda a: ndjson(a.bill.rows)),
    Shape.JOURNAL: ("journal.csv", _CSV, _journal),
    Shape.BEANCOUNT: ("beancount", "text/plain; charset=utf-8", _beancount),
}
"""Shape -> how its file ends, its media type, and what makes it."""


def routes(meter: MeterStore, bills: BillStore, by: Print) -> APIRouter:
    """Build the route over bills as they are kept."""
    router = APIRouter()

    @router.get("/v1/bills/{bill_id}/statement", summary="A bill as a file", response_model=None)
    def statement(
        bill_id: str,
        format: Shape = Shape.PDF,  # noqa: A002
        lang: Language = Language.CHINESE,
    ) -> Response:
        """Return a kept bill as PDF, workbook, bill of instances, JSON lines or journal."""
        bill = bills.bill(bill_id)
        ending, media_type, make = _MADE[format]
        made = make(_Asked(bill, lang, meter.account(bill.account).zone, by))
        name = quote(f"{bill.id}.{ending}")
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
        if isinstance(made, bytes | str):
            return Response(made, headers=headers, media_type=media_type)
        return StreamingResponse(made, headers=headers, media_type=media_type)

    return router
