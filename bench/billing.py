"""How long it takes to rate and post a month: accounts x 5 models x 720 hours of usage rows.

Accounts are billed in groups: rated, drafted, issued with numbers and booked, each group in two
transactions, on SQLite and, where it is installed, on PostgreSQL. Days are summed before, as the
service does once a day is over; what that takes is told beside it.
"""

import multiprocessing
import os
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any, Literal, NamedTuple

from sqlalchemy import Engine

from bench.figure import Entry, at_most
from bench.filling import HOURS, METERS, MODELS, MONTH, NOW, fill, names_of
from bench.machine import memory_mib
from bench.postgres import postgres_binaries, postgres_server
from bench.timed import Spent, timed
from metering.days.store import DayStore
from metering.store import Account
from pricing.bills.signed import Signed
from pricing.jobs import TOGETHER, Office
from pricing.prices.store import shipped_book
from tallystick.collecting import collect_seldom
from tallystick.database import make_engine, open_ledger
from tallystick.office import open_office
from tallystick.settings import Settings

ACCOUNTS = 200
QUICK_ACCOUNTS = 20
FULL_ACCOUNTS = 10_000
MAX_SECONDS = {"sqlite": 60, "postgresql": 90}
"""For all accounts of a full run."""
_DAY_SHARE = 10
_SERVER = (
    "-c shared_buffers=1GB -c max_wal_size=8GB -c wal_level=minimal -c max_wal_senders=0 "
    "-c checkpoint_timeout=30min"
)

Lines = Literal["day", "month"]


class Size(NamedTuple):
    """What is billed: accounts by number, and how much time one line of a bill stands for."""

    first: int
    end: int
    token_lines: Lines


def billing(accounts: int, ledgers: Collection[str] = tuple(MAX_SECONDS)) -> Entry:
    """Return what billing accounts takes, with a line a month and, for fewer, a line a day."""
    found: Entry = {}
    for ledger in ledgers:
        with _LEDGERS[ledger]() as url:
            found[ledger] = _measured(url, accounts) if url else "not installed"
    return found


def office_of(engine: Engine, token_lines: Lines) -> Office:
    """Open what bills accounts, with lines of a day or of a month."""
    book = shipped_book("polardb-2026")
    book = replace(book, policy=replace(book.policy, token_lines=token_lines))
    return open_office(Settings(), engine, book)


@contextmanager
def _sqlite() -> Iterator[str]:
    with TemporaryDirectory() as folder:
        yield f"sqlite:///{Path(folder) / 'ledger.db'}"


@contextmanager
def _postgres() -> Iterator[str]:
    binaries = postgres_binaries()
    if binaries is None:
        yield ""
        return
    home = Path(gettempdir()) / f"tallystick-bench-{os.getpid()}"  # short: a socket is in it
    with postgres_server(binaries, home, _SERVER) as server:
        yield server.url


_LEDGERS = {"sqlite": _sqlite, "postgresql": _postgres}


def _measured(url: str, accounts: int) -> Entry:
    """Fill a ledger and bill it, each in a process of its own: what it holds is its own."""
    by_day = -(-accounts // _DAY_SHARE)
    _alone(_fill, url, accounts + by_day)
    return {
        "summing_days": _alone(_sum_days, url, accounts + by_day),
        "a_line_a_month": _alone(_bill, url, Size(0, accounts, "month")),
        "a_line_a_day": _alone(_bill, url, Size(accounts, accounts + by_day, "day")),
    }


def _alone(work: Callable[..., Any], *args: Any) -> Any:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, args)


def _fill(url: str, accounts: int) -> None:
    engine = open_ledger(url)
    fill(engine, office_of(engine, "month"), accounts)
    engine.dispose()


def _sum_days(url: str, accounts: int) -> Entry:
    engine = make_engine(url)
    began = time.perf_counter()
    days = DayStore(engine).sum_due(NOW)
    seconds = time.perf_counter() - began
    engine.dispose()
    return {
        "accounts": accounts,
        "days": days,
        "seconds": round(seconds, 2),
        "ms_per_account_and_day": round(1000 * seconds / accounts / days, 3),
        "peak_mib": memory_mib("VmHWM"),
    }


def _bill(url: str, size: Size) -> Entry:
    engine = timed(make_engine(url))
    office = office_of(engine, size.token_lines)
    collect_seldom()
    found = _figures(office, size, MAX_SECONDS[engine.dialect.name])
    engine.dispose()
    return found


def _figures(office: Office, size: Size, most: int) -> Entry:
    signed = Signed("bench", "measured", NOW)
    memory: list[int] = []
    lines = 0
    before, busy, began = Spent.seconds, time.process_time(), time.perf_counter()
    for first in range(size.first, size.end, TOGETHER):
        names = names_of(first, min(first + TOGETHER, size.end))
        bills = office.billing.draft_all([Account(name, name) for name in names], MONTH, NOW)
        office.postings.issue([bill.id for bill in bills], signed)
        lines += sum(len(bill.lines) for bill in bills)
        memory.append(memory_mib("VmHWM"))
    seconds = time.perf_counter() - began
    busy = time.process_time() - busy
    accounts = size.end - size.first
    for_all = round(seconds / accounts * FULL_ACCOUNTS, 1)
    return {
        "accounts": accounts,
        "usage_rows": accounts * MODELS * METERS * HOURS,
        "lines": lines,
        "seconds": round(seconds, 2),
        "processor_seconds": round(busy, 2),
        "accounts_per_second": round(accounts / seconds, 1),
        "seconds_for_10000_accounts": at_most(most, for_all),
        "share_outside_the_database": round(1 - (Spent.seconds - before) / seconds, 2),
        "peak_mib_after_the_first_group": memory[0],
        "peak_mib": memory[-1],
        "last_number": office.bills.bill(f"{names[-1]}-202610").number,
    }
