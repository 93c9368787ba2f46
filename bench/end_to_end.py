"""From a client's socket to the disk: rates with every kind of request, and waits at half of them.

The load generator runs on the same cores; each rate stands beside protobuf's own parser, measured
right before and right after it.
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import NamedTuple

from bench.decoding import FAST_BODIES, SIZE, yardstick
from bench.figure import Entry, at_least, at_most, median
from bench.generator import Generator, Load, Outcome
from bench.lanes import Transport
from bench.payload import bodies
from bench.running import Running

SPANS = {1: 2_000, 200: 100_000, 1000: 200_000}
"""Spans in a request -> spans in a run: some seconds each."""
LANES = {1: 256, 200: 100, 1000: 40}
"""Requests under way at a time: more of them where each is small, as from more gateways."""
PATIENT_LANES = 256
"""Where arrivals are due at instants, there is nearly always a free lane."""
HALF = 0.5
WARM_UP = 8


class Kind(NamedTuple):
    """A kind of request."""

    transport: Transport
    size: int
    is_gzip: bool

    @property
    def label(self) -> str:
        """Name it in the report."""
        return f"{self.transport}_{self.size}{'_gzip' if self.is_gzip else ''}"


KINDS = [Kind(t, size, is_gzip) for t in Transport for size in SPANS for is_gzip in (False, True)]
BIG = Kind(Transport.HTTP, SIZE, is_gzip=False)
BIG_GZIP = BIG._replace(is_gzip=True)
WAITED_FOR = [BIG, BIG._replace(size=1), BIG._replace(transport=Transport.GRPC)]


class Found(NamedTuple):
    """One run of one kind."""

    rate: float
    ratio: float
    service_us: float
    """Processor time of the service for each span, in microseconds."""
    generator_us: float


class Effort(NamedTuple):
    """How much is measured."""

    runs: int
    share: float
    """Part of ``SPANS`` that a run sends."""
    waiting_seconds: float
    waited_for: int
    """How many of ``WAITED_FOR``."""


def end_to_end(generator: Generator, effort: Effort) -> Entry:
    """Return spans per second, made durable, of each kind of request, and how long they wait."""
    found: dict[Kind, list[Found]] = defaultdict(list)
    read = list(islice(bodies(SIZE), FAST_BODIES))
    for _ in range(effort.runs):
        with _service(generator) as service:
            for kind in KINDS:
                found[kind].append(_run(generator, service, kind, (read, effort.share)))
    rates = {kind: median(one.rate for one in runs) for kind, runs in found.items()}
    return {
        "runs_each": effort.runs,
        "rates": {kind.label: _summary(runs) for kind, runs in found.items()},
        "durable_to_FromString": at_least(0.15, median((f.ratio for f in found[BIG]), 3)),
        "gzip_to_plain": at_least(0.5, round(rates[BIG_GZIP] / rates[BIG], 2)),
        "acknowledged_at_half_rate": _waits(generator, rates, effort),
    }


@contextmanager
def _service(generator: Generator) -> Iterator[Running]:
    """Start a fresh service that has seen each kind of request."""
    with TemporaryDirectory() as folder, Running(Path(folder)) as service:
        for kind in KINDS:
            _send(generator, load_of(service, kind, WARM_UP))
        yield service


def load_of(service: Running, kind: Kind, requests: int) -> Load:
    """Return as many requests of a kind, sent as fast as they are answered."""
    target = service.target(kind.transport, is_gzip=kind.is_gzip)
    return Load(target, kind.size, requests, LANES[kind.size])


def _send(generator: Generator, load: Load) -> Outcome:
    generator.prepare(load)
    generator.begin()
    return generator.wait()


def _run(
    generator: Generator, service: Running, kind: Kind, how: tuple[list[bytes], float]
) -> Found:
    read, share = how
    generator.prepare(load_of(service, kind, int(SPANS[kind.size] * share) // kind.size))
    before, cpu = yardstick(read), service.cpu_seconds()
    generator.begin()
    outcome = generator.wait()
    cpu = service.cpu_seconds() - cpu
    return Found(
        rate=outcome.spans_per_second,
        ratio=outcome.spans_per_second / fmean((before, yardstick(read))),
        service_us=1e6 * cpu / outcome.spans,
        generator_us=1e6 * outcome.cpu_seconds / outcome.spans,
    )


def _summary(runs: list[Found]) -> Entry:
    return {
        "spans_per_second": median(run.rate for run in runs),
        "to_FromString": median((run.ratio for run in runs), 3),
        "service_cpu_us_per_span": median((run.service_us for run in runs), 1),
        "generator_cpu_us_per_span": median((run.generator_us for run in runs), 1),
        "runs": [round(run.rate) for run in runs],
    }


def _waits(generator: Generator, rates: dict[Kind, float], effort: Effort) -> Entry:
    """Return how long acknowledgements take where requests come at half of the top rate."""
    waits = {}
    for kind in WAITED_FOR[: effort.waited_for]:
        with _service(generator) as service:
            per_second = HALF * rates[kind] / kind.size
            load = load_of(service, kind, int(per_second * effort.waiting_seconds))
            outcome = _send(generator, load._replace(lanes=PATIENT_LANES, per_second=per_second))
        waits[kind.label] = {
            "spans_per_second": round(outcome.spans_per_second),
            "seconds": round(outcome.seconds),
            "p50_ms": outcome.latency_ms(50),
            "p99_ms": at_most(250, outcome.latency_ms(99)),
            "max_ms": outcome.latency_ms(100),
            "sent_again": outcome.sent_again,
        }
    return waits
