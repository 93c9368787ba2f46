"""What a long export takes: a million lines of issued bills, out of the ledger into each format.

One month is rated and issued; its lines are copied to other accounts until there are enough. What
rating takes is measured in ``billing``.
"""

import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import text

from bench.billing import office_of
from bench.figure import Entry, at_most
from bench.filling import MONTH, NOW, fill
from bench.machine import memory_mib
from metering.store import Account, MeterStore
from pricing.bills.bill import Bill
from pricing.bills.export import Shape
from pricing.bills.export_store import Asked, Exports
from pricing.bills.signed import Signed
from pricing.bills.store import BillStore
from pricing.delivery.delivery_store import Delivery, deliver_rows
from pricing.delivery.target_store import opened
from tallystick.database import open_ledger

LINES = 1_000_000
QUICK_LINES = 20_000
ACCOUNT_LINES = 5000
MAX_MEMORY_MIB = 500
_MONTH = "2026-10"
_SOURCE = "account-00000"
_BILL = f"{_SOURCE}-202610"
_MIB = 2**20
_COLUMNS = (
    "month_start, month_end, document, state, currency, places, payable, service_to, "
    "stored_before, usage_run, book_hash, result_hash, released_hash, blockers, warnings, reason"
)
_BILLS = f"""
INSERT INTO bill (id, account, number, {_COLUMNS})
SELECT account.id || '-202610', account.id, account.id, {_COLUMNS}
FROM bill, account WHERE bill.id = :bill AND account.id <> bill.account
"""  # noqa: S608 - names of columns
_LINES = """
WITH RECURSIVE copies(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM copies WHERE n + 1 < :copies)
INSERT INTO line (bill, number, line_id, billed_cost, cells, month_start, key, amounts)
SELECT to_bill.id, line.number + copies.n * 1000000, line.line_id || to_bill.account || copies.n,
       line.billed_cost,
       replace(replace(line.cells, :account, to_bill.account), line.line_id,
               line.line_id || to_bill.account || copies.n),
       line.month_start, line.key, line.amounts
FROM bill AS to_bill, line, copies WHERE line.bill = :bill AND to_bill.id <> :bill
"""


def exporting(lines: int) -> Entry:
    """Return what an export and a delivery of so many lines take, a process a format."""
    with TemporaryDirectory() as folder:
        ledger = f"sqlite:///{Path(folder) / 'ledger.db'}"
        _apart(_filled, ledger, lines)
        return {shape.value: _apart(_measured, ledger, shape, folder) for shape in Shape}


def _apart(work: Callable[..., Any], *args: Any) -> Any:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, args)


def _filled(ledger: str, lines: int) -> None:
    engine = open_ledger(ledger)
    office = office_of(engine, "day")
    fill(engine, office, 1)
    [bill] = office.billing.draft_all([Account(_SOURCE, _SOURCE)], MONTH, NOW)
    office.postings.issue([bill.id], Signed("bench", "measured", NOW))
    accounts = -(-lines // ACCOUNT_LINES)
    names = [f"account-{number:05}" for number in range(1, accounts + 1)]
    MeterStore(engine).put_accounts([Account(name, name) for name in names])
    copies = -(-ACCOUNT_LINES // len(bill.rows))
    with engine.begin() as connection:
        connection.execute(text(_BILLS), {"bill": _BILL})
        told = {"bill": _BILL, "account": _SOURCE, "copies": copies}
        connection.execute(text(_LINES), told)
    engine.dispose()


def _measured(ledger: str, shape: Shape, folder: str) -> Entry:
    engine = open_ledger(ledger)
    bills = BillStore(engine)

    def closed_by(account: str, month: str) -> Bill:
        return bills.bill(f"{account}-{month.replace('-', '')}")

    exports = Exports(MeterStore(engine), bills, closed_by, lambda: 0)
    before, began = memory_mib("VmHWM"), time.perf_counter()
    with exports.export(Asked(_MONTH, shape=shape)) as found:
        seconds, size = time.perf_counter() - began, found.size
        entry: Entry = {
            "lines": found.rows,
            "seconds": round(seconds, 1),
            "lines_per_second": round(found.rows / seconds),
            "mib": round(size / _MIB),
            "mib_before": before,
            "peak_mib": at_most(MAX_MEMORY_MIB, memory_mib("VmHWM")),
        }
        if shape is not Shape.JSON:
            began = time.perf_counter()
            asked = Delivery(_MONTH, "1.2")
            deliver_rows(opened(f"{folder}/delivered"), found.file, shape, asked)
            entry["delivery_seconds"] = round(time.perf_counter() - began, 1)
            entry["peak_mib_after_delivery"] = at_most(MAX_MEMORY_MIB, memory_mib("VmHWM"))
    engine.dispose()
    return entry
