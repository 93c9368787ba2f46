"""Buckets: adding them up keeps every observation and invents none."""

import math
from bisect import bisect_right

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.histogram import MAX_GRID_SCALE, Buckets, BucketsError, Exponential, accumulated

VALUES = st.lists(st.integers(0, 40).map(lambda n: n / 2), max_size=30)
BOUNDS = st.sets(st.integers(1, 15).map(float), max_size=6).map(lambda b: tuple(sorted(b)))
SCALED = st.tuples(st.integers(-2, 20), st.lists(st.floats(1e-4, 1e4), max_size=40))


def filled(bounds: tuple[float, ...], values: list[float]) -> Buckets:
    ordered = sorted(values)
    return accumulated(((b, bisect_right(ordered, b)) for b in bounds), len(ordered))


@given(BOUNDS, VALUES, BOUNDS, VALUES)
def test_a_sum_is_the_buckets_of_all_values_together(
    bounds: tuple[float, ...], values: list[float], others: tuple[float, ...], more: list[float]
) -> None:
    together = filled(bounds, values).plus(filled(others, more))

    assert together == filled(together.bounds, values + more)
    assert set(bounds) & set(others) <= set(together.bounds) <= set(bounds) | set(others)


@given(BOUNDS, VALUES, VALUES)
def test_what_was_added_can_be_taken_away(
    bounds: tuple[float, ...], before: list[float], later: list[float]
) -> None:
    old, new = filled(bounds, before), filled(bounds, before + later)

    assert new.minus(old) == filled(bounds, later)


def test_less_than_before_is_no_difference() -> None:
    assert Buckets((1.0,), (1, 5)).minus(Buckets((1.0,), (2, 2))) is None
    assert Buckets((), (1,)).minus(Buckets((), (2,))) is None


@given(BOUNDS, VALUES)
def test_empty_buckets_change_nothing(bounds: tuple[float, ...], values: list[float]) -> None:
    assert filled(bounds, values).plus(Buckets()) == filled(bounds, values)


@given(SCALED, SCALED)
def test_exponential_histograms_of_any_scales_add_up_without_losing_a_bound(
    one: tuple[int, list[float]], other: tuple[int, list[float]]
) -> None:
    sent = [exponential(scale, values) for scale, values in (one, other)]
    first, second = (told.explicit() for told in sent)
    together = first.plus(second)

    assert together.count == len(one[1]) + len(other[1])
    if all(told.scale >= MAX_GRID_SCALE for told in sent):
        assert set(together.bounds) == set(first.bounds) | set(second.bounds)


@given(SCALED)
def test_an_exponential_histogram_puts_values_where_they_are(
    scaled: tuple[int, list[float]],
) -> None:
    scale, values = scaled
    buckets = exponential(scale, values).explicit()

    for bound in buckets.bounds:
        near = sum(math.isclose(v, bound, rel_tol=1e-9) for v in values)
        assert abs((buckets.up_to(bound) or 0) - sum(v <= bound for v in values)) <= near


def exponential(scale: int, values: list[float]) -> Exponential:
    """Fill an exponential histogram as a client does."""
    indices = [math.ceil(math.log2(v) * 2.0**scale) - 1 for v in values]
    offset = min(indices, default=0)
    # Histograms span few buckets: a client lowers the scale until they fit.
    while indices and max(indices) - offset > 160:
        scale -= 1
        indices = [math.ceil(math.log2(v) * 2.0**scale) - 1 for v in values]
        offset = min(indices)
    counts = [0] * (max(indices, default=-1) - offset + 1)
    for index in indices:
        counts[index - offset] += 1
    return Exponential(scale, offset=offset, positive=tuple(counts))


def test_zeros_and_negatives_have_buckets_too() -> None:
    told = Exponential(
        scale=0, zeros=2, zero_threshold=0.5, offset=-2, positive=(1, 1, 3), negative=(4, 1)
    )

    buckets = told.explicit()

    # From -4 to -2: 1, to -1: 4, to the threshold around 0: 2 and the 1 up to it, to 1: 1, to 2: 3.
    assert buckets.up_to(-4.0) == 0
    assert buckets.up_to(-2.0) == 1
    assert buckets.up_to(-1.0) == 5
    assert buckets.up_to(0.5) == 8
    assert buckets.up_to(1.0) == 9
    assert buckets.up_to(2.0) == 12
    assert buckets.count == 12


def test_bounds_beyond_all_numbers_are_left_open() -> None:
    buckets = Exponential(scale=-10, offset=0, positive=(1, 2), negative=(3,)).explicit()

    assert buckets.count == 6
    assert all(math.isfinite(bound) for bound in buckets.bounds)


@pytest.mark.parametrize(
    ("bounds", "counts"),
    [((2.0, 1.0), (0, 0, 0)), ((1.0,), (1,)), ((1.0,), (-1, 2)), ((math.inf,), (1, 0))],
)
def test_buckets_that_cannot_be_are_refused(
    bounds: tuple[float, ...], counts: tuple[int, ...]
) -> None:
    with pytest.raises(BucketsError, match="buckets must have ascending"):
        Buckets(bounds, counts)
