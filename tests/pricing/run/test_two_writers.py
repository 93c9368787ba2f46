"""Two workers, a crash, or a second run post nothing twice."""

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from pricing.bills.bill import State
from pricing.bills.store import BillStore, StaleDraftError, Wanted
from pricing.run.note_store import NoteStore
from pricing.run.posting_store import PostingStore
from tallystick.database import make_engine
from tests.pricing.office_notation import (
    ACME,
    DECEMBER,
    LATER,
    NOVEMBER,
    OCTOBER,
    balances,
    by,
    issued,
    late,
    office_of,
    series,
    tell,
)

TEXT = """
hour  h1 n2 g4.xlarge.gu10 2026-10-01
ran   n2 2026-10-06T10:59:30 2026-10-06T12:50:30
token t1 shared small 2026-10-01
used  2026-10-06T10 shared requests=3 fresh=1234567
"""
MORE = "used 2026-10-07T10 shared requests=2 fresh=1000000"


def test_of_many_writers_of_one_bill_one_posts(ledger: Engine) -> None:
    tell(ledger, TEXT)

    def bill(_: int) -> str:
        office = office_of(ledger)
        try:
            return issued(office).number
        except StaleDraftError:
            return "stale"

    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(bill, range(12)))

    assert found - {"stale"} == {"INV-2026-000001"}
    runs = office_of(ledger).billing.runs.of_account("acme")
    assert [run.bill for run in runs if run.sequence is not None] == ["acme-202610"]
    assert sum(run.payable for run in runs) == 3394
    assert balances(ledger)["receivable"] == Decimal("33.94")


def test_of_two_bills_that_carry_one_correction_one_is_issued(ledger: Engine) -> None:
    office = tell(ledger, TEXT)
    issued(office)
    late(ledger, MORE)
    drafts = [office.billing.draft(ACME, month, LATER).id for month in (NOVEMBER, DECEMBER)]

    def issue(bill_id: str) -> bool:
        try:
            office_of(ledger).postings.issue([bill_id], by(), interim=True)
        except StaleDraftError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(issue, drafts))

    assert sorted(found) == [False, True]
    assert balances(ledger)["receivable"] == Decimal("33.94") + Decimal("7.50")


def test_of_two_processes_one_posts(postgres_ledger: str) -> None:
    engine = make_engine(postgres_ledger)
    tell(engine, TEXT)
    bill = office_of(engine).billing.draft(ACME, OCTOBER, LATER).id

    with multiprocessing.get_context("spawn").Pool(2) as pool:
        numbers = pool.map(issue_elsewhere, [(postgres_ledger, bill)] * 4, chunksize=1)

    assert set(numbers) == {"INV-2026-000001"}
    assert balances(engine)["receivable"] == Decimal("33.94")
    engine.dispose()


def issue_elsewhere(told: tuple[str, str]) -> str:
    """Issue a bill in a process of its own, and return its number."""
    url, bill_id = told
    engine = make_engine(url)
    office = office_of(engine)
    office.postings.issue([bill_id], by())
    number = office.bills.bill(bill_id).number
    engine.dispose()
    return number


def test_a_crash_before_the_commit_posts_nothing_and_takes_no_number(ledger: Engine) -> None:
    office = tell(ledger, TEXT)
    draft = office.billing.draft(ACME, OCTOBER, LATER)

    with ledger.connect() as connection:
        transaction = connection.begin()
        PostingStore(connection, series).issue([draft.id], by())
        assert BillStore(connection).bill(draft.id).state is State.ISSUED
        transaction.rollback()

    assert office.bills.bill(draft.id).state is State.DRAFT
    assert balances(ledger) == {}
    assert issued(office).number == "INV-2026-000001"


def test_a_crash_while_a_bill_is_taken_back_leaves_it_as_it_was(ledger: Engine) -> None:
    office = tell(ledger, TEXT)
    bill = issued(office)
    booked = balances(ledger)

    with ledger.connect() as connection:
        transaction = connection.begin()
        NoteStore(connection, series).void(bill.id, by())
        transaction.rollback()

    assert office.bills.bill(bill.id) == bill
    assert balances(ledger) == booked
    assert [b.id for b in office.bills.bills(Wanted())] == [bill.id]


def test_the_ledger_refuses_a_posting_made_behind_its_back(ledger: Engine) -> None:
    """Should the lock ever fail, a posted run of a month exists once, and so does a number."""
    office = tell(ledger, TEXT)
    issued(office)
    office.billing.draft(ACME, NOVEMBER, LATER)
    first = "(SELECT min(month_start) FROM billing_run)"
    for statement in (
        f"UPDATE billing_run SET sequence = 1, month_start = {first} WHERE sequence IS NULL",
        "UPDATE bill SET number = 'INV-2026-000001' WHERE number IS NULL",
        "UPDATE ledger_movement SET units = 0",
        "UPDATE ledger_movement SET credit = debit",
    ):
        with pytest.raises(IntegrityError), ledger.begin() as connection:
            connection.exec_driver_sql(statement)
