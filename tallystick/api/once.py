"""POST requests that carry an Idempotency-Key are carried out once, however often they are sent.

Only what was done is kept: a refused request changed nothing, so it may be mended and sent again.
A service that ends between doing and keeping carries the request out anew when it comes again;
then the ids in its body keep it from counting twice.

Source: draft-ietf-httpapi-idempotency-key-header-07
"""

import asyncio
import hashlib
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tallystick.api.errors import our_fault
from tallystick.api.once_store import Answer, KeyReusedError, OnceStore, StillRunningError
from tallystick.api.problem import Fault, Problem
from tallystick.role import COLLECTED

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
MAX_ANSWER_BYTES = 16 * 1024 * 1024
"""A longer answer is not kept: sent again, the request is carried out again."""

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class Once:
    """Answers a request that it has seen before as it was answered then."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        store: OnceStore,
        now: Callable[[], datetime],
        max_body_bytes: int,
        is_allowed: Callable[[str], bool],
    ) -> None:
        """``is_allowed`` says of an Authorization header whether its request may be remembered."""
        self._app = app
        self._store = store
        self._now = now
        self._max_body_bytes = max_body_bytes
        self._is_allowed = is_allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what carries no key; else claim the key, answer, and keep the answer."""
        key = _key_of(scope)
        if key is None or not self._is_allowed(Request(scope).headers.get("authorization", "")):
            await self._app(scope, receive, send)
            return
        if not _KEY.fullmatch(key):
            await _bad_key(key)(scope, receive, send)
            return
        body = await _whole(receive, self._max_body_bytes)
        if body is None:
            await Problem(413, f"a request must have at most {self._max_body_bytes} bytes")(
                scope, receive, send
            )
            return
        try:
            known = await asyncio.to_thread(
                self._store.begin, key, _fingerprint(scope, body), self._now()
            )
        except Exception as error:  # noqa: BLE001 - the edge of the service
            await _refused(error)(scope, receive, send)
            return
        if known:
            answer = Response(known.body, known.status, {REPLAYED: "true"}, known.media_type)
            await answer(scope, receive, send)
            return
        await self._carry_out(key, body, (scope, receive, send))

    async def _carry_out(self, key: str, body: bytes, call: tuple[Scope, Receive, Send]) -> None:
        scope, receive, send = call
        kept = _Kept(send)
        try:
            await self._app(scope, _again(body, receive), kept)
        finally:
            answer = kept.answer()
            if answer:
                await asyncio.to_thread(self._store.finish, key, answer)
            else:
                await asyncio.to_thread(self._store.forget, key)
            await kept.pass_on()


class _Kept:
    """Holds an answer back until it is kept, so that no client has one that is not."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._messages: list[Message] = []

    async def __call__(self, message: Message) -> None:
        self._messages.append(message)

    def answer(self) -> Answer | None:
        """Return the answer, if the request was carried out and it is not too long."""
        start = next((m for m in self._messages if m["type"] == "http.response.start"), None)
        if start is None or not 200 <= start["status"] < 300:
            return None
        body = b"".join(m.get("body", b"") for m in self._messages)
        headers = dict(start["headers"])
        media_type = headers.get(b"content-type", b"").decode("latin-1")
        is_short = len(body) <= MAX_ANSWER_BYTES
        return Answer(start["status"], media_type, body) if is_short else None

    async def pass_on(self) -> None:
        """Send what was held back."""
        for message in self._messages:
            await self._send(message)


def _key_of(scope: Scope) -> str | None:
    if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] in COLLECTED:
        return None
    return Request(scope).headers.get(HEADER)


def _fingerprint(scope: Scope, body: bytes) -> str:
    told = (scope["path"].encode(), scope["query_string"], body)
    return hashlib.sha256(b"".join(b"%d:%s" % (len(one), one) for one in told)).hexdigest()


async def _whole(receive: Receive, most: int) -> bytes | None:
    """Return a request's body, or nothing if it is longer than it may be."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > most:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """Return a channel on which a body that was read comes once more."""
    waiting: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def read() -> Message:
        return waiting.pop() if waiting else await receive()

    return read


def _bad_key(key: str) -> Problem:
    detail = f"{HEADER} must be 1 to 255 visible ASCII characters, found {key[:80]!r}"
    return Problem(422, detail, kind="bad-key", faults=[Fault(HEADER, detail)])


def _refused(error: Exception) -> Problem:
    if isinstance(error, KeyReusedError):
        return Problem(422, str(error), kind="key-reused", faults=[Fault(HEADER, str(error))])
    if isinstance(error, StillRunningError):
        return Problem(409, str(error), kind="still-running", headers={"Retry-After": "1"})
    return our_fault(error)
