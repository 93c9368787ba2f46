"""Both sides of one place and period, and how several periods are one.

What lies between two hours that follow one another is no residual of both together: a call that
the engine counts in the one and the gateway in the other cancels out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from functools import reduce
from typing import Any, NamedTuple, TypeVar

from metering.period import HOUR
from metering.reconcile.engine import EngineTotal, Window
from metering.reconcile.gateway import Calls, Edge, Told
from metering.reconcile.place import NOTHING, Pair, Place


class Where(NamedTuple):
    """One hour of one place: what is measured, stored and judged."""

    hour: datetime
    place: Place


@dataclass(frozen=True, slots=True)
class Measures:
    """All that is known of a place in a period; a side that nobody tells is None."""

    engine: EngineTotal | None = None
    told: Told | None = None
    calls: Calls = field(default_factory=Calls)
    start: Edge = field(default_factory=Edge)
    end: Edge = field(default_factory=Edge)
    blind: Pair = NOTHING
    """Tokens of calls that ran while an engine's counters were blind."""

    @property
    def has_work(self) -> bool:
        """Whether any engine counted a token."""
        return self.engine is not None and bool(self.engine.input or self.engine.output)


def together(measures: Mapping[datetime, Measures]) -> Measures:
    """Return the measures of several hours of one place as one.

    Hours without engines are left out where others have some: they cannot be compared.

    >>> together({}) == Measures()
    True
    """
    if not measures:
        return Measures()
    compared = {h: m for h, m in measures.items() if m.engine} or measures
    outer = [_outer(hour, compared) for hour in sorted(compared)]
    return reduce(_plus, outer)


def _outer(hour: datetime, hours: Mapping[datetime, Measures]) -> Measures:
    """Return an hour's measures without its bounds to hours that are compared with it."""
    one = hours[hour]
    return replace(
        one,
        start=Edge() if hour - HOUR in hours else one.start,
        end=Edge() if hour + HOUR in hours else one.end,
    )


def _plus(one: Measures, other: Measures) -> Measures:
    return Measures(
        engine=_engines(one.engine, other.engine),
        told=_sum_of(one.told or Told(), other.told) if other.told else one.told,
        calls=_sum_of(one.calls, other.calls),
        start=_sum_of(one.start, other.start),
        end=_sum_of(one.end, other.end),
        blind=one.blind.plus(other.blind),
    )


def _engines(one: EngineTotal | None, other: EngineTotal | None) -> EngineTotal | None:
    if one is None or other is None:
        return one or other
    counts = {name: _added(getattr(one, name), getattr(other, name)) for name in _COUNTS}
    return EngineTotal(
        **counts,
        slack=one.slack.plus(other.slack),
        engines=max(one.engines, other.engines),
        resets=one.resets + other.resets,
        from_ns=min(one.from_ns, other.from_ns),
        to_ns=max(one.to_ns, other.to_ns),
        blind=(*one.blind, *other.blind),
    )


_COUNTS = ("input", "output", "cached", "finished", "started")


def _added(one: int | None, other: int | None) -> int | None:
    return None if one is None and other is None else (one or 0) + (other or 0)


_Counts = TypeVar("_Counts", Told, Calls, Edge)


def _sum_of(one: _Counts, other: _Counts) -> _Counts:
    """Return two sets of counts as one, field by field."""
    return type(one)(*(getattr(one, f.name) + getattr(other, f.name) for f in fields(one)))


def document_of(measures: Measures) -> dict[str, Any]:
    """Return measures as they are stored, in JSON's own types."""
    return asdict(measures)


def measures_of(document: Mapping[str, Any]) -> Measures:
    """Read measures as they were stored."""
    engine, told = document["engine"], document["told"]
    return Measures(
        engine=_engine_of(engine) if engine else None,
        told=Told(**told) if told else None,
        calls=Calls(**document["calls"]),
        start=Edge(**document["start"]),
        end=Edge(**document["end"]),
        blind=Pair(*document["blind"]),
    )


def _engine_of(said: Mapping[str, Any]) -> EngineTotal:
    windows: Iterable[Sequence[int]] = said["blind"]
    blind = tuple(Window(*window) for window in windows)
    return EngineTotal(**{**said, "slack": Pair(*said["slack"]), "blind": blind})
