"""Several collectors write to one store: what is acknowledged is counted, and ties are settled."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import clickhouse_connect
import pytest
from builders import event, hour, usage_events
from clickhouse import clickhouse_server, fresh_events
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metering.arrival import Arrival
from metering.event import UsageEvent
from metering.event_store import EventStore
from metering.rollup import fold
from metering.scale.layout import PLAIN, Deployment, Layout, client_settings, ddl
from metering.scale.settling import ClockSkewError, LateWriteError
from metering.schema import EVENTS, SIGHTINGS

SECOND = 10**9
SHARED = Deployment(PLAIN, 4 * SECOND)
HOUR = hour("2026-10-01T00")
ONE_SHARD = """
<clickhouse><tcp_port>9000</tcp_port><remote_servers><metering><shard><replica>
    <host>127.0.0.1</host><port>9000</port>
</replica></shard></metering></remote_servers></clickhouse>
"""
"""The engine listens nowhere; told this port, it knows that the replica is itself."""
_REPLICATED = re.compile(r"Replicated(\w+)\('[^']*', '{replica}'(?:, )?")


def collector(events: EventStore, ahead_ns: int = 0) -> EventStore:
    """Return another collector on the same store, by a clock of its own."""
    return EventStore(events.client, lambda: time.time_ns() + ahead_ns, 0, SHARED)


def fresh_tokens(events: EventStore, before: int) -> list[int]:
    return [sums.fresh for sums in events.sums([HOUR], before).values()]


def test_what_has_not_settled_is_counted_later_but_explained_at_once(events: EventStore) -> None:
    store = collector(events)
    store.record([event("e1", fresh=7, call="r1")])
    cutoff = store.cutoff()

    assert store.hours_touched(0, cutoff) == set()
    assert fresh_tokens(store, cutoff) == []
    assert [one.verdict.bills for one in store.explained("r1")] == [True]
    assert store.hours_touched(0, cutoff + SHARED.settle_ns) >= {HOUR}
    assert fresh_tokens(store, cutoff + SHARED.settle_ns) == [7]


def test_a_stamp_that_a_cutoff_may_have_passed_is_not_acknowledged(events: EventStore) -> None:
    late, good = collector(events, -3 * SECOND), collector(events)
    with pytest.raises(LateWriteError, match=r"within 2 s of its stamp .* found 3\.\d s"):
        late.record([event("e1", fresh=7)])
    with pytest.raises(ClockSkewError, match=r"found it 3\.\d s behind it"):
        late.stamps.check_clock()
    since = good.cutoff()

    assert good.record([event("e1", fresh=7)]) == 1
    after = time.time_ns() + SECOND
    assert good.hours_touched(since, after) >= {HOUR}
    assert fresh_tokens(good, after) == [7]


def test_a_clock_that_is_ahead_only_delays(events: EventStore) -> None:
    ahead = collector(events, 3 * SECOND)
    with pytest.raises(ClockSkewError, match=r"found it \d\.\d s ahead of it"):
        ahead.stamps.check_clock()

    assert ahead.record([event("e1", fresh=7)]) == 1


@pytest.mark.parametrize("other", ["2026-10-01T00:20Z", "2026-10-05T07:00Z"])
def test_of_arrivals_with_one_stamp_the_lowest_content_hash_is_the_first(
    events: EventStore, other: str
) -> None:
    """Also where the two lie in different hours, which Python folds."""
    now = time.time_ns()
    claims = [event("e1", "2026-10-01T00:10Z", fresh=1), event("e1", other, fresh=2)]
    for claim in claims:
        EventStore(events.client, lambda: now, 0, SHARED).record([claim])
    first = min(claims, key=lambda e: e.content_hash)
    hours = sorted(events.hours_touched(0, now + 1))

    def counted() -> list[int]:
        return [s.fresh for s in events.sums(hours, now + 1).values()]

    assert counted() == [first.tokens.fresh]
    assert [(c.first_stored_at, c.stored_at) for c in events.conflicts()] == [(now, now)]
    events.client.command("OPTIMIZE TABLE events FINAL")
    assert counted() == [first.tokens.fresh]


@pytest.fixture
def sharded(tmp_path: Path) -> Iterator[EventStore]:
    """The tables of a cluster, in as much of one as the embedded engine is.

    It has no Keeper, so that tables are not replicated and statements are for this server only.
    """
    config = tmp_path / "config.xml"
    config.write_text(ONE_SHARD)
    layout = Layout("metering")
    client = clickhouse_connect.get_client(
        interface="chdb",
        path=str(tmp_path / "events"),
        chdb_options={"config-file": str(config)},
        settings=client_settings(Deployment(layout)),
    )
    for statement in (*ddl(EVENTS, layout), *ddl(SIGHTINGS, layout)):
        client.command(alone(statement))
    store = EventStore(client, time.time_ns)
    yield store
    store.close()


def alone(statement: str) -> str:
    """Take out of a statement what needs Keeper."""
    statement = _REPLICATED.sub(r"\1(", statement)
    return statement.replace(" ON CLUSTER metering", "")


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(sent=st.lists(st.lists(usage_events, min_size=1, max_size=6), max_size=4))
def test_distributed_tables_say_what_python_says(
    sharded: EventStore, sent: list[list[UsageEvent]]
) -> None:
    for table in ("events_local", "sightings_local", "contested", "doubled", "contested_progress"):
        sharded.client.command(f"TRUNCATE TABLE {table}")
    arrivals: list[Arrival] = []
    for batch in sent:
        sharded.record(batch)
        arrivals += [Arrival(e, len(arrivals) + i) for i, e in enumerate(batch)]
    cutoff = sharded.cutoff()

    assert sharded.sums(sorted(sharded.hours_touched(0, cutoff)), cutoff) == fold(arrivals)
    assert sharded.count() == len({a.event.event_id for a in arrivals})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real ClickHouse server; skipped, with the reason, where there is none."""
    with clickhouse_server(tmp_path_factory.mktemp("clickhouse")) as url:
        yield url


def test_a_server_says_what_the_embedded_engine_says(server: str) -> None:
    store = EventStore.open(fresh_events(server), time.time_ns, 0, SHARED)
    sent = [event("a", fresh=1, call="r"), event("b", "2026-10-01T01:00Z", fresh=2, call="r")]
    store.record(sent)
    store.record(sent)
    after = time.time_ns() + SECOND

    sums = store.sums(sorted(store.hours_touched(0, after)), after)
    assert sums == fold(Arrival(e, n) for n, e in enumerate(sent))
    assert store.count() == 2
    store.close()
