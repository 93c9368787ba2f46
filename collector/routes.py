"""POST /v1/traces and /v1/logs: the OTLP specification, to the letter.

body -> inflate -> decode -> usage events -> commit (fsync) -> 200

Source: https://github.com/open-telemetry/opentelemetry-proto/blob/main/docs/specification.md
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import NamedTuple

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool

from collector.inflate import (
    DEFAULT_LIMIT,
    BadCompressionError,
    BodyTooLargeError,
    UnknownEncodingError,
    inflate,
)
from collector.normalise import TooManyDaysError, check_days, usage_events
from collector.otlp import Encoding, MalformedBodyError, Signal, decode
from collector.rpc_status import status_message
from metering.event import UsageEvent

Submit = Callable[[Sequence[UsageEvent]], "Future[int]"]
Allowed = Callable[[Request], None]
"""Raises NotAllowedError where a request may not write."""

_log = structlog.get_logger("collector")


class _Refusal(NamedTuple):
    """An answer other than success: HTTP status and google.rpc code."""

    status: int
    code: int


class NotAllowedError(PermissionError):
    """A request without the key that it needs."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"the request must carry the {what} as a bearer token, found none or another"
        )


class UnknownContentTypeError(ValueError):
    """A body that is neither of OTLP's two encodings."""

    def __init__(self, found: str) -> None:
        super().__init__(f"the Content-Type must be {' or '.join(Encoding)}, found {found!r}")


_UNAVAILABLE = _Refusal(503, 14)
_REFUSALS: tuple[tuple[type[Exception], _Refusal], ...] = (
    (BodyTooLargeError, _Refusal(413, 8)),
    (UnknownEncodingError, _Refusal(415, 3)),
    (UnknownContentTypeError, _Refusal(415, 3)),
    (MalformedBodyError, _Refusal(400, 3)),
    (BadCompressionError, _Refusal(400, 3)),
    (TooManyDaysError, _Refusal(400, 3)),
    (NotAllowedError, _Refusal(401, 16)),
)


def routes(submit: Submit, allowed: Allowed, limit: int = DEFAULT_LIMIT) -> APIRouter:
    """Build the receiver over one commit queue."""
    router = APIRouter()

    async def receive(request: Request, signal: Signal) -> Response:
        said = request.headers.get("content-type", "")
        try:
            encoding = _encoding(said)
            allowed(request)
            body = await _body(request, limit)
            compression = request.headers.get("content-encoding", "")
            events = await run_in_threadpool(_events, body, compression, (signal, encoding), limit)
            if events:
                await asyncio.wrap_future(submit(events))
        except Exception as error:  # noqa: BLE001 - a request's edge: a 500 would make clients drop
            return _refused(
                error,
                Encoding.PROTOBUF if _media_type(said) == Encoding.PROTOBUF else Encoding.JSON,
            )
        return _accepted(encoding)

    @router.post("/v1/traces", summary="OTLP traces")
    async def traces(request: Request) -> Response:
        """Receive spans; 200 when every usage event among them is on disk."""
        return await receive(request, Signal.TRACES)

    @router.post("/v1/logs", summary="OTLP logs")
    async def logs(request: Request) -> Response:
        """Receive log records; 200 when every usage event among them is on disk."""
        return await receive(request, Signal.LOGS)

    return router


def _events(
    body: bytes, compression: str, kind: tuple[Signal, Encoding], limit: int
) -> list[UsageEvent]:
    signal, encoding = kind
    events, rejected = usage_events(decode(inflate(body, compression, limit), signal, encoding))
    for refusal in rejected:
        _log.warning(
            "record_rejected",
            reason=refusal.reason,
            scope=refusal.record.scope,
            trace_id=refusal.record.trace_id.hex(),
            span_id=refusal.record.span_id.hex(),
        )
    check_days(events)
    return events


async def _body(request: Request, limit: int) -> bytes:
    """Read the body as sent, and no more of it than the limit."""
    parts: list[bytes] = []
    left = limit
    async for part in request.stream():
        left -= len(part)
        if left < 0:
            raise BodyTooLargeError(limit)
        parts.append(part)
    return b"".join(parts)


def _encoding(content_type: str) -> Encoding:
    media_type = _media_type(content_type)
    if media_type not in set(Encoding):
        raise UnknownContentTypeError(content_type or "none")
    return Encoding(media_type)


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _accepted(encoding: Encoding) -> Response:
    """Full success: an empty response message, partial_success unset."""
    return Response(b"{}" if encoding is Encoding.JSON else b"", media_type=encoding.value)


def _refused(error: Exception, encoding: Encoding) -> Response:
    """Answer with a google.rpc.Status in the request's encoding; 503 for all that is our fault."""
    refusal = next((r for kind, r in _REFUSALS if isinstance(error, kind)), _UNAVAILABLE)
    message = str(error)
    if refusal is _UNAVAILABLE:
        _log.error("receive_failed", kind=type(error).__name__, error=message)
        message = "the service must store the request, found a fault of its own: send it again"
    body = (
        json.dumps({"code": refusal.code, "message": message}, ensure_ascii=False).encode()
        if encoding is Encoding.JSON
        else status_message(refusal.code, message)
    )
    headers = {"Retry-After": "1"} if refusal is _UNAVAILABLE else {}
    return Response(body, refusal.status, headers, encoding.value)
