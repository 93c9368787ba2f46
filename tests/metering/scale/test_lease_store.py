"""The lease on both databases: one holder, by the ledger's clock, and a fence at the commit."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial

import pytest
from builders import hour
from sqlalchemy import Engine, text
from sqlmodel import Session

from metering.identity import FOR_EVER, Identity, Kind
from metering.period import Period
from metering.scale.store import FenceError, LeaseStore, check_fence
from metering.store import Account, MeterStore

NOW = datetime(2026, 11, 2, tzinfo=UTC)
HOUR = hour("2026-10-01T00")


def expire(ledger: Engine) -> None:
    """Let the lease end now, without waiting for it."""
    with ledger.begin() as connection:
        connection.execute(text("UPDATE lease SET until = '2020-01-01 00:00:00+00:00'"))


def test_one_of_many_who_ask_at_once_gets_it(ledger: Engine) -> None:
    stores = [LeaseStore(ledger, f"worker-{n}", 60) for n in range(6)]

    with ThreadPoolExecutor(6) as pool:
        fences = list(pool.map(LeaseStore.hold, stores))

    [held] = [store for store, fence in zip(stores, fences, strict=True) if fence is not None]
    assert sorted(f for f in fences if f is not None) == [1]
    assert LeaseStore(ledger, "reader", 60).current().holder == held.holder
    assert [s.is_held for s in stores].count(True) == 1


def test_another_takes_over_what_has_ended_and_the_first_hears_of_it(ledger: Engine) -> None:
    first, second = LeaseStore(ledger, "first", 60), LeaseStore(ledger, "second", 60)
    assert (first.hold(), second.hold(), first.hold()) == (1, None, 1)
    expire(ledger)

    assert (second.hold(), first.hold()) == (2, None)
    assert (first.is_held, second.is_held) == (False, True)


def test_a_released_lease_is_free_at_once_and_only_its_holder_releases_it(ledger: Engine) -> None:
    first, second = LeaseStore(ledger, "first", 60), LeaseStore(ledger, "second", 60)
    first.hold()
    second.release()
    assert second.hold() is None
    first.release()

    assert second.hold() == 2


def test_the_only_process_seizes_it_from_the_dead(ledger: Engine) -> None:
    LeaseStore(ledger, "killed", 3600).hold()
    alone = LeaseStore(ledger, "alone", 60)

    assert (alone.seize(), alone.hold(), alone.is_held) == (2, 2, True)


def test_the_end_is_reckoned_by_the_ledgers_clock(ledger: Engine) -> None:
    before = datetime.now(UTC)
    LeaseStore(ledger, "worker", 60).hold()
    left = LeaseStore(ledger, "reader", 1).current().until - before

    assert 55 < left.total_seconds() < 70


def test_who_lost_the_lease_closes_nothing(ledger: Engine) -> None:
    first, second = LeaseStore(ledger, "first", 60), LeaseStore(ledger, "second", 60)
    fence = first.hold()
    assert fence is not None
    guarded = MeterStore(ledger, partial(check_fence, fence=fence))
    guarded.close_hours([HOUR], {}, 5, NOW)
    expire(ledger)
    second.hold()

    with pytest.raises(FenceError, match=r"\(fence 1\), found fence 2: nothing is written"):
        guarded.close_hours([HOUR], {}, 9, NOW)
    assert guarded.last_close().stored_before == 5


def test_a_binding_that_changes_under_a_tick_makes_it_start_afresh(ledger: Engine) -> None:
    lease = LeaseStore(ledger, "worker", 60)
    fence = lease.hold()
    assert fence is not None
    meter = MeterStore(ledger)
    meter.put_accounts([Account("acme", "Acme")])
    always = Period(hour("1970-01-01T00"), FOR_EVER)
    meter.put_identities([Identity(Kind.TENANT, "acme", "acme", "", always)])

    with pytest.raises(FenceError):
        MeterStore(ledger, partial(check_fence, fence=fence)).close_hours([HOUR], {}, 5, NOW)
    assert lease.hold() == fence + 1


def test_the_lease_changes_hands_only_when_a_commit_under_it_is_done(
    postgres_ledger: Engine,
) -> None:
    first, second = (LeaseStore(postgres_ledger, name, 60) for name in ("first", "second"))
    fence = first.hold()
    assert fence is not None
    expire(postgres_ledger)
    with Session(postgres_ledger) as session, session.begin():
        check_fence(session, fence)
        taking = threading.Thread(target=second.hold)
        taking.start()
        taking.join(0.5)
        assert taking.is_alive()
    taking.join(60)

    assert second.is_held
