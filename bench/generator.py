"""The load generator: a process of its own that sends bodies and times their acknowledgement.

bodies made beforehand -> arrivals, each due at an instant -> lanes -> latencies
"""

import asyncio
import multiprocessing
import time
import zlib
from collections.abc import Iterator
from itertools import count, islice
from multiprocessing.connection import Connection
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np
import uvloop

from bench.lanes import BusyError, Lane, Target, Transport, lanes
from bench.traffic import Traffic

RETRY_AFTER_SECONDS = 1.0
"""What the service says with each such refusal."""


class Load(NamedTuple):
    """What is sent in one run."""

    target: Target
    size: int
    """Spans in a request."""
    requests: int
    lanes: int
    """Requests under way at most."""
    per_second: float = 0
    """Requests that are due in a second, answered or not; 0 for as many as are answered."""
    is_made_beforehand: bool = True


class Outcome(NamedTuple):
    """What came of a run."""

    spans: int
    seconds: float
    """From the first request to the last acknowledgement."""
    latencies_ms: list[float]
    """From when a request was due to its acknowledgement."""
    sent_again: int
    """How often the service was too busy and asked for that."""
    cpu_seconds: float
    """Processor time that the generator took."""

    @property
    def spans_per_second(self) -> float:
        """How many spans were acknowledged in a second."""
        return self.spans / self.seconds

    def latency_ms(self, percentile: float) -> float:
        """Return what so many of a hundred requests did not exceed."""
        return round(float(np.percentile(self.latencies_ms, percentile)), 1)


class Generator:
    """A generator that waits for loads."""

    def __init__(self) -> None:
        """Start its process, without anything of this one's."""
        context = multiprocessing.get_context("spawn")
        self._near, far = context.Pipe()
        self._process = context.Process(target=_serve, args=(far,), daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.join()

    def prepare(self, load: Load) -> None:
        """Make the bodies and connect; nothing is sent."""
        self._near.send(load)
        self._near.recv()

    def begin(self) -> None:
        """Send what was prepared."""
        self._near.send("begin")

    def wait(self) -> Outcome:
        """Return what came of it, when all is acknowledged.

        Raises:
            EOFError: something was not; the generator's process said what.
        """
        outcome = self._near.recv()
        assert isinstance(outcome, Outcome)
        return outcome

    @property
    def is_under_way(self) -> bool:
        """Whether there is nothing to wait for yet."""
        return not self._near.poll() and self._process.is_alive()


def _serve(connection: Connection) -> None:
    traffic = Traffic(time.time_ns())
    uvloop.install()
    while True:
        load = connection.recv()
        asyncio.run(_run(load, traffic, connection))


async def _run(load: Load, traffic: Traffic, connection: Connection) -> None:
    made = islice(_compressed(load, traffic.bodies(load.size, time.time_ns)), load.requests)
    bodies = iter(list(made)) if load.is_made_beforehand else made
    ready = await lanes(load.target, load.lanes)
    connection.send("ready")
    connection.recv()
    cpu, began = time.process_time(), time.perf_counter()
    arrivals = zip(_due(load, began), bodies, strict=False)
    sent = await asyncio.gather(*(_send(lane, arrivals) for lane in ready))
    seconds = time.perf_counter() - began
    connection.send(
        Outcome(
            spans=load.requests * load.size,
            seconds=seconds,
            latencies_ms=[one for latencies, _ in sent for one in latencies],
            sent_again=sum(times for _, times in sent),
            cpu_seconds=time.process_time() - cpu,
        )
    )


def _due(load: Load, began: float) -> Iterator[float]:
    """Yield when each request is due: at even distances, or whenever a lane asks for one."""
    for number in count():
        yield began + number / load.per_second if load.per_second else time.perf_counter()


async def _send(lane: Lane, arrivals: Iterator[tuple[float, bytes]]) -> tuple[list[float], int]:
    """Take the next arrival, wait until it is due, send it; what comes late counts as late.

    Returns latencies, and how often a body was sent again because the service was busy.
    """
    latencies, again = [], 0
    for due, body in arrivals:
        await asyncio.sleep(max(due - time.perf_counter(), 0))
        while await _is_refused(lane, body):
            again += 1
            await asyncio.sleep(RETRY_AFTER_SECONDS)
        latencies.append(1000 * (time.perf_counter() - due))
    return latencies, again


async def _is_refused(lane: Lane, body: bytes) -> bool:
    try:
        await lane(body)
    except BusyError:
        return True
    return False


def _compressed(load: Load, bodies: Iterator[bytes]) -> Iterator[bytes]:
    """Compress for HTTP; gRPC compresses by itself."""
    is_gzip = load.target.is_gzip and load.target.transport is Transport.HTTP
    return (_gzip(body) for body in bodies) if is_gzip else bodies


def _gzip(body: bytes) -> bytes:
    return zlib.compress(body, wbits=16 + zlib.MAX_WBITS)
