"""Whether appending stays as fast as it began while the store grows, and what an event takes.

Rows go straight to the store, in groups, as fast as it takes them; only its own time counts, and it
has none while groups are made: every few it must have all of them in its tables.
"""

import multiprocessing
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from bench.figure import Entry, at_least, at_most
from bench.machine import memory_mib
from bench.rows import GROUP, Rows, Span
from metering.event_store import EventStore

STEADY = 0.8
"""The last minute appends at least so much of what the first did."""
MAX_BYTES = 100
_START = 1_790_000_000_000_000_000
_GROUP_NS = 300_000_000
"""Calls of a group end within it, as at 67,000 in a second."""
_GROUPS_AN_INSERT = 3
_MINUTE = 60.0
_SHOWN = 40


class Minute(NamedTuple):
    """What was appended in a minute of the store's own time."""

    rows: int
    seconds: float

    @property
    def rate(self) -> float:
        """Rows per second."""
        return self.rows / self.seconds


def appending(rows: int) -> Entry:
    """Append so many rows and return the rate of each minute, and what the store then takes."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (rows,))


def _measured(rows: int) -> Entry:
    with TemporaryDirectory() as folder:
        store = EventStore.open(f"chdb://{Path(folder) / 'events'}", time.time_ns)
        try:
            return _figures(store, _minutes(store, rows))
        finally:
            store.close()


def _minutes(store: EventStore, rows: int) -> list[Minute]:
    """Append, and cut the time it takes into minutes; what is left of one at the end is no minute.

    Where there are fewer than two whole minutes, halves of all groups stand for them.
    """
    made, took = Rows(seed=1), []
    for number in range(-(-rows // GROUP)):
        group = made.group(Span(_START + number * _GROUP_NS, _GROUP_NS))
        began = time.perf_counter()
        store.record_batches([group])
        if number % _GROUPS_AN_INSERT == 0:
            store.settle()
        took.append(time.perf_counter() - began)
    length = min(_MINUTE, sum(took) / 2.5)
    minutes, current = [], Minute(0, 0.0)
    for seconds in took:
        current = Minute(current.rows + GROUP, current.seconds + seconds)
        if current.seconds >= length:
            minutes.append(current)
            current = Minute(0, 0.0)
    return minutes


def _figures(store: EventStore, minutes: list[Minute]) -> Entry:
    stored = store.arrivals()
    rates = [round(minute.rate) for minute in minutes]
    return {
        "rows": stored,
        "seconds_of_a_minute": round(minutes[0].seconds, 1),
        "rows_per_second_first": rates[0],
        "rows_per_second_last": rates[-1],
        "last_to_first": at_least(STEADY, round(minutes[-1].rate / minutes[0].rate, 2)),
        "lowest_to_first": round(min(rates) / rates[0], 2),
        "bytes_per_event": at_most(MAX_BYTES, round(store.bytes_on_disk() / stored, 1)),
        "peak_mib": memory_mib("VmHWM"),
        "rows_per_second": rates[:: max(len(rates) // _SHOWN, 1)],
    }
