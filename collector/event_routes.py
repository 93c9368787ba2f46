"""POST /v1/events and /v1/access-logs: usage from producers that speak no OTLP.

Both want a Content-Type that no web page may send to another site without being asked first, so
that a browser on the same machine as an open receiver cannot be made to report usage.
"""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from collector.logs.access_log import ReadLog, read_log
from collector.logs.cloudevents import MEDIA_TYPES, decode_events, framing_of
from collector.otlp import Record
from collector.receive import UNAVAILABLE, Receiver, Refusal, UnknownContentTypeError
from collector.routes import compression_of, to_nobody

LINE_TYPES = ("application/x-ndjson", "application/jsonl", "application/json")

MAX_REASONS = 100
"""Rejected lines that an answer tells one by one; the others are only counted."""

_log = structlog.get_logger("collector")

_Take = Callable[[Request, bytes], Awaitable[Response]]


def routes(receiver: Receiver) -> APIRouter:
    """Build the receivers of CloudEvents and access logs."""
    router = APIRouter()

    async def answer(request: Request, take: _Take) -> Response:
        """Read the body, let it be taken, and answer a refusal with one sentence."""
        try:
            receiver.allowed(request.headers.get("authorization", ""))
            async with receiver.bodies.whole(request.stream()) as body:
                return await take(request, body)
        except ClientDisconnect:
            return to_nobody()
        except Exception as error:  # noqa: BLE001 - a request's edge: a 500 would make clients drop
            return _refused(*receiver.refused(error))

    async def take_events(request: Request, body: bytes) -> Response:
        framing = framing_of(request.headers)
        _check_type(framing.media_type, MEDIA_TYPES)

        def decoded(plain: bytes) -> list[Record]:
            return decode_events(plain, framing)

        await receiver.take_decoded(body, compression_of(request), decoded)
        return Response(status_code=204)

    async def take_lines(request: Request, body: bytes) -> Response:
        content_type = request.headers.get("content-type", "")
        _check_type(content_type.partition(";")[0].strip().lower(), LINE_TYPES)
        logs: list[ReadLog] = []

        def decoded(plain: bytes) -> list[Record]:
            logs.append(read_log(plain))
            return logs[0].records

        await receiver.take_decoded(body, compression_of(request), decoded)
        return JSONResponse(_told(logs[0]))

    @router.post("/v1/events", summary="CloudEvents of usage", status_code=204)
    async def events(request: Request) -> Response:
        """Receive usage events as CloudEvents; 204 when all of them are on disk."""
        return await answer(request, take_events)

    @router.post("/v1/access-logs", summary="Access logs of AI gateways")
    async def access_logs(request: Request) -> Response:
        """Receive lines of JSON; 200 when every call among them is on disk."""
        return await answer(request, take_lines)

    return router


def _check_type(media_type: str, wanted: tuple[str, ...]) -> None:
    if media_type not in wanted:
        raise UnknownContentTypeError(media_type or "none", wanted)


def _told(log: ReadLog) -> dict[str, Any]:
    """Tell what became of the lines, and log the reasons as for every record that is rejected."""
    reasons = [asdict(one) for one in log.rejected[:MAX_REASONS]]
    for reason in reasons:
        _log.warning("line_rejected", **reason)
    return {
        "calls": len(log.records),
        "skipped": log.skipped,
        "rejected": len(log.rejected),
        "reasons": reasons,
    }


def _refused(refusal: Refusal, sentence: str) -> Response:
    headers = {"Retry-After": "1"} if refusal is UNAVAILABLE else {}
    return JSONResponse({"error": sentence}, refusal.status, headers)
