import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import event, hour, usage_events
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metering import doubled_store
from metering.arrival import Arrival, conflicts
from metering.band import Bands
from metering.engine_store import EventsUrlError, StoreLockedError
from metering.event import UsageEvent
from metering.event_store import EventStore
from metering.rollup import RawKey, Sums, fold
from metering.scale.layout import ALONE, PLAIN, ddl
from metering.schema import EVENTS, batch_of, sightings, stamped

batches = st.lists(st.lists(usage_events, min_size=1, max_size=6), max_size=5)


def all_sums(events: EventStore, before: int | None = None) -> dict[RawKey, Sums]:
    """Sum every hour that any arrival touched, one hour at a time."""
    cutoff = events.cutoff() if before is None else before
    out: dict[RawKey, Sums] = {}
    for touched in events.hours_touched(0, cutoff):
        out |= events.sums([touched], cutoff)
    return out


def empty(events: EventStore) -> None:
    for table in ("events", "sightings", "contested", "doubled", "corrected"):
        events.client.command(f"TRUNCATE TABLE {table}")


@pytest.mark.slow
def test_sql_and_python_agree_on_many_more_arrivals(events: EventStore) -> None:
    agreement = given(sent=batches)(check_agreement)
    settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))(agreement)(
        events
    )


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(sent=batches)
def test_sql_and_python_agree_on_what_any_arrivals_come_to(
    events: EventStore, sent: list[list[UsageEvent]]
) -> None:
    check_agreement(events, sent)


def check_agreement(events: EventStore, sent: list[list[UsageEvent]]) -> None:
    empty(events)
    arrivals: list[Arrival] = []
    for batch in sent:
        events.record(batch)
        arrivals += [Arrival(e, len(arrivals) + i) for i, e in enumerate(batch)]
        events.hours_touched(0, events.cutoff())  # as a refresh between them does
    expected = fold(arrivals)

    assert all_sums(events) == expected
    events.client.command("OPTIMIZE TABLE events FINAL")
    assert all_sums(events) == expected
    assert {c.event_id for c in events.conflicts()} == {c.event_id for c in conflicts(arrivals)}
    assert len(events.conflicts()) == len(conflicts(arrivals))


BANDS = Bands((2, 5))
"""Total inputs of generated events go from 0 to 20."""


@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(sent=batches)
def test_sql_and_python_agree_on_the_bands_of_requests(
    events: EventStore, sent: list[list[UsageEvent]]
) -> None:
    empty(events)
    banded = EventStore(events.client, time.time_ns, 0, replace(ALONE, bands=BANDS))
    for batch in sent:
        banded.record(batch)
    arrivals = [Arrival(e, n) for n, e in enumerate(e for batch in sent for e in batch)]

    assert all_sums(banded) == fold(arrivals, bands=BANDS)


@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(sent=batches)
def test_calls_that_are_told_twice_are_chosen_from_slice_by_slice_where_they_are_many(
    events: EventStore, monkeypatch: pytest.MonkeyPatch, sent: list[list[UsageEvent]]
) -> None:
    """The bound is lowered, for it takes hundreds of thousands of calls to reach it."""
    monkeypatch.setattr(doubled_store, "_AT_ONCE", 2)

    check_agreement(events, sent)


def test_a_key_that_was_not_noted_is_summed_all_the_same(events: EventStore) -> None:
    sent = [event("e1", tenant="acme", fresh=1), event("e2", tenant="umbra", fresh=2)]
    events.record(sent)
    expected = all_sums(events)
    events.client.command("TRUNCATE TABLE hour_dimensions")

    assert all_sums(events) == expected == fold([Arrival(e, n) for n, e in enumerate(sent)])


def kept_rows(events: EventStore) -> list[tuple[str, int]]:
    events.client.command("OPTIMIZE TABLE doubled FINAL")
    query = "SELECT hex(event_id), toUnixTimestamp64Nano(stored_at) FROM doubled"
    return sorted(events.rows(query, {}))


def test_what_was_summed_alone_is_kept_when_its_call_is_told_again(events: EventStore) -> None:
    """
    e1 2026-10-01T00:00Z r1 fresh=1
    e2 2026-10-01T00:00Z r2 fresh=2
    e3 2026-10-01T00:00Z r1 fresh=4 rank=9
    e1 2026-10-01T00:00Z r1 fresh=1
    """
    told = [event("e1", fresh=1, call="r1"), event("e2", fresh=2, call="r2")]
    later = [event("e3", fresh=4, call="r1", rank=9), told[0]]
    events.record(told)
    assert [(s.requests, s.fresh) for s in all_sums(events).values()] == [(2, 3)]
    assert kept_rows(events) == []

    for one in later:
        events.record([one])

        assert [(s.requests, s.fresh) for s in all_sums(events).values()] == [(2, 3)]
    stamps = dict(events.rows("SELECT event_id, min(toUnixTimestamp64Nano(stored_at)) FROM events "
                              "GROUP BY event_id", {}))  # fmt: skip
    assert len(kept_rows(events)) == 2
    assert {at for _, at in kept_rows(events)} <= set(stamps.values())


@pytest.mark.parametrize("merged", ["events", "sightings", "contested", "doubled"])
def test_merging_and_looking_again_change_no_sum(events: EventStore, merged: str) -> None:
    """
    e1 2026-10-01T00:00Z r1 fresh=1
    e2 2026-10-01T00:00Z r1 fresh=2 rank=9
    e1 2026-10-01T00:00Z r1 fresh=1
    e3 2026-10-01T00:00Z r3 fresh=4
    """
    told = [event("e1", fresh=1, call="r1"), event("e2", fresh=2, call="r1", rank=9)]
    for one in (*told, told[0], event("e3", fresh=4, call="r3")):
        events.record([one])
    expected = all_sums(events)
    assert [(s.requests, s.fresh) for s in expected.values()] == [(2, 5)]

    events.client.command(f"OPTIMIZE TABLE {merged} FINAL")
    assert all_sums(events) == expected
    events.client.command("TRUNCATE TABLE contested_progress")
    again = EventStore(events.client, time.time_ns)

    assert all_sums(again) == expected
    assert len(kept_rows(again)) == 2


def test_what_an_earlier_version_noted_is_looked_at_once_more(events: EventStore) -> None:
    """That version kept neither the keys of an hour nor the hours that arrivals touch."""
    events.record([event("e1", fresh=1, call="r1"), event("e2", fresh=2, call="r1", rank=9)])
    since = events.cutoff()
    events.record([event("e3", fresh=4)])
    events.hours_touched(0, events.cutoff())
    for table in ("hour_dimensions", "contested", "doubled", "contested_progress"):
        events.client.command(f"TRUNCATE TABLE {table}")
    events.client.command(f"INSERT INTO contested_progress VALUES ('noted', {events.cutoff()})")

    again = EventStore(events.client, time.time_ns)
    before = again.cutoff()

    assert again.hours_touched(since, before) == {hour("2026-10-01T00"), hour("2026-09-30T23")}
    assert [(s.requests, s.fresh) for s in all_sums(again).values()] == [(2, 5)]


def test_a_table_of_an_earlier_version_gets_the_column_it_lacks(events: EventStore) -> None:
    older = replace(EVENTS, columns=tuple(c for c in EVENTS.columns if not c.startswith("tier ")))
    events.client.command("DROP TABLE events")
    events.client.command(ddl(older, PLAIN)[0])
    one = EventStore(events.client, time.time_ns)
    one.record([event("e1", fresh=1), event("e2", fresh=2, tier="batch")])

    again = EventStore(events.client, time.time_ns)

    assert {key.tier: sums.fresh for key, sums in all_sums(again).items()} == {"": 1, "batch": 2}


def test_a_table_that_stored_no_keys_sums_as_before(events: EventStore) -> None:
    keys = {"event_key": "event_id", "call_key": "call_id"}
    others = [c for c in EVENTS.columns if not c.startswith(tuple(keys))]
    aliases = [f"{key} UInt64 ALIAS bitShiftRight(xxHash64({of}), 16)" for key, of in keys.items()]
    earlier = ddl(replace(EVENTS, columns=(*others, *aliases)), PLAIN)[0]
    first = batch_of([event("e1", fresh=1, call="r1")])
    events.client.command("DROP TABLE events")
    events.client.command(earlier.replace("CODEC(LZ4)", "CODEC(NONE)"))
    events.insert("sightings", sightings(first))
    events.insert(
        "events", stamped(first, time.time_ns() + np.arange(len(first))).drop_columns([*keys])
    )

    again = EventStore(events.client, time.time_ns)
    again.record([event("e1", fresh=1, call="r1"), event("e2", fresh=2, call="r1", rank=9)])

    assert [(s.requests, s.fresh) for s in all_sums(again).values()] == [(1, 1)]
    assert again.explained("r1")[0].verdict.bills


def test_rows_of_an_earlier_version_are_of_the_standard_tier(events: EventStore) -> None:
    events.record([event("e1", fresh=1)])
    events.client.command("ALTER TABLE events DROP COLUMN tier SETTINGS mutations_sync = 1")

    again = EventStore(events.client, time.time_ns)
    again.record([event("e1", fresh=1)])

    assert {key.tier: sums.fresh for key, sums in all_sums(again).items()} == {"": 1}
    assert again.conflicts() == []


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_a_call_that_ends_at_the_turn_of_an_hour_is_in_the_later_one(
    events: EventStore, count: int
) -> None:
    hours = [hour(f"2026-10-01T{at:02}") for at in range(9, 9 + count)]
    ends = [f"2026-10-01T{at:02}:{minute}Z" for at in range(9, 14) for minute in ("00", "59:59")]
    events.record([event(end, end, fresh=2**n) for n, end in enumerate(ends)])

    sums = events.sums(hours, events.cutoff())

    assert {k.hour: s.fresh for k, s in sums.items()} == {
        at: 3 * 4**n for n, at in enumerate(hours)
    }


@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(sent=batches)
def test_hours_summed_together_equal_hours_summed_alone(
    events: EventStore, sent: list[list[UsageEvent]]
) -> None:
    empty(events)
    for batch in sent:
        events.record(batch)
    cutoff = events.cutoff()

    together = events.sums(sorted(events.hours_touched(0, cutoff)), cutoff)

    assert together == all_sums(events, cutoff)


def test_a_past_cutoff_shows_what_was_known_then(events: EventStore) -> None:
    events.record([event("e1", fresh=1)])
    then = events.cutoff()
    events.record([event("e2", fresh=2)])

    at_first = events.sums([hour("2026-10-01T00")], then)
    now = events.sums([hour("2026-10-01T00")], events.cutoff())

    assert [s.fresh for s in at_first.values()] == [1]
    assert [s.fresh for s in now.values()] == [3]


def test_a_resend_in_another_hour_is_a_conflict_and_is_not_counted(events: EventStore) -> None:
    events.record([event("e1", "2026-10-01T00:30Z", fresh=1)])
    events.record([event("e1", "2026-11-05T07:30Z", fresh=5)])

    assert [s.fresh for s in all_sums(events).values()] == [1]
    assert len(events.conflicts()) == 1


def test_a_call_told_of_in_two_hours_bills_in_the_hour_of_its_bill_record(
    events: EventStore,
) -> None:
    events.record([event("engine", "2026-10-01T00:59Z", fresh=9, rank=40, call="r1")])
    assert [k.hour.hour for k in all_sums(events)] == [0]

    since = events.cutoff()
    events.record([event("gateway", "2026-10-01T01:00Z", fresh=8, rank=0, call="r1")])

    assert {h.hour for h in events.hours_touched(since, events.cutoff())} == {0, 1}
    assert {k.hour.hour: s.fresh for k, s in all_sums(events).items()} == {1: 8}


def test_stamps_never_go_back_when_the_clock_does(tmp_path: Path) -> None:
    now = [2_000_000_000_000_000_000]
    store = EventStore.open(f"chdb://{tmp_path / 'events'}", lambda: now[0])
    store.record([event("e1"), event("e2")])
    now[0] -= 10**15
    cutoff = store.cutoff()
    store.record([event("e3")])
    assert len(store.sums([hour("2026-10-01T00")], cutoff)) == 1
    store.close()

    again = EventStore.open(f"chdb://{tmp_path / 'events'}", lambda: now[0])

    assert again.cutoff() > cutoff
    assert again.count() == 3
    again.close()


def test_a_stored_event_is_found_by_its_identity(events: EventStore) -> None:
    stored, missing = event("e1"), event("e2")
    events.record([stored])
    events.record([])

    assert events.has([stored.event_id, missing.event_id]) == {stored.event_id}


def test_no_later_stamp_is_below_a_cutoff_that_was_acted_on(tmp_path: Path) -> None:
    now = 2_000_000_000_000_000_000
    store = EventStore.open(f"chdb://{tmp_path / 'events'}", lambda: now)
    cutoff = store.cutoff()
    store.close()

    again = EventStore.open(f"chdb://{tmp_path / 'events'}", lambda: now - 10**12, floor=cutoff)
    again.record([event("e1", "2026-10-01T00:30Z")])

    assert again.hours_touched(cutoff, again.cutoff()) == {hour("2026-10-01T00")}
    again.close()


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata"])
def test_the_machines_own_zone_changes_nothing(tmp_path: Path, zone: str) -> None:
    """Both hours of a clock change are one local hour, and must not be one here."""
    script = """
import sys, time
from builders import event, hour
from metering.event_store import EventStore
hours = [f"2026-{day}T{h:02}" for day in ("10-24", "10-25", "11-01") for h in (0, 1, 5, 6, 23)]
store = EventStore.open(sys.argv[1], time.time_ns)
store.record([event(h, f"{h}:30Z", fresh=1) for h in hours])
cutoff = store.cutoff()
touched = store.hours_touched(0, cutoff)
assert touched == {hour(h) for h in hours}, touched
sums = store.sums(sorted(touched), cutoff)
assert {k.hour for k in sums} == touched and len(sums) == len(hours), sums
store.close()
"""
    done = subprocess.run(
        [sys.executable, "-c", script, f"chdb://{tmp_path / 'events'}"],
        env={**os.environ, "TZ": zone, "PYTHONPATH": os.pathsep.join([".", "tests"])},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_many_contested_calls_are_summed_in_good_time(events: EventStore) -> None:
    calls = range(6_000)
    events.record([event(f"e{n}", "2026-10-01T00:59Z", fresh=1, call=f"r{n}") for n in calls])
    later = [event(f"l{n}", "2026-10-01T01:00Z", fresh=2, call=f"r{n}", rank=1) for n in calls]
    events.record(later)

    sums = events.sums([hour("2026-10-01T00"), hour("2026-10-01T01")], events.cutoff())

    assert {k.hour.hour: (s.requests, s.fresh) for k, s in sums.items()} == {0: (6_000, 6_000)}


def test_many_days_fit_into_one_write(events: EventStore) -> None:
    days = [event(f"e{d}", f"2026-{1 + d // 28:02}-{1 + d % 28:02}T00:00Z") for d in range(300)]

    assert events.record(days) == 300
    assert events.count() == 300


def test_writers_and_readers_do_not_disturb_each_other(events: EventStore) -> None:
    def write(name: str) -> None:
        for i in range(10):
            events.record([event(f"{name}-{i}", fresh=1)])

    writers = [threading.Thread(target=write, args=(n,)) for n in "abc"]
    for writer in writers:
        writer.start()
    while any(w.is_alive() for w in writers):
        events.sums([hour("2026-10-01T00")], events.cutoff())
    [sums] = all_sums(events).values()

    assert (sums.requests, sums.fresh) == (30, 30)


def test_a_second_store_in_one_process_is_refused_with_a_sentence(tmp_path: Path) -> None:
    first = EventStore.open(f"chdb://{tmp_path / 'events'}", time.time_ns)
    with pytest.raises(StoreLockedError, match="must be free, found it open in another process"):
        EventStore.open(f"chdb://{tmp_path / 'other'}", time.time_ns)
    first.close()


def test_addresses_of_no_event_store_are_refused() -> None:
    with pytest.raises(EventsUrlError, match="found 'mysql://x'"):
        EventStore.open("mysql://x", time.time_ns)
