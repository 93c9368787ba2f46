"""Whether both sides agree: tolerance, what operators accepted, and what keeps a bill open.

measures of hours -> grouped (hour, day) -> classified -> within | explained | open | accepted
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from metering.period import HOUR, Period
from metering.reconcile.classify import Reconciled, Unaccounted, classify, unaccounted
from metering.reconcile.measures import Measures, Where, together
from metering.reconcile.place import NOTHING, Pair, Place


class Status(StrEnum):
    """How a row stands."""

    WITHIN = "within"
    """Both sides agree within the tolerance."""
    EXPLAINED = "explained"
    """They do once the classes are taken off."""
    OPEN = "open"
    """More than the tolerance is unexplained."""
    ACCEPTED = "accepted"
    """An operator accepted what is unexplained, with a reason."""
    NO_ENGINE = "no_engine"
    """No engine of this pool and model is scraped: there is nothing to compare with."""
    NO_GATEWAY = "no_gateway"
    """Engines worked, and no gateway told of the pool and model at all."""


class By(StrEnum):
    """How long the periods are that are judged."""

    HOUR = "hour"
    DAY = "day"


BLOCKING = frozenset({Status.OPEN, Status.NO_GATEWAY})
"""What an operator must look at before a bill is final."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """An operator's word that a difference is known: it holds while the difference stays."""

    period: Period
    place: Place
    accepted: Pair
    """What was unexplained of input and output when it was accepted."""
    actor: str
    reason: str
    accepted_at: datetime

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise NoReasonError


@dataclass(frozen=True, slots=True)
class Row:
    """One place and period, judged."""

    period: Period
    place: Place
    measures: Measures
    reconciled: Reconciled
    status: Status
    acceptance: Acceptance | None = None
    """The newest one that holds for any of it."""

    @property
    def strange(self) -> Unaccounted:
        """The requests that no record of a gateway is of."""
        return unaccounted(self.measures)


def judged(
    hours: Mapping[Where, Measures],
    acceptances: Sequence[Acceptance],
    tolerance: Decimal,
    by: By = By.HOUR,
) -> list[Row]:
    """Return a row for each place and period, in order of time."""
    groups: dict[tuple[datetime, Place], dict[datetime, Measures]] = defaultdict(dict)
    for (hour, place), measures in hours.items():
        groups[_start_of(hour, by), place][hour] = measures
    holding = [a for a in acceptances if _holds(a, hours)]
    return [
        _row(place, group, [a for a in holding if a.place == place], tolerance)
        for (_, place), group in sorted(groups.items(), key=lambda item: item[0])
    ]


def status_of(measures: Measures, reconciled: Reconciled, tolerance: Decimal) -> Status:
    """Return how measures stand by themselves, without anybody's word."""
    if measures.engine is None:
        return Status.NO_ENGINE
    if measures.told is None and measures.has_work:
        return Status.NO_GATEWAY
    sides = reconciled.sides
    part = Fraction(tolerance)
    if all(abs(side.residual) <= part * side.whole for side in sides):
        return Status.WITHIN
    is_explained = all(abs(side.unexplained) <= part * side.whole for side in sides)
    return Status.EXPLAINED if is_explained else Status.OPEN


def disputed(measures: Measures) -> Pair:
    """Return what an acceptance accepts: the unexplained tokens, or all where no gateway told."""
    sides = classify(measures).sides
    if measures.told is None:
        return Pair(*(side.residual for side in sides))
    return Pair(*(side.unexplained for side in sides))


def blockers(rows: Iterable[Row]) -> list[str]:
    """Return a sentence for each place that keeps a bill of the rows' period from being final."""
    places: dict[tuple[Place, Status], list[Row]] = defaultdict(list)
    for row in rows:
        if row.status in BLOCKING:
            places[row.place, row.status].append(row)
    return [_sentence(*key, found) for key, found in sorted(places.items())]


def _row(
    place: Place,
    hours: Mapping[datetime, Measures],
    acceptances: Sequence[Acceptance],
    tolerance: Decimal,
) -> Row:
    measures = together(hours)
    reconciled = classify(measures)
    status = status_of(measures, reconciled, tolerance)
    told = [a for a in acceptances if any(a.period.holds(hour) for hour in hours)]
    if status in BLOCKING and told:
        others = {h: m for h, m in hours.items() if not any(a.period.holds(h) for a in told)}
        rest = together(others)
        if status_of(rest, classify(rest), tolerance) not in BLOCKING:
            status = Status.ACCEPTED
    period = Period(min(hours), max(hours) + HOUR)
    newest = max(told, key=lambda a: a.accepted_at, default=None)
    return Row(period, place, measures, reconciled, status, newest)


def _holds(acceptance: Acceptance, hours: Mapping[Where, Measures]) -> bool:
    """Whether no more is in dispute than was accepted, and in the same direction."""
    now = disputed(
        together(
            {
                hour: measures
                for (hour, place), measures in hours.items()
                if place == acceptance.place and acceptance.period.holds(hour)
            }
        )
    )
    return all(
        min(0, accepted) <= found <= max(0, accepted)
        for found, accepted in zip(now, acceptance.accepted, strict=True)
    )


def _start_of(hour: datetime, by: By) -> datetime:
    return hour if by is By.HOUR else hour.replace(hour=0)


def _sentence(place: Place, status: Status, rows: Sequence[Row]) -> str:
    start, end = min(r.period.start for r in rows), max(r.period.end for r in rows)
    sums = disputed_sum(rows)
    what = "are unexplained" if status is Status.OPEN else "were told by no gateway"
    return (
        f"reconciliation of pool {place.pool!r}, model {place.model!r}: of {len(rows)} "
        f"{'period' if len(rows) == 1 else 'periods'} between {start:%Y-%m-%dT%H:%MZ} and "
        f"{end:%Y-%m-%dT%H:%MZ} {sums.input:+,} input and {sums.output:+,} output tokens "
        f"{what}: find the cause, or accept it with a reason"
    )


def disputed_sum(rows: Iterable[Row]) -> Pair:
    """Return what is in dispute in several rows together."""
    total = NOTHING
    for row in rows:
        total = total.plus(disputed(row.measures))
    return total


class NoReasonError(ValueError):
    """An acceptance that does not say why."""

    def __init__(self) -> None:
        super().__init__("an acceptance must have a reason, found none")
