"""Bucket counts of a histogram, and adding them up without inventing an observation."""

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Self

MAX_GRID_SCALE = 3
"""Exponential histograms are kept at most this fine (neighbouring bounds 9 % apart), so that two
of them share their bounds whatever scale their makers had reached."""


@dataclass(frozen=True, slots=True)
class Buckets:
    """How many observations fell where: bucket i holds ``bounds[i-1] < x <= bounds[i]``."""

    bounds: tuple[float, ...] = ()
    """Upper bounds, ascending and finite; the last bucket has none."""
    counts: tuple[int, ...] = (0,)
    """Observations per bucket, not accumulated; one more than there are bounds."""

    def __post_init__(self) -> None:
        ascending = all(a < b for a, b in pairwise(self.bounds))
        finite = all(math.isfinite(b) for b in self.bounds)
        if not (ascending and finite) or len(self.counts) != len(self.bounds) + 1:
            raise BucketsError(f"{len(self.counts)} counts for bounds {self.bounds}")
        if any(count < 0 for count in self.counts):
            raise BucketsError(f"counts {self.counts}")

    @property
    def count(self) -> int:
        """All observations."""
        return sum(self.counts)

    def up_to(self, bound: float) -> int | None:
        """Return how many observations are at most ``bound``, or None where the buckets hide it.

        >>> Buckets((1.0, 2.0), (3, 0, 4)).up_to(1.5), Buckets((1.0, 2.0), (3, 1, 4)).up_to(1.5)
        (3, None)
        """
        at = bisect_left(self.bounds, bound)
        if at < len(self.bounds) and self.bounds[at] == bound:
            return sum(self.counts[: at + 1])
        return sum(self.counts[:at]) if self.counts[at] == 0 else None

    def plus(self, other: Self) -> "Buckets":
        """Return both together, with those bounds at which both know how many lie below.

        >>> Buckets((1.0, 2.0), (3, 1, 0)).plus(Buckets((2.0, 5.0), (2, 7, 0)))
        Buckets(bounds=(2.0, 5.0), counts=(6, 7, 0))
        """
        below = [(bound, ours + theirs) for bound, ours, theirs in self._shared(other)]
        return accumulated(below, self.count + other.count)

    def minus(self, other: Self) -> "Buckets | None":
        """Return what these have more than ``other``, or None where they have less anywhere.

        >>> Buckets((1.0,), (3, 1)).minus(Buckets((1.0,), (2, 1)))
        Buckets(bounds=(1.0,), counts=(1, 0))
        >>> Buckets((1.0,), (0, 9)).minus(Buckets((1.0,), (2, 1))) is None
        True
        """
        below = [(bound, ours - theirs) for bound, ours, theirs in self._shared(other)]
        totals = [0, *(total for _, total in below), self.count - other.count]
        return accumulated(below, totals[-1]) if totals == sorted(totals) else None

    def _shared(self, other: Self) -> Iterator[tuple[float, int, int]]:
        for bound in sorted({*self.bounds, *other.bounds}):
            ours, theirs = self.up_to(bound), other.up_to(bound)
            if ours is not None and theirs is not None:
                yield bound, ours, theirs


def accumulated(below: Iterable[tuple[float, int]], count: int) -> Buckets:
    """Return buckets from pairs ``(bound, observations at most that)``, as Prometheus writes them.

    Raises:
        BucketsError: the pairs do not ascend, or exceed the count of all.
    """
    pairs = [(bound, total) for bound, total in below if bound < math.inf]
    totals = [0, *(total for _, total in pairs), count]
    return Buckets(tuple(b for b, _ in pairs), tuple(b - a for a, b in pairwise(totals)))


@dataclass(frozen=True, slots=True)
class Exponential:
    """An exponential histogram: bucket i of a sign holds ``base**i < |x| <= base**(i+1)``.

    Source: https://opentelemetry.io/docs/specs/otel/metrics/data-model/#exponentialhistogram
    """

    scale: int
    """``base`` is 2 to the power of 2 to the power of minus ``scale``."""
    zeros: int = 0
    zero_threshold: float = 0.0
    offset: int = 0
    positive: tuple[int, ...] = ()
    negative_offset: int = 0
    negative: tuple[int, ...] = ()

    def explicit(self) -> Buckets:
        """Return the same counts in buckets with bounds, no finer than the common grid.

        >>> Exponential(scale=0, zeros=1, offset=1, positive=(0, 2)).explicit()
        Buckets(bounds=(0.0, 4.0, 8.0), counts=(1, 0, 2, 0))
        """
        down = max(self.scale - MAX_GRID_SCALE, 0)
        scale = self.scale - down
        below: dict[float, int] = {}
        for i, count in reversed(_coarser(self.negative_offset, self.negative, down)):
            below.setdefault(-_edge(i + 1, scale), 0)
            _put(below, -_edge(i, scale), count)
        _put(below, self.zero_threshold, self.zeros)
        for i, count in _coarser(self.offset, self.positive, down):
            _put(below, max(_edge(i, scale), self.zero_threshold), 0)
            _put(below, max(_edge(i + 1, scale), self.zero_threshold), count)
        bounds = sorted(below)
        totals = accumulate(below[b] for b in bounds)
        pairs = [(b, t) for b, t in zip(bounds, totals, strict=True) if b > -math.inf]
        return accumulated(pairs, sum(below.values()))


def _coarser(offset: int, counts: tuple[int, ...], down: int) -> list[tuple[int, int]]:
    """Return pairs of index and count, each power of two of neighbours put together."""
    merged: dict[int, int] = {}
    for i, count in enumerate(counts, start=offset):
        if count:
            merged[i >> down] = merged.get(i >> down, 0) + count
    return sorted(merged.items())


def _edge(index: int, scale: int) -> float:
    try:
        return float(2.0 ** (index * 2.0**-scale))
    except OverflowError:
        return math.inf


def _put(below: dict[float, int], bound: float, count: int) -> None:
    below[bound] = below.get(bound, 0) + count


class BucketsError(ValueError):
    """Bucket counts that cannot be: not ascending, not whole, or not as many as bounds."""

    def __init__(self, found: str) -> None:
        super().__init__(
            f"buckets must have ascending finite bounds and counts of 0 or more, one more than "
            f"bounds, found {found}"
        )
