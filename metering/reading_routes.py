"""GET /v1/readings and /v1/signals: what was observed, and what can be."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from metering.period import Period, iso_of, parse_instant
from metering.reading_store import ReadingStore, Where
from metering.signal import ORIGIN_FIELDS, SIGNALS, Reading, UnknownSignalError

LOOK_BACK = timedelta(minutes=10)
"""What is read where no start is given: enough for the last scrapes, and no whole month."""

_OWN = frozenset({"signal", "from", "to", "latest", "limit"})


def routes(readings: ReadingStore, now: Callable[[], datetime]) -> APIRouter:
    """Build the read routes over the readings."""
    router = APIRouter()

    @router.get("/v1/signals", summary="The vocabulary of readings")
    def signals() -> dict[str, Any]:
        """Return every signal that a reading may be of."""
        return {"rows": [asdict(signal) for signal in SIGNALS.values()]}

    @router.get("/v1/readings", summary="Readings of a signal")
    def found(  # noqa: PLR0913 - each is a parameter of the query
        request: Request,
        signal: str,
        *,
        start: Annotated[str | None, Query(alias="from")] = None,
        end: Annotated[str | None, Query(alias="to")] = None,
        latest: bool = False,
        limit: Annotated[int, Query(ge=1, le=100_000)] = 10_000,
    ) -> dict[str, Any]:
        """Return a signal's readings, narrowed by any field of their origin."""
        if signal not in SIGNALS:
            raise UnknownSignalError(signal)
        until = parse_instant(end) if end else now()
        period = Period(parse_instant(start) if start else until - LOOK_BACK, until)
        where = Where({n: v for n, v in request.query_params.items() if n not in _OWN})
        read = readings.latest if latest else readings.samples
        rows = read(signal, period, where, limit)
        return {
            "signal": asdict(SIGNALS[signal]),
            "from": period.start.isoformat(),
            "to": period.end.isoformat(),
            "rows": [_row(reading) for reading in rows],
        }

    return router


def _row(reading: Reading) -> dict[str, Any]:
    told = {name: value for name in ORIGIN_FIELDS if (value := getattr(reading.origin, name))}
    row = {"at": iso_of(reading.at_ns), "value": reading.value, **told}
    row["labels"] = dict(reading.labels)
    if reading.started_ns:
        row["started"] = iso_of(reading.started_ns)
    if reading.series:
        row["series"] = f"{reading.series:016x}"
    if reading.buckets:
        row["bounds"], row["counts"] = reading.buckets.bounds, reading.buckets.counts
    return row
