"""Faults put into a simulated gateway and its engines: each lands in its class."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from ledgers import new_ledger

from metering import jobs as metering_jobs
from metering.event_store import EventStore
from metering.period import Period
from metering.reading_store import ReadingStore
from metering.reconcile.call_store import CallStore
from metering.reconcile.classify import Class, Reconciled, Side, classify
from metering.reconcile.jobs import Sources, measured
from metering.reconcile.judge import Status, status_of
from metering.reconcile.measures import Measures
from metering.reconcile.place import Place
from metering.reconcile.store import ReconcileStore
from metering.store import MeterStore
from tests.metering.reconcile import simulate
from tests.metering.reconcile.simulate import HOUR, Made, World, changed, traffic

TOLERANCE = Decimal("0.005")
AT = Place(simulate.POOL, simulate.MODEL)


@dataclass
class Lab:
    """Real stores in which hours are simulated, each on a day of its own."""

    events: EventStore
    sources: Sources
    clock: list[int]
    days: Iterator[int] = field(default_factory=count)

    def measures(self, world: World) -> Measures:
        """Play an hour through the stores and return what both sides came to."""
        for arrived, told in simulate.batches(world):
            self.clock[0] = max(self.clock[0], arrived)
            self.events.record(told)
        self.sources.readings.record(simulate.readings(world))
        metering_jobs.tick(self.events, self.sources.meter, world.start + timedelta(hours=3))
        period = Period(world.start, world.start + timedelta(hours=1))
        return dict(measured(self.sources, period))[AT]

    def hour(self, seed: int = 1) -> World:
        """Return an hour without faults on a day of its own."""
        return traffic(seed, next(self.days))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Stores for all hours of this file."""
    folder: Path = tmp_path_factory.mktemp("lab")
    clock = [0]
    events = EventStore.open(f"chdb://{folder / 'events'}", lambda: clock[0])
    engine = new_ledger(folder / "ledger.db")
    sources = Sources(
        readings=ReadingStore(events.client, 3650),
        calls=CallStore(events.client),
        meter=MeterStore(engine),
        ledger=ReconcileStore(engine),
        tolerance=TOLERANCE,
    )
    yield Lab(events, sources, clock)
    events.close()
    engine.dispose()


def parts(side: Side) -> dict[Class, int]:
    return {part.kind: part.tokens for part in side.parts}


def is_about(found: int, made: int, part: float = 0.1) -> bool:
    return abs(found - made) <= made * part


def is_small(side: Side) -> bool:
    return abs(side.unexplained) <= TOLERANCE * side.whole


def tokens(made: list[Made]) -> tuple[int, int]:
    return sum(m.engine_tokens.input for m in made), sum(m.engine_tokens.output for m in made)


def check(measures: Measures, kind: Class, made: tuple[int, int]) -> Reconciled:
    """See that a class holds about what was made, and that next to nothing is left over."""
    found = classify(measures)
    for side, tokens_made in zip(found.sides, made, strict=True):
        assert is_about(parts(side).get(kind, 0), tokens_made)
        assert is_small(side)
    assert status_of(measures, found, TOLERANCE) is Status.EXPLAINED
    return found


def test_aborted_calls_are_found(lab: Lab) -> None:
    world, made = changed(lab.hour(), 60, simulate.aborts)

    check(lab.measures(world), Class.ABORTED, tokens(made))


@pytest.mark.parametrize("change", [simulate.retries, simulate.retries_unseen])
def test_retries_are_found(lab: Lab, change: simulate.Change) -> None:
    world, made = changed(lab.hour(), 60, change)

    check(lab.measures(world), Class.RETRIES, tokens([m for m in made if not m.attempt]))


def test_traffic_that_bypasses_the_gateway_is_found(lab: Lab) -> None:
    world, made = changed(lab.hour(), 80, simulate.bypass)
    found = lab.measures(world)

    check(found, Class.UNMETERED_PATH, tokens([m for m in made if not m.is_metered]))


def test_a_lost_batch_is_found(lab: Lab) -> None:
    world, made = changed(lab.hour(), 50, simulate.lost)

    check(lab.measures(world), Class.MISSING_SEQUENCE, tokens(made))


def test_calls_without_counts_are_found(lab: Lab) -> None:
    world, made = changed(lab.hour(), 50, simulate.uncounted)

    check(lab.measures(world), Class.UNCOUNTED, tokens(made))


def test_prompts_of_several_choices_are_found(lab: Lab) -> None:
    world, made = changed(lab.hour(), 40, simulate.several)
    again = sum(m.prompt * (m.choices - 1) for m in made)

    check(lab.measures(world), Class.SEVERAL_CHOICES, (again, 0))


def test_cached_input_that_is_left_out_is_found(lab: Lab) -> None:
    world = replace(lab.hour(), tells_cached=False)
    cached = sum(m.cached for m in world.calls if 0 <= m.ended < HOUR)

    found = classify(lab.measures(world))
    assert is_about(parts(found.input)[Class.CACHE_ACCOUNTING], cached, 0.02)
    assert is_small(found.input)


@pytest.mark.parametrize("tells_starts", [True, False])
def test_what_a_restart_lost_is_found(lab: Lab, *, tells_starts: bool) -> None:
    restart = (0, 1500.0, 1900.0)
    world = replace(lab.hour(), restarts=(restart,), tells_starts=tells_starts)
    gone = [m for m in world.calls if m.engine == 0 and 1505 <= m.first < 1895]

    found = lab.measures(world)
    assert found.engine
    assert found.engine.resets == 1
    classified = classify(found)
    lost_input, lost_output = tokens(gone)
    assert is_about(-parts(classified.input)[Class.RESET], lost_input, 0.15)
    assert is_about(-parts(classified.output)[Class.RESET], lost_output, 0.15)
    assert [side.unexplained for side in classified.sides] == [0, 0]


@pytest.mark.parametrize("skew", [25.0, -25.0])
def test_a_clock_that_is_wrong_is_no_leak(lab: Lab, skew: float) -> None:
    world = lab.hour()
    crowd = [
        replace(m, number=m.number + 3_000_000, started=HOUR - 20, first=HOUR - 15, ended=HOUR - 3)
        for m in world.calls[200:240]
    ]
    if skew < 0:
        crowd = [
            replace(m, started=m.started + 20, first=m.first + 20, ended=HOUR + 20) for m in crowd
        ]
    world = replace(world, calls=(*world.calls, *crowd), skew=skew)

    found = lab.measures(world)
    classified = classify(found)
    assert set(parts(classified.input)) == {Class.STRADDLING}
    assert is_about(abs(classified.input.residual), tokens(crowd)[0], 0.3)
    assert [side.unexplained for side in classified.sides] == [0, 0]


def test_prefill_and_decode_engines_count_a_call_once(lab: Lab) -> None:
    world = replace(lab.hour(), roles=("prefill", "decode"))
    found = lab.measures(world)

    assert status_of(found, classify(found), TOLERANCE) is not Status.OPEN
    assert [side.unexplained for side in classify(found).sides] == [0, 0]


@pytest.mark.parametrize(
    ("one", "first", "other", "second"),
    [
        (simulate.aborts, Class.ABORTED, simulate.bypass, Class.UNMETERED_PATH),
        (simulate.retries, Class.RETRIES, simulate.several, Class.SEVERAL_CHOICES),
        (simulate.lost, Class.MISSING_SEQUENCE, simulate.bypass, Class.UNMETERED_PATH),
        (simulate.uncounted, Class.UNCOUNTED, simulate.retries, Class.RETRIES),
    ],
)
def test_two_faults_lie_beside_each_other(
    lab: Lab, one: simulate.Change, first: Class, other: simulate.Change, second: Class
) -> None:
    world, made = changed(lab.hour(), 60, one)
    world, more = changed(world, 73, other)
    found = classify(lab.measures(world))

    wanted = {first: beyond(made, first), second: beyond(more, second)}
    for kind, (wanted_input, _) in wanted.items():
        assert is_about(parts(found.input).get(kind, 0), wanted_input, 0.15)
    explained = sum(parts(found.output).get(kind, 0) for kind in wanted)
    assert is_about(explained, sum(output for _, output in wanted.values()))
    assert [is_small(side) for side in found.sides] == [True, True]


def beyond(made: list[Made], kind: Class) -> tuple[int, int]:
    """Return what engines counted of calls beyond what their gateway told."""
    if kind is Class.SEVERAL_CHOICES:
        return sum(m.prompt * (m.choices - 1) for m in made), 0
    return tokens([m for m in made if not (m.is_told and m.is_counted)])


@given(st.integers(0, 10**6))
@settings(max_examples=4, phases=[Phase.generate], deadline=None)
def test_without_a_fault_nothing_is_unexplained(lab: Lab, seed: int) -> None:
    found = lab.measures(lab.hour(seed))
    classified = classify(found)

    assert status_of(found, classified, TOLERANCE) in {Status.WITHIN, Status.EXPLAINED}
    assert [side.unexplained for side in classified.sides] == [0, 0]
    assert {part.kind for side in classified.sides for part in side.parts} <= {Class.STRADDLING}
