"""A gateway to meter, as small as can be, and somebody who asks it."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from plugin.receiver import Receiver, Record
from tallystick_otel.meter import Meter

USAGE = {"prompt_tokens": 100, "completion_tokens": 20}
JSON = (b"content-type", b"application/json")
SSE = (b"content-type", b"text/event-stream; charset=utf-8")
CHAT = "/v1/chat/completions"

Message = dict[str, Any]
App = Callable[[Any, Any, Any], Awaitable[None]]


def answering(
    *pieces: bytes, status: int = 200, headers: Sequence[tuple[bytes, bytes]] = (JSON,)
) -> App:
    """Build a gateway that answers every request with these pieces."""

    async def app(_: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return app


def asked(
    app: App,
    body: Any = None,
    path: str = CHAT,
    headers: Sequence[tuple[bytes, bytes]] = (),
    cut: int = 10_000,
) -> list[Message]:
    """Ask a gateway, and return the messages of its answer."""
    text = body if isinstance(body, bytes) else json.dumps(body or {"model": "m"}).encode()
    pieces = [text[n : n + cut] for n in range(0, len(text), cut)] or [b""]
    questions = [
        {"type": "http.request", "body": p, "more_body": p is not pieces[-1]} for p in pieces
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return questions.pop(0) if questions else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": path, "headers": list(headers)}
    asyncio.run(app(scope, receive, send))
    return sent


def event(data: Any) -> bytes:
    return f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()


STREAM = [
    event({"id": "c1", "model": "m2", "choices": [{"delta": {"content": "hi"}}], "usage": None}),
    event({"choices": [{"delta": {}, "finish_reason": "stop"}]}),
    event({"choices": [], "usage": USAGE}),
    event("[DONE]"),
]


def only(meter: Meter, receiver: Receiver) -> Record:
    assert meter.flush()
    (record,) = receiver.accepted
    assert meter.errors == 0
    return record
