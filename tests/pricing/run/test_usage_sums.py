"""Usage that the ledger sums is the usage of its hours."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from metering.period import Period
from metering.store import MeterStore
from metering.usage import Usage, UsageKey
from pricing.run.usage_store import UsageSums
from tests.pricing.month_notation import at, month_from, small_book
from tests.pricing.month_strategies import usage_rows
from tests.pricing.office_notation import LATER

START, END = at("2026-10-01"), at("2026-10-03")
hours = st.integers(1, 47).map(lambda n: START + timedelta(hours=n))
rows = st.lists(usage_rows(), max_size=12, unique_by=lambda u: u.key)


def close(engine: Engine, usage: Sequence[Usage]) -> int:
    """Write hours as a close run, and return the run."""
    meter = MeterStore(engine)
    two_days = [START + timedelta(hours=n) for n in range(48)]
    meter.close_hours(two_days, {u.key: u.quantity for u in usage}, 7, LATER)
    return meter.last_close().run


def summed(usage: Sequence[Usage], edges: Sequence[datetime]) -> list[Usage]:
    """Return what the ledger should say, row by row."""
    sums: dict[UsageKey, int] = defaultdict(int)
    for row in usage:
        if row.key.account == "acme" and row.key.outcome.is_billable:
            edge = max(e for e in edges if e <= row.key.hour)
            sums[replace(row.key, hour=edge, cluster="")] += row.quantity
    return [Usage(key, quantity) for key, quantity in sorted(sums.items()) if quantity]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(first=rows, second=rows, edges=st.lists(hours, max_size=4, unique=True))
def test_sums_between_edges_are_those_of_their_hours_as_of_any_run(
    fresh: Callable[[], Engine], first: list[Usage], second: list[Usage], edges: list[datetime]
) -> None:
    engine = fresh()
    runs = [(close(engine, first), first), (close(engine, second), second)]
    cuts = sorted([START, *edges])

    for run, told in runs:
        assert UsageSums(engine).between("acme", cuts, END, run) == summed(told, cuts)
    is_changed = UsageSums(engine).changed("acme", Period(START, END), since=runs[0][0])
    mine = [{u.key: u.quantity for u in t if u.key.account == "acme"} for _, t in runs]
    assert is_changed is (mine[0] != mine[1])


def test_both_databases_sum_alike(ledger: Engine) -> None:
    text = "\n".join(
        f"used 2026-10-0{day}T{hour:02} shared requests=1 fresh={day * hour} model=m{hour % 2}"
        for day in (1, 2)
        for hour in (3, 9, 17)
    )
    usage = month_from(text, small_book()).usage
    run = close(ledger, usage)

    for cuts in ([START], [START, at("2026-10-01T09:00"), at("2026-10-02")]):
        assert UsageSums(ledger).between("acme", cuts, END, run) == summed(usage, cuts)
    assert UsageSums(ledger).between("acme", [START], END, run - 1) == []


def test_a_lone_row_is_its_own_sum(ledger: Engine) -> None:
    usage = month_from("used 2026-10-01T03 shared requests=3", small_book()).usage
    run = close(ledger, usage)

    assert UsageSums(ledger).between("acme", [START], END, run) == summed(usage, [START])
    assert UsageSums(ledger).between("nobody", [START], END, run) == []
    assert UsageSums(ledger).stored_before(run) == 7
