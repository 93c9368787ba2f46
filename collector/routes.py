"""POST /v1/traces, /v1/logs and /v1/metrics: OTLP over HTTP, to the letter of its specification.

Source: https://github.com/open-telemetry/opentelemetry-proto/blob/main/docs/specification.md
"""

import json

from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from collector.otlp import Encoding, Signal
from collector.receive import UNAVAILABLE, Receiver, Refusal, UnknownContentTypeError
from collector.rpc_status import status_message

_SIGNALS = {f"/v1/{signal.value}": signal for signal in Signal}


def routes(receiver: Receiver) -> APIRouter:
    """Build the HTTP receiver."""
    router = APIRouter()

    @router.post("/v1/traces", summary="OTLP traces")
    async def traces(request: Request) -> Response:
        """Receive spans; 200 when every usage event among them is on disk."""
        return await _received(receiver, request, Signal.TRACES)

    @router.post("/v1/logs", summary="OTLP logs")
    async def logs(request: Request) -> Response:
        """Receive log records; 200 when every usage event among them is on disk."""
        return await _received(receiver, request, Signal.LOGS)

    @router.post("/v1/metrics", summary="OTLP metrics")
    async def metrics(request: Request) -> Response:
        """Receive metrics; 200 when every reading among them is on disk."""
        return await _received(receiver, request, Signal.METRICS)

    return router


class Shortcut:
    """Answers OTLP requests, the many, before all that the few others need is gone through.

    Such a request meets the same code as behind its route, and what stands around it on the way
    there leaves it as it is.
    """

    def __init__(self, app: ASGIApp, receiver: Receiver) -> None:
        """Pass on to ``app`` whatever is no OTLP request."""
        self._app = app
        self._receiver = receiver

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a POST to one of the three paths."""
        signal = _SIGNALS.get(scope["path"]) if scope["type"] == "http" else None
        if signal is None or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        answer = await _received(self._receiver, Request(scope, receive), signal)
        await answer(scope, receive, send)


async def _received(receiver: Receiver, request: Request, signal: Signal) -> Response:
    said = request.headers.get("content-type", "")
    try:
        encoding = _encoding(said)
        receiver.allowed(request.headers.get("authorization", ""))
        async with receiver.bodies.whole(request.stream()) as body:
            await receiver.take(body, compression_of(request), signal, encoding)
    except ClientDisconnect:
        return to_nobody()
    except Exception as error:  # noqa: BLE001 - a request's edge: a 500 would make clients drop
        is_protobuf = _media_type(said) == Encoding.PROTOBUF
        spoken = Encoding.PROTOBUF if is_protobuf else Encoding.JSON
        return _refused(*receiver.refused(error), spoken)
    return _accepted(encoding)


def to_nobody() -> Response:
    """Answer a client that went away in the middle of its body: that is no fault of ours."""
    return Response(status_code=400)


def compression_of(request: Request) -> str:
    """Return what the body's Content-Encoding says; a list may come on several lines."""
    return ",".join(request.headers.getlist("content-encoding"))


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


def _refused(refusal: Refusal, message: str, encoding: Encoding) -> Response:
    """Answer with a google.rpc.Status in the request's encoding."""
    body = (
        json.dumps({"code": refusal.code, "message": message}, ensure_ascii=False).encode()
        if encoding is Encoding.JSON
        else status_message(refusal.code, message)
    )
    headers = {"Retry-After": "1"} if refusal is UNAVAILABLE else {}
    return Response(body, refusal.status, headers, encoding.value)
