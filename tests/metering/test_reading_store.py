"""Readings in the store: as they were, once, narrowed, the latest, and no longer than wanted."""

from datetime import UTC, datetime, timedelta

import pytest

from metering.event_store import EventStore
from metering.histogram import Buckets
from metering.period import Period
from metering.reading_store import ReadingStore, UnknownFieldError, Where
from metering.signal import LAST_NS, Origin, Reading

START = datetime(2026, 11, 23, tzinfo=UTC)
HOUR = Period(START, START + timedelta(hours=1))
NS = int(START.timestamp()) * 10**9
A = Origin("vllm", "a:8000", "0", "decode", "GPU-1", "node-1", "千问", "专属")
B = Origin("vllm", "b:8000")
BUCKETS = Buckets((0.1,), (1, 2))


def reading(seconds: float, value: float, origin: Origin = A, series: int = 0) -> Reading:
    return Reading("prompt_tokens", NS + round(seconds * 10**9), value, origin, series=series)


@pytest.fixture
def store(events: EventStore) -> ReadingStore:
    return ReadingStore(events.client, days=3650)


def test_readings_come_back_as_they_were(store: ReadingStore) -> None:
    told = [
        Reading("ttft_seconds", NS + 1, 0.5, A, (("tenant", "甲"),), 7, 2**64 - 1, BUCKETS),
        Reading("ttft_seconds", NS + 2, 0.0, A, buckets=Buckets((), (0,))),
        Reading("ttft_seconds", NS + 3, 1e300, A),
    ]

    assert store.record(told) == 3
    assert set(store.samples("ttft_seconds", HOUR)) == set(told)
    assert store.record([]) == 0


def test_a_reading_told_again_counts_once(store: ReadingStore) -> None:
    store.record_batches([[reading(1, 5.0)], [reading(1, 5.0), reading(2, 6.0)]])
    store.record([reading(2, 6.0)])

    assert [r.value for r in store.samples("prompt_tokens", HOUR)] == [5.0, 6.0]


def test_a_period_ends_before_its_end(store: ReadingStore) -> None:
    store.record([reading(-1e-9, 1.0), reading(0, 2.0), reading(3600, 3.0)])

    assert [r.value for r in store.samples("prompt_tokens", HOUR)] == [2.0]


def test_series_are_told_apart_and_narrowed_by_where_they_come_from(store: ReadingStore) -> None:
    store.record([reading(1, 1.0), reading(2, 2.0, B), reading(3, 3.0, B, series=9)])
    found = store.samples("prompt_tokens", HOUR, Where({"target": "b:8000", "model": ""}))

    assert [r.value for r in found] == [2.0, 3.0]
    assert store.samples("prompt_tokens", HOUR, Where({"model": "千问"}))[0].origin == A
    assert len(store.samples("prompt_tokens", HOUR, limit=2)) == 2
    with pytest.raises(UnknownFieldError, match="told apart by system, target"):
        Where({"target": "b", "color": "red"})


def test_the_latest_is_the_last_of_each_series(store: ReadingStore) -> None:
    store.record([reading(s, s, o) for s in (3.0, 1.0, 2.0) for o in (A, B)])
    store.record([reading(9, 9.0, B, series=1)])
    found = store.latest("prompt_tokens", HOUR)

    assert sorted((r.origin.target, r.value) for r in found) == [
        ("a:8000", 3.0),
        ("b:8000", 3.0),
        ("b:8000", 9.0),
    ]


def test_readings_of_many_days_are_stored_in_one_write(store: ReadingStore) -> None:
    days = 120
    store.record([reading(day * 86_400, 1.0) for day in range(days)])
    period = Period(START, START + timedelta(days=days))

    assert len(store.samples("prompt_tokens", period)) == days


def test_the_last_instant_is_an_instant(store: ReadingStore) -> None:
    store.record([Reading("up", LAST_NS, 1.0, B)])
    period = Period(START, datetime(2262, 12, 31, tzinfo=UTC))

    assert [r.at_ns for r in store.samples("up", period)] == [LAST_NS]


def test_how_long_readings_are_kept_may_change(events: EventStore) -> None:
    ReadingStore(events.client, days=30)
    ReadingStore(events.client, days=45)
    found = events.client.query(
        "SELECT create_table_query FROM system.tables "
        "WHERE database = currentDatabase() AND name = 'readings'"
    )

    assert "toIntervalDay(45)" in found.result_rows[0][0]
