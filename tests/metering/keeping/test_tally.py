"""Events that are gone are missed before usage is made of what is left."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from builders import event
from sqlalchemy import Engine

from metering.corrections.correction import Correction, Kind, Target
from metering.corrections.jobs import Desk
from metering.corrections.store import CorrectionStore
from metering.engine_store import StoreUnavailableError
from metering.event_store import EventStore
from metering.jobs import tick
from metering.keeping.damage import StoreDamagedError
from metering.keeping.retention import DaysError, days_of
from metering.keeping.retention_store import RetentionStore
from metering.keeping.tally_store import Tally
from metering.period import Period
from metering.rollup import REQUESTS
from metering.store import MeterStore
from tallystick.database import open_ledger

NOW = datetime(2026, 10, 31, 12, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Engine:
    return open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")


def told(events: EventStore, ledger: Engine, day: int, count: int) -> None:
    """Record so many events of a day, each twice, and bring usage up to date."""
    one = [event(f"e{day}-{n}", f"2026-10-{day:02}T{n % 24:02}:30Z", fresh=n) for n in range(count)]
    events.record(one)
    events.record(one)
    tick(events, MeterStore(ledger), NOW)


def lose(events: EventStore, day: int) -> None:
    """Take a day's files away, as a slip of the hand would."""
    events.client.command("OPTIMIZE TABLE events FINAL")
    events.client.command(f"ALTER TABLE events DROP PARTITION ID '202610{day:02}'")


def test_stores_that_belong_together_are_good(events: EventStore, ledger: Engine) -> None:
    Tally(events, ledger).check()
    told(events, ledger, 1, 30)
    events.client.command("OPTIMIZE TABLE events FINAL")

    Tally(events, ledger).check()


def test_a_day_that_is_gone_is_missed_until_it_is_back(events: EventStore, ledger: Engine) -> None:
    told(events, ledger, 1, 30)
    told(events, ledger, 2, 7)
    tally = Tally(events, ledger)
    lose(events, 2)
    with pytest.raises(StoreDamagedError, match="0 events of 2026-10-02 for 7 requests"):
        tally.check()

    events.record([event(f"e2-{n}", f"2026-10-02T{n:02}:30Z", fresh=n) for n in range(6)])
    with pytest.raises(StoreDamagedError, match="6 events of 2026-10-02 for 7 requests"):
        tally.check()
    events.record([event("e2-6", "2026-10-02T06:30Z", fresh=6)])
    tally.check()


def test_a_day_that_is_given_up_keeps_its_usage(events: EventStore, ledger: Engine) -> None:
    told(events, ledger, 1, 30)
    told(events, ledger, 2, 7)
    lose(events, 2)
    tally = Tally(events, ledger, days_of("2026-10-02"))
    tally.check()
    late = [event("late-2", "2026-10-02T03:30Z"), event("late-1", "2026-10-01T03:30Z")]
    events.record(late)
    meter = MeterStore(ledger)
    tick(events, meter, NOW, lost=tally.lost)

    by_day: dict[int, int] = {}
    for row in meter.usage(Period(NOW - timedelta(days=40), NOW)):
        if row.key.meter == REQUESTS:
            by_day[row.key.hour.day] = by_day.get(row.key.hour.day, 0) + row.quantity
    assert by_day == {1: 31, 2: 7}


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "2026-11-01;2026-11-02"])
def test_days_are_read_or_refused(text: str) -> None:
    with pytest.raises(DaysError, match="days must be as in"):
        days_of(text)


def test_what_was_good_once_is_not_looked_at_again(events: EventStore, ledger: Engine) -> None:
    told(events, ledger, 1, 3)
    tally = Tally(events, ledger)
    tally.check()
    lose(events, 1)

    tally.check()


def test_days_that_retention_dropped_are_not_missed(events: EventStore, ledger: Engine) -> None:
    for day in (1, 2, 30):
        told(events, ledger, day, 5)
    dropped = RetentionStore(events.client).drop(20, NOW.date())

    assert dropped == [date(2026, 10, 1), date(2026, 10, 2)]
    Tally(events, ledger).check()


def test_an_event_that_was_taken_to_another_day_is_there(
    events: EventStore, ledger: Engine
) -> None:
    desk = Desk(events, MeterStore(ledger), CorrectionStore(ledger), lambda: NOW)
    events.record([event("e1", "2026-10-01T23:30Z", fresh=5)])
    events.record([event("e1", "2026-10-02T00:30Z", fresh=5)])
    later = events.conflicts()[0]
    about = Target(requests=(later.event_id.hex(),))
    change = (("stored_at", later.stored_at),)
    desk.make(Correction("c", Kind.TAKE, about, "li", "a late clock", change))
    tick(events, desk.meter, NOW + timedelta(days=1), desk.corrections.heeded)

    Tally(events, ledger).check()


def test_a_store_that_does_not_answer_is_no_damage(ledger: Engine) -> None:
    class Silent:
        def query(self, _: str) -> None:
            raise OSError("connection refused")

    class Away:
        client = Silent()

    with pytest.raises(StoreUnavailableError, match="connection refused"):
        Tally(Away(), ledger).check()  # type: ignore[arg-type]
