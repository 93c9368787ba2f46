from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from builders import event, hour
from sqlalchemy import Engine, text

from metering.event import Outcome, Quality
from metering.event_store import EventStore
from metering.identity import UNATTRIBUTED, AmbiguousIdentityError, Identity, Kind
from metering.interval import Interval, Resource, State
from metering.jobs import tick
from metering.period import HOUR, Period
from metering.store import (
    Account,
    MeterStore,
    OverlappingStatesError,
    ResourceChangeError,
    UnknownAccountError,
    ZoneChangeError,
)
from metering.usage import UsageKey
from tallystick.database import make_engine, migrate

NOON = hour("2026-10-01T12")
NOW = datetime(2026, 11, 1, tzinfo=UTC)
DAY = Period(NOON, NOON + timedelta(days=1))


@pytest.fixture
def meter(ledger: Engine) -> Iterator[MeterStore]:
    store = MeterStore(ledger)
    store.put_accounts([Account("acme", "Acme"), Account("borealis", "北极", "Europe/Berlin")])
    return store


def row(meter_name: str = "fresh", at: datetime = NOON) -> UsageKey:
    return UsageKey(
        hour=at, account="acme", project="", cluster="", resource="", pool="shared", model="模型",
        operation="chat", outcome=Outcome.OK, quality=Quality.MEASURED, meter=meter_name,
    )  # fmt: skip


def quantities(meter: MeterStore, as_of: int | None = None) -> dict[str, int]:
    return {u.key.meter: u.quantity for u in meter.usage(DAY, as_of=as_of)}


def test_accounts_come_back_as_they_were_put(meter: MeterStore) -> None:
    assert meter.account("borealis") == Account("borealis", "北极", "Europe/Berlin")
    with pytest.raises(UnknownAccountError, match=r"\(acme, borealis\), found 'nobody'"):
        meter.account("nobody")


def test_closing_twice_writes_nothing_new(meter: MeterStore) -> None:
    usage = {row(): 10, row("requests"): 1}

    assert meter.close_hours([NOON], usage, 1, NOW) == 2
    assert meter.close_hours([NOON], usage, 2, NOW) == 0
    assert quantities(meter) == {"fresh": 10, "requests": 1}
    assert meter.last_close().stored_before == 2


def test_usage_tells_every_dimension_apart(meter: MeterStore) -> None:
    told = {"band": "32000", "provider": "openai", "tier": "batch", "spill_reason": "queue full"}
    usage = {replace(row(), **{n: v}): at for at, (n, v) in enumerate(told.items(), 1)}

    meter.close_hours([NOON], {row(): 9} | usage, 1, NOW)

    assert {u.key: u.quantity for u in meter.usage(DAY)} == {row(): 9} | usage


def test_usage_of_an_earlier_version_is_of_no_special_tier(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'ledger.db'}")
    migrate(engine, "0005")
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO close_run VALUES (1, 7, '2026-10-01', 1, 1)"))
        connection.execute(text(OLD_USAGE))
    migrate(engine, "0006")

    [usage] = MeterStore(engine).usage(DAY)
    engine.dispose()

    assert (usage.key, usage.quantity) == (row(), 5)


OLD_USAGE = """
INSERT INTO usage (hour, account, project, cluster, resource, pool, model, operation, outcome,
                   quality, meter, band, quantity, run)
VALUES ('2026-10-01 12:00:00.000000', 'acme', '', '', '', 'shared', '模型', 'chat', 'ok',
        'measured', 'fresh', '', 5, 1)
"""


def test_every_past_run_can_be_seen_again(meter: MeterStore) -> None:
    meter.close_hours([NOON], {row(): 10, row("output"): 3}, 1, NOW)
    first = meter.last_close().run
    meter.close_hours([NOON], {row(): 12}, 2, NOW)
    second = meter.last_close().run
    meter.close_hours([NOON], {row(): 12, row("output"): 3}, 3, NOW)

    assert quantities(meter, first) == {"fresh": 10, "output": 3}
    assert quantities(meter, second) == {"fresh": 12}
    assert quantities(meter) == {"fresh": 12, "output": 3}


def test_closing_one_hour_leaves_the_others_alone(meter: MeterStore) -> None:
    meter.close_hours([NOON, NOON + HOUR], {row(): 1, row(at=NOON + HOUR): 2}, 1, NOW)
    meter.close_hours([NOON], {}, 2, NOW)

    assert [u.quantity for u in meter.usage(DAY)] == [2]


def test_years_of_hours_are_closed_in_one_run(meter: MeterStore) -> None:
    hours = [NOON + n * HOUR for n in range(40_000)]

    assert meter.close_hours(hours, {row(at=hours[-1]): 5}, 1, NOW) == 1
    assert meter.close_hours(hours, {row(at=hours[-1]): 6}, 2, NOW) == 1
    assert [u.quantity for u in meter.usage(Period(NOON, hours[-1] + HOUR))] == [6]


def test_quantities_beyond_32_bits_are_kept(meter: MeterStore) -> None:
    meter.close_hours([NOON], {row(): 2**53 - 1}, 2**62, NOW)

    assert quantities(meter) == {"fresh": 2**53 - 1}
    assert meter.last_close().stored_before == 2**62


def test_a_refused_identity_changes_nothing(meter: MeterStore) -> None:
    meter.put_identities([Identity(Kind.TENANT, "t", "acme")])

    with pytest.raises(AmbiguousIdentityError):
        meter.put_identities(
            [
                Identity(Kind.TENANT, "u", "acme"),
                Identity(Kind.TENANT, "t", "borealis", valid=DAY),
            ]
        )
    assert meter.identities() == [Identity(Kind.TENANT, "t", "acme")]


def test_a_resource_stays_what_and_where_it_is(meter: MeterStore) -> None:
    node = Resource("n1", "acme", "cn-hangzhou", "spec")
    meter.put_resources([node])

    with pytest.raises(
        ResourceChangeError, match=r"must stay as declared .* found acme, cn-beijing, spec"
    ):
        meter.put_resources([Resource("n1", "acme", "cn-beijing", "spec")])
    meter.put_resources([Resource("n1", "acme", "cn-hangzhou", "spec", "renamed")])
    assert meter.resources() == [Resource("n1", "acme", "cn-hangzhou", "spec", "renamed")]


def test_states_come_back_in_order_and_never_overlap(meter: MeterStore) -> None:
    meter.put_resources([Resource("n1", "acme", "cn-hangzhou", "spec")])
    ran = Interval("n1", Period(NOON, NOON + HOUR), State.RUNNING)
    rested = Interval("n1", Period(NOON + HOUR, NOON + 2 * HOUR), State.STOPPED)
    meter.put_intervals([rested, ran])

    with pytest.raises(OverlappingStatesError, match="'n1' must be in one state at a time"):
        meter.put_intervals([Interval("n1", Period(NOON + HOUR / 2, NOON + HOUR), State.CREATING)])
    assert meter.intervals(["n1"]) == [ran, rested]


def test_a_tick_brings_usage_up_to_date_and_a_second_one_changes_nothing(
    meter: MeterStore, events: EventStore
) -> None:
    meter.put_identities([Identity(Kind.TENANT, "t-acme", "acme")])
    events.record([event("e1", "2026-10-01T12:00Z", tenant="t-acme", fresh=5)])

    assert tick(events, meter, NOW) == 2
    assert tick(events, meter, NOW) == 0
    assert quantities(meter) == {"fresh": 5, "requests": 1}

    events.record([event("e2", "2026-10-01T12:30Z", tenant="t-acme", fresh=6)])
    assert tick(events, meter, NOW) == 2
    assert quantities(meter) == {"fresh": 11, "requests": 2}


def test_an_identity_bound_late_moves_its_usage(meter: MeterStore, events: EventStore) -> None:
    events.record([event("e1", "2026-10-01T12:00Z", tenant="t-acme", fresh=5)])
    tick(events, meter, NOW)
    before = {u.key.account for u in meter.usage(DAY)}
    run = meter.last_close().run

    meter.put_identities([Identity(Kind.TENANT, "t-acme", "acme")])
    tick(events, meter, NOW)

    assert before == {UNATTRIBUTED}
    assert {u.key.account for u in meter.usage(DAY)} == {"acme"}
    assert {u.key.account for u in meter.usage(DAY, as_of=run)} == {UNATTRIBUTED}
    assert meter.stale_hours() == set()


def test_an_identity_that_ends_gives_its_later_hours_up(
    meter: MeterStore, events: EventStore
) -> None:
    events.record([event("e1", "2026-10-01T12:00Z", tenant="t-acme", fresh=5)])
    first = Identity(Kind.TENANT, "t-acme", "acme")
    meter.put_identities([first])
    tick(events, meter, NOW)

    meter.put_identities([replace(first, valid=Period(first.valid.start, NOON))])
    tick(events, meter, NOW)

    assert {u.key.account for u in meter.usage(DAY)} == {UNATTRIBUTED}


def test_a_zone_never_changes_but_a_name_may(meter: MeterStore) -> None:
    meter.put_accounts([Account("acme", "Acme renamed")])

    with pytest.raises(ZoneChangeError, match="must stay Asia/Shanghai, found UTC"):
        meter.put_accounts([Account("acme", "Acme", "UTC")])
    assert meter.account("acme").name == "Acme renamed"


def test_two_who_bind_one_value_at_once_do_not_both_succeed(ledger: Engine) -> None:
    stores = [MeterStore(ledger), MeterStore(ledger)]
    stores[0].put_accounts([Account("a", "A"), Account("b", "B")])

    def bind_to(store: MeterStore, account: str, value: str) -> bool:
        valid = Period(NOON if account == "a" else NOON + HOUR, NOON + 9 * HOUR)
        try:
            store.put_identities([Identity(Kind.TENANT, value, account, valid=valid)])
        except AmbiguousIdentityError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        for n in range(10):
            pairs = zip(stores, "ab", strict=True)
            done = [pool.submit(bind_to, s, account, f"t{n}") for s, account in pairs]
            assert sorted(d.result() for d in done) == [False, True]
