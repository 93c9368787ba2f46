"""What every transport does with a body: inflate, decode, commit; acknowledged when on disk.

body -> inflate -> decode -> usage events -> commit (fsync) -> acknowledged
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import NamedTuple

import structlog

from collector.inflate import (
    BadCompressionError,
    BodyTooLargeError,
    UnknownEncodingError,
    inflate,
)
from collector.normalise import TooManyDaysError, check_days, usage_events
from collector.otlp import Encoding, MalformedBodyError, Signal, TooManyRecordsError, decode
from metering.event import UsageEvent

Submit = Callable[[Sequence[UsageEvent]], "Future[int]"]
Allowed = Callable[[str], None]
"""Takes the Authorization header; raises NotAllowedError where it may not write."""

DECODING_AT_ONCE = 2
"""Bodies that are inflated and decoded at a time: each may take many times its size in memory."""

_log = structlog.get_logger("collector")


class Refusal(NamedTuple):
    """An answer other than success: HTTP status and google.rpc code, which is gRPC's too."""

    status: int
    code: int


class Receiver:
    """One commit queue behind any number of transports."""

    def __init__(self, submit: Submit, allowed: Allowed, limit: int) -> None:
        """Commit through ``submit``; bodies are at most ``limit`` bytes once inflated."""
        self._submit = submit
        self.allowed = allowed
        self.limit = limit
        self._decoding = asyncio.Semaphore(DECODING_AT_ONCE)

    async def take(self, body: bytes, compression: str, signal: Signal, encoding: Encoding) -> None:
        """Return when every usage event of the body is on disk.

        Raises:
            Exception: ``refusal_of`` says how to answer it; nothing was acknowledged.
        """
        async with self._decoding:
            events = await asyncio.to_thread(self._events, body, compression, signal, encoding)
        if events:
            await asyncio.wrap_future(self._submit(events))

    def _events(
        self, body: bytes, compression: str, signal: Signal, encoding: Encoding
    ) -> list[UsageEvent]:
        plain = inflate(body, compression, self.limit)
        events, rejected = usage_events(decode(plain, signal, encoding))
        for one in rejected:
            _log.warning(
                "record_rejected",
                reason=one.reason,
                scope=one.record.scope,
                trace_id=one.record.trace_id.hex(),
                span_id=one.record.span_id.hex(),
            )
        check_days(events)
        return events


def refusal_of(error: Exception) -> tuple[Refusal, str]:
    """Return how to answer an error, and the sentence to say.

    Whatever is not the sender's fault is logged and can be sent again: an answer that clients do
    not retry, as 500 is, would lose the batch.
    """
    refusal = next((r for kind, r in REFUSALS if isinstance(error, kind)), UNAVAILABLE)
    if refusal is not UNAVAILABLE:
        return refusal, str(error)
    _log.error("receive_failed", kind=type(error).__name__, error=str(error))
    return refusal, "the service must store the request, found a fault of its own: send it again"


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


UNAVAILABLE = Refusal(503, 14)
REFUSALS: tuple[tuple[type[Exception], Refusal], ...] = (
    (BodyTooLargeError, Refusal(413, 8)),
    (TooManyRecordsError, Refusal(413, 8)),
    (UnknownEncodingError, Refusal(415, 3)),
    (UnknownContentTypeError, Refusal(415, 3)),
    (MalformedBodyError, Refusal(400, 3)),
    (BadCompressionError, Refusal(400, 3)),
    (TooManyDaysError, Refusal(400, 3)),
    (NotAllowedError, Refusal(401, 16)),
)
"""The sender's faults. None of them is retried."""
