"""The load rate 负载率, computed here and nowhere else: of an engine replica, and of a pool.

An engine's own gauge of it cannot be relied on (SGLang's stands still at 0), so it is put together
from what the engine does tell, by the same rule for every engine.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from metering.signal import (
    CAPACITY,
    KV_CAPACITY,
    KV_USE,
    LOAD,
    POOL_LOAD,
    POOL_LOAD_CV,
    POOL_LOAD_MAX,
    RUNNING,
    SIGNALS,
    SLOTS,
    WAITING,
    Origin,
    Reading,
)

KV_FULL = 0.9
"""The share of KV cache in use from which on an engine counts as fully loaded.

Source: SGLang's own ``utilization = max(running / max_running, token_usage / 0.9)``
"""

_WEIGHTS = (CAPACITY, SLOTS, KV_CAPACITY)
"""What a replica's weight in its pool may be taken from, the first that all its replicas tell."""


@dataclass(frozen=True, slots=True)
class Replica:
    """One engine replica of a pool."""

    load: float
    capacity: float = 1.0


@dataclass(frozen=True, slots=True)
class PoolLoad:
    """How loaded a pool is, and how evenly."""

    mean: float
    """Weighted by capacity: a pool is full when its capacity is."""
    highest: float
    cv: float
    """Deviation over mean: low with a high mean asks for capacity, high for balance."""


def replica_load(
    running: float | None, slots: float | None, kv_use: float | None, waiting: float | None
) -> float | None:
    """Return the load rate of a replica, the largest of what is known, or None if nothing is.

    >>> replica_load(running=3, slots=4, kv_use=0.45, waiting=0)
    0.75
    >>> replica_load(running=1, slots=None, kv_use=0.45, waiting=2)
    1.0
    """
    terms: list[float] = []
    if running is not None and slots:
        terms.append(running / slots)
    if kv_use is not None:
        terms.append(kv_use / KV_FULL)
    if waiting is not None:
        terms.append(1.0 if waiting > 0 else 0.0)
    return max(0.0, *terms) if terms else None


def pool_load(replicas: Sequence[Replica]) -> PoolLoad:
    """Return the load of a pool of at least one replica.

    >>> pool_load([Replica(1.0, capacity=3), Replica(0.0, capacity=1)]).mean
    0.75
    """
    total = math.fsum(r.capacity for r in replicas)
    loads = [r.load for r in replicas]
    exact = math.fsum(r.load * r.capacity for r in replicas) / total
    mean = min(max(exact, min(loads)), max(loads))  # rounding must not carry it outside
    spread = math.fsum(r.capacity * (r.load - mean) ** 2 for r in replicas) / total
    return PoolLoad(mean, max(loads), math.sqrt(spread) / mean if mean else 0.0)


def with_load(readings: Iterable[Reading], declared: Mapping[str, float] = {}) -> list[Reading]:
    """Return readings taken together, with the load of each replica among them.

    ``declared`` is what an operator says of every replica behind the address, where its page does
    not: ``slots`` and ``capacity``.
    """
    listed = list(readings)
    replicas: dict[tuple[Origin, int], dict[str, float]] = defaultdict(dict)
    for reading in listed:
        told = replicas[_replica(reading.origin), reading.at_ns]
        before = [told[reading.signal]] if reading.signal in told else []
        told[reading.signal] = SIGNALS[reading.signal].aggregate.of([*before, reading.value])
    added: list[Reading] = []
    for (origin, at_ns), told in replicas.items():
        missing = {n: v for n, v in declared.items() if RUNNING in told and n not in told}
        told.update(missing)
        load = replica_load(*(told.get(name) for name in (RUNNING, SLOTS, KV_USE, WAITING)))
        news = missing if load is None else {**missing, LOAD: load}
        added += [Reading(name, at_ns, value, origin) for name, value in news.items()]
    return listed + added


def pool_loads(latest: Iterable[Reading], at_ns: int) -> list[Reading]:
    """Return the load of every pool, from the latest readings of its replicas.

    A pool serves one model in one role; replicas that belong to no pool make none.
    """
    told: dict[Origin, dict[Origin, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for reading in latest:
        origin = reading.origin
        if origin.pool:
            pool = Origin(pool=origin.pool, model=origin.model, role=origin.role)
            told[pool][_replica(origin)][reading.signal] = reading.value
    readings: list[Reading] = []
    for pool, by_replica in told.items():
        replicas = [known for known in by_replica.values() if LOAD in known]
        if replicas:
            found = pool_load(_weighted(replicas))
            readings += [
                Reading(POOL_LOAD, at_ns, found.mean, pool),
                Reading(POOL_LOAD_MAX, at_ns, found.highest, pool),
                Reading(POOL_LOAD_CV, at_ns, found.cv, pool),
            ]
    return readings


def _weighted(replicas: Sequence[Mapping[str, float]]) -> list[Replica]:
    """Weigh replicas by the first measure that all of them tell; else they weigh the same."""
    for name in _WEIGHTS:
        if all(known.get(name, 0) > 0 for known in replicas):
            return [Replica(known[LOAD], known[name]) for known in replicas]
    return [Replica(known[LOAD]) for known in replicas]


def _replica(origin: Origin) -> Origin:
    return replace(origin, gpu="", node="")
