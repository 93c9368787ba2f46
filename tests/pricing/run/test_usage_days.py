"""Usage that is read by whole days is the usage of its hours, whatever happened when."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from metering.days.day import LATENESS
from metering.days.read_store import whole_days
from metering.days.store import DayStore
from metering.period import Period, day_of
from metering.store import Account, MeterStore
from metering.usage import Usage, UsageKey
from pricing.run.usage_store import UsageSums
from tests.pricing.month_notation import BEIJING, at, month_from, small_book
from tests.pricing.month_strategies import usage_rows
from tests.pricing.run.test_usage_sums import END, START, close, hours, summed

DAYS = [day_of(START, BEIJING), day_of(START + timedelta(days=1), BEIJING)]
rows = st.lists(usage_rows(), max_size=8, unique_by=lambda u: u.key)
steps = st.lists(st.one_of(rows, st.sampled_from(DAYS)), min_size=1, max_size=6)
BREAK = "CREATE TRIGGER broken BEFORE INSERT ON usage_day BEGIN SELECT RAISE(ABORT, 'no room'); END"
BEGIN_ANEW = (
    "CREATE TRIGGER anew AFTER INSERT ON usage_day BEGIN "
    "UPDATE summed_day SET attempt = attempt + 1; END"
)
USED = "\n".join(
    f"used 2026-10-0{day}T{hour:02} shared requests=1 fresh={day * hour} model=m{hour % 2}"
    for day in (1, 2)
    for hour in (3, 9, 17)
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=steps, edges=st.lists(hours, max_size=3, unique=True))
def test_days_say_what_their_hours_say_as_of_any_run(
    fresh: Callable[[], Engine], steps: list[list[Usage] | Period], edges: list[datetime]
) -> None:
    engine = fresh()
    MeterStore(engine).put_accounts([Account("acme", "Acme", BEIJING)])
    told: list[tuple[int, list[Usage]]] = []
    for step in steps:
        if isinstance(step, Period):
            DayStore(engine).sum_day(BEIJING, step)
        else:
            told.append((close(engine, step), step))

    for cuts in ([START], sorted({START, DAYS[1].start, *edges}), sorted({START, *edges})):
        for run, usage in told:
            assert UsageSums(engine).between("acme", cuts, END, run) == summed(usage, cuts)
    for period in (Period(START, END), *DAYS, Period(cuts[-1], END)):
        mine = [(run, of_acme(usage, period)) for run, usage in told]
        for since, _ in mine:
            later = [usage for run, usage in mine if run >= since]
            is_changed = any(before != after for before, after in pairwise(later))
            assert UsageSums(engine).changed("acme", period, since) is is_changed


def of_acme(usage: list[Usage], period: Period) -> dict[UsageKey, int]:
    return {
        u.key: u.quantity for u in usage if u.key.account == "acme" and period.holds(u.key.hour)
    }


def test_both_databases_read_days_alike(ledger: Engine) -> None:
    MeterStore(ledger).put_accounts([Account("acme", "Acme", BEIJING)])
    usage = month_from(USED, small_book()).usage
    first = close(ledger, usage)
    done = DayStore(ledger).sum_due(DAYS[1].end + LATENESS)
    fewer = [u for u in usage if u.key.hour < DAYS[1].start]
    second = close(ledger, fewer)

    assert done == len(DAYS)
    for cuts in ([START], [START, DAYS[1].start], [START, at("2026-10-01T09:00")]):
        sums = UsageSums(ledger)
        assert sums.between("acme", cuts, END, first) == summed(usage, cuts)
        assert sums.between("acme", cuts, END, second) == summed(fewer, cuts)
        assert sums.of_all(["acme", "nobody"], cuts, END, second)["nobody"] == []
    assert DayStore(ledger).sum_due(DAYS[1].end + LATENESS) == 0


def test_a_day_is_read_as_it_is_summed(ledger: Engine) -> None:
    """What is in the sums comes back: hours are not looked at."""
    MeterStore(ledger).put_accounts([Account("acme", "Acme", BEIJING)])
    usage = month_from(USED, small_book()).usage
    run = close(ledger, usage)
    for day in DAYS:
        DayStore(ledger).sum_day(BEIJING, day)
    with ledger.begin() as connection:
        connection.execute(text("DELETE FROM usage"))

    assert UsageSums(ledger).between("acme", [START], END, run) == summed(usage, [START])


def test_an_account_that_has_usage_before_it_is_known_has_its_days_summed_anew(
    engine: Engine,
) -> None:
    meter, days = MeterStore(engine), DayStore(engine)
    meter.put_accounts([Account("other", "Other", BEIJING)])
    usage = month_from(USED, small_book()).usage
    run = close(engine, usage)
    days.sum_day(BEIJING, DAYS[0])
    meter.put_accounts([Account("acme", "Acme", BEIJING), Account("new", "New", BEIJING)])

    assert UsageSums(engine).between("acme", [START], END, run) == summed(usage, [START])
    assert days.sum_due(DAYS[1].end + LATENESS) == len(DAYS)
    assert UsageSums(engine).between("acme", [START], END, run) == summed(usage, [START])


def test_a_ledger_without_usage_has_no_day_to_sum(engine: Engine) -> None:
    MeterStore(engine).put_accounts([Account("acme", "Acme", BEIJING)])

    assert DayStore(engine).sum_due(END) == 0


def test_a_day_whose_summing_broke_off_is_read_by_its_hours_until_it_is_summed(
    engine: Engine,
) -> None:
    MeterStore(engine).put_accounts([Account("acme", "Acme", BEIJING)])
    usage = month_from(USED, small_book()).usage
    first = close(engine, usage)
    with engine.begin() as connection:
        connection.execute(text(BREAK))
    with pytest.raises(IntegrityError):
        DayStore(engine).sum_due(DAYS[1].end + LATENESS)
    with engine.begin() as connection:
        connection.execute(text("DROP TRIGGER broken"))
    fewer = usage[: len(usage) // 2]
    second = close(engine, fewer)

    assert UsageSums(engine).between("acme", [START], END, second) == summed(fewer, [START])
    assert DayStore(engine).sum_due(DAYS[1].end + LATENESS) == len(DAYS)
    assert UsageSums(engine).between("acme", [START], END, second) == summed(fewer, [START])
    assert UsageSums(engine).between("acme", [START], END, first) == summed(usage, [START])


def test_a_day_that_somebody_begins_anew_is_not_whole_when_the_first_attempt_ends(
    engine: Engine,
) -> None:
    MeterStore(engine).put_accounts([Account("acme", "Acme", BEIJING)])
    close(engine, month_from(USED, small_book()).usage)
    with engine.begin() as connection:
        connection.execute(text(BEGIN_ANEW))
    DayStore(engine).sum_day(BEIJING, DAYS[0])

    with engine.begin() as connection:
        assert whole_days(connection, BEIJING, DAYS[0]) == []
        connection.execute(text("DROP TRIGGER anew"))
    DayStore(engine).sum_day(BEIJING, DAYS[0])
    with engine.begin() as connection:
        assert whole_days(connection, BEIJING, DAYS[0]) == [DAYS[0]]
