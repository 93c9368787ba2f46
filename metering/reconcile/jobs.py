"""Reconcile hours: read both sides, keep what they came to, and judge what is kept.

readings, usage, calls -> measures of an hour -> ledger -> judged by tolerance and acceptances
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from metering.period import HOUR, Period, hour_of
from metering.reading_store import ReadingStore
from metering.reconcile.call_store import LEAST_DOUBT_NS, Bound, CallStore, Evidence, nanoseconds
from metering.reconcile.engine import MARGIN_NS, Counter, EngineTotal, Window, engine_totals
from metering.reconcile.gateway import Calls, gateway_totals
from metering.reconcile.judge import BLOCKING, Acceptance, By, Row, blockers, disputed, judged
from metering.reconcile.measures import Measures, Where, together
from metering.reconcile.place import Place, pool_finder
from metering.reconcile.store import ReconcileStore, Stamp
from metering.store import MeterStore
from metering.usage import Usage

SETTLED = timedelta(minutes=20)
"""How long after its end an hour is measured once more: samples behind its end have come then."""
LOOK_BACK = timedelta(days=31)
MAX_HOURS = 24
"""Hours measured in one tick: the rest follows in the next."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What reconciling reads and writes."""

    readings: ReadingStore
    calls: CallStore
    meter: MeterStore
    ledger: ReconcileStore
    tolerance: Decimal


@dataclass(frozen=True, slots=True)
class Asked:
    """What an operator wants to see: whole hours, and of them one pool or model, or all."""

    period: Period
    pool: str | None = None
    model: str | None = None
    by: By = By.HOUR


def tick(sources: Sources, now: datetime) -> int:
    """Measure hours that ended and are not up to date; return how many were.

    Oldest first: readings are dropped after some days, and what was measured is kept.
    """
    due = _due_hours(sources, Period(hour_of(now - LOOK_BACK), hour_of(now)), now)[:MAX_HOURS]
    _measure_hours(sources, due, now)
    return len(due)


def rows(sources: Sources, asked: Asked, now: datetime) -> list[Row]:
    """Return both sides of a period, judged; the hour that has not ended is measured up to now."""
    _measure_hours(sources, _due_hours(sources, _ended(asked.period, now), now), now)
    acceptances = sources.ledger.acceptances(asked.period)
    spans = [asked.period, *(a.period for a in acceptances)]
    whole = Period(min(p.start for p in spans), max(p.end for p in spans))
    hours = {w: m for w, m in _hours(sources, whole, now).items() if _is_of(w.place, asked)}
    found = judged(hours, acceptances, sources.tolerance, asked.by)
    return [row for row in found if row.period.overlap(asked.period)]


def accept(sources: Sources, said: Acceptance, now: datetime) -> Acceptance:
    """Store an operator's acceptance of what is in dispute now, and return it with its figures.

    Raises:
        NothingToAcceptError: nothing of that place and period is in dispute.
    """
    asked = [Asked(said.period, *said.place, by) for by in By]
    if not any(row.status in BLOCKING for one in asked for row in rows(sources, one, now)):
        raise NothingToAcceptError(said.place, said.period)
    hours = _hours(sources, said.period, now)
    accepted = disputed(together({w.hour: m for w, m in hours.items() if w.place == said.place}))
    acceptance = replace(said, accepted=accepted, accepted_at=now)
    sources.ledger.accept(acceptance)
    return acceptance


def sentences(sources: Sources, period: Period, account: str) -> list[str]:
    """Say what keeps an account's bill of a period from being final: of the pools that it used."""
    hours = sources.ledger.hours(period)
    if not hours:
        return []
    pools = sources.ledger.pools(period, account)
    used = {where: one for where, one in hours.items() if where.place.pool in pools}
    return blockers(judged(used, sources.ledger.acceptances(period), sources.tolerance))


def measured(sources: Sources, period: Period) -> Iterator[tuple[Place, Measures]]:
    """Yield what both sides of an hour, or of what has passed of it, came to at each place."""
    engines = _engines(sources, period)
    told = gateway_totals(sources.meter.usage(period))
    evidence = sources.calls.evidence(period) if engines else Evidence({}, {})
    for place in sorted(engines.keys() | told.keys()):
        one = Measures(None, told.get(place), evidence.calls.get(place, Calls()))
        engine = engines.get(place)
        doubt = evidence.doubts.get(place, LEAST_DOUBT_NS)
        yield place, _compared(sources, place, one, (engine, period, doubt))


def _due_hours(sources: Sources, period: Period, now: datetime) -> list[datetime]:
    """Return the hours of a period in which engines told something and that are not up to date."""
    stamps = sources.ledger.stamps(period)
    changed = sources.ledger.last_runs(period)
    told = sources.calls.hours_of_readings(period)
    return sorted(
        hour
        for hour in told | stamps.keys()
        if _is_due(hour, stamps.get(hour), changed.get(hour, 0), now)
    )


def _is_due(hour: datetime, stamp: Stamp | None, changed_by: int, now: datetime) -> bool:
    settled = hour + HOUR + SETTLED
    return stamp is None or stamp.run < changed_by or stamp.measured_at < settled <= now


def _measure_hours(sources: Sources, hours: Iterable[datetime], now: datetime) -> None:
    """Measure hours and keep what they came to."""
    run = sources.meter.last_close().run
    for hour in hours:
        period = Period(hour, hour + HOUR)
        known = sources.ledger.hours(period)
        found = {
            place: _with_kept_engine(one, known.get(Where(hour, place)))
            for place, one in measured(sources, period)
        }
        sources.ledger.put_hour(hour, found, Stamp(now, run))


def _with_kept_engine(fresh: Measures, kept: Measures | None) -> Measures:
    """Return fresh measures; where the readings are gone by now, with what engines told then."""
    if fresh.engine or kept is None or kept.engine is None:
        return fresh
    return replace(kept, told=fresh.told)


def _hours(sources: Sources, period: Period, now: datetime) -> dict[Where, Measures]:
    """Return the measures of a period: those kept, usage without engines, and the running hour."""
    found = sources.ledger.hours(period)
    kept = {where.hour for where in found}
    by_hour: dict[datetime, list[Usage]] = defaultdict(list)
    for usage in sources.meter.usage(period):
        by_hour[usage.key.hour].append(usage)
    for hour in by_hour.keys() - kept:
        for place, told in gateway_totals(by_hour[hour]).items():
            found[Where(hour, place)] = Measures(told=told)
    running = hour_of(now)
    if period.holds(running) and now > running:
        for place, measures in measured(sources, Period(running, now)):
            found[Where(running, place)] = measures
    return found


def _compared(
    sources: Sources,
    place: Place,
    one: Measures,
    against: tuple[EngineTotal | None, Period, int],
) -> Measures:
    """Return measures with an engine's total, and what its samples leave in doubt."""
    engine, period, doubt = against
    if engine is None:
        return one
    start, end = nanoseconds(period.start), nanoseconds(period.end)
    return replace(
        one,
        engine=engine,
        start=sources.calls.edge(place, Bound(start, engine.from_ns, doubt)),
        end=sources.calls.edge(place, Bound(end, engine.to_ns, doubt)),
        blind=sources.calls.during(place, period, engine.blind),
    )


def _engines(sources: Sources, period: Period) -> Mapping[Place, EngineTotal]:
    margin = timedelta(microseconds=MARGIN_NS // 1000)
    around = Period(period.start - margin, period.end + margin)
    readings = (r for counter in Counter for r in sources.readings.samples(counter, around))
    bounds = Window(nanoseconds(period.start), nanoseconds(period.end))
    return engine_totals(readings, bounds, pool_finder(sources.calls.pools(period)))


def _ended(period: Period, now: datetime) -> Period:
    """Return the hours of a period that have ended."""
    return Period(period.start, max(period.start, min(period.end, hour_of(now))))


def _is_of(place: Place, asked: Asked) -> bool:
    return asked.pool in {None, place.pool} and asked.model in {None, place.model}


class NothingToAcceptError(ValueError):
    """An acceptance of what nobody disputes."""

    def __init__(self, place: Place, period: Period) -> None:
        super().__init__(
            f"there must be something unexplained to accept in pool {place.pool!r}, model "
            f"{place.model!r}, between {period.start.isoformat()} and {period.end.isoformat()}, "
            f"found nothing"
        )
