"""What a counter counted between two instants: exact differences, nothing extrapolated.

A rate function that stretches its samples to the edges of a window returns fractions of tokens;
it is of no use where totals must agree.
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from metering.histogram import Buckets
from metering.signal import Reading


class Sample(NamedTuple):
    """A counter's total at an instant."""

    at_ns: int
    value: float
    started_ns: int = 0
    """Since when it counts; 0 where that is not told."""


def increase(samples: Iterable[Sample], since_ns: int | None = None) -> int | Fraction:
    """Return what was counted from the first sample to the last, in whatever order they come.

    A total that began anew counts from zero: it is told by a later start, or by a drop in value.
    A counter that started at or after ``since_ns`` counts from its own beginning. A delta is a
    counter that starts at every sample.

    >>> increase([Sample(1, 70.0), Sample(2, 90.0), Sample(3, 5.0)])
    25
    >>> increase([Sample(1, 70.0, 1), Sample(2, 90.0, 2)], since_ns=0)
    160
    """
    ordered = sorted(set(samples))
    if not ordered:
        return 0
    total = Fraction(0)
    first = ordered[0]
    if since_ns is not None and first.started_ns >= max(since_ns, 1):
        total += Fraction(first.value)
    for before, after in pairwise(ordered):
        kept = Fraction(0) if began_anew(before, after) else Fraction(before.value)
        total += Fraction(after.value) - kept
    return total.numerator if total.denominator == 1 else total


def bucket_increase(readings: Sequence[Reading], since_ns: int | None = None) -> Buckets:
    """Return the observations of one histogram series from its first reading to its last.

    At the bounds that all readings share; other bounds came or went between them.
    """
    told = [(r, r.buckets) for r in sorted(readings, key=lambda r: r.at_ns) if r.buckets]
    total = Buckets()
    if not told:
        return total
    first, counted = told[0]
    if since_ns is not None and first.started_ns >= max(since_ns, 1):
        total = total.plus(counted)
    for (before, old), (after, new) in pairwise(told):
        anew = began_anew(_sample(before), _sample(after))
        grown = None if anew else new.minus(old)
        total = total.plus(new if grown is None else grown)
    return total


def began_anew(before: Sample, after: Sample) -> bool:
    """Whether a counter started over between two samples: a later start, or a drop, tells it."""
    told = before.started_ns and after.started_ns
    return after.value < before.value or bool(told and after.started_ns > before.started_ns)


def _sample(reading: Reading) -> Sample:
    return Sample(reading.at_ns, reading.value, reading.started_ns)
