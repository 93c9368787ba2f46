"""GET /v1/usage: requests and tokens, cut and grouped as asked."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from metering.event_store import EventStore
from metering.identity import FOR_EVER, UNATTRIBUTED
from metering.period import Period, hour_of, month_of, parse_instant
from metering.query.answer import (
    MEDIA_TYPES,
    Format,
    Page,
    csv_texts,
    figures_document,
    format_of,
    parquet,
    row_document,
    total,
)
from metering.query.page import Cursor
from metering.query.question import FILTERS, Granularity, Question
from metering.query.request_store import RequestStore
from metering.query.usage_store import UsageStore, Wanted, cursor_after
from metering.report import DEFAULT_BY
from metering.store import MeterStore

FIRST = parse_instant("1970-01-01T00:00:00Z")
DEFAULT_ZONE = "Asia/Shanghai"
MOST = 100_000
"""Rows of the largest page that can be asked for."""


class UsageAsked(BaseModel):
    """The parameters of a question; any other is refused by its name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    month: str = ""
    start: Annotated[str, Field(alias="from")] = ""
    end: Annotated[str, Field(alias="to")] = ""
    by: str = ",".join(DEFAULT_BY)
    granularity: Granularity | None = None
    zone: str = ""
    account: list[str] = []
    project: list[str] = []
    cluster: list[str] = []
    resource: list[str] = []
    pool: list[str] = []
    model: list[str] = []
    operation: list[str] = []
    outcome: list[str] = []
    quality: list[str] = []
    band: list[str] = []
    provider: list[str] = []
    tier: list[str] = []
    spill_reason: list[str] = []
    as_of: Annotated[int | None, Field(ge=0)] = None
    limit: Annotated[int | None, Field(ge=1, le=MOST)] = None
    cursor: str = ""
    format: Format | None = None

    def question(self, zone: str) -> Question:
        """Return what is asked, with days and months by the clock of a zone."""
        start = parse_instant(self.start) if self.start else FIRST
        end = parse_instant(self.end) if self.end else FOR_EVER
        named = ((name, getattr(self, name)) for name in FILTERS)
        return Question(
            period=month_of(self.month, zone) if self.month else Period(start, end),
            by=tuple(n.strip() for n in self.by.split(",") if n.strip()),
            granularity=self.granularity,
            zone=zone,
            where=tuple((name, tuple(sorted(set(some)))) for name, some in named if some),
        )


class Ledger(NamedTuple):
    """What answers questions about usage."""

    meter: MeterStore
    usage: UsageStore
    events: EventStore
    requests: RequestStore


def routes(ledger: Ledger, refresh: Callable[[], int]) -> APIRouter:
    """Build the route; ``refresh`` brings usage up to date first."""
    router = APIRouter()

    @router.get("/v1/usage", summary="Usage by dimensions")
    def usage(request: Request, asked: Annotated[UsageAsked, Query()]) -> Response:
        """Return requests and tokens of a period (all time by default), grouped."""
        question = asked.question(asked.zone or _zone(ledger.meter, asked.account))
        cursor = Cursor.parse(asked.cursor, question) if asked.cursor else None
        refresh()
        run = _run(ledger.usage, cursor.run if cursor else asked.as_of)
        pages = _pages(ledger.usage, question, Wanted(run, cursor.after if cursor else ()), asked)
        format_ = format_of(asked.format, request.headers.get("accept", ""))
        closed = _closed_before(ledger, run, is_past=asked.as_of is not None)
        about = {"as_of": run, "closed_before": closed.isoformat()}
        if format_ is Format.JSON:
            return JSONResponse(_document(ledger.usage, question, list(pages), asked) | about)
        return _file(question, pages, format_, about)

    return router


def _document(
    usage: UsageStore, question: Question, pages: list[Page], asked: UsageAsked
) -> dict[str, Any]:
    rows = [row for page in pages for row in page.rows]
    last = pages[-1]
    is_whole = not last.has_more and not asked.cursor
    totals = total(rows) if is_whole else usage.totals(question, last.run)
    return {
        "from": question.period.start.isoformat(),
        "to": question.period.end.isoformat(),
        "zone": question.zone,
        "by": question.by,
        "columns": question.columns,
        "rows": [row_document(question, row) for row in rows],
        "totals": figures_document(totals),
        "next_cursor": _next(question, last),
    }


def _file(
    question: Question, pages: Iterator[Page], format_: Format, about: dict[str, Any]
) -> Response:
    """Answer with a file; what JSON says beside the rows is in headers."""
    first = next(pages)
    headers = {f"X-Tallystick-{n.replace('_', '-').title()}": str(v) for n, v in about.items()}
    if first.has_more and (cursor := _next(question, first)):
        headers["X-Tallystick-Next-Cursor"] = cursor
    told = chain([first], pages)
    if format_ is Format.PARQUET:
        return Response(parquet(question, told), headers=headers, media_type=MEDIA_TYPES[format_])
    texts = csv_texts(question, told)
    return StreamingResponse(texts, headers=headers, media_type=MEDIA_TYPES[format_])


def _pages(
    usage: UsageStore, question: Question, wanted: Wanted, asked: UsageAsked
) -> Iterator[Page]:
    """Yield the one page that was asked for, or all that is left."""
    if asked.limit:
        return iter([usage.page(question, wanted._replace(limit=asked.limit))])
    return usage.pages(question, wanted)


def _next(question: Question, page: Page) -> str | None:
    if not page.has_more:
        return None
    return Cursor(cursor_after(page.rows[-1].key), page.run).text(question)


def _zone(meter: MeterStore, accounts: list[str]) -> str:
    """Return the zone of the account that is asked for, where there is one.

    Raises:
        UnknownAccountError: nobody has this id.
    """
    known = [meter.account(name).zone for name in accounts if name != UNATTRIBUTED]
    return known[0] if len(accounts) == len(known) == 1 else DEFAULT_ZONE


def _run(usage: UsageStore, asked: int | None) -> int:
    last = usage.last_run()
    if asked is None:
        return last
    if asked > last:
        raise UnknownRunError(asked, last)
    return asked


def _closed_before(ledger: Ledger, run: int, *, is_past: bool) -> datetime:
    """Return until when hours had ended when all that had arrived was summed."""
    seen = ledger.usage.seen_before(run)
    cutoff = ledger.events.cutoff()
    if not is_past and cutoff > seen and not ledger.requests.has_arrivals(seen, cutoff):
        seen = cutoff
    ended = hour_of(datetime.fromtimestamp(0, UTC) + timedelta(microseconds=seen // 1000))
    stale = ledger.usage.first_stale_hour()
    return min(ended, stale) if stale and not is_past else ended


class UnknownRunError(ValueError):
    """Usage as a close run left it that never was."""

    def __init__(self, asked: int, last: int) -> None:
        super().__init__(f"as_of must be a close run, 0 to {last}, found {asked}")
