"""Bills that are settled, taken back, credited, parked and released."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from sqlalchemy import Engine

from pricing.bills.arrears_store import Arrears
from pricing.bills.bill import Document, State
from pricing.focus.check import all_faults
from pricing.prices.policy import Policy
from pricing.run.life_store import StateError
from pricing.run.note_store import CreditCapError
from tests.pricing.month_notation import small_book
from tests.pricing.office_notation import (
    ACME,
    LATER,
    NOVEMBER,
    OCTOBER,
    balances,
    by,
    issued,
    late,
    tell,
)

TEXT = """
sub   s1 n1 g4.xlarge.gu10 2026-10-07
hour  h1 n2 g4.xlarge.gu10 2026-10-01
ran   n2 2026-10-06T10:59:30 2026-10-06T12:50:30
token t1 shared small 2026-10-01
used  2026-10-06T10 shared requests=3 fresh=1234567
"""
TOKENS = """
token t1 shared small 2026-10-01
used  2026-10-06T10 shared requests=3 fresh=1234567
"""
MORE = "used 2026-10-07T10 shared requests=2 fresh=1000000"
DEARER = small_book(
    tokens="size_class,cny_per_10k_tokens,where\nsmall,0.1,mainland\nmedium,0.15,mainland\n"
)


def test_a_void_bill_leaves_nothing_and_billing_again_is_as_if_it_had_never_been(
    ledger: Engine,
) -> None:
    office = tell(ledger, TEXT)
    first = issued(office)
    booked = balances(ledger)

    note = office.notes.void(first.id, by("wrong customer"))

    credit = office.bills.bill(note)
    assert (credit.document, credit.number) == (Document.CREDIT_NOTE, "CN-2026-000001")
    assert credit.payable == -first.payable
    assert sum(Fraction(r["BilledCost"]) for r in credit.rows) == -Fraction(first.payable)
    assert all_faults(credit.rows) == []
    assert balances(ledger) == {}
    assert office.notes.void(first.id, by("again")) == note
    again = issued(office)
    assert (again.id, again.payable) == ("acme-202610-2", first.payable)
    own = {"x_BillId": "", "x_LineId": ""}
    assert [{**r, **own} for r in again.lines] == [{**r, **own} for r in first.lines]
    assert balances(ledger) == booked


def test_voiding_a_month_that_later_bills_corrected_leaves_their_corrections(
    engine: Engine,
) -> None:
    office = tell(engine, TEXT)
    issued(office)
    late(engine, MORE)
    issued(office, NOVEMBER)
    booked = balances(engine)

    office.notes.void("acme-202610", by())
    again = issued(office)

    assert str(again.payable) == "6439.86"
    assert balances(engine) == booked


def test_an_account_is_in_arrears_from_the_issue_of_its_oldest_unpaid_bill(engine: Engine) -> None:
    office, arrears = tell(engine, TOKENS), Arrears(engine)
    office.billing.draft(ACME, OCTOBER, LATER)
    assert arrears.unpaid_since() == {}
    bill = issued(office)
    late(engine, MORE)
    second = issued(office, NOVEMBER, LATER + timedelta(days=3))

    assert arrears.unpaid_since() == arrears.unpaid_since("acme") == {"acme": LATER}
    assert arrears.unpaid_since("umbra") == {}
    office.postings.settle(bill.id, by("paid"))
    assert arrears.unpaid_since() == {"acme": LATER + timedelta(days=3)}
    office.notes.void(second.id, by("wrong"))
    assert arrears.unpaid_since() == {}


def test_a_settled_bill_is_paid_and_not_void(engine: Engine) -> None:
    office = tell(engine, TOKENS)
    bill = issued(office)

    for _ in range(2):
        office.postings.settle(bill.id, by("bank transfer 4711"))

    assert balances(engine) == {
        "cash": Decimal("9.25"), "revenue": Decimal("-9.26"), "rounding": Decimal("0.01"),
    }  # fmt: skip
    assert [s.state for s in office.bills.steps(bill.id)] == [State.ISSUED, State.SETTLED]
    with pytest.raises(StateError, match="must be issued to be taken back, found settled"):
        office.notes.void(bill.id, by())
    with pytest.raises(StateError, match="must be issued to be settled, found draft"):
        office.postings.settle(office.billing.draft(ACME, NOVEMBER, LATER).id, by())


def test_credit_notes_give_back_at_most_what_a_bill_carries(engine: Engine) -> None:
    office = tell(engine, TOKENS)
    bill = issued(office)

    for _ in range(2):
        office.notes.credit(bill.id, "cn-1", Decimal("4.00"), by("slow on 3 October"))
    with pytest.raises(CreditCapError, match=r"above 0 and at most 5.25, found 5.26"):
        office.notes.credit(bill.id, "cn-2", Decimal("5.26"), by("more"))
    with pytest.raises(CreditCapError, match="found 0"):
        office.notes.credit(bill.id, "cn-2", Decimal(0), by("nothing"))
    with pytest.raises(StateError, match="must be a credit note of 3 to acme-202610"):
        office.notes.credit(bill.id, "cn-1", Decimal(3), by("other"))
    with pytest.raises(StateError, match="must carry no credit note"):
        office.notes.void(bill.id, by())
    with pytest.raises(StateError, match="must be an issued bill to be credited"):
        office.notes.credit("cn-1", "cn-2", Decimal(1), by("of a credit note"))
    office.notes.credit(bill.id, "cn-2", Decimal("5.25"), by("all of it"))

    note = office.bills.bill("cn-1")
    assert (note.number, note.payable, note.corrects) == (
        "CN-2026-000001", Decimal("-4.00"), bill.id,
    )  # fmt: skip
    assert all_faults(note.rows) == []
    assert balances(engine) == {"revenue": Decimal("-0.01"), "rounding": Decimal("0.01")}
    assert issued(office, NOVEMBER).payable == 0


def test_a_payment_is_of_what_credit_notes_left(engine: Engine) -> None:
    office = tell(engine, TOKENS)
    bill = issued(office)
    office.notes.credit(bill.id, "cn-1", Decimal("4.00"), by("slow"))

    office.postings.settle(bill.id, by("paid"))

    assert balances(engine)["cash"] == Decimal("5.25")
    assert "receivable" not in balances(engine)


def test_a_bill_beyond_its_policy_waits_for_somebody_to_look_at_it(engine: Engine) -> None:
    book = replace(small_book(), policy=Policy(max_bill=Decimal(5)))
    office = tell(engine, TOKENS, book)
    draft = office.billing.draft(ACME, OCTOBER, LATER)

    assert (draft.state, draft.reason) == (
        State.PARKED, "a bill must be of at most 5 CNY, found 9.25",
    )  # fmt: skip
    with pytest.raises(StateError, match="must be draft to be issued, found parked"):
        office.postings.issue([draft.id], by())
    for _ in range(2):
        office.postings.release(draft.id, by("a real peak"))
    assert issued(office).state is State.ISSUED
    with pytest.raises(StateError, match="must be parked to be released"):
        office.postings.release(draft.id, by())


def test_a_released_bill_is_parked_again_when_it_comes_to_something_else(engine: Engine) -> None:
    book = replace(small_book(), policy=Policy(max_bill=Decimal(5)))
    office = tell(engine, TOKENS, book)
    office.billing.draft(ACME, OCTOBER, LATER)
    office.postings.release("acme-202610", by("a real peak"))
    late(engine, MORE)

    assert office.billing.draft(ACME, OCTOBER, LATER).state is State.PARKED
