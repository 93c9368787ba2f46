"""The clock steps, back and ahead, while the service runs and between its runs."""

from pathlib import Path

from builders import T0, event
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from metering.event_store import EventStore
from metering.identity import FOR_EVER
from metering.jobs import tick
from metering.period import Period, parse_instant
from metering.scale.settling import Stamps
from metering.store import MeterStore
from tallystick.database import open_ledger

NOW = parse_instant("2026-11-01T00:00:00Z")
ALWAYS = Period(parse_instant("2020-01-01T00:00:00Z"), FOR_EVER)
HOUR_NS = 3_600_000_000_000
YEAR_NS = 365 * 24 * HOUR_NS

steps = st.lists(st.integers(-YEAR_NS, YEAR_NS), min_size=1, max_size=30)


class SteppingClock:
    """A clock that someone sets, forwards and backwards."""

    def __init__(self) -> None:
        self.at = T0

    def __call__(self) -> int:
        return self.at


def requests(meter: MeterStore) -> int:
    return sum(u.quantity for u in meter.usage(ALWAYS) if u.key.meter == "requests")


@given(steps=steps, counts=st.lists(st.integers(1, 1000), min_size=30, max_size=30))
def test_no_stamp_is_given_twice_or_falls_below_a_cutoff(
    steps: list[int], counts: list[int]
) -> None:
    clock = SteppingClock()
    stamps = Stamps(clock, clock, 0, 0)
    newest = cutoff = 0
    for step, count in zip(steps, counts, strict=False):
        clock.at = max(1, clock.at + step)
        first = stamps.take(count)
        assert first > newest
        assert first >= cutoff
        newest = first + count - 1
        cutoff = stamps.cutoff()
        assert cutoff > newest


def ledger_in(folder: Path) -> Engine:
    return open_ledger(f"sqlite:///{folder / 'ledger.db'}")


def test_every_event_is_counted_once_however_the_clock_steps_while_running(
    tmp_path: Path,
) -> None:
    clock, engine = SteppingClock(), ledger_in(tmp_path)
    meter = MeterStore(engine)
    store = EventStore.open(f"chdb://{tmp_path / 'events'}", clock)
    for number, step in enumerate((0, -YEAR_NS, 2 * YEAR_NS, -HOUR_NS, -YEAR_NS, 1)):
        clock.at += step
        store.record([event(f"e{number}", fresh=1)])
        tick(store, meter, NOW)

        assert requests(meter) == number + 1
    assert tick(store, meter, NOW) == 0
    store.close()
    engine.dispose()


def test_every_event_is_counted_once_however_the_clock_steps_between_runs(tmp_path: Path) -> None:
    clock, engine = SteppingClock(), ledger_in(tmp_path)
    meter = MeterStore(engine)
    for number, step in enumerate((0, -YEAR_NS, YEAR_NS // 2, -HOUR_NS)):
        clock.at += step
        floor = meter.last_close().stored_before
        store = EventStore.open(f"chdb://{tmp_path / 'events'}", clock, floor)
        store.record([event(f"e{number}", fresh=1)])
        tick(store, meter, NOW)
        store.close()

        assert requests(meter) == number + 1
    engine.dispose()
