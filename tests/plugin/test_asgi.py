"""The ASGI middleware: one event per request, whatever becomes of it, and an untouched answer."""

import asyncio
import json
from typing import Any

import pytest
from plugin.gateway import CHAT, JSON, SSE, STREAM, USAGE, Message, answering, asked, event, only
from plugin.receiver import Receiver
from tallystick_otel.answer import Answer
from tallystick_otel.asgi import UsageMiddleware, Watch
from tallystick_otel.meter import Meter


def bodies(messages: list[Message]) -> list[bytes]:
    return [m["body"] for m in messages if m["type"] == "http.response.body" and m["body"]]


def test_an_answer_in_one_piece_is_metered(meter: Meter, receiver: Receiver) -> None:
    text = json.dumps({"id": "c1", "model": "m2", "usage": USAGE}).encode()
    watch = Watch(provider="openai", about=lambda _: {"tenant.id": "acme"})
    app = UsageMiddleware(answering(text[:9], text[9:]), meter, watch)
    headers = [(b"X-Request-Id", b"q1"), (b"x-stainless-retry-count", b"2")]
    messages = asked(app, {"model": "m", "n": 2}, headers=headers)
    record = only(meter, receiver)

    assert b"".join(bodies(messages)) == text
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m",
        "gen_ai.response.model": "m2",
        "gen_ai.response.id": "c1",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.request.stream": False,
        "gen_ai.request.choice.count": 2,
        "http.response.status_code": 200,
        "http.route": CHAT,
        "tenant.id": "acme",
        "tallystick.request.id": "q1",
        "tallystick.attempt": 2,
    }
    assert {name: record.get(name) for name in expected} == expected
    assert record["tallystick.duration_ns"] > 0
    assert "error.type" not in record
    assert "gen_ai.response.time_to_first_chunk" not in record


def test_a_stream_is_metered_and_passes_unchanged(meter: Meter, receiver: Receiver) -> None:
    app = UsageMiddleware(answering(*STREAM, headers=[SSE]), meter)
    messages = asked(app, {"model": "m", "stream": True})
    record = only(meter, receiver)

    assert bodies(messages) == STREAM
    assert record["gen_ai.usage.input_tokens"] == 100
    assert record["gen_ai.request.stream"] is True
    assert record["gen_ai.response.finish_reasons"] == ["stop"]
    assert (
        0 < record["gen_ai.response.time_to_first_chunk"] * 1e9 < record["tallystick.duration_ns"]
    )


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("/v1/completions", "text_completion"),
        ("/openai/deployments/x/chat/completions", "chat"),
        ("/v1/embeddings", "embeddings"),
        ("/v1/responses", "chat"),
        ("/v1/messages/", "chat"),
        ("/v2/rerank", "rerank"),
    ],
)
def test_model_routes_are_known_by_their_ending(
    meter: Meter, receiver: Receiver, path: str, operation: str
) -> None:
    asked(UsageMiddleware(answering(b"{}"), meter), path=path)

    assert only(meter, receiver)["gen_ai.operation.name"] == operation


def test_other_requests_pass_unseen(meter: Meter) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope, receive, send))

    middleware = UsageMiddleware(app, meter)
    for scope in (
        {"type": "http", "method": "GET", "path": CHAT},
        {"type": "http", "method": "POST", "path": "/v1/models"},
        {"type": "lifespan"},
        {"type": "websocket", "path": CHAT},
    ):
        asyncio.run(middleware(scope, None, None))  # type: ignore[arg-type]

        assert seen.pop() == (scope, None, None)
    assert meter.recorded == 0


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the request as the gateway saw it."""
    body = b""
    while True:
        message = await receive()
        body += message["body"]
        if not message.get("more_body"):
            break
    length = [value.decode() for name, value in scope["headers"] if name == b"content-length"]
    said = json.dumps({"body": body.decode("latin-1"), "length": length}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [JSON]})
    await send({"type": "http.response.body", "body": said})


def seen_by_gateway(meter: Meter, body: bytes, watch: Watch | None = None, **how: Any) -> str:
    headers = [(b"content-length", b"%d" % len(body))]
    messages = asked(UsageMiddleware(echo, meter, watch), body, headers=headers, **how)
    told = json.loads(bodies(messages)[0])
    assert told["length"] == [str(len(told["body"]))]
    return str(told["body"])


def test_a_stream_is_made_to_tell_its_usage(meter: Meter) -> None:
    sent = b'  { "model":"m", "stream": true,"temperature":1.0, "x":"\\u4f60" }\n'
    body = seen_by_gateway(meter, sent, cut=7)

    assert json.loads(body) == {**json.loads(sent), "stream_options": {"include_usage": True}}
    assert body.endswith('"model":"m", "stream": true,"temperature":1.0, "x":"\\u4f60" }\n')


@pytest.mark.parametrize("options", [None, {}, {"include_usage": False, "other": 1}, 5])
def test_other_stream_options_are_kept(meter: Meter, options: Any) -> None:
    sent = json.dumps({"stream": True, "stream_options": options}).encode()
    kept = options if isinstance(options, dict) else {}

    assert json.loads(seen_by_gateway(meter, sent)) == {
        "stream": True,
        "stream_options": {**kept, "include_usage": True},
    }


@pytest.mark.parametrize(
    ("sent", "how"),
    [
        (b'{"stream":true,"stream_options":{"include_usage":true}}', {}),
        (b'{"stream":false}', {}),
        (b'{"stream":"yes"}', {}),
        (b'{"stream":true}', {"path": "/v1/messages"}),
        (b'{"stream":true}', {"path": "/v1/responses"}),
        (b'{"stream":true}', {"watch": Watch(ask_for_usage=False)}),
        (b'{"stream":true,"pad":"xxxxxxxxxxxx"}', {"watch": Watch(question_bytes=20), "cut": 5}),
        (b"no json", {}),
        (b"", {}),
        ("{}".encode("utf-16"), {}),
        (b"[1]", {}),
    ],
)
def test_other_requests_are_not_touched(meter: Meter, sent: bytes, how: dict[str, Any]) -> None:
    assert seen_by_gateway(meter, sent, **how) == sent.decode("latin-1")


def test_usage_that_only_we_asked_for_can_be_taken_out_again(
    meter: Meter, receiver: Receiver
) -> None:
    app = UsageMiddleware(answering(*STREAM, headers=[SSE]), meter, Watch(strip_usage=True))
    messages = asked(app, {"stream": True})

    assert bodies(messages) == [STREAM[0], STREAM[1], STREAM[3]]
    assert messages[-1] == {"type": "http.response.body", "body": b""}
    assert only(meter, receiver)["gen_ai.usage.output_tokens"] == 20


def test_usage_that_the_client_asked_for_stays(meter: Meter) -> None:
    app = UsageMiddleware(answering(*STREAM, headers=[SSE]), meter, Watch(strip_usage=True))
    messages = asked(app, {"stream": True, "stream_options": {"include_usage": True}})

    assert bodies(messages) == STREAM


@pytest.mark.parametrize(
    "headers",
    [[(b"content-type", b"text/html")], [], [JSON, (b"content-encoding", b"br")]],
    ids=["html", "no type", "compressed as nobody can read"],
)
def test_what_cannot_be_read_passes_and_is_unknown(
    meter: Meter, receiver: Receiver, headers: list[tuple[bytes, bytes]]
) -> None:
    text = json.dumps({"usage": USAGE}).encode()
    messages = asked(UsageMiddleware(answering(text, headers=headers), meter))
    record = only(meter, receiver)

    assert bodies(messages) == [text]
    assert "gen_ai.usage.input_tokens" not in record
    assert record["http.response.status_code"] == 200


def test_a_refusal_is_told_with_its_reason(meter: Meter, receiver: Receiver) -> None:
    text = json.dumps({"error": {"type": "rate_limit_error"}}).encode()
    asked(UsageMiddleware(answering(text, status=429), meter))
    record = only(meter, receiver)

    assert (record["http.response.status_code"], record["error.type"]) == (429, "rate_limit_error")


def test_a_refusal_without_reason_is_told_by_its_status(meter: Meter, receiver: Receiver) -> None:
    asked(UsageMiddleware(answering(b"busy", status=503, headers=[]), meter))

    assert only(meter, receiver)["error.type"] == "503"


def test_a_gateway_that_fails_is_told_and_fails_as_before(meter: Meter, receiver: Receiver) -> None:
    async def failing(*_: Any) -> None:
        raise ConnectionRefusedError

    with pytest.raises(ConnectionRefusedError):
        asked(UsageMiddleware(failing, meter))

    assert only(meter, receiver)["error.type"] == "ConnectionRefusedError"


def test_a_gateway_that_stops_in_mid_answer_is_told(meter: Meter, receiver: Receiver) -> None:
    async def stopping(_: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [SSE]})
        await send({"type": "http.response.body", "body": STREAM[0], "more_body": True})

    asked(UsageMiddleware(stopping, meter))

    assert only(meter, receiver)["error.type"] == "incomplete"


def test_a_client_that_left_is_told_with_what_is_known(meter: Meter, receiver: Receiver) -> None:
    growing = event({"id": "c1", "choices": [{"delta": {"content": "a"}}], "usage": USAGE})

    async def left(_: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [SSE]})
        await send({"type": "http.response.body", "body": growing, "more_body": True})
        assert (await receive())["type"] == "http.disconnect"

    asked(UsageMiddleware(left, meter), {"stream": True})
    record = only(meter, receiver)

    assert record["error.type"] == "client_disconnected"
    assert record["http.response.status_code"] == 200
    assert record["gen_ai.usage.output_tokens"] == 20


def test_a_client_that_left_after_the_last_event_has_its_answer(
    meter: Meter, receiver: Receiver
) -> None:
    async def left(_: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [SSE]})
        await send({"type": "http.response.body", "body": b"".join(STREAM), "more_body": True})
        await receive()

    asked(UsageMiddleware(left, meter), {"stream": True})

    assert "error.type" not in only(meter, receiver)


def test_a_client_that_left_while_asking_is_told(meter: Meter, receiver: Receiver) -> None:
    async def patient(_: Any, receive: Any, __: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    async def receive() -> Message:
        if meter_asks:
            return {"type": "http.disconnect"}
        meter_asks.append(True)
        return {"type": "http.request", "body": b'{"model"', "more_body": True}

    meter_asks: list[bool] = []
    scope = {"type": "http", "method": "POST", "path": CHAT, "headers": []}
    asyncio.run(UsageMiddleware(patient, meter)(scope, receive, None))  # type: ignore[arg-type]

    assert only(meter, receiver)["error.type"] == "client_disconnected"


def test_a_client_that_cannot_be_sent_to_is_told(meter: Meter, receiver: Receiver) -> None:
    async def receive() -> Message:
        return {"type": "http.request", "body": b"{}"}

    async def send(_: Message) -> None:
        raise BrokenPipeError

    scope = {"type": "http", "method": "POST", "path": CHAT, "headers": []}
    with pytest.raises(BrokenPipeError):
        asyncio.run(UsageMiddleware(answering(*STREAM), meter)(scope, receive, send))

    assert only(meter, receiver)["error.type"] == "client_disconnected"


def test_a_cancelled_request_is_told(meter: Meter, receiver: Receiver) -> None:
    async def scenario() -> None:
        started = asyncio.Event()

        async def hanging(*_: Any) -> None:
            started.set()
            await asyncio.Event().wait()

        async def receive() -> Message:
            return {"type": "http.request", "body": b"{}"}

        scope = {"type": "http", "method": "POST", "path": CHAT, "headers": []}
        call = UsageMiddleware(hanging, meter)(scope, receive, None)  # type: ignore[arg-type]
        task = asyncio.ensure_future(call)
        await started.wait()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    asyncio.run(scenario())

    assert only(meter, receiver)["error.type"] == "cancelled"


def test_a_stream_that_we_fail_to_read_passes_whole(
    meter: Meter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("a bug")

    text = b"".join(STREAM)
    pieces = [text[n : n + 50] for n in range(0, len(text), 50)]
    gateway = answering(*pieces, headers=[SSE])
    app = UsageMiddleware(gateway, meter, Watch(strip_usage=True))
    monkeypatch.setattr(Answer, "read", fail)  # no stream is known that makes it fail
    messages = asked(app, {"stream": True})

    assert b"".join(bodies(messages)) == text
    assert meter.errors > 1
    assert meter.recorded == 1


def test_a_request_that_is_none_reaches_the_gateway(meter: Meter) -> None:
    seen: list[Message] = []

    async def app(_: Any, receive: Any, __: Any) -> None:
        seen.append(await receive())

    async def receive() -> Message:
        return {"type": "http.request", "body": 5}

    scope = {"type": "http", "method": "POST", "path": CHAT, "headers": []}
    asyncio.run(UsageMiddleware(app, meter)(scope, receive, None))  # type: ignore[arg-type]

    assert seen == [{"type": "http.request", "body": 5}]
    assert (meter.errors, meter.recorded) == (1, 1)


def test_an_error_of_ours_never_reaches_the_gateway(meter: Meter, receiver: Receiver) -> None:
    def about(_: Any) -> dict[str, str]:
        raise RuntimeError("no idea")

    async def odd(_: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [SSE]})
        await send({"type": "http.response.body", "body": 5, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    messages = asked(UsageMiddleware(odd, meter, Watch(about=about)))

    assert len(messages) == 3
    assert meter.errors == 2
    assert meter.flush()
    assert len(receiver.accepted) == 1
