"""ASGI middleware: one event per request at a model route, whatever becomes of the answer.

Belongs inside whatever authenticates: it reads the request before the gateway asks for it.

request -> read, and made to ask for usage -> the gateway -> answer, read as it passes -> Attempt

Source: https://asgi.readthedocs.io/en/latest/specs/www.html
"""

import time
from collections.abc import Awaitable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

from tallystick_otel.answer import Answer
from tallystick_otel.attempt import Attempt
from tallystick_otel.conventions import CANCELLED, CLIENT_GONE, ROUTE
from tallystick_otel.meter import Meter
from tallystick_otel.question import (
    ASKING,
    OPERATIONS,
    Question,
    header,
    operation_of,
    question_of,
)
from tallystick_otel.sieve import UsageSieve
from tallystick_otel.stream import COMPRESSIONS, EventStream, Inflated, Whole

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def nobody(_: Scope) -> Mapping[str, str]:
    """Tell nothing about who asks."""
    return {}


@dataclass(frozen=True)
class Watch:
    """What is metered, and how."""

    operations: Mapping[str, str] = field(default_factory=OPERATIONS.copy)
    """How the path of a model call ends -> its operation."""
    about: Callable[[Scope], Mapping[str, str]] = nobody
    """Who asks: attributes such as ``tenant.id``, from the scope as the gateway left it."""
    provider: Optional[str] = None
    ask_for_usage: bool = True
    """Whether streams are made to tell their usage where the client did not ask for it."""
    strip_usage: bool = False
    """Whether usage that only we asked for is taken out of the stream again."""
    question_bytes: int = 16 * 1024 * 1024
    """Larger requests pass unread."""


class UsageMiddleware:
    """Wraps a gateway: ``UsageMiddleware(app, meter)``. Its own errors never reach the gateway."""

    def __init__(self, app: App, meter: Meter, watch: Optional[Watch] = None) -> None:
        self._app = app
        self._meter = meter
        self._watch = watch or Watch()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; only POST requests to model routes are looked at."""
        is_post = scope["type"] == "http" and scope.get("method") == "POST"
        path = str(scope.get("path")) if is_post else ""
        operation = operation_of(path, self._watch.operations)
        if operation is None:
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(self._meter, self._watch, scope, operation)
        try:
            scope, receive = await exchange.ask(scope, receive)
            await self._app(scope, receive, exchange.answering(send))
        except BaseException as error:
            exchange.broke_off(error)
            raise
        finally:
            exchange.record(scope)


class _Exchange:
    """One request and its answer."""

    def __init__(self, meter: Meter, watch: Watch, scope: Scope, operation: str) -> None:
        self._meter = meter
        self._watch = watch
        self._began = time.perf_counter_ns()
        self._attempt = Attempt(operation, watch.provider)
        self._asks = str(scope["path"]).rstrip("/").endswith(ASKING)
        self._answer = Answer()
        self._reader: Any = None
        self._sieve: Optional[UsageSieve] = None
        self._only_we_asked = False
        self._is_complete = False
        self._client_left = False
        self._error: Optional[str] = None

    async def ask(self, scope: Scope, receive: Receive) -> tuple[Scope, Receive]:
        """Read the request, and return it as the gateway shall see it."""
        messages = [await receive()]
        size = _size(messages[0])
        while messages[-1].get("more_body") and size <= self._watch.question_bytes:
            messages.append(await receive())
            size += _size(messages[-1])
        is_read = messages[-1]["type"] == "http.request" and not messages[-1].get("more_body")
        if is_read and size <= self._watch.question_bytes:
            try:
                scope, messages = self._asked(scope, messages)
            except Exception:  # a host's edge
                self._meter.failed("reading a request")
        return scope, self._replaying(messages, receive)

    def answering(self, send: Send) -> Send:
        """Return a ``send`` that reads the answer as it passes."""

        async def read_and_send(message: Message) -> None:
            try:
                passed: Optional[Message] = self._read(message)
            except Exception:  # a host's edge
                self._meter.failed("reading an answer")
                passed = self._as_it_came(message)
            if passed is None:
                return
            try:
                await send(passed)
            except OSError:
                self._client_left = True
                raise
            if message["type"] == "http.response.body" and not message.get("more_body"):
                self._is_complete = True

        return read_and_send

    def broke_off(self, error: BaseException) -> None:
        """Note why the gateway did not finish."""
        is_cancelled = not isinstance(error, Exception)
        self._error = CANCELLED if is_cancelled else type(error).__qualname__

    def record(self, scope: Scope) -> None:
        """Record the attempt as it stands: complete, cut short, or never answered."""
        try:
            self._fill_in(scope)
        except Exception:  # a host's edge
            self._meter.failed("reading an exchange")
        self._meter.record(self._attempt)

    def _asked(self, scope: Scope, messages: list[Message]) -> tuple[Scope, list[Message]]:
        question = question_of(b"".join(message.get("body", b"") for message in messages))
        question.tell(self._attempt)
        could_ask = self._watch.ask_for_usage and self._asks and self._attempt.stream
        self._only_we_asked = bool(could_ask) and not question.tells_usage
        return _with_body(scope, question) if self._only_we_asked else (scope, messages)

    def _replaying(self, messages: list[Message], receive: Receive) -> Receive:
        """Return a ``receive`` that hands out what was read, and then what else comes."""
        waiting = iter(messages)

        async def replay() -> Message:
            message = next(waiting, None)
            if message is None:
                message = await receive()
            if message["type"] == "http.disconnect" and not self._is_complete:
                self._client_left = True
            return message

        return replay

    def _read(self, message: Message) -> Optional[Message]:
        """Read a message of the answer; return it as it shall pass, or None for nothing."""
        if message["type"] == "http.response.start":
            self._begin_answer(message)
            return message
        if message["type"] != "http.response.body" or self._reader is None:
            return message
        body = message.get("body", b"")
        self._reader.feed(body)
        if self._answer.has_content and self._attempt.ttft_seconds is None:
            self._attempt.ttft_seconds = self._elapsed() / 1e9
        if self._sieve is None:
            return message
        more = bool(message.get("more_body"))
        passed = self._sieve.feed(body) + (b"" if more else self._sieve.rest())
        return {**message, "body": passed} if passed or not more else None

    def _as_it_came(self, message: Message) -> Message:
        """Return a message that we failed to read, behind what the sieve still held."""
        sieve, self._sieve = self._sieve, None
        held = sieve.rest() if sieve else b""
        return {**message, "body": held + message.get("body", b"")} if held else message

    def _begin_answer(self, message: Message) -> None:
        headers = message.get("headers", ())
        self._attempt.status_code = message["status"]
        self._attempt.request_id = header(headers, b"x-request-id", b"request-id")
        compression = (header(headers, b"content-encoding") or "identity").strip().lower()
        if compression not in {"identity", *COMPRESSIONS}:
            return  # by whom we wrap: it passes uncounted, and is known as unknown
        kind = (header(headers, b"content-type") or "").partition(";")[0].strip().lower()
        if kind == "text/event-stream":
            self._reader = EventStream(self._answer)
            if self._only_we_asked and self._watch.strip_usage and compression == "identity":
                self._sieve = UsageSieve()
        elif kind.endswith("json"):
            self._reader = Whole(self._answer)
        if self._reader is not None and compression != "identity":
            self._reader = Inflated(self._reader)

    def _fill_in(self, scope: Scope) -> None:
        attempt = self._attempt
        attempt.duration_ns = self._elapsed()
        if self._reader is not None:
            self._reader.end()
        self._answer.tell(attempt)
        headers = scope.get("headers", ())
        attempt.request_id = header(headers, b"x-request-id") or attempt.request_id
        resends = header(headers, b"x-stainless-retry-count")  # what OpenAI's clients send
        attempt.resends = int(resends) if resends and resends.isdecimal() else None
        if not (self._is_complete or self._answer.is_finished):
            attempt.error_type = self._why_incomplete()
        elif attempt.status_code is not None and attempt.status_code >= _BAD:
            attempt.error_type = attempt.error_type or str(attempt.status_code)
        attempt.about = {ROUTE: scope["path"], **self._watch.about(scope)}

    def _why_incomplete(self) -> str:
        if self._client_left:
            return CLIENT_GONE
        return self._error or self._answer.error_type or "incomplete"

    def _elapsed(self) -> int:
        return time.perf_counter_ns() - self._began


def _with_body(scope: Scope, question: Question) -> tuple[Scope, list[Message]]:
    """Return the request with a body that asks for usage, and with its new length."""
    body = question.asking_for_usage()
    headers = [
        (name, b"%d" % len(body) if name.lower() == b"content-length" else value)
        for name, value in scope["headers"]
    ]
    return {**scope, "headers": headers}, [{"type": "http.request", "body": body}]


def _size(message: Message) -> int:
    body = message.get("body")
    return len(body) if isinstance(body, bytes) else 0


_BAD = 400
