"""Evidence from the event store: what calls tell beside the tokens that they bill."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from clickhouse_connect.driver.exceptions import ClickHouseError

from metering.engine_store import StoreUnavailableError
from metering.period import Period
from metering.reconcile import call_sql as sql
from metering.reconcile.engine import Window
from metering.reconcile.gateway import Calls, Edge
from metering.reconcile.place import Pair, Place

_SECOND = 1_000_000_000
_HOUR = 3600 * _SECOND
LATEST_NS = 2 * _HOUR
"""Calls that end later than this after a bound are not looked for at it."""
LEAST_DOUBT_NS = 2 * _SECOND
"""How far a page may be read after its scrape began, and well-kept clocks may lie apart."""
MOST_DOUBT_NS = 120 * _SECOND
"""Arrivals that all lag more than this were sent late: that tells nothing of clocks."""


class Bound(NamedTuple):
    """A bound of a period, and when engines were last sampled at or before it."""

    at_ns: int
    sampled_ns: int
    doubt_ns: int = LEAST_DOUBT_NS
    """How far the clocks of gateway and engines may lie apart."""


class Evidence(NamedTuple):
    """What calls tell of a period beside their tokens."""

    calls: Mapping[Place, Calls]
    doubts: Mapping[Place, int]
    """How far the clocks of gateways and engines may lie apart, in nanoseconds."""


class CallStore:
    """Questions about calls. Safe to use from several threads."""

    def __init__(self, client: Any, standing: Callable[[], Sequence[str]] = tuple) -> None:
        """Ask the engine of an event store; ``standing`` are the corrections not taken back."""
        self._client = client
        self._standing = standing

    def evidence(self, period: Period) -> Evidence:
        """Return what the calls of a period tell, by pool and model."""
        calls: dict[Place, Calls] = defaultdict(Calls)
        doubts: dict[Place, int] = {}
        span = _span(period)
        for pool, model, *counts, delay in self._rows(sql.CALLS, span):
            calls[Place(pool, model)] = Calls(*map(int, counts))
            doubts[Place(pool, model)] = _doubt(int(delay))
        for pool, model, others, prompts in self._rows(sql.CHOICES, span):
            known = calls[Place(pool, model)]
            calls[Place(pool, model)] = replace(
                known,
                choices=known.choices + int(others),
                choices_input=known.choices_input + int(prompts),
            )
        corrected = {**span, "standing": list(self._standing())}
        for pool, model, asked, answered in self._rows(sql.CORRECTED, corrected):
            calls[Place(pool, model)] = replace(
                calls[Place(pool, model)],
                corrected_input=int(asked),
                corrected_output=int(answered),
            )
        near = {"near_first": span["first"] - _HOUR, "near_end": span["end"] + _HOUR}
        for pool, model, missing in self._rows(sql.MISSING, {**span, **near}):
            place = Place(pool, model)
            calls[place] = replace(calls[place], missing=int(missing))
        return Evidence(dict(calls), doubts)

    def edge(self, place: Place, bound: Bound) -> Edge:
        """Return the calls that one side may count before a bound and the other after it."""
        asked = {
            "bound": bound.at_ns,
            "earliest": bound.sampled_ns - bound.doubt_ns,
            "sampled": bound.sampled_ns + bound.doubt_ns,
            "latest": bound.at_ns + LATEST_NS,
        }
        [row] = self._rows(sql.EDGE, {**asked, **place._asdict()})
        return Edge(*map(int, row))

    def during(self, place: Place, period: Period, windows: Sequence[Window]) -> Pair:
        """Return the tokens of calls of a period that ran in any of some windows, at most."""
        total = Pair()
        for window in windows:
            asked = {"since": window.start_ns, "until": window.end_ns, **_span(period)}
            [row] = self._rows(sql.BLIND, {**asked, **place._asdict()})
            total = total.plus(Pair(*map(int, row)))
        return total

    def pools(self, period: Period) -> Mapping[str, str]:
        """Return the pool of every instance and resource that calls name, if they name one."""
        return {name: pool for name, pool in self._rows(sql.POOLS, _span(period))}  # noqa: C416

    def hours_of_readings(self, period: Period) -> set[datetime]:
        """Return the hours in which engines told what they counted."""
        rows = self._rows(sql.HOURS, _span(period))
        return {datetime.fromtimestamp(row[0], UTC) for row in rows}

    def _rows(self, query: str, parameters: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        try:
            found = self._client.query(query, parameters=dict(parameters), query_tz="UTC")
        except (ClickHouseError, OSError, RuntimeError) as error:
            raise StoreUnavailableError(str(error)) from error
        return found.result_rows  # type: ignore[no-any-return]


def nanoseconds(instant: datetime) -> int:
    """Return an instant in nanoseconds since 1970 UTC."""
    return round(instant.timestamp() * 1_000_000) * 1000


def _doubt(delay_ns: int) -> int:
    """Return how far clocks may lie apart, by what arrived soonest after it ended.

    What arrives before its end was told by a clock that is ahead by that much at least; a clock
    is behind by no more than the least delay.
    """
    return LEAST_DOUBT_NS + (abs(delay_ns) if abs(delay_ns) <= MOST_DOUBT_NS else 0)


def _span(period: Period) -> dict[str, int]:
    return {"first": nanoseconds(period.start), "end": nanoseconds(period.end)}
