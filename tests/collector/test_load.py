"""The load rate: of a replica the worst of its parts, of a pool the mean by capacity."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.workers.load import Replica, pool_load, pool_loads, replica_load, with_load
from metering.signal import Origin, Reading

NOW = 1_795_000_000_000_000_000
A = Origin(system="vllm", target="a:8000", engine="0", model="m", pool="p")
B = Origin(system="sglang", target="b:8000", model="m", pool="p")

COUNTS = st.none() | st.integers(0, 5000).map(float)
SHARES = st.none() | st.floats(0, 1)
REPLICAS = st.lists(
    st.builds(Replica, st.floats(0, 3), st.floats(0.1, 1e6)), min_size=1, max_size=8
)


@given(COUNTS, COUNTS, SHARES, COUNTS)
def test_a_load_is_none_or_not_below_zero_and_not_below_any_part(
    running: float | None, slots: float | None, kv_use: float | None, waiting: float | None
) -> None:
    load = replica_load(running, slots, kv_use, waiting)
    parts = [
        running / slots if running is not None and slots else None,
        kv_use / 0.9 if kv_use is not None else None,
        float(waiting > 0) if waiting is not None else None,
    ]
    known = [part for part in parts if part is not None]

    assert load == (max(known) if known else None)
    assert load is None or load >= 0


@given(REPLICAS)
def test_the_mean_of_a_pool_lies_between_its_replicas(replicas: list[Replica]) -> None:
    pool = pool_load(replicas)
    loads = [r.load for r in replicas]

    assert min(loads) <= pool.mean <= pool.highest == max(loads)
    assert pool.cv >= 0


@given(st.floats(0, 3), st.integers(1, 8))
def test_replicas_loaded_alike_have_no_spread(load: float, count: int) -> None:
    pool = pool_load([Replica(load, capacity) for capacity in range(1, count + 1)])

    assert pool.mean == pytest.approx(load)
    assert pool.cv == pytest.approx(0, abs=1e-6)


def test_the_spread_is_the_deviation_over_the_mean() -> None:
    assert pool_load([Replica(0.5), Replica(1.5)]).cv == pytest.approx(0.5)
    assert pool_load([Replica(0.0), Replica(0.0)]).cv == 0.0


def of(origin: Origin, **told: float) -> list[Reading]:
    return [Reading(signal, NOW, value, origin) for signal, value in told.items()]


def loads(readings: list[Reading], signal: str = "load") -> dict[str, float]:
    return {r.origin.engine or r.origin.target: r.value for r in readings if r.signal == signal}


def test_each_engine_replica_has_its_load() -> None:
    one = Origin(system="vllm", target="a", engine="0", model="m")
    other = Origin(system="vllm", target="a", engine="1", model="m")
    page = of(one, requests_running=1, slots=4, kv_use=0.09) + of(other, kv_use=0.9)

    assert loads(with_load(page)) == {"0": 0.25, "1": pytest.approx(1.0)}
    assert with_load(page)[: len(page)] == page


def test_queues_of_a_replica_add_up() -> None:
    queues = [
        Reading("requests_waiting", NOW, 0.0, A),
        Reading("requests_waiting", NOW, 2.0, A, labels=(("queue", "bootstrap"),)),
    ]

    assert loads(with_load(queues)) == {"0": 1.0}


def test_slots_that_are_declared_hold_for_every_replica_that_does_not_tell() -> None:
    page = of(A, requests_running=8) + of(B, requests_running=1, slots=2)
    found = with_load(page, {"slots": 16.0})

    assert loads(found) == {"0": 0.5, "b:8000": 0.5}
    assert loads(found, "slots") == {"0": 16.0, "b:8000": 2.0}


def test_a_page_of_gpus_or_of_nothing_has_no_load() -> None:
    gpus = of(Origin(gpu="G", target="n:9400"), gpu_busy=0.9)

    assert with_load(gpus, {"slots": 8.0}) == gpus
    assert with_load([]) == []


def test_a_pool_weighs_replicas_by_the_first_measure_that_all_tell() -> None:
    full = of(A, load=1.0, slots=30, kv_capacity_tokens=100)
    idle = of(B, load=0.0, kv_capacity_tokens=300)
    pool = pool_loads(full + idle, NOW)

    assert {r.signal: r.value for r in pool} == {
        "pool_load": 0.25,
        "pool_load_max": 1.0,
        "pool_load_cv": pytest.approx(3**0.5),
    }
    assert {r.origin for r in pool} == {Origin(pool="p", model="m")}
    declared = full + idle + of(A, capacity=1.0) + of(B, capacity=1.0)
    assert pool_loads(declared, NOW)[0].value == 0.5


def test_without_a_common_measure_replicas_weigh_the_same() -> None:
    assert pool_loads(of(A, load=1.0, slots=30) + of(B, load=0.0), NOW)[0].value == 0.5


def test_pools_of_other_models_and_roles_are_other_pools() -> None:
    readings = of(A, load=0.2) + of(Origin(target="c", model="n", pool="p"), load=0.4)
    readings += of(Origin(target="d", model="m", pool="p", role="decode"), load=0.6)
    means = [r.value for r in pool_loads(readings, NOW) if r.signal == "pool_load"]

    assert means == [0.2, 0.4, 0.6]


def test_a_dead_replica_and_one_without_a_pool_do_not_count() -> None:
    readings = of(A, load=0.2) + of(B, up=0.0) + of(Origin(target="c", model="m"), load=0.9)

    assert pool_loads(readings, NOW)[0].value == 0.2
    assert pool_loads(of(B, up=0.0), NOW) == []
