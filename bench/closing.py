"""How long an hour of 26,000 requests a minute takes to close, beside a plain sum of its rows.

The plain sum neither drops resends nor looks for a second record of a call, so that the ratio is
what counting each call once costs. Every variant runs in a process of its own.
"""

import multiprocessing
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from bench.figure import Entry, at_most, median
from bench.machine import memory_mib
from bench.rows import GROUP, TENANTS, Rows, Span, part
from metering.event import TOKEN_CLASSES
from metering.event_sql import DIMENSIONS, IN_HOURS
from metering.event_store import EventStore
from metering.identity import Identity, Kind
from metering.jobs import tick
from metering.schema import Batch
from metering.store import Account, MeterStore
from tallystick.database import open_ledger

EVENTS = 1_560_000
QUICK_EVENTS = 100_000
MAX_RATIO = 5
RUNS = 9
HOUR = datetime(2026, 9, 21, 13, tzinfo=UTC)
_HOUR_NS = 3_600_000_000_000
_TWICE = GROUP // 100

_SUMS = f"count(), {', '.join(f'sum({name})' for name in TOKEN_CLASSES)}"
_PLAIN = f"SELECT {_SUMS} FROM events WHERE {IN_HOURS}"  # noqa: S608 - constants only
_KEY = ", ".join(DIMENSIONS)
_GROUPED = f"SELECT {_KEY}, {_SUMS} FROM events WHERE {IN_HOURS} GROUP BY {_KEY}"  # noqa: S608


class Hour(NamedTuple):
    """What is closed."""

    events: int
    is_told_twice: bool
    """Whether a hundredth is sent again, and a hundredth told by engines too."""


def closing(events: int) -> Entry:
    """Return what closing an hour takes, where each call is told once and where some are twice."""
    return {
        "each_call_told_once": _in_a_process_of_its_own(Hour(events, is_told_twice=False)),
        "some_told_twice": _in_a_process_of_its_own(Hour(events, is_told_twice=True)),
    }


def _in_a_process_of_its_own(hour: Hour) -> Entry:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (hour,))


def _measured(hour: Hour) -> Entry:
    with TemporaryDirectory() as folder:
        store = EventStore.open(f"chdb://{Path(folder) / 'events'}", time.time_ns)
        try:
            for batches in _groups(hour):
                store.record_batches(batches)
            filled_mib = memory_mib("VmHWM")
            return _figures(store, Path(folder)) | {"peak_mib_while_filling": filled_mib}
        finally:
            store.close()


def _groups(hour: Hour) -> Iterator[list[Batch]]:
    rows, count = Rows(seed=1), -(-hour.events // GROUP)
    length = _HOUR_NS // count
    start = int(HOUR.timestamp()) * 1_000_000_000
    for number in range(count):
        group = rows.group(Span(start + number * length, length))
        few = part(group, _TWICE)
        yield [group, few, rows.told_by_engines(few)] if hour.is_told_twice else [group]


def _figures(store: EventStore, folder: Path) -> Entry:
    first_tick = _tick_seconds(store, folder / "first.db")
    ways: dict[str, Callable[[int], float]] = {
        "plain_sum": lambda _: _query_seconds(store, _PLAIN),
        "grouped_sum": lambda _: _query_seconds(store, _GROUPED),
        "sums": lambda _: _seconds(lambda: store.sums([HOUR], store.cutoff())),
        "tick": lambda run: _tick_seconds(store, folder / f"{run}.db"),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for run in range(RUNS):
        for name, way in ways.items():
            found[name].append(way(run))
    medians = {name: median(seconds, 3) for name, seconds in found.items()}

    def ratio(name: str, to: str) -> float:
        """Return the median of what each run says: what else the machine does slows both."""
        return median([one / other for one, other in zip(found[name], found[to], strict=True)], 2)

    return {
        "rows": store.arrivals(),
        "seconds": medians | {"first_tick": round(first_tick, 3)},
        "sums_to_plain_sum": _asked(store, ratio("sums", "plain_sum")),
        "tick_to_plain_sum": _asked(store, ratio("tick", "plain_sum")),
        "sums_to_grouped_sum": ratio("sums", "grouped_sum"),
        "tick_to_grouped_sum": ratio("tick", "grouped_sum"),
        "first_tick_to_plain_sum": round(first_tick / medians["plain_sum"], 2),
        "peak_mib": memory_mib("VmHWM"),
        "runs": {name: [round(one, 3) for one in seconds] for name, seconds in found.items()},
    }


def _asked(store: EventStore, ratio: float) -> Entry | float:
    """Return a ratio beside what it should be, which is said of the whole hour alone.

    What a refresh costs however few rows there are outweighs the sum of a few.
    """
    return at_most(MAX_RATIO, ratio) if store.arrivals() >= EVENTS else ratio


def _query_seconds(store: EventStore, query: str) -> float:
    start = int(HOUR.timestamp())
    asked = {"start": start, "end": start + 3600, "before": store.cutoff()}
    return _seconds(lambda: store.rows(query, asked))


def _tick_seconds(store: EventStore, ledger: Path) -> float:
    """Return how long a refresh takes that writes the whole hour into an empty ledger."""
    engine = open_ledger(f"sqlite:///{ledger}")
    meter = MeterStore(engine)
    names = [f"tenant-{number:03}" for number in range(TENANTS)]
    meter.put_accounts([Account(name, name) for name in names])
    meter.put_identities([Identity(Kind.TENANT, name, name) for name in names])
    seconds = _seconds(lambda: tick(store, meter, HOUR + timedelta(hours=2)))
    engine.dispose()
    return seconds


def _seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
