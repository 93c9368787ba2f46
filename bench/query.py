"""How long a month of an account takes to be summed, out of a year of all accounts."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Engine, text

from bench.figure import Entry, at_most
from metering.period import month_of, parse_instant
from metering.query.question import Granularity, Question
from metering.query.usage_store import UsageStore, Wanted
from tallystick.database import open_ledger

MAX_MS = 50
START = parse_instant("2026-01-01T00:00:00Z")
ZONE = "Asia/Shanghai"

_FILL = """
WITH RECURSIVE
    hours(n, hour) AS (
        SELECT 0, :start UNION ALL
        SELECT n + 1, strftime('%Y-%m-%d %H:00:00.000000', hour, '+1 hour') FROM hours
        WHERE n + 1 < :hours),
    accounts(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM accounts WHERE n + 1 < :accounts),
    models(n) AS (VALUES (0), (1), (2)),
    meters(meter) AS (VALUES ('requests'), ('fresh'), ('cached'), ('output'))
INSERT INTO usage (hour, account, project, cluster, resource, pool, model, operation, outcome,
                   quality, meter, band, quantity, run, superseded_by)
SELECT hour, 'account-' || accounts.n, '', '', '', 'shared', 'model-' || models.n, 'chat', 'ok',
       'measured', meter, '', 1 + (hours.n * 7919 + accounts.n * 31 + models.n) % 100000, 1, NULL
FROM hours, accounts, models, meters
"""
_FILLING_CACHE = "PRAGMA cache_size = -4000000"
"""KiB, for the indexes of all rows: with the service's cache, five minutes did not fill them."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much usage the ledger holds, and how often each question is asked."""

    accounts: int = 200
    days: int = 365
    times: int = 100


def query(size: Size) -> Entry:
    """Return the 50th and 95th percentile of a month's questions, in milliseconds."""
    with TemporaryDirectory() as folder:
        engine = open_ledger(f"sqlite:///{Path(folder) / 'ledger.db'}")
        rows = _fill(engine, size)
        store = UsageStore(engine)
        last = START + timedelta(days=size.days - 32)
        month = Question(month_of(f"{last:%Y-%m}", ZONE), ("model",), Granularity.DAY, ZONE)
        questions = {
            "day_and_model": month,
            "hour_and_model": replace(month, granularity=Granularity.HOUR),
            "model": replace(month, granularity=None),
        }
        found = {
            name: _asked(lambda n, q=question: _ask(store, q, n, size), size.times)  # type: ignore[misc]
            for name, question in questions.items()
        }
        engine.dispose()
    return {"usage_rows": rows, **found}


def _ask(store: UsageStore, question: Question, number: int, size: Size) -> None:
    account = f"account-{number * 37 % size.accounts}"
    [page] = store.pages(replace(question, where=(("account", (account,)),)), Wanted(1))
    assert page.rows


def _asked(ask: Callable[[int], None], times: int) -> Entry:
    taken = []
    for number in range(times):
        began = time.perf_counter()
        ask(number)
        taken.append((time.perf_counter() - began) * 1000)
    taken.sort()
    p50, p95 = (round(taken[int(part * (times - 1))], 1) for part in (0.5, 0.95))
    return {"p50_ms": p50, "p95_ms": at_most(MAX_MS, p95), "max_ms": round(taken[-1], 1)}


def _fill(engine: Engine, size: Size) -> int:
    """Write the rows as closing would, but in one statement; return their number."""
    bounds = {
        "start": f"{START:%Y-%m-%d %H:%M:%S}.000000",
        "hours": size.days * 24,
        "accounts": size.accounts,
    }
    run = "INSERT INTO close_run VALUES (1, 0, :start, 0, 0)"
    with engine.begin() as connection:
        connection.exec_driver_sql(_FILLING_CACHE)
        connection.execute(text(run), {"start": bounds["start"]})
        connection.execute(text(_FILL), bounds)
        rows = int(connection.execute(text("SELECT max(id) FROM usage")).scalar_one())
    engine.dispose()  # what asks has a connection of its own, with the service's cache
    return rows
