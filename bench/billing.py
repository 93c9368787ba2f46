"""How long it takes to rate and post a month: accounts x 5 models x 720 hours of usage rows.

Accounts are billed in groups: rated, drafted, issued with numbers and booked, each group in two
transactions. The ledger is filled hour by hour, as closing does, so an account's rows lie apart.
"""

import multiprocessing
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple

from sqlalchemy import Engine, event, insert, text

from bench.figure import Entry, at_most
from bench.machine import memory_mib
from metering.identity import FOR_EVER
from metering.period import Period, month_of
from metering.store import Account, MeterStore
from metering.tables import CloseRow
from pricing.bills.signed import Signed
from pricing.contracts.contract import Contract
from pricing.contracts.schemes import PerToken
from pricing.jobs import Office
from pricing.prices.store import shipped_book
from tallystick.database import open_ledger
from tallystick.office import open_office
from tallystick.settings import Settings

ACCOUNTS = 200
QUICK_ACCOUNTS = 20
FULL_ACCOUNTS = 10_000
MAX_SECONDS = 60
"""For all accounts of a full run on SQLite."""
MODELS = 5
METERS = 3
GROUP = 50
MONTH = month_of("2026-10", "Asia/Shanghai")
NOW = MONTH.end + timedelta(days=1)
_HOURS = 720
_DAY_SHARE = 10

_FILL = """
WITH RECURSIVE
    hours(n, hour) AS (
        SELECT 0, :start UNION ALL
        SELECT n + 1, strftime('%Y-%m-%d %H:00:00.000000', hour, '+1 hour') FROM hours
        WHERE n + 1 < :hours),
    accounts(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM accounts WHERE n + 1 < :accounts),
    models(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM models WHERE n + 1 < :models),
    meters(meter) AS (VALUES ('requests'), ('fresh'), ('output'))
INSERT INTO usage (hour, account, project, cluster, resource, pool, model, operation, outcome,
                   quality, meter, band, provider, tier, spill_reason, quantity, run)
SELECT hour, printf('account-%05d', accounts.n), '', '', '', 'shared', 'model-' || models.n,
       'chat', 'ok', 'measured', meter, '', '', '', '',
       1 + (hours.n * 7919 + accounts.n * 31 + models.n) % 100000, 1
FROM hours, accounts, models, meters
"""

Lines = Literal["day", "month"]


class Size(NamedTuple):
    """What is billed."""

    accounts: int
    token_lines: Lines
    """How much time one line of a bill stands for."""


def billing(accounts: int) -> Entry:
    """Return what billing accounts takes, with a line a month and, for fewer, a line a day."""
    return {
        "a_line_a_month": _in_a_process_of_its_own(Size(accounts, "month")),
        "a_line_a_day": _in_a_process_of_its_own(Size(-(-accounts // _DAY_SHARE), "day")),
    }


def _in_a_process_of_its_own(size: Size) -> Entry:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (size,))


def _measured(size: Size) -> Entry:
    with TemporaryDirectory() as folder:
        engine = _timed(open_ledger(f"sqlite:///{Path(folder) / 'ledger.db'}"))
        names = [f"account-{number:05}" for number in range(size.accounts)]
        office = office_of(engine, size.token_lines)
        fill(engine, office, names)
        found = _figures(office, names)
        engine.dispose()
        return found


def office_of(engine: Engine, token_lines: Lines) -> Office:
    """Open what bills accounts, with lines of a day or of a month."""
    book = shipped_book("polardb-2026")
    book = replace(book, policy=replace(book.policy, token_lines=token_lines))
    return open_office(Settings(), engine, book)


def fill(engine: Engine, office: Office, names: Sequence[str]) -> None:
    """Put accounts, their contracts and a month of usage into a ledger."""
    meter, since = MeterStore(engine), Period(MONTH.start, FOR_EVER)
    meter.put_accounts([Account(name, name) for name in names])
    terms = PerToken("small")
    office.contracts.put_contracts(
        [Contract(f"c-{name}", name, terms, "cn-hangzhou", "shared", since) for name in names]
    )
    with engine.begin() as connection:
        close = {"stored_before": 1, "closed_at": NOW, "hours": _HOURS, "rows_changed": 1}
        connection.execute(insert(CloseRow), [close])
        size = {"hours": _HOURS, "accounts": len(names), "models": MODELS}
        start = MONTH.start.strftime("%Y-%m-%d %H:%M:%S.000000")
        connection.execute(text(_FILL), {**size, "start": start})


def _figures(office: Office, names: Sequence[str]) -> Entry:
    signed = Signed("bench", "measured", NOW)
    memory: list[int] = []
    lines = 0
    before, began = _Timed.seconds, time.perf_counter()
    for first in range(0, len(names), GROUP):
        accounts = [Account(name, name) for name in names[first : first + GROUP]]
        bills = office.billing.draft_all(accounts, MONTH, NOW)
        office.postings.issue([bill.id for bill in bills], signed)
        lines += sum(len(bill.lines) for bill in bills)
        memory.append(memory_mib("VmHWM"))
    seconds = time.perf_counter() - began
    per_account = seconds / len(names)
    return {
        "accounts": len(names),
        "usage_rows": len(names) * MODELS * METERS * _HOURS,
        "lines": lines,
        "seconds": round(seconds, 2),
        "accounts_per_second": round(len(names) / seconds, 1),
        "seconds_for_10000_accounts": at_most(MAX_SECONDS, round(per_account * FULL_ACCOUNTS, 1)),
        "share_outside_the_database": round(1 - (_Timed.seconds - before) / seconds, 2),
        "peak_mib_after_the_first_group": memory[0],
        "peak_mib": memory[-1],
        "last_number": office.bills.bill(f"{names[-1]}-202610").number,
    }


class _Timed(sqlite3.Cursor):
    """A cursor that adds up how long the database took: SQLite works while rows are fetched."""

    seconds = 0.0

    def execute(self, *args: Any) -> Any:
        """Run a statement."""
        return self._timed(super().execute, *args)

    def executemany(self, *args: Any) -> Any:
        """Run a statement for many rows."""
        return self._timed(super().executemany, *args)

    def fetchone(self) -> Any:
        """Return the next row."""
        return self._timed(super().fetchone)

    def fetchmany(self, *args: Any) -> Any:
        """Return some rows."""
        return self._timed(super().fetchmany, *args)

    def fetchall(self) -> Any:
        """Return all rows that are left."""
        return self._timed(super().fetchall)

    def _timed(self, work: Callable[..., Any], *args: Any) -> Any:
        began = time.perf_counter()
        try:
            return work(*args)
        finally:
            _Timed.seconds += time.perf_counter() - began


class _TimedConnection(sqlite3.Connection):
    def cursor(self, *_: Any) -> _Timed:  # type: ignore[override]
        """Return a cursor that is timed."""
        return super().cursor(_Timed)

    def commit(self) -> None:
        """Write what was done to the disk."""
        began = time.perf_counter()
        super().commit()
        _Timed.seconds += time.perf_counter() - began


def _timed(engine: Engine) -> Engine:
    """Have an engine's new connections timed."""
    engine.dispose()

    def connect(_dialect: Any, _record: Any, args: Any, options: Any) -> sqlite3.Connection:
        return sqlite3.connect(*args, factory=_TimedConnection, **options)

    event.listen(engine, "do_connect", connect)
    return engine
