from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from builders import hour
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlalchemy.event import listen

from metering.event import Outcome, Quality
from metering.period import Period, zone_of
from metering.query.answer import FIGURES, Row, total
from metering.query.question import Granularity, Question
from metering.query.usage_store import UsageStore, Wanted, cursor_after
from metering.report import DIMENSIONS, Figures, report
from metering.rollup import METERS
from metering.store import MeterStore
from metering.usage import Usage, UsageKey
from tallystick.database import open_ledger

NOW = datetime(2026, 11, 1, tzinfo=UTC)
AUTUMN = Period(hour("2026-09-01T00"), hour("2026-12-01T00"))
ZONES = ("Asia/Shanghai", "UTC", "Europe/Berlin", "America/New_York")

keys = st.builds(
    UsageKey,
    hour=st.sampled_from(
        [hour("2026-09-30T15"), hour("2026-09-30T16"), hour("2026-10-24T22"),
         hour("2026-10-25T00"), hour("2026-10-25T01"), hour("2026-11-01T05"),
         hour("2026-11-01T06")]
    ),
    account=st.sampled_from(["acme", "北极", "Zeta"]),
    project=st.sampled_from(["", "=p"]),
    cluster=st.sampled_from(["", "c-1"]),
    resource=st.just(""),
    pool=st.sampled_from(["shared", "a_b", "aB"]),
    model=st.sampled_from(["qwen3", "Qwen3", "模型"]),
    operation=st.just("chat"),
    outcome=st.sampled_from(list(Outcome)),
    quality=st.sampled_from(list(Quality)),
    meter=st.sampled_from(METERS),
    band=st.sampled_from(["", "32000"]),
    provider=st.sampled_from(["", "openai"]),
    tier=st.sampled_from(["", "batch"]),
    spill_reason=st.just("queue full"),
)  # fmt: skip
months = st.dictionaries(keys, st.integers(1, 10**15), max_size=40)
questions = st.builds(
    Question,
    period=st.just(AUTUMN),
    by=st.lists(st.sampled_from(DIMENSIONS), unique=True).map(tuple),
    granularity=st.sampled_from([None, *Granularity]),
    zone=st.sampled_from(ZONES),
    where=st.sampled_from(
        [
            (),
            (("model", ("Qwen3", "qwen3")),),
            (("tier", ("batch",)), ("band", ("", "0"))),
            (("account", ("acme",)), ("pool", ("shared",))),
        ]
    ),
)


def naive(question: Question, usage: list[Usage]) -> dict[tuple[str, ...], tuple[int, ...]]:
    """Cut and group by hand, one row after the other, through ``metering.report``."""
    zone = zone_of(question.zone)

    def start(row: Usage) -> tuple[str, ...]:
        local = row.key.hour.astimezone(zone)
        match question.granularity:
            case None:
                return ()
            case Granularity.HOUR:
                return (local.isoformat(),)
            case Granularity.DAY:
                midnight = datetime(local.year, local.month, local.day, tzinfo=zone)
                return (midnight.isoformat(),)
            case Granularity.MONTH:
                return (datetime(local.year, local.month, 1, tzinfo=zone).isoformat(),)

    kept = [
        row for row in usage if all(getattr(row.key, name) in some for name, some in question.where)
    ]
    kept.sort(key=start)
    return {
        (*when, *group): figures_of(figures)
        for when, rows in groupby(kept, key=start)
        for group, figures in report(rows, question.by).rows.items()
    }


def figures_of(figures: Figures) -> tuple[int, ...]:
    return tuple(getattr(figures, name) for name in FIGURES)


def told(question: Question, rows: Any) -> dict[tuple[str, ...], tuple[int, ...]]:
    return {question.shown(row.key): row.figures for row in rows}


@pytest.fixture
def stores(ledger: Engine) -> tuple[MeterStore, UsageStore]:
    return MeterStore(ledger), UsageStore(ledger)


def hold(meter: MeterStore, usage: dict[UsageKey, int]) -> None:
    """Make usage exactly what is given: what was there before is superseded."""
    hours = sorted({k.hour for k in usage} | {u.key.hour for u in meter.usage(AUTUMN)})
    meter.close_hours(hours, usage, 1, NOW)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(month=months, question=questions, limit=st.integers(1, 7))
def test_sql_sums_as_python_does_and_pages_make_the_whole(
    stores: tuple[MeterStore, UsageStore],
    month: dict[UsageKey, int],
    question: Question,
    limit: int,
) -> None:
    meter, usage = stores
    hold(meter, month)
    run = usage.last_run()

    [page] = usage.pages(question, Wanted(run))
    paged: list[Row] = []
    after: tuple[str, ...] = ()
    while True:
        part = usage.page(question, Wanted(run, after, limit))
        paged += part.rows
        if not part.has_more:
            break
        after = cursor_after(part.rows[-1].key)

    assert told(question, page.rows) == naive(question, meter.usage(AUTUMN))
    assert paged == list(page.rows) == sorted(page.rows, key=lambda row: row.key)
    assert total(page.rows) == usage.totals(question, run)


@pytest.mark.parametrize("granularity", [None, *Granularity])
def test_what_most_ask_for_is_read_from_an_index_alone(
    tmp_path: Path, granularity: Granularity | None
) -> None:
    """Rows of a month lie far apart: reading each of them took most of the time."""
    ledger = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    meter, usage = MeterStore(ledger), UsageStore(ledger)
    where = (("account", ("acme",)), ("pool", ("shared",)))
    question = Question(AUTUMN, ("model", "operation"), granularity, "Asia/Shanghai", where)
    plans: list[str] = []

    def explain(cursor: Any, statement: str, parameters: Any) -> None:
        if "sum(usage.quantity)" in statement:
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans.extend(row[3] for row in cursor.fetchall())

    hold(
        meter,
        {
            UsageKey(
                hour("2026-10-01T00"),
                "acme",
                *[""] * 3,
                "shared",
                *["m"] * 2,
                Outcome.OK,
                Quality.MEASURED,
                "fresh",
            ): 1
        },
    )
    listen(ledger, "before_cursor_execute", lambda _c, cursor, s, p, *_: explain(cursor, s, p))
    [_] = usage.pages(question, Wanted(usage.last_run()))

    assert any("USING COVERING INDEX usage_now (account=? AND hour>" in plan for plan in plans)
    ledger.dispose()
