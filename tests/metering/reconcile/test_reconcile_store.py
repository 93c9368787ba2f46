"""Kept reconciliations: measured when due, never forgetting what engines told, accepted once."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from builders import event
from ledgers import new_ledger
from sqlalchemy import Engine

from metering import jobs as metering_jobs
from metering.corrections.correction import Correction, Kind, Target
from metering.corrections.jobs import Desk
from metering.corrections.store import CorrectionStore
from metering.event_store import EventStore
from metering.period import HOUR, Period
from metering.reading_store import ReadingStore
from metering.reconcile.call_store import CallStore
from metering.reconcile.engine import EngineTotal
from metering.reconcile.gateway import Calls, Told
from metering.reconcile.jobs import (
    Asked,
    NothingToAcceptError,
    Sources,
    accept,
    rows,
    sentences,
    tick,
)
from metering.reconcile.judge import Acceptance, By, Row, Status
from metering.reconcile.measures import Measures, Where
from metering.reconcile.place import NOTHING, Pair, Place
from metering.reconcile.store import ReconcileStore, Stamp
from metering.rollup import RawKey, Sums
from metering.signal import Origin, Reading
from metering.store import MeterStore
from metering.usage import bound_usage

NINE = datetime(2026, 10, 1, 9, tzinfo=UTC)
NOON = NINE + 3 * HOUR
PERIOD = Period(NINE, NINE + HOUR)
HERE = Place("shared", "m")
SAID = Acceptance(PERIOD, HERE, NOTHING, "eve", "load test", NOON)
WHOLE = Measures(EngineTotal(5, 6, started=2, slack=Pair(1, 2)), Told(5, 6), Calls(ok=2))


@dataclass
class Books:
    """Both stores, and what is played into them."""

    events: EventStore
    sources: Sources
    corrections: CorrectionStore

    def counted(self, tokens: int, hour: datetime = NINE, target: str = "a:8000") -> None:
        """Let an engine count so many tokens of each kind in an hour."""
        start = int(hour.timestamp()) * 10**9
        self.sources.readings.record(
            [
                Reading(signal, start + at * 10**9, value, Origin("vllm", target, model="m"))
                for signal in ("prompt_tokens", "generation_tokens")
                for at, value in ((0, 7.0), (3590, 7.0 + tokens))
            ]
        )

    def told(self, tokens: int, name: str = "e1", **said: str) -> None:
        """Let a gateway tell of a call at half past nine, and bring usage up to date."""
        usage = {"fresh": tokens, "output": tokens, "model": "m", "pool": "shared"}
        one = event(name, "2026-10-01T09:30Z", tenant="acme", instance="a:8000", **usage, **said)
        self.events.record([one])
        metering_jobs.tick(self.events, self.sources.meter, NOON)

    def row(self, by: By = By.HOUR) -> Row:
        """Return the only row of the hour."""
        [row] = rows(self.sources, Asked(PERIOD, by=by), NOON)
        return row


@pytest.fixture
def books(events: EventStore, tmp_path: Path) -> Iterator[Books]:
    engine = new_ledger(tmp_path / "ledger.db")
    corrections = CorrectionStore(engine)
    sources = Sources(
        readings=ReadingStore(events.client, 3650),
        calls=CallStore(events.client, corrections.standing),
        meter=MeterStore(engine),
        ledger=ReconcileStore(engine),
        tolerance=Decimal("0.005"),
    )
    yield Books(events, sources, corrections)
    engine.dispose()


def test_measures_and_acceptances_come_back_as_they_were(ledger: Engine) -> None:
    store = ReconcileStore(ledger)
    other = Place("", "千问")
    store.put_hour(NINE, {HERE: WHOLE, other: Measures()}, Stamp(NOON, 3))
    store.put_hour(NINE, {other: WHOLE}, Stamp(NOON, 4))
    store.accept(SAID)
    store.accept(replace(SAID, accepted=Pair(-(2**40), 2**40), reason="again"))

    assert store.hours(PERIOD) == {Where(NINE, other): WHOLE}
    assert store.stamps(PERIOD) == {NINE: Stamp(NOON, 4)}
    assert store.hours(Period(NINE + HOUR, NOON)) == {}
    assert [a.accepted for a in store.acceptances(PERIOD)] == [NOTHING, Pair(-(2**40), 2**40)]
    assert store.acceptances(Period(NINE + HOUR, NOON)) == []


def test_the_run_that_last_changed_an_hour_is_known(ledger: Engine) -> None:
    meter = MeterStore(ledger)
    usage = bound_usage({RawKey(NINE): Sums(1, 5)}, [])
    meter.close_hours([NINE], usage, 1, NOON)
    meter.close_hours([NINE + HOUR], {}, 2, NOON)
    meter.close_hours([NINE], {}, 3, NOON)

    assert ReconcileStore(ledger).last_runs(Period(NINE, NOON)) == {NINE: 3}


def test_an_hour_is_measured_once_and_again_when_it_changes(books: Books) -> None:
    books.counted(1000)
    books.told(1000)

    assert tick(books.sources, NOON) == 1
    assert tick(books.sources, NOON) == 0
    assert books.row().status is Status.WITHIN
    books.told(50, "late")
    assert tick(books.sources, NOON) == 1
    assert (books.row().status, books.row().reconciled.input.residual) == (Status.OPEN, -50)


def test_an_hour_is_measured_once_more_when_it_has_settled(books: Books) -> None:
    books.counted(1000)

    assert tick(books.sources, NINE + HOUR) == 1
    assert tick(books.sources, NINE + HOUR + timedelta(minutes=19)) == 0
    assert tick(books.sources, NINE + HOUR + timedelta(minutes=20)) == 1
    assert tick(books.sources, NINE + HOUR + timedelta(minutes=21)) == 0


def test_what_engines_told_outlives_their_readings(books: Books) -> None:
    books.counted(1000)
    books.told(900)
    tick(books.sources, NOON)
    books.events.client.command("TRUNCATE TABLE readings")
    books.told(100, "late")

    assert tick(books.sources, NOON) == 1
    assert (books.row().status, books.row().reconciled.input.engine) == (Status.WITHIN, 1000)


def test_what_was_corrected_is_evidence(books: Books) -> None:
    books.told(70, call="r1")
    books.told(30, "e2", call="r2")
    desk = Desk(books.events, books.sources.meter, books.corrections, lambda: NOON)
    about = Target(requests=("r1",))
    made = desk.make(Correction("void-1", Kind.VOID, about, "li", "a load test"))

    def corrected() -> int:
        [(place, calls)] = books.sources.calls.evidence(PERIOD).calls.items()
        assert (place, calls.ok) == (HERE, 2)
        return calls.corrected_input

    assert corrected() == 70
    desk.withdraw(made.id, "li", "it was right")
    assert corrected() == 0


def test_usage_without_engines_and_engines_without_usage_are_rows(books: Books) -> None:
    books.told(5)
    assert books.row().status is Status.NO_ENGINE
    books.counted(8, target="b:8000")

    status = {row.place.pool: row.status for row in rows(books.sources, Asked(PERIOD), NOON)}
    assert status == {"shared": Status.NO_ENGINE, "": Status.NO_GATEWAY}
    assert len(rows(books.sources, Asked(PERIOD, pool="", model="m"), NOON)) == 1
    assert rows(books.sources, Asked(PERIOD, model="other"), NOON) == []


def test_the_running_hour_is_measured_up_to_now_and_not_kept(books: Books) -> None:
    books.counted(1000)
    half_past = NINE + timedelta(minutes=59, seconds=55)
    [row] = rows(books.sources, Asked(PERIOD), half_past)

    assert row.reconciled.input.engine == 1000
    assert tick(books.sources, half_past) == 0
    assert books.sources.ledger.hours(PERIOD) == {}


def test_a_difference_is_accepted_with_its_figures_and_reopens_when_it_grows(
    books: Books,
) -> None:
    books.counted(1000)
    books.told(900)
    assert books.row().status is Status.OPEN

    assert accept(books.sources, SAID, NOON).accepted == Pair(100, 100)
    assert books.row().status is Status.ACCEPTED
    assert books.row(By.DAY).status is Status.ACCEPTED
    with pytest.raises(NothingToAcceptError, match="something unexplained to accept in pool"):
        accept(books.sources, SAID, NOON)
    books.told(300, "late")
    assert books.row().status is Status.OPEN


def test_a_bill_is_warned_of_open_hours_of_its_pools_alone(books: Books) -> None:
    assert sentences(books.sources, PERIOD, "unattributed") == []
    books.counted(1000)
    books.told(900)
    tick(books.sources, NOON)

    [warning] = sentences(books.sources, PERIOD, "unattributed")
    assert "+100 input and +100 output tokens are unexplained" in warning
    assert sentences(books.sources, PERIOD, "acme") == []
    accept(books.sources, SAID, NOON)
    assert sentences(books.sources, PERIOD, "unattributed") == []
