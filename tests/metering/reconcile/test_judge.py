"""Judgement: tolerance, acceptances that hold only while nothing grows, and blockers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from metering.event import Outcome, Quality
from metering.period import HOUR, Period
from metering.reconcile.classify import classify
from metering.reconcile.engine import EngineTotal
from metering.reconcile.gateway import Edge, Told, gateway_totals
from metering.reconcile.judge import Acceptance, By, NoReasonError, Row, Status, blockers, judged
from metering.reconcile.measures import Measures, Where, together
from metering.reconcile.place import Pair, Place
from metering.reconcile.table import document_of
from metering.usage import Usage, UsageKey

NINE = datetime(2026, 10, 1, 9, tzinfo=UTC)
HERE = Place("shared", "m")
HALF_PERCENT = Decimal("0.005")


def both(engine: int | None, gateway: int | None, **edges: Edge) -> Measures:
    told = None if gateway is None else Told(gateway, gateway)
    counted = None if engine is None else EngineTotal(engine, engine)
    return Measures(counted, told, **edges)


def acceptance(accepted: int, hours: int = 1, reason: str = "known") -> Acceptance:
    period = Period(NINE, NINE + hours * HOUR)
    return Acceptance(period, HERE, Pair(accepted, accepted), "eve", reason, NINE)


def day(*hours: Measures) -> dict[Where, Measures]:
    return {Where(NINE + n * HOUR, HERE): one for n, one in enumerate(hours)}


def statuses(rows: list[Row]) -> list[str]:
    return [row.status.value for row in rows]


@pytest.mark.parametrize(
    ("measures", "status"),
    [
        (both(1000, 995), Status.WITHIN),
        (both(995, 1000), Status.WITHIN),
        (both(1000, 994), Status.OPEN),
        (both(1000, 900, start=Edge(3, 95, 95)), Status.EXPLAINED),
        (both(1000, 900, start=Edge(3, 94, 94)), Status.OPEN),
        (both(None, 5), Status.NO_ENGINE),
        (both(5, None), Status.NO_GATEWAY),
        (both(0, None), Status.WITHIN),
        (both(0, 0), Status.WITHIN),
    ],
)
def test_a_row_stands_as_its_unexplained_part_does(measures: Measures, status: Status) -> None:
    assert statuses(judged(day(measures), [], HALF_PERCENT)) == [status]


def test_an_acceptance_holds_until_more_is_unexplained() -> None:
    accepted = [acceptance(100)]

    assert statuses(judged(day(both(1000, 900)), accepted, HALF_PERCENT)) == ["accepted"]
    assert statuses(judged(day(both(1000, 950)), accepted, HALF_PERCENT)) == ["accepted"]
    assert statuses(judged(day(both(1000, 899)), accepted, HALF_PERCENT)) == ["open"]
    assert statuses(judged(day(both(900, 1000)), accepted, HALF_PERCENT)) == ["open"]
    assert statuses(judged(day(both(1000, 1000)), accepted, HALF_PERCENT)) == ["within"]


def test_what_no_gateway_told_is_accepted_as_a_whole() -> None:
    assert statuses(judged(day(both(50, None)), [acceptance(50)], HALF_PERCENT)) == ["accepted"]
    assert statuses(judged(day(both(51, None)), [acceptance(50)], HALF_PERCENT)) == ["no_gateway"]


def test_an_acceptance_is_of_its_place_and_period_alone() -> None:
    hours = day(both(1000, 900), both(1000, 900))
    elsewhere = replace(acceptance(100, 2), place=Place("other", "m"))

    assert statuses(judged(hours, [acceptance(100)], HALF_PERCENT)) == ["accepted", "open"]
    assert statuses(judged(hours, [acceptance(200, 2)], HALF_PERCENT)) == ["accepted"] * 2
    assert statuses(judged(hours, [elsewhere], HALF_PERCENT)) == ["open"] * 2


def test_a_day_is_judged_without_its_accepted_hours() -> None:
    good, bad = both(1000, 1000), both(1000, 900)
    accepted = [acceptance(100)]

    assert statuses(judged(day(bad, good), accepted, HALF_PERCENT, By.DAY)) == ["accepted"]
    assert statuses(judged(day(bad, bad), accepted, HALF_PERCENT, By.DAY)) == ["open"]
    assert statuses(judged(day(bad), accepted, HALF_PERCENT, By.DAY)) == ["accepted"]


def test_calls_between_two_hours_cancel_out_and_a_leak_in_each_does_not() -> None:
    leaky = both(1000, 990, start=Edge(1, 10, 10), end=Edge(1, 0, 0, 10, 10))
    hours = day(*[leaky] * 6)

    assert statuses(judged(hours, [], HALF_PERCENT)) == ["explained"] * 6
    [row] = judged(hours, [], HALF_PERCENT, By.DAY)
    assert (row.status, row.reconciled.input.unexplained) == (Status.OPEN, 60 - 20)


def test_hours_without_engines_are_no_part_of_a_longer_comparison() -> None:
    whole = together(
        {NINE: both(100, 90), NINE + HOUR: both(None, 50), NINE + 2 * HOUR: both(7, None)}
    )

    assert whole.told == Told(90, 90)
    assert whole.engine == EngineTotal(107, 107)
    assert together({NINE: both(None, 50), NINE + HOUR: both(None, 1)}).told == Told(51, 51)
    assert together({NINE: both(5, None), NINE + HOUR: both(6, 2)}).told == Told(2, 2)


def test_days_and_places_are_rows_of_their_own() -> None:
    hours = {
        Where(NINE + timedelta(hours=n), place): both(1, 1)
        for n in (0, 1, 20)
        for place in (HERE, Place("dedicated", "m"))
    }

    assert len(judged(hours, [], HALF_PERCENT)) == 6
    rows = judged(hours, [], HALF_PERCENT, By.DAY)
    assert [(row.period.start.day, row.place.pool) for row in rows] == [
        (1, "dedicated"),
        (1, "shared"),
        (2, "dedicated"),
        (2, "shared"),
    ]


def test_blockers_name_place_time_and_figures() -> None:
    hours = day(both(1000, 900), both(1000, 1000), both(1000, 1200), both(70, None))

    untold, unexplained = blockers(judged(hours, [], HALF_PERCENT))
    assert untold == (
        "reconciliation of pool 'shared', model 'm': of 1 period between 2026-10-01T12:00Z and "
        "2026-10-01T13:00Z +70 input and +70 output tokens were told by no gateway: find the "
        "cause, or accept it with a reason"
    )
    assert unexplained == (
        "reconciliation of pool 'shared', model 'm': of 2 periods between 2026-10-01T09:00Z and "
        "2026-10-01T12:00Z -100 input and -100 output tokens are unexplained: find the cause, "
        "or accept it with a reason"
    )
    assert blockers(judged(day(both(1, 1)), [], HALF_PERCENT)) == []


def test_an_acceptance_says_why() -> None:
    with pytest.raises(NoReasonError, match="must have a reason"):
        acceptance(1, reason=" ")


def test_a_row_is_written_down_with_its_evidence() -> None:
    [open_row] = judged(day(both(1000, 900, start=Edge(1, 30, 30))), [], HALF_PERCENT)
    [accepted] = judged(day(both(1000, 900)), [acceptance(100)], HALF_PERCENT)
    [alone] = judged(day(both(None, 9)), [], HALF_PERCENT)

    assert document_of(open_row)["input"] == {
        "engine": 1000,
        "gateway": 900,
        "residual": 100,
        "slack": 0,
        "classes": [{"class": "straddling", "tokens": 30, "known": "bounded"}],
        "unexplained": 70,
    }
    assert document_of(accepted)["acceptance"]["actor"] == "eve"
    assert document_of(alone)["evidence"]["requests_started"] is None
    assert document_of(alone)["input"]["engine"] is None
    assert document_of(judged(day(both(5, None)), [], HALF_PERCENT)[0])["status"] == "no_gateway"


def test_gateways_are_summed_by_pool_and_model_whatever_the_outcome() -> None:
    def row(meter: str, quantity: int, outcome: Outcome = Outcome.OK) -> Usage:
        quality = Quality.MEASURED
        key = UsageKey(
            NINE, "acme", "", "", "", "shared", "m", "chat", outcome, quality, meter
        )  # fmt: skip
        return Usage(key, quantity)

    told = gateway_totals(
        [
            row("fresh", 5), row("cached", 3), row("written_1h", 2), row("output", 7),
            row("reasoning", 1), row("requests", 9), row("fresh", 4, Outcome.SERVER_ERROR),
        ]
    )  # fmt: skip

    assert told == {HERE: Told(14, 8, 3)}
    assert classify(Measures(told=told[HERE])).input.residual == 0
