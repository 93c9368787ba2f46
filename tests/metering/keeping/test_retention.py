"""Events are dropped by the day, and an hour whose events are gone keeps its usage."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from builders import event, hour
from hypothesis import given
from hypothesis import strategies as st
from ledgers import new_ledger
from sqlalchemy import Engine

from metering.event import UsageEvent
from metering.event_store import EventStore
from metering.identity import Identity, Kind
from metering.jobs import tick
from metering.keeping.retention import days_to_drop, oldest_kept, start_of, still_kept
from metering.keeping.retention_store import RetentionStore
from metering.period import Period
from metering.store import Account, MeterStore

TODAY = date(2026, 10, 31)
NOW = datetime(2026, 10, 31, 12, tzinfo=UTC)
ALWAYS = Period(hour("2020-01-01T00"), hour("2030-01-01T00"))

days = st.dates(date(2020, 1, 1), date(2030, 1, 1))
hours = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@pytest.fixture
def ledger_file(tmp_path: Path) -> Iterator[Engine]:
    engine = new_ledger(tmp_path / "ledger.db")
    yield engine
    engine.dispose()


@pytest.fixture
def meter(ledger_file: Engine) -> MeterStore:
    store = MeterStore(ledger_file)
    store.put_accounts([Account("acme", "Acme")])
    return store


def usage_of(meter: MeterStore) -> dict[tuple[str, str, str], int]:
    rows = meter.usage(ALWAYS)
    return {
        (f"{r.key.hour:%m-%dT%H}", r.key.account, r.key.meter): r.quantity
        for r in rows
        if r.key.meter == "fresh"
    }


def month_of_events() -> list[UsageEvent]:
    return [event(f"e{d}", f"2026-10-{d:02}T12:30Z", tenant="acme", fresh=d) for d in range(1, 32)]


@given(newest=days, today=days, kept=st.integers(32, 1000))
def test_no_day_goes_before_both_clocks_say_so(newest: date, today: date, kept: int) -> None:
    oldest = oldest_kept(newest, today, kept)

    assert today - oldest >= timedelta(days=kept)
    assert newest - oldest >= timedelta(days=kept)
    assert oldest + timedelta(days=kept) in {newest, today}


@given(some=st.sets(hours), oldest=days)
def test_an_hour_is_summed_only_where_all_its_day_is_kept(
    some: set[datetime], oldest: date
) -> None:
    kept = still_kept(some, start_of(oldest))
    gone = set(days_to_drop((h.date() for h in some), oldest))

    assert {h.date() for h in kept}.isdisjoint(gone)
    assert all(h.date() < oldest for h in some - kept)
    assert {h - timedelta(days=1) for h in kept}.isdisjoint(start_of(day) for day in gone)


def test_days_are_dropped_whole_and_only_once(events: EventStore) -> None:
    events.record(month_of_events())
    retention = RetentionStore(events.client)

    assert retention.oldest() == hour("1970-01-01T00")
    assert retention.drop(10, TODAY) == [date(2026, 10, d) for d in range(1, 20)]
    assert retention.drop(10, TODAY) == []
    assert retention.oldest() == hour("2026-10-21T00")
    assert events.count() == 12


def test_a_longer_retention_brings_nothing_back_and_the_mark_stays(events: EventStore) -> None:
    events.record(month_of_events())
    retention = RetentionStore(events.client)
    retention.drop(10, TODAY)

    assert retention.drop(396, TODAY) == []
    assert retention.oldest() == hour("2026-10-21T00")
    assert RetentionStore(events.client).oldest() == hour("2026-10-21T00")


def test_a_clock_that_steps_ahead_by_years_drops_nothing_more(events: EventStore) -> None:
    events.record(month_of_events())

    assert RetentionStore(events.client).drop(32, date(2031, 1, 1)) == []
    assert events.count() == 31


def test_an_empty_store_has_nothing_to_drop(events: EventStore) -> None:
    assert RetentionStore(events.client).drop(32, TODAY) == []


def test_a_changed_binding_leaves_hours_alone_whose_events_are_gone(
    events: EventStore, meter: MeterStore
) -> None:
    events.record(month_of_events())
    tick(events, meter, NOW)
    RetentionStore(events.client).drop(10, TODAY)
    meter.put_identities([Identity(Kind.TENANT, "acme", "acme", "", ALWAYS)])
    tick(events, meter, NOW)
    found = usage_of(meter)

    assert {h: q for (h, account, _), q in found.items() if account == "unattributed"} == {
        f"10-{d:02}T12": d for d in range(1, 21)
    }
    assert {h: q for (h, account, _), q in found.items() if account == "acme"} == {
        f"10-{d:02}T12": d for d in range(21, 32)
    }
    assert {h.day for h in meter.stale_hours()} == set(range(1, 21))
    assert tick(events, meter, NOW) == 0


def test_an_event_sent_again_after_its_day_was_dropped_does_not_count_twice(
    events: EventStore, meter: MeterStore
) -> None:
    events.record(month_of_events())
    tick(events, meter, NOW)
    before = usage_of(meter)
    RetentionStore(events.client).drop(10, TODAY)
    assert RetentionStore(events.client).late_rows() == 0
    events.record(month_of_events())
    tick(events, meter, NOW)

    assert usage_of(meter) == before
    assert RetentionStore(events.client).late_rows() == 19
