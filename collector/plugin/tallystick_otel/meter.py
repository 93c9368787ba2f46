"""Record attempts: from a gateway's thread to its outbox, and from there to the receiver.

Nothing that is called while a request runs raises: what goes wrong is counted, in ``dropped``
where an event is lost and in ``errors`` where our own code failed.
"""

import atexit
import logging
import os
import threading
import time
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Optional, Union

from opentelemetry import trace

from tallystick_otel.attempt import Attempt
from tallystick_otel.backlog import remove_delivered
from tallystick_otel.conventions import SCOPE
from tallystick_otel.delivery import Delivery
from tallystick_otel.instruments import observe
from tallystick_otel.otlp import Event, attempt_pairs, log_record
from tallystick_otel.outbox import Outbox
from tallystick_otel.post import Endpoint

REOPEN_SECONDS = 1.0
"""How often opening an outbox is tried again where the disk does not let us."""

_log = logging.getLogger("tallystick_otel")


@dataclass(frozen=True)
class Options:
    """What seldom needs another value."""

    outbox_bytes_max: int = 1024 * 1024 * 1024
    """How much may wait on disk, all processes together; beyond it events are dropped."""
    request_seconds: float = 30.0
    """How long one request to the receiver may take before it is sent again."""
    exit_seconds: float = 2.0
    """How long the end of the process waits for what is not delivered; it stays on disk."""
    compress: bool = True
    """Whether requests are compressed with gzip."""


def install(
    endpoint: str,
    folder: Union[str, Path],
    token: str = "",
    resource: Optional[Mapping[str, Any]] = None,
    options: Optional[Options] = None,
) -> "Meter":
    """Start metering this process, and return what records its attempts.

    Args:
        endpoint: the receiver's base address; events go to ``{endpoint}/v1/logs``.
        folder: a directory on a local disk that outlives the process. Processes may share it.
        token: the receiver's ingest key, if it asks for one.
        resource: what holds for all events, such as ``service.name`` and ``tallystick.pool``.
        options: limits, where the defaults do not fit.

    Raises:
        EndpointError: the address can never be one.
    """
    chosen = options or Options()
    headers = {"Authorization": f"Bearer {token}"} if token else {}

    def connect() -> Endpoint:
        return Endpoint(endpoint, headers, chosen.request_seconds, compress=chosen.compress)

    connect()  # a wrong address is told now, not from a thread
    said = {"service.name": "gateway", **(resource or {})}
    meter = Meter(Path(folder).absolute(), said, connect, chosen)
    meter.open()
    os.register_at_fork(after_in_child=_call_while_alive(meter.begin_anew_in_fork))
    atexit.register(_call_while_alive(meter.close))
    observe(meter)
    return meter


class Meter:
    """Records the attempts of one process, from any of its threads. Built by ``install``."""

    def __init__(
        self,
        folder: Path,
        resource: Mapping[str, Any],
        connect: Callable[[], Endpoint],
        options: Options,
    ) -> None:
        self.errors = 0
        """Failures of our own hooks; each may have cost an event or a part of one."""
        self._folder = folder
        self._resource = resource
        self._connect = connect
        self._options = options
        self._lock = threading.Lock()
        self._outbox: Optional[Outbox] = None
        self._delivery: Optional[Delivery] = None
        self._unnumbered = 0
        self._open_again_at = 0.0
        self._is_closed = False

    def record(self, attempt: Attempt, scope: str = SCOPE) -> bool:
        """Keep the event of an attempt that ended; whether it is kept. Never raises."""
        return self.keep(lambda: _event(attempt, scope))

    def keep(self, build: Callable[[], Event]) -> bool:
        """Write one event to the outbox; whether it is there. Never raises.

        When this returns true the event outlives a kill of the process; a power cut only after
        the background thread has synced it, within about a second.
        """
        try:
            record = log_record(build())
            outbox = self._outbox or self.open()
            if outbox is not None:
                return outbox.append(record)
        except Exception:  # a host's edge: a bug of ours must not cost it a request
            self.failed("recording an attempt")
        return self._drop()

    def open(self) -> Optional[Outbox]:
        """Begin an outbox, unless there is one; None while the disk does not allow it."""
        with self._lock:
            if self._outbox is None and not self._is_closed:
                self._try_to_open()
            return self._outbox

    def flush(self, seconds: float = 5.0) -> bool:
        """Wait until what was recorded is delivered; False where time ran out."""
        delivery = self._delivery
        return delivery is None or delivery.flush(seconds)

    def close(self, seconds: Optional[float] = None) -> None:
        """Deliver what can be delivered in time, and stop; the rest stays on disk. Never raises."""
        with self._lock:
            self._is_closed = True
            outbox, delivery = self._outbox, self._delivery
            self._outbox = None
        if outbox is None or delivery is None:
            return
        try:
            delivery.flush(self._options.exit_seconds if seconds is None else seconds)
            delivery.stop(1.0)
            outbox.close()
            remove_delivered(outbox.folder)
        except Exception:  # a host's edge, mostly its very end
            self.failed("closing")
        self._unnumbered += outbox.dropped

    def begin_anew_in_fork(self) -> None:
        """Let go of the parent's outbox: a fork is a producer of its own. Never raises."""
        outbox, delivery = self._outbox, self._delivery
        self._lock = threading.Lock()
        self._outbox = self._delivery = None
        self._unnumbered = self.errors = 0
        self._open_again_at = 0.0
        try:
            if outbox is not None and delivery is not None:
                delivery.forget()
                outbox.abandon()
        except Exception:  # a host's edge: its fork must succeed
            self.failed("forking")

    def failed(self, doing: str) -> None:
        """Count the exception being handled, and tell of it ever more rarely."""
        self.errors += 1
        if self.errors & (self.errors - 1) == 0:
            _log.warning("%s failed (error %d)", doing, self.errors, exc_info=True)

    @property
    def recorded(self) -> int:
        """Events of this process so far, dropped ones included."""
        outbox = self._outbox
        return outbox.sequence if outbox else self._unnumbered

    @property
    def dropped(self) -> int:
        """Events that are lost: the disk was full or away, or the outbox had no room."""
        outbox = self._outbox
        return outbox.dropped if outbox else self._unnumbered

    @property
    def delivered(self) -> int:
        """Events that the receiver has acknowledged, those of dead producers included."""
        return self._delivery.delivered if self._delivery else 0

    @property
    def refused(self) -> int:
        """Events that the receiver will never take; they lie in ``refused.lines``."""
        return self._delivery.refused if self._delivery else 0

    @property
    def failures(self) -> int:
        """Requests to the receiver that had to be sent again."""
        return self._delivery.failures if self._delivery else 0

    def _try_to_open(self) -> None:
        now = time.monotonic()
        if now < self._open_again_at:
            return
        self._open_again_at = now + REOPEN_SECONDS
        most = self._options.outbox_bytes_max
        outbox = None
        try:
            outbox = Outbox(self._folder, self._resource, most, self._unnumbered)
            delivery = Delivery(outbox, self._connect())
            delivery.start()
        except Exception:  # a host's edge: it must start with its disk full, too
            self.failed("opening the outbox")
            if outbox is not None:
                outbox.close()
            return
        self._outbox, self._delivery = outbox, delivery
        self._unnumbered = 0

    def _drop(self) -> bool:
        with self._lock:
            if self._outbox is not None:
                self._outbox.drop()
            else:
                self._unnumbered += 1
        return False


def _event(attempt: Attempt, scope: str) -> Event:
    """Return the event of an attempt, in the trace under way.

    The current span is the gateway's and not the call's, so only its trace is told: by a span id
    the receiver would take all attempts under it for one call.
    """
    ended = time.time_ns() if attempt.ended_ns is None else attempt.ended_ns
    current = trace.get_current_span().get_span_context()
    return Event(ended, attempt_pairs(attempt), scope, trace_id=current.trace_id)


def _call_while_alive(method: Callable[[], None]) -> Callable[[], None]:
    """Return a call of a method that does not keep its object alive."""
    weak = weakref.WeakMethod(method)

    def call() -> None:
        alive = weak()
        if alive is not None:
            alive()

    return call
