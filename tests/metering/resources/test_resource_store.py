"""States, heartbeats, inventories and schedules in both ledgers."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from alembic import command
from alembic.config import Config
from builders import hour
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlmodel import Session

from metering.event_store import EventStore
from metering.identity import FOR_EVER
from metering.interval import Interval, Resource, ResourceKind, State, running_seconds
from metering.period import HOUR, Period
from metering.reading_store import ReadingStore
from metering.resources.interval_store import rebuild
from metering.resources.inventory import Row
from metering.resources.inventory_store import InventoryStore
from metering.resources.jobs import tick
from metering.resources.schedule import Schedule, Window
from metering.resources.schedule_store import ScheduleStore
from metering.resources.state import AheadOfTheClockError, StateEvent
from metering.resources.store import ResourceStore, UnknownResourceError
from metering.signal import UP, Origin, Reading
from metering.store import Account, MeterStore, ResourceChangeError
from tallystick.database import METADATA, migrate, open_ledger

NOON = hour("2026-10-01T12")
NOW = NOON + 24 * HOUR
MINUTE = timedelta(minutes=1)
NODE = Resource("n1", "acme", "cn-hangzhou", "gu20")
BEATING = Resource("b1", "acme", "cn-hangzhou", "gu20", "", ResourceKind.ENDPOINT, 120)


@pytest.fixture
def meter(ledger: Engine) -> MeterStore:
    store = MeterStore(ledger)
    store.put_accounts([Account("acme", "Acme")])
    store.put_resources([NODE, BEATING])
    return store


@pytest.fixture(scope="module")
def growing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A ledger to which each example adds a resource."""
    engine = open_ledger(f"sqlite:///{tmp_path_factory.mktemp('growing') / 'ledger.db'}")
    MeterStore(engine).put_accounts([Account("acme", "Acme")])
    yield engine
    engine.dispose()


@pytest.fixture
def states(ledger: Engine, meter: MeterStore) -> ResourceStore:
    assert meter.resources() == [BEATING, NODE]
    return ResourceStore(ledger)


def told(at: datetime, state: State, resource: str = "n1", evidence: str = "") -> StateEvent:
    return StateEvent(resource, at, state, evidence=evidence)


def was(state: State, start: datetime, end: datetime = FOR_EVER, name: str = "n1") -> Interval:
    return Interval(name, Period(start, end), state)


def test_told_states_become_the_intervals_that_are_charged(
    states: ResourceStore, meter: MeterStore
) -> None:
    events = [told(NOON, State.RUNNING), told(NOON + HOUR, State.STOPPED)]

    assert states.tell(events, NOW) == (2, 0)
    assert states.tell(events, NOW) == (0, 2)
    assert states.tell([*events[:1], *events[:1]], NOW) == (0, 2)
    assert meter.intervals(["n1"]) == [
        was(State.RUNNING, NOON, NOON + HOUR),
        was(State.STOPPED, NOON + HOUR),
    ]
    assert [(e.state, at) for e, at in states.told("n1")] == [
        (State.RUNNING, NOW),
        (State.STOPPED, NOW),
    ]


def test_any_order_of_arrival_gives_the_same_intervals(ledger: Engine, meter: MeterStore) -> None:
    meter.put_resources([Resource(f"r{n}", "acme", "cn-hangzhou", "gu20") for n in range(4)])
    states = ResourceStore(ledger)
    dice = random.Random(7)
    script = [(NOON + n * MINUTE, dice.choice(list(State))) for n in range(12)]
    found = []
    for n in range(4):
        for at, state in dice.sample(script, len(script)):
            states.tell([told(at, state, f"r{n}")], NOW)
        found.append([(i.period, i.state) for i in meter.intervals([f"r{n}"])])

    assert found[1:] == found[:1] * 3


def test_a_later_story_of_one_instant_replaces_the_first_and_a_resend_does_not_bring_it_back(
    states: ResourceStore, meter: MeterStore
) -> None:
    states.tell([told(NOON, State.RUNNING)], NOW)
    states.tell([told(NOON, State.STOPPED, evidence="ticket 1")], NOW)
    states.tell([told(NOON, State.RUNNING)], NOW)

    assert meter.intervals(["n1"]) == [was(State.STOPPED, NOON)]


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_intervals_are_always_what_a_fresh_fold_gives(growing: Engine, data: st.DataObject) -> None:
    meter, states = MeterStore(growing), ResourceStore(growing)
    name = f"r{len(meter.resources())}"
    meter.put_resources([replace(BEATING, id=name)])
    minutes = st.integers(0, 30).map(lambda n: NOON + n * MINUTE)
    steps = st.one_of(
        st.tuples(st.just("tell"), minutes, st.sampled_from(State)),
        st.tuples(st.just("hear"), minutes, st.none()),
        st.tuples(st.just("silence"), minutes, st.none()),
    )
    for n, (what, at, state) in enumerate(data.draw(st.lists(steps, max_size=15))):
        if state:
            states.tell([told(at, state, name, str(n))], NOW)
        elif what == "hear":
            states.hear([(name, at)], NOW)
        else:
            states.silence(at)
    stored = meter.intervals([name])
    with Session(growing) as session, session.begin():
        rebuild(session, [name])

    assert meter.intervals([name]) == stored


def test_a_long_history_is_taken_in_one_request(states: ResourceStore, meter: MeterStore) -> None:
    both = (State.RUNNING, State.STOPPED)
    history = [told(NOON - n * MINUTE, both[n % 2], "n1") for n in range(510)]

    assert states.tell(history, NOW) == (510, 0)
    assert states.tell(history, NOW) == (0, 510)
    assert len(meter.intervals(["n1"])) == 510


def test_of_one_request_the_later_story_of_an_instant_holds(
    states: ResourceStore, meter: MeterStore
) -> None:
    story = [told(NOON, State.RUNNING), told(NOON, State.STOPPED), told(NOON, State.RUNNING)]

    assert states.tell(story, NOW) == (2, 1)
    assert meter.intervals(["n1"]) == [was(State.STOPPED, NOON)]


def test_two_who_tell_at_once_are_both_heard(states: ResourceStore, meter: MeterStore) -> None:
    def tell(n: int) -> int:
        at = NOON + n * MINUTE
        return states.tell([told(at, (State.RUNNING, State.STOPPED)[n % 2])], NOW).stored

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(tell, range(20))) == 20
    assert len(meter.intervals(["n1"])) == 20


def test_an_unknown_resource_or_a_far_future_stores_nothing(
    states: ResourceStore, meter: MeterStore
) -> None:
    good = told(NOON, State.RUNNING)
    with pytest.raises(UnknownResourceError, match="found 'n9'"):
        states.tell([good, told(NOON, State.RUNNING, "n9")], NOW)
    with pytest.raises(AheadOfTheClockError):
        states.tell([good, told(NOW + 25 * HOUR, State.STOPPED)], NOW)
    with pytest.raises(UnknownResourceError):
        states.resource("n9")

    assert (states.told("n1"), meter.intervals(["n1"])) == ([], [])


def test_a_setup_that_is_applied_again_leaves_told_states_alone(
    states: ResourceStore, meter: MeterStore
) -> None:
    meter.put_intervals([was(State.RUNNING, NOON)])
    states.tell([told(NOON + HOUR, State.STOPPED)], NOW)
    stopped = meter.intervals(["n1"])
    meter.put_intervals([was(State.RUNNING, NOON)])

    assert meter.intervals(["n1"]) == stopped
    assert stopped == [was(State.RUNNING, NOON, NOON + HOUR), was(State.STOPPED, NOON + HOUR)]


def test_a_resource_keeps_its_kind_but_may_change_its_heartbeat(meter: MeterStore) -> None:
    meter.put_resources([Resource("n1", "acme", "cn-hangzhou", "gu20", "x", heartbeat_seconds=9)])

    with pytest.raises(ResourceChangeError, match=r"must stay as declared .* found acme"):
        meter.put_resources(
            [Resource("n1", "acme", "cn-hangzhou", "gu20", "x", ResourceKind.ENDPOINT)]
        )
    assert meter.resources()[1].heartbeat_seconds == 9


def test_intervals_of_an_older_ledger_are_what_was_declared(ledger: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", "tallystick/migrations")
    resource = "INSERT INTO resource VALUES ('n1', 'acme', 'cn-hangzhou', 'gu20', '')"
    ran = {"resource": "n1", "started_at": NOON, "ended_at": NOON + HOUR, "state": "running"}
    with ledger.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
        connection.execute(text("INSERT INTO account VALUES ('acme', 'Acme', 'UTC')"))
        connection.execute(text(resource))
        connection.execute(METADATA.tables["interval"].insert(), ran)
    migrate(ledger)

    states, meter = ResourceStore(ledger), MeterStore(ledger)
    states.tell([told(NOON + HOUR / 2, State.STOPPED)], NOW)
    assert meter.resources() == [NODE]
    assert meter.intervals(["n1"]) == [
        was(State.RUNNING, NOON, NOON + HOUR / 2),
        was(State.STOPPED, NOON + HOUR / 2),
    ]


def beats(*minutes: float) -> list[tuple[str, datetime]]:
    return [("b1", NOON + n * MINUTE) for n in minutes]


def test_a_silent_resource_is_lost_once(states: ResourceStore, meter: MeterStore) -> None:
    states.tell([told(NOON, State.RUNNING, "b1")], NOW)
    assert states.hear(beats(0, 1, 2), NOW) == 3

    assert states.silence(NOON + 4 * MINUTE) == []
    assert states.silence(NOON + 5 * MINUTE) == ["b1"]
    assert states.silence(NOON + 6 * MINUTE) == []
    assert states.lost(["b1", "n1"], NOW) == ["b1"]
    assert meter.intervals(["b1"]) == [
        was(State.RUNNING, NOON, NOON + 2 * MINUTE, "b1"),
        was(State.LOST, NOON + 2 * MINUTE, name="b1"),
    ]


def test_a_late_beat_heals_and_a_new_one_ends_a_loss(
    states: ResourceStore, meter: MeterStore
) -> None:
    states.tell([told(NOON, State.RUNNING, "b1")], NOW)
    states.hear(beats(0, 1, 2), NOW)
    states.silence(NOON + 8 * MINUTE)
    states.hear(beats(10), NOW)
    lost = running_seconds(meter.intervals(["b1"]), "b1", Period(NOON, NOON + 10 * MINUTE))
    states.hear(beats(4, 6, 8), NOW)

    assert lost == 120
    assert meter.intervals(["b1"]) == [was(State.RUNNING, NOON, name="b1")]
    assert states.present(NOW)[0].heard_at == NOON + 10 * MINUTE


def test_beats_of_others_are_passed_over_and_those_of_tomorrow_refused(
    states: ResourceStore,
) -> None:
    assert states.hear([("n1", NOON), ("n9", NOON)], NOW) == 0
    with pytest.raises(AheadOfTheClockError):
        states.hear([("b1", NOW + HOUR)], NOW)


def test_a_longer_timeout_gives_lost_time_back(states: ResourceStore, meter: MeterStore) -> None:
    states.tell([told(NOON, State.RUNNING, "b1")], NOW)
    states.hear(beats(0, 10), NOW)
    before = meter.intervals(["b1"])
    meter.put_resources(
        [Resource("b1", "acme", "cn-hangzhou", "gu20", "", ResourceKind.ENDPOINT, 3600)]
    )

    assert len(before) == 2
    assert meter.intervals(["b1"]) == [was(State.RUNNING, NOON, name="b1")]


def test_readings_that_say_up_are_heartbeats(
    states: ResourceStore, meter: MeterStore, events: EventStore
) -> None:
    readings = ReadingStore(events.client, 3650)
    start = NOON
    states.tell([told(start, State.RUNNING, "b1")], NOW)
    up = [(0, 1.0), (1, 1.0), (2, 0.0)]
    readings.record(
        [
            Reading(UP, int((start + n * MINUTE).timestamp()) * 10**9, value, Origin(target=name))
            for n, value in up
            for name in ("b1", "other")
        ]
    )

    assert tick(readings, states, start + 3 * MINUTE) == []
    assert tick(readings, states, start + 5 * MINUTE) == ["b1"]
    assert tick(readings, states, start + 5 * MINUTE) == []
    assert running_seconds(meter.intervals(["b1"]), "b1", Period(start, start + HOUR)) == 60


def test_without_heartbeats_nobody_is_listened_for(ledger: Engine, events: EventStore) -> None:
    assert tick(ReadingStore(events.client), ResourceStore(ledger), NOW) == []


def test_an_inventory_is_taken_whole_or_not_at_all(ledger: Engine, meter: MeterStore) -> None:
    inventory = InventoryStore(ledger, ["cn-hangzhou"])
    cells = {"id": "kv1", "account": "acme", "region": "cn-hangzhou", "spec": "gu20"}
    good = Row(2, cells | {"state": "running", "at": "2026-10-01T12:00:00Z"})

    dry = inventory.take([good], "ann", NOW, dry_run=True)
    bad = inventory.take([good, Row(3, {"id": "kv2"})], "ann", NOW, dry_run=False)
    assert [r.id for r in meter.resources()] == ["b1", "n1"]
    done = inventory.take([good], "ann", NOW, dry_run=False)
    again = inventory.take([good], "ann", NOW, dry_run=False)

    assert dry.changes == bad.changes == done.changes
    assert ([p.line for p in bad.problems], bad.is_stored) == ([3], False)
    assert (dry.is_stored, done.is_stored, again.changes) == (False, True, [])
    assert meter.intervals(["kv1"]) == [was(State.RUNNING, NOON, name="kv1")]


def test_a_schedule_takes_the_place_of_the_former_of_its_name(
    ledger: Engine, meter: MeterStore
) -> None:
    store = ScheduleStore(ledger)
    first = Schedule("n1", "office", (Window(540, 1080), Window(1200, 60, frozenset(["sat"]))))
    other = Schedule(
        "n1", "office", (Window(0, 1440),), "Europe/Berlin", Period(NOON, NOW),
        frozenset([date(2026, 10, 1)]), frozenset([date(2026, 10, 10)]),
    )  # fmt: skip

    assert (store.put([first], "ann", NOW), store.put([first], "ann", NOW)) == (1, 0)
    assert store.schedules() == [first]
    assert store.put([other, Schedule("b1", "a", first.windows)], "ann", NOW) == 2
    assert store.schedules(["n1"]) == [other]
    assert [s.resource for s in store.schedules()] == ["b1", "n1"]
    with pytest.raises(UnknownResourceError):
        store.put([Schedule("n9", "a", first.windows)], "ann", NOW)
    assert meter.intervals(["n1"]) == []
