"""The ASGI middleware behind a real server, with clients on real connections."""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from plugin.gateway import CHAT, STREAM, USAGE, event, only
from plugin.receiver import Receiver
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from tallystick_otel.asgi import UsageMiddleware
from tallystick_otel.meter import Meter


async def slow_stream(request: Request) -> Response:
    asked_for = await request.json()

    async def tell() -> AsyncIterator[bytes]:
        yield STREAM[0]
        if asked_for["model"] == "endless":
            while True:
                yield event({"choices": [{"delta": {"content": "x" * 1000}}], "usage": USAGE})
                await asyncio.sleep(0.001)
        if asked_for["stream_options"]["include_usage"]:
            yield STREAM[2]
        yield STREAM[3]

    return StreamingResponse(tell(), media_type="text/event-stream")


async def embed(_: Request) -> Response:
    return JSONResponse({"model": "e", "usage": {"prompt_tokens": 4, "total_tokens": 4}})


@contextmanager
def serving(meter: Meter) -> Iterator[int]:
    """Run a metered gateway on a free port of loopback."""
    routes = [
        Route(CHAT, slow_stream, methods=["POST"]),
        Route("/v1/embeddings", embed, methods=["POST"]),
    ]
    app = Starlette(routes=routes)
    app.add_middleware(UsageMiddleware, meter=meter)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def posted(port: int, path: str, body: dict[str, Any]) -> socket.socket:
    text = json.dumps(body).encode()
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    connection.sendall(
        b"POST %b HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b"
        % (path.encode(), len(text), text)
    )
    return connection


def read_all(connection: socket.socket) -> bytes:
    with connection:
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def test_a_real_server_serves_as_before(meter: Meter, receiver: Receiver) -> None:
    with serving(meter) as port:
        stream = read_all(posted(port, CHAT, {"model": "m", "stream": True}))
        vectors = read_all(posted(port, "/v1/embeddings", {"model": "e", "input": "x"}))
    assert meter.flush()

    assert b"[DONE]" in stream
    assert vectors.endswith(b'"total_tokens":4}}')
    by_operation = {r["gen_ai.operation.name"]: r for r in receiver.accepted}
    assert by_operation["chat"]["gen_ai.usage.output_tokens"] == 20
    assert by_operation["embeddings"]["gen_ai.usage.input_tokens"] == 4
    assert not [r for r in receiver.accepted if "error.type" in r]


def test_a_real_client_that_leaves_in_mid_stream_is_metered(
    meter: Meter, receiver: Receiver
) -> None:
    with serving(meter) as port:
        connection = posted(port, CHAT, {"model": "endless", "stream": True})
        assert connection.recv(100)
        connection.close()
        receiver.wait_for(lambda r: bool(r.accepted))
    record = only(meter, receiver)

    assert record["error.type"] in {"client_disconnected", "cancelled"}
    assert record["gen_ai.usage.output_tokens"] == 20
    assert record["gen_ai.response.id"] == "c1"
