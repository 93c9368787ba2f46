"""Thousands of made-up worlds: the core and the stores state what a naive oracle states."""

import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from ledgers import new_ledger
from simulation.oracle import answer, listened
from simulation.service import Stored, arrivals_of, in_memory, of_arrivals
from simulation.told import BANDS, HOUR, Bind, Decide, Decision, Refresh, Send, Step, Told, Withdraw
from simulation.world import START, world

from metering.arrival import Arrival
from metering.band import Bands
from metering.event_store import EventStore
from metering.scale.layout import ALONE

pytestmark = pytest.mark.no_cover  # worlds by the thousand: others look at lines


def test_the_core_states_what_the_oracle_states_of_thousands_of_worlds() -> None:
    for seed in range(2_000):
        steps = world(seed)
        assert in_memory(steps) == answer(steps), f"seed {seed}"


def test_order_resends_and_splits_change_nothing() -> None:
    for seed in range(300):
        steps, rng = world(seed), Random(seed)
        heard, arrivals = listened(steps), arrivals_of(steps)
        shuffled = rng.sample(arrivals, len(arrivals))
        resent = [Arrival(a.event, a.stored_at + len(arrivals)) for a in arrivals]
        contradicted = {i.encode() for i, told in heard.contents.items() if len(told) > 1}
        calm = [a for a in arrivals if a.event.event_id not in contradicted]
        other_order = [a for a in arrivals if a.event.event_id in contradicted]
        stamps = rng.sample([a.stored_at for a in calm], len(calm))
        other_order += [Arrival(a.event, s) for a, s in zip(calm, stamps, strict=True)]
        expected = of_arrivals(arrivals, heard)

        assert of_arrivals(shuffled, heard) == expected, f"seed {seed}: order of reading"
        assert of_arrivals([*resent, *arrivals], heard) == expected, f"seed {seed}: resends"
        assert of_arrivals(other_order, heard) == expected, f"seed {seed}: order of arrival"


def test_the_stores_state_what_the_oracle_states(events: EventStore, tmp_path: Path) -> None:
    check_worlds(events, tmp_path, range(7, 9))


@pytest.mark.slow
def test_the_stores_state_what_the_oracle_states_of_many_worlds(
    events: EventStore, tmp_path: Path
) -> None:
    check_worlds(events, tmp_path, range(300))


def test_a_void_in_one_hour_leaves_the_call_to_a_record_of_another(
    events: EventStore, tmp_path: Path
) -> None:
    ended = START + HOUR
    engine = Told("engine".ljust(16, "."), ended - 9, ended - 1, rank=41, response="r1", fresh=5)
    gateway = replace(engine, name="gateway".ljust(16, "."), ended=ended + 1, rank=0)
    void = Decide(Decision("d1", "void", identity=gateway.identity))
    ledger = new_ledger(tmp_path / "ledger.db")

    steps = (Send((engine, gateway)), Refresh(), void, Refresh())

    try:
        check_world(Stored(banded(events), ledger), steps, "by hand")
    finally:
        ledger.dispose()


def banded(events: EventStore) -> EventStore:
    """Return the same store, telling bands of requests apart."""
    return EventStore(events.client, time.time_ns, 0, replace(ALONE, bands=Bands(BANDS)))


def check_worlds(events: EventStore, folder: Path, seeds: Iterable[int]) -> None:
    for seed in seeds:
        for table in ("events", "sightings", "contested", "doubled", "corrected"):
            events.client.command(f"TRUNCATE TABLE {table}")
        ledger = new_ledger(folder / "ledger.db")
        try:
            check_world(Stored(banded(events), ledger), world(seed), f"seed {seed}")
        finally:
            ledger.dispose()


def check_world(stored: Stored, steps: tuple[Step, ...], seed: str) -> None:
    for number, step in enumerate(steps, 1):
        stored.do(step)
        if isinstance(step, Refresh) and not step.is_lost:
            told = f"{seed}, after step {number} of {len(steps)}"
            assert stored.usage() == answer(steps[:number]), told

    stored.do(Bind(tuple(listened(steps).bonds.values())))
    assert stored.refresh() == 0, f"{seed}: nothing new was told, and rows were written"
    left = [Withdraw(name) for name in listened(steps).decisions]
    for withdrawal in left:
        stored.do(withdrawal)
    stored.refresh()
    undecided = [step for step in steps if not isinstance(step, Decide | Withdraw)]
    assert stored.usage() == answer(undecided), f"{seed}: withdrawn, and not as never made"
    stored.do(
        Send(tuple(told for step in steps if isinstance(step, Send) for told in step.records))
    )
    assert stored.refresh() == 0, f"{seed}: all was sent again, and rows were written"
    for run, usage in stored.past.items():
        assert stored.usage_as_of(run) == usage, f"{seed}: run {run} is not what it was"
