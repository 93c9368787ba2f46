"""Counters: exact differences, whatever restarts and whatever order samples come in."""

import random
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from metering.counter import Sample, bucket_increase, increase
from metering.histogram import Buckets
from metering.signal import Reading

STEPS = st.lists(st.integers(0, 10**12), min_size=1, max_size=6)
RUNS = st.lists(STEPS, min_size=1, max_size=5)
"""What a counter counted between samples, in each life of its process."""


def told(runs: list[list[int]], *, starts: bool) -> list[Sample]:
    """Return the samples that a scraper sees: one after every step, each life from zero."""
    samples: list[Sample] = []
    clock = 100
    for steps in runs:
        started, total = clock, 0
        for step in steps:
            clock += 10
            total += step
            samples.append(Sample(clock, float(total), started if starts else 0))
    return samples


@given(RUNS, st.randoms(use_true_random=False))
def test_the_increase_is_all_that_was_counted_after_the_first_sample(
    runs: list[list[int]], shuffle: random.Random
) -> None:
    samples = told(runs, starts=True)
    counted = sum(step for steps in runs for step in steps) - runs[0][0]
    shuffle.shuffle(samples)

    assert increase(samples + samples[:2]) == counted


@given(RUNS)
def test_a_counter_that_began_in_the_window_counts_from_its_beginning(
    runs: list[list[int]],
) -> None:
    counted = sum(step for steps in runs for step in steps)

    assert increase(told(runs, starts=True), since_ns=100) == counted
    assert increase(told(runs, starts=True), since_ns=101) == counted - runs[0][0]


@given(STEPS)
def test_without_starts_a_drop_tells_a_restart(steps: list[int]) -> None:
    samples = told([[5, 7], [*steps]], starts=False)
    first_after = steps[0]
    seen = 7 + sum(steps) if first_after < 12 else 7 + sum(steps) - 12

    assert increase(samples, since_ns=0) == seen


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=8))
def test_deltas_are_counters_that_start_at_every_sample(deltas: list[int]) -> None:
    samples = [Sample(i + 1, float(d), i + 1) for i, d in enumerate(deltas)]

    assert increase(samples, since_ns=0) == sum(deltas)


def test_nothing_seen_is_nothing_counted() -> None:
    assert increase([]) == 0
    assert increase([Sample(1, 5.0)]) == 0


def test_parts_stay_exact() -> None:
    assert increase([Sample(1, 0.0), Sample(2, 0.5)]) == Fraction(1, 2)
    assert isinstance(increase([Sample(1, 0.0), Sample(2, 2.0)]), int)


def histogram(at_ns: int, counts: tuple[int, ...], started_ns: int = 1) -> Reading:
    return Reading(
        "ttft_seconds", at_ns, 1.0, started_ns=started_ns, buckets=Buckets((1.0,), counts)
    )


def test_a_histogram_counts_as_its_buckets_do() -> None:
    readings = [
        histogram(10, (1, 0)),
        histogram(20, (3, 1)),
        histogram(30, (1, 1), started_ns=25),  # its process began anew
        histogram(40, (0, 2), started_ns=0),  # and again: a bucket has less
        Reading("ttft_seconds", 50, 1.0),
    ]

    assert bucket_increase(readings[::-1]) == Buckets((1.0,), (2 + 1 + 0, 1 + 1 + 2))
    assert bucket_increase(readings, since_ns=1) == Buckets((1.0,), (4, 4))
    assert bucket_increase([]) == Buckets()
