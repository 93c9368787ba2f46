"""What every transport does with a body: inflate, decode, commit; acknowledged when on disk.

body -> inflate -> decode -> usage events -> commit (fsync) -> acknowledged
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import NamedTuple

import structlog

from collector.batch.fast import Decoded, FastDecoder
from collector.bodies import Bodies, NoBodyRoomError, SlowBodyError
from collector.bundle import SMALL_BODY, Bundler, Sent, Work
from collector.dialect.normalise import EARLIEST_NS, Rejected, TooManyDaysError
from collector.dialect.reading import MAX_TEXT
from collector.inflate import (
    BadCompressionError,
    BodyTooLargeError,
    UnknownEncodingError,
    inflate,
)
from collector.logs.cloudevents import MalformedEventError
from collector.otlp import (
    Encoding,
    MalformedBodyError,
    Record,
    Signal,
    TooManyPartsError,
    TooManyRecordsError,
)
from collector.otlp_metrics import decode_metrics
from collector.slots import Slots
from collector.trouble import Trouble
from collector.workers.engines import Heard, Vocabulary
from metering.event import MAX_INSTANT_NS
from metering.keeping.space import NoRoomError
from metering.quarantine import Quarantined
from metering.schema import Batch
from metering.signal import Reading

Submit = Callable[[Batch], "Future[int]"]
Decode = Callable[[bytes], list[Record]]
Allowed = Callable[[str], None]
"""Takes the Authorization header; raises NotAllowedError where it may not write."""

DECODING_AT_ONCE = 2
"""Bodies that are inflated and decoded at a time: each may take many times its size in memory."""

MAX_LEFT_OUT = 1000
"""Names of metrics left out that are told apart; clients choose them."""
MAX_NAME = 200
"""Characters of such a name that are kept."""

DAY_NS = 86_400_000_000_000
_LONGEST_ID = 32

_log = structlog.get_logger("collector")


class ForMetrics(NamedTuple):
    """What is done with metrics: the names that are understood, and where readings go."""

    words: Vocabulary
    submit: Callable[[Sequence[Reading]], "Future[int]"]


class Sinks(NamedTuple):
    """Where usage events go, and what is set aside; each future is done when all is on disk."""

    events: Submit
    quarantine: Callable[[Sequence[Quarantined]], "Future[int]"]
    metrics: ForMetrics | None = None


class Limits(NamedTuple):
    """The largest body, and the clock that tells which events end in the future."""

    body_bytes: int
    now_ns: Callable[[], int]


class Refusal(NamedTuple):
    """An answer other than success: HTTP status and google.rpc code, which is gRPC's too."""

    status: int
    code: int


class Receiver:
    """One commit queue behind any number of transports."""

    def __init__(
        self, sinks: Sinks, decoder: FastDecoder, allowed: Allowed, limits: Limits
    ) -> None:
        """Decode with ``decoder`` and commit to ``sinks``."""
        self._sinks = sinks
        self._decoder = decoder
        self._limits = limits
        self._left_out: Counter[str] = Counter()
        self._trouble = Trouble()
        self.allowed = allowed
        self.bodies = Bodies(limits.body_bytes)
        self._decoding = Slots(DECODING_AT_ONCE)
        work = Work(self._decoded, _small, self._together, self._keep)
        self._bundler = Bundler(work, self._decoding, DECODING_AT_ONCE)

    @property
    def limit(self) -> int:
        """Bytes that a body may have, as sent and once inflated."""
        return self._limits.body_bytes

    async def take(self, body: bytes, compression: str, signal: Signal, encoding: Encoding) -> None:
        """Return when every usage event, or reading, of the body is on disk.

        Raises:
            Exception: ``refused`` says how to answer it; nothing was acknowledged.
        """
        if signal is Signal.METRICS and self._sinks.metrics:
            await self._take_metrics(body, compression, encoding, self._sinks.metrics)
            return

        await self._bundler.take(Sent(body, compression, signal, encoding))

    async def take_decoded(self, body: bytes, compression: str, decode: Decode) -> None:
        """Return when every usage event of a body in another shape than OTLP is on disk.

        Raises:
            Exception: as ``take``; what ``decode`` raises must stand in ``REFUSALS``.
        """

        def decoded() -> Decoded:
            records = decode(inflate(body, compression, self.limit))
            return self._decoder.normalised(records, self._bounds())

        await self._keep(await self._decoding.run(decoded))

    def _decoded(self, sent: Sent) -> Decoded:
        plain = inflate(sent.body, sent.compression, self.limit)
        return self._decoder.decode(plain, sent.signal, sent.encoding, self._bounds())

    def _together(self, bodies: Sequence[bytes], signal: Signal) -> Decoded | None:
        return self._decoder.decode_together(bodies, signal, self._bounds())

    async def _keep(self, found: Decoded) -> None:
        """Store events, and set aside what could not become one."""
        done = [self._sinks.events(found.batch)] if len(found.batch) else []
        if found.rejected:
            aside = [_set_aside(one) for one in found.rejected]
            _log.warning("records_set_aside", count=len(aside), reason=aside[0].reason)
            done.append(self._sinks.quarantine(aside))
        await self._stored(done)

    async def _stored(self, done: Sequence["Future[int]"]) -> None:
        """Wait until all is on disk, and say so where it was refused before."""
        for one in done:
            await asyncio.wrap_future(one)
        if done and (refused := self._trouble.ended()):
            _log.info("receiving_again", refused=refused)

    def refused(self, error: Exception) -> tuple[Refusal, str]:
        """Return how to answer an error, as ``refusal_of``; faults of our own are logged.

        Of each kind the first is, until something is stored again: clients resend, and a full disk
        would fill the log as well.
        """
        refusal, sentence = refusal_of(error)
        kind = type(error).__name__
        if refusal is UNAVAILABLE and self._trouble.is_new(kind):
            _log.error("receive_failed", kind=kind, error=str(error))
        return refusal, sentence

    def _bounds(self) -> tuple[int, int]:
        """Return between which instants an event may end: a day ahead is a clock that is wrong."""
        return EARLIEST_NS, min(self._limits.now_ns() + DAY_NS, MAX_INSTANT_NS)

    @property
    def left_out(self) -> Mapping[str, int]:
        """Points received of metrics that nothing understands, by metric, since the start."""
        return dict(self._left_out)

    async def _take_metrics(
        self, body: bytes, compression: str, encoding: Encoding, metrics: ForMetrics
    ) -> None:
        def heard_of() -> Heard:
            plain = inflate(body, compression, self.limit)
            return decode_metrics(plain, encoding, metrics.words, self._bounds())

        heard = await self._decoding.run(heard_of)
        for full_name, count in heard.unknown.items():
            name = full_name[:MAX_NAME]
            is_room = name in self._left_out or len(self._left_out) < MAX_LEFT_OUT
            self._left_out[name if is_room else "(other)"] += count
        if heard.readings:
            await self._stored([metrics.submit(heard.readings)])


def _small(sent: Sent) -> bytes | None:
    """Return a body as it was before compression, if that is sound and small."""
    try:
        return inflate(sent.body, sent.compression, SMALL_BODY)
    except ValueError:
        return None


def _set_aside(rejected: Rejected) -> Quarantined:
    record = rejected.record
    return Quarantined(
        reason=rejected.reason,
        service=rejected.service,
        scope=record.scope[:MAX_TEXT],
        name=record.name[:MAX_TEXT],
        trace_id=record.trace_id[:_LONGEST_ID],
        span_id=record.span_id[:_LONGEST_ID],
        ended_at=record.ended_at,
    )


def refusal_of(error: Exception) -> tuple[Refusal, str]:
    """Return how to answer an error, and the sentence to say.

    Whatever is not the sender's fault can be sent again: an answer that clients do not retry, as
    500 is, would lose the batch.
    """
    refusal = next((r for kind, r in REFUSALS if isinstance(error, kind)), UNAVAILABLE)
    if refusal is not UNAVAILABLE or isinstance(error, _TOLD):
        return refusal, str(error)
    return refusal, "the service must store the request, found a fault of its own: send it again"


class NotAllowedError(PermissionError):
    """A request without the key that it needs."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"the request must carry the {what} as a bearer token, found none or another"
        )


class UnknownContentTypeError(ValueError):
    """A body of another kind than its path takes: by default OTLP's two encodings."""

    def __init__(self, found: str, wanted: Iterable[str] = Encoding) -> None:
        super().__init__(f"the Content-Type must be {' or '.join(wanted)}, found {found!r}")


UNAVAILABLE = Refusal(503, 14)
REFUSALS: tuple[tuple[type[Exception], Refusal], ...] = (
    (BodyTooLargeError, Refusal(413, 8)),
    (TooManyRecordsError, Refusal(413, 8)),
    (TooManyPartsError, Refusal(413, 8)),
    (UnknownEncodingError, Refusal(415, 3)),
    (UnknownContentTypeError, Refusal(415, 3)),
    (MalformedBodyError, Refusal(400, 3)),
    (MalformedEventError, Refusal(400, 3)),
    (BadCompressionError, Refusal(400, 3)),
    (TooManyDaysError, Refusal(400, 3)),
    (NotAllowedError, Refusal(401, 16)),
)
"""The sender's faults. None of them is retried."""
_TOLD = (NoRoomError, NoBodyRoomError, SlowBodyError)
"""What keeps us from taking a body now, and may be told to its sender."""
