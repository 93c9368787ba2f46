"""Millions of spans through one service: what it holds in memory, and what it keeps on disk."""

import multiprocessing
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

from bench.end_to_end import BIG, load_of
from bench.figure import Entry, at_most
from bench.generator import Generator
from bench.running import Running
from metering.event_store import EventStore

MAX_MEMORY_MIB = 1536
FLAT = 1.1
"""Memory is flat where its last quarter is at most a tenth above its first."""
MAX_BYTES = 100
_REQUESTS_AT_ONCE = 250
_SAMPLE_SECONDS = 0.5
_SHOWN = 40


class Bounds(NamedTuple):
    """How long to go on: until so many spans are sent, or so many minutes have passed."""

    spans: int
    minutes: float


def endurance(generator: Generator, bounds: Bounds) -> Entry:
    """Send spans for long, and return what the service takes meanwhile and what it keeps."""
    with TemporaryDirectory() as folder:
        with Running(Path(folder)) as service:
            began = time.perf_counter()
            samples = list(_memory_while_sending(generator, service, bounds))
            seconds = time.perf_counter() - began
            peak, final = service.memory_mib("VmHWM"), service.memory_mib("VmRSS")
        events, size = _in_a_process_of_its_own(Path(folder) / "events")
    return {
        "asked_spans": bounds.spans,
        "spans": events,
        "seconds": round(seconds),
        "spans_per_second": round(events / seconds),
        "memory": _memory(samples) | {"peak_mib": at_most(MAX_MEMORY_MIB, peak), "end_mib": final},
        "bytes_per_stored_event": at_most(MAX_BYTES, round(size / events, 1)),
    }


def _memory_while_sending(generator: Generator, service: Running, bounds: Bounds) -> Iterator[int]:
    give_up = time.perf_counter() + 60 * bounds.minutes
    load = load_of(service, BIG, 0)._replace(is_made_beforehand=False)
    left = bounds.spans
    while left > 0 and time.perf_counter() < give_up:
        requests = min(_REQUESTS_AT_ONCE, -(-left // BIG.size))
        generator.prepare(load._replace(requests=requests))
        generator.begin()
        while generator.is_under_way:
            yield service.memory_mib("VmRSS")
            time.sleep(_SAMPLE_SECONDS)
        left -= generator.wait().spans


def _memory(samples: list[int]) -> Entry:
    quarter = max(len(samples) // 4, 1)
    first, last = median(samples[:quarter]), median(samples[-quarter:])
    return {
        "first_quarter_mib": first,
        "last_quarter_mib": last,
        "last_to_first_quarter": at_most(FLAT, round(last / first, 2)),
        "samples_mib": samples[:: max(len(samples) // _SHOWN, 1)],
    }


def _in_a_process_of_its_own(events: Path) -> tuple[int, int]:
    """Return how many events a store holds and their bytes; the engine stays in its process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_stored, (events,))


def _stored(events: Path) -> tuple[int, int]:
    store = EventStore.open(f"chdb://{events}", time.time_ns)
    try:
        return store.arrivals(), store.bytes_on_disk()
    finally:
        store.close()
