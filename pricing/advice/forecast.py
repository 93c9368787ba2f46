"""The rest of an open month, from the weeks before it: every hour as the same hour of those weeks.

usage so far + usage of whole weeks before now -> usage of the hours to come: low, expected, high
running time of those weeks -> running time to come, likewise
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction

from metering.interval import Interval, State, running
from metering.period import Period, hour_of, zone_of
from metering.usage import Usage, UsageKey

WEEK = timedelta(days=7)
MOST_WEEKS = 4
"""Older weeks say less of the next one."""

_HOUR = timedelta(hours=1)
_HOUR_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Projection:
    """Usage of the hours to come, three times."""

    weeks: int
    """How many whole weeks it was made from."""
    low: tuple[Usage, ...]
    expected: tuple[Usage, ...]
    high: tuple[Usage, ...]


def weeks_before(now: datetime, since: datetime) -> list[Period]:
    """Return the whole weeks that end with the last whole hour, the latest first."""
    end = hour_of(now)
    weeks: list[Period] = []
    while len(weeks) < MOST_WEEKS and end - WEEK >= since:
        weeks.append(Period(end - WEEK, end))
        end -= WEEK
    return weeks


def projected(
    history: Sequence[Usage], weeks: Sequence[Period], rest: Period, zone: str
) -> Projection:
    """Return the usage of a period to come.

    Expected is each hour's mean over the weeks. Low and high are that, in the ratio of the lightest
    and the heaviest week to the mean one: with one week all three are alike.
    """
    if not weeks or not rest.seconds:
        return Projection(len(weeks), (), (), ())
    profile = _profile(history, weeks, zone)
    mean = Fraction(sum(sum(keys.values()) for keys in profile.values()), len(weeks))
    totals = [sum(r.quantity for r in history if week.holds(r.key.hour)) for week in weeks]
    ratios = (
        (Fraction(min(totals)) / mean, Fraction(1), Fraction(max(totals)) / mean) if mean else ()
    )
    low, expected, high = (
        (tuple(_filled(profile, Fraction(ratio, len(weeks)), rest, zone)) for ratio in ratios)
        if ratios
        else ((), (), ())
    )
    return Projection(len(weeks), low, expected, high)


_Profile = Mapping[tuple[int, int], Mapping[UsageKey, int]]
"""Weekday and hour of the account's clock -> key without its hour -> quantity in all weeks."""


def _profile(history: Sequence[Usage], weeks: Sequence[Period], zone: str) -> _Profile:
    clock, anyhow = zone_of(zone), weeks[0].start
    found: dict[tuple[int, int], dict[UsageKey, int]] = defaultdict(lambda: defaultdict(int))
    for row in history:
        if any(week.holds(row.key.hour) for week in weeks):
            local = row.key.hour.astimezone(clock)
            found[local.weekday(), local.hour][replace(row.key, hour=anyhow)] += row.quantity
    return found


def _filled(profile: _Profile, part: Fraction, rest: Period, zone: str) -> list[Usage]:
    """Return usage of each hour; cut from running sums, so that rounding never adds up."""
    clock = zone_of(zone)
    hour = hour_of(rest.start)
    sums: dict[UsageKey, Fraction] = defaultdict(Fraction)
    given: dict[UsageKey, int] = defaultdict(int)
    found = []
    while hour < rest.end:
        local = hour.astimezone(clock)
        ahead = Fraction(Period(max(hour, rest.start), hour + _HOUR).seconds, _HOUR_SECONDS)
        for key, quantity in profile.get((local.weekday(), local.hour), {}).items():
            sums[key] += quantity * part * ahead
            due = round(sums[key]) - given[key]
            given[key] += due
            if due:
                found.append(Usage(replace(key, hour=hour), due))
        hour += _HOUR
    return found


def running_on(intervals: Sequence[Interval], now: datetime, end: datetime) -> list[list[Interval]]:
    """Return states up to now, and from now on running time as in the weeks before, three times.

    Low, expected and high are, of each resource, its week with the least, the middle and the most
    running time, over and over. What is known for less than a week goes on as it is.
    """
    found: list[list[Interval]] = [[], [], []]
    for resource in sorted({interval.resource for interval in intervals}):
        own = [i for i in intervals if i.resource == resource]
        weeks = weeks_before(now, min(i.period.start for i in own))
        if not weeks:
            for states in found:
                states.extend(own)
            continue
        ran = sorted(
            ([(week.end, span) for span in running(own, resource, week)] for week in weeks),
            key=lambda spans: sum(span.seconds for _, span in spans),
        )
        before = [
            replace(i, period=Period(i.period.start, min(i.period.end, now)))
            for i in own
            if i.period.start < now
        ]
        for states, spans in zip(found, (ran[0], ran[len(ran) // 2], ran[-1]), strict=True):
            ahead = (one for week_end, span in spans for one in _again(span, week_end, now, end))
            states.extend([*before, *(Interval(resource, one, State.RUNNING) for one in ahead)])
    return found


def _again(span: Period, week_end: datetime, now: datetime, end: datetime) -> Iterator[Period]:
    """Yield a span of a week again in each week from now on, as far as it lies before the end."""
    later = Period(span.start, span.end)
    while later.start < end:
        ahead = later.overlap(Period(now, end))
        if ahead and later.start >= week_end:
            yield ahead
        later = Period(later.start + WEEK, later.end + WEEK)
