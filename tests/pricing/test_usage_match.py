"""Where usage may be summed before it is rated."""

from dataclasses import replace
from datetime import datetime

from pricing.rating.inputs import Inputs
from pricing.rating.usage_match import cuts
from tests.pricing.month_notation import BEIJING, at, month_from, span
from tests.pricing.rates import book_of, tokens, valid

DAY = span("2026-10-06", "2026-10-07")


def cuts_of(inputs: Inputs) -> list[datetime]:
    """Return the cuts of the sixth of October."""
    return cuts(replace(inputs, month=DAY, service_to=DAY.end))


def test_days_are_cut_in_the_zone_of_the_account() -> None:
    shanghai = month_from("month 2026-10 to=2026-10-03T12:00")
    berlin = replace(shanghai, zone="Europe/Berlin")

    assert shanghai.zone == BEIJING
    assert cuts(shanghai) == [at("2026-10-01"), at("2026-10-02"), at("2026-10-03")]
    assert cuts(berlin)[1:] == [
        at("2026-10-01T06:00"),
        at("2026-10-02T06:00"),
        at("2026-10-03T06:00"),
    ]


def test_contracts_cut_at_the_whole_hours_that_hold_them(inputs: Inputs) -> None:
    """
    sub s1 n1 g4.xlarge.gu10 2026-10-06T09:30
    hour h1 n2 g4.xlarge.gu10 2026-10-01 until=2026-10-06T11:30
    token t1 shared small 2026-10-06T14 until=2026-10-06T16
    """
    hours = ["00", "09", "12", "14", "16"]

    assert cuts_of(inputs) == [at(f"2026-10-06T{h}:00") for h in hours]


def test_hourly_nodes_cut_where_they_begin_to_run_and_have_stopped(inputs: Inputs) -> None:
    """
    hour h1 n1 g4.xlarge.gu10 2026-10-01
    ran  n1 2026-10-06T05:59 2026-10-06T06:30
    ran  n1 2026-10-06T07:00 2026-10-06T07:10
    ran  n1 2026-10-06T09:00 2026-10-06T10:00
    """
    assert cuts_of(inputs) == [at(f"2026-10-06T{h}:00") for h in ("00", "05", "08", "09", "10")]


def test_prices_cut_where_they_change_and_where_a_tariff_turns() -> None:
    rates = (
        valid(tokens("1"), end="2026-10-06T12:30"),
        valid(tokens("2"), start="2026-10-06T12:30"),
        tokens("3", hours="22-08"),
        tokens("4", hours="08-10", meter="output"),
    )
    inputs = replace(month_from(""), book=book_of(*rates))

    hours = ["00", "08", "10", "13", "22"]
    assert cuts_of(inputs) == [at(f"2026-10-06T{h}:00") for h in hours]
