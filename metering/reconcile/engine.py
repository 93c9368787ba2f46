"""What engines counted in a period: differences of raw counter samples, and how sure they are.

readings -> series -> difference of each -> roles that speak for it -> one total a place
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from metering.counter import Sample, began_anew, increase
from metering.reconcile.place import NOTHING, Pair, Place
from metering.signal import Origin, Reading


class Counter(StrEnum):
    """The counters of engines that are looked at, by the signal that holds each."""

    INPUT = "prompt_tokens"
    OUTPUT = "generation_tokens"
    CACHED = "cached_tokens"
    FINISHED = "requests_finished"
    ABORTED = "requests_aborted"
    STARTED = "ttft_seconds"
    """Its observations: every request that made a first token, given up later or not."""


MARGIN_NS = 15 * 60 * 1_000_000_000
"""How far outside a period a sample may lie that speaks for one of its bounds."""

GATEWAY_SYSTEMS = frozenset({"litellm"})
"""Gateways whose pages tell again what the engines behind them count."""

_SILENT_AT: Mapping[str, frozenset[Counter]] = {
    "prefill": frozenset({Counter.OUTPUT, Counter.FINISHED, Counter.ABORTED, Counter.STARTED}),
    "decode": frozenset({Counter.INPUT, Counter.CACHED}),
}
"""Where prefill and decode are apart, both count a request whole: each speaks for its part."""
_UNFINISHED = frozenset({"abort", "error"})
"""Reasons for which a request is no finished one."""


class Window(NamedTuple):
    """A time in which an engine may have counted what no sample shows (nanoseconds)."""

    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class Difference:
    """What one series counted from the sample at or before one bound to that at the other."""

    count: int
    from_ns: int
    """When the sample was taken that speaks for the start; the start itself where none has to."""
    to_ns: int
    slack: int
    """What was counted across the scrapes that straddle the two bounds."""
    resets: int = 0
    blind: tuple[Window, ...] = ()


@dataclass(frozen=True, slots=True)
class EngineTotal:
    """What the engines of one place counted; None where none of them tells."""

    input: int | None = None
    output: int | None = None
    cached: int | None = None
    finished: int | None = None
    """Requests that ended by themselves."""
    started: int | None = None
    """Requests that made a first token at least."""
    slack: Pair = NOTHING
    """How uncertain the bounds are: tokens counted across the scrapes that straddle them."""
    engines: int = 0
    resets: int = 0
    """How often a counter of tokens began anew."""
    from_ns: int = 0
    to_ns: int = 0
    """The earliest samples that speak for the two bounds."""
    blind: tuple[Window, ...] = ()


def engine_totals(
    readings: Iterable[Reading], bounds: Window, pool_of: Callable[[Origin], str]
) -> dict[Place, EngineTotal]:
    """Return what engines counted in a period, by pool and model; nothing is extrapolated.

    Tensor-parallel ranks were merged when they were read; data-parallel ranks and engines add up.
    Where a drop or a later start tells that a counter began anew, it counts from zero, and what
    it had counted after its last sample is not known: a blind window.
    """
    places: dict[Place, list[_Told]] = defaultdict(list)
    for (counter, origin, labels), samples in _series(readings).items():
        found = difference(samples, bounds)
        if found and counter not in _SILENT_AT.get(origin.role, ()):
            place = Place(pool_of(origin), origin.model)
            places[place].append(_Told(counter, origin, dict(labels), found))
    return {place: _total(told, bounds) for place, told in sorted(places.items())}


def difference(samples: Iterable[Sample], bounds: Window) -> Difference | None:
    """Return what a series counted within bounds, or None where no sample speaks for it.

    >>> samples = [Sample(9, 100.0), Sample(11, 130.0), Sample(19, 150.0), Sample(21, 170.0)]
    >>> found = difference(samples, Window(10, 20))
    >>> found.count, found.slack
    (50, 50)
    """
    ordered = sorted(set(samples))
    before = [s for s in ordered if s.at_ns <= bounds.start_ns]
    after = [s for s in ordered if s.at_ns > bounds.end_ns]
    known = [*before[-1:], *(s for s in ordered if bounds.start_ns < s.at_ns <= bounds.end_ns)]
    if not known:
        return None
    first, last = known[0], known[-1]
    anew = [(b, a) for b, a in pairwise(known) if began_anew(b, a)]
    blind = [Window(b.at_ns, max(b.at_ns, a.started_ns or a.at_ns)) for b, a in anew]
    if not before and first.started_ns < bounds.start_ns:
        blind.append(Window(bounds.start_ns, first.at_ns))
    if not after:
        blind.append(Window(last.at_ns, bounds.end_ns))
    return Difference(
        count=int(increase(known, bounds.start_ns if not before else None)),
        from_ns=first.at_ns if before else bounds.start_ns,
        to_ns=last.at_ns,
        slack=int(increase(known[:2]) if before else 0) + int(increase([last, *after[:1]])),
        resets=len(anew),
        blind=tuple(w for w in blind if w.start_ns < w.end_ns),
    )


class _Told(NamedTuple):
    """What one series of a place tells."""

    counter: Counter
    origin: Origin
    labels: Mapping[str, str]
    difference: Difference


_Series = tuple[Counter, Origin, tuple[tuple[str, str], ...]]


def _series(readings: Iterable[Reading]) -> dict[_Series, list[Sample]]:
    """Return the samples of each series; series that differ only in what is not kept add up."""
    apart: dict[tuple[_Series, int], list[Sample]] = defaultdict(list)
    for reading in readings:
        if reading.origin.system not in GATEWAY_SYSTEMS:
            series = Counter(reading.signal), reading.origin, reading.labels
            apart[series, reading.series].append(_sample(reading))
    return {
        (counter, origin, (*labels, ("series", str(number))) if number else labels): samples
        for ((counter, origin, labels), number), samples in apart.items()
    }


def _sample(reading: Reading) -> Sample:
    value = float(reading.buckets.count) if reading.buckets else reading.value
    return Sample(reading.at_ns, value, reading.started_ns)


def _total(told: Sequence[_Told], bounds: Window) -> EngineTotal:
    tokens = [t for t in told if t.counter in {Counter.INPUT, Counter.OUTPUT}]
    finished = _sum(told, Counter.FINISHED)
    aborted = _sum(told, Counter.ABORTED) or 0
    started = [n for n in (_sum(told, Counter.STARTED), finished) if n is not None]
    return EngineTotal(
        input=_sum(told, Counter.INPUT),
        output=_sum(told, Counter.OUTPUT),
        cached=_sum(told, Counter.CACHED),
        finished=None if finished is None else max(finished - aborted, 0),
        started=max(started, default=None),
        slack=Pair(_slack(told, Counter.INPUT), _slack(told, Counter.OUTPUT)),
        engines=len({t.origin for t in tokens}),
        resets=max((t.difference.resets for t in tokens), default=0),
        from_ns=min((t.difference.from_ns for t in tokens), default=bounds.start_ns),
        to_ns=min((t.difference.to_ns for t in tokens), default=bounds.end_ns),
        blind=_joined(w for t in tokens for w in t.difference.blind),
    )


def _sum(told: Iterable[_Told], counter: Counter) -> int | None:
    """Return what all series of a counter that speak for themselves told, or None if none is."""
    listed = list(told)
    counts = [t.difference.count for t in listed if t.counter is counter and _counts(t, listed)]
    return sum(counts) if counts else None


def _counts(one: _Told, told: Iterable[_Told]) -> bool:
    """Whether a series is no part of another: a detail beside its total, or an ended request."""
    siblings = [t.labels for t in told if t.origin == one.origin]
    match one.counter:
        case Counter.CACHED if one.labels.get("source", "total") != "total":
            return all(labels.get("source") != "total" for labels in siblings)
        case Counter.FINISHED:
            return one.labels.get("reason") not in _UNFINISHED
        case Counter.ABORTED:
            return all("reason" not in labels for labels in siblings)
        case _:
            return True


def _slack(told: Iterable[_Told], counter: Counter) -> int:
    return sum(t.difference.slack for t in told if t.counter is counter)


def _joined(windows: Iterable[Window]) -> tuple[Window, ...]:
    """Return windows in order, those that overlap as one."""
    out: list[Window] = []
    for window in sorted(windows):
        if out and window.start_ns <= out[-1].end_ns:
            out[-1] = Window(out[-1].start_ns, max(out[-1].end_ns, window.end_ns))
        else:
            out.append(window)
    return tuple(out)
