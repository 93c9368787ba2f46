"""Accounts that are billed together come out as if each were billed alone, to the byte."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from sqlalchemy import Engine, text

from metering.days.day import LATENESS
from metering.days.store import DayStore
from metering.store import Account
from pricing.bills.store import UnknownBillError, Wanted
from pricing.jobs import TOGETHER, Office, tick
from pricing.ledger.entry import Unit
from pricing.wallets.wallet import Grant
from tests.pricing.month_notation import at
from tests.pricing.office_notation import (
    ACME,
    LATER,
    NOVEMBER,
    OCTOBER,
    by,
    late,
    office_of,
    tell,
)

TEXT = """
sub   s1 n1 g4.xlarge.gu10 2026-10-07
hour  h1 n2 g4.xlarge.gu10 2026-10-01
ran   n2 2026-10-06T10:59:30 2026-10-06T12:50:30
token t1 shared small 2026-10-01
token b1 shared small 2026-10-01 account=busy
token c1 shared small 2026-10-01 account=credit
sub   i1 n3 g4.xlarge.gu10 2026-10-07 account=idle
used  2026-10-06T10 shared requests=3 fresh=1234567
used  2026-10-06T10 shared requests=3 fresh=7654321 account=busy
used  2026-11-06T10 shared requests=1 fresh=7000000 account=busy
used  2026-10-06T11 shared requests=3 fresh=4000000 account=credit
used  2026-11-06T11 shared requests=3 fresh=4000000 account=credit
"""
LATE = """
used  2026-10-07T10 shared requests=2 fresh=1000000 account=busy
used  2026-10-07T10 shared requests=2 fresh=1000000
"""
ACCOUNTS = [ACME, *(Account(name, name) for name in ("busy", "credit", "idle"))]
TABLES = (
    "bill", "line", "billing_run", "run_input", "bill_step", "number_series", "price_book",
    "ledger_transaction", "ledger_movement",
)  # fmt: skip


def whole(engine: Engine) -> dict[str, list[str]]:
    """Return all rows about bills."""
    with engine.begin() as connection:
        return {
            table: sorted(repr(row) for row in connection.execute(text(f"SELECT * FROM {table}")))
            for table in TABLES
        }


def told(engine: Engine) -> Office:
    """Open an office over accounts of every sort: prepaid, by the hour, by token, with credit."""
    office = tell(engine, TEXT)
    valid = OCTOBER.start, NOVEMBER.end
    for name, units in (("credit", 2500), ("acme", 100)):
        grant = Grant(f"g-{name}", name, Unit("CNY", 2), units, type(OCTOBER)(*valid))
        office.wallets.grant(grant, by(when=OCTOBER.start))
    return office


def billed(engine: Engine, groups: Sequence[Sequence[Account]]) -> list[str]:
    """Bill October and, once usage came late, November; return the ids of bills."""
    office, ids = office_of(engine), []
    for month in (OCTOBER, NOVEMBER):
        for accounts in groups:
            drafts = office.billing.draft_all(accounts, month, LATER)
            office.postings.issue([bill.id for bill in drafts], by())
            ids += [bill.id for bill in drafts]
        if month is OCTOBER:
            late(engine, LATE)
    return ids


def test_accounts_billed_together_come_out_as_each_alone(fresh: Callable[[], Engine]) -> None:
    one, other = fresh(), fresh()
    for engine in (one, other):
        told(engine)

    together = billed(one, [ACCOUNTS])
    alone = billed(other, [[account] for account in ACCOUNTS])

    assert sorted(together) == sorted(alone)
    assert whole(one) == whole(other)


def test_both_months_of_an_account_are_issued_together(fresh: Callable[[], Engine]) -> None:
    """Interim bills of two months, both drafted before either is issued."""
    one, other = fresh(), fresh()
    for engine, is_together in ((one, True), (other, False)):
        office = told(engine)
        months = [(OCTOBER, at("2026-10-20")), (NOVEMBER, at("2026-11-20"))]
        ids = [b.id for m, now in months for b in office.billing.draft_all(ACCOUNTS, m, now)]
        for some in [ids] if is_together else [[id_] for id_ in ids]:
            office.postings.issue(some, by(), interim=True)

    assert whole(one) == whole(other)


def test_bills_that_stand_or_fall_together(fresh: Callable[[], Engine]) -> None:
    engine = fresh()
    office = told(engine)
    ids = [bill.id for bill in office.billing.draft_all(ACCOUNTS, OCTOBER, LATER)]
    before = whole(engine)

    with pytest.raises(UnknownBillError):
        office.postings.issue([*ids, "nobody-202610"], by())
    assert whole(engine) == before
    office.postings.issue([*ids, *ids], by())
    after = whole(engine)
    office.postings.issue(ids, by("again"))
    office.postings.issue([], by("nothing"))
    assert whole(engine) == after


def test_days_that_are_summed_change_no_bill(fresh: Callable[[], Engine]) -> None:
    one, other = fresh(), fresh()
    for engine in (one, other):
        told(engine)
    days = DayStore(one).sum_due(NOVEMBER.start + LATENESS)
    billed(one, [ACCOUNTS])
    office = office_of(one)
    verdicts = [office.billing.verify(bill.id) for bill in office.bills.bills(Wanted())]

    billed(other, [ACCOUNTS])
    assert whole(one) == whole(other)
    assert all(verdict.is_same for verdict in verdicts)
    assert days == len(range(6, 32))


def test_the_clock_bills_more_accounts_than_go_into_one_transaction(engine: Engine) -> None:
    office = told(engine)
    names = [f"many-{number:03}" for number in range(TOGETHER + 1)]
    office.meter.put_accounts([Account(name, name) for name in names])
    [like] = office.contracts.contracts("busy")
    office.contracts.put_contracts([replace(like, id=name, account=name) for name in names])

    assert tick(office, at("2026-10-07T10:05")).drafted == len(ACCOUNTS) + len(names)
