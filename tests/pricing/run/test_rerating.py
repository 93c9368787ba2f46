"""Stored bills come out again, and closed months are rated otherwise."""

from dataclasses import replace

import pytest
from sqlalchemy import Engine

from pricing.contracts.store import ContractStore
from pricing.run.jobs import OpenMonthError
from pricing.run.run_store import Decision
from tests.pricing.month_notation import at, small_book
from tests.pricing.office_notation import (
    ACME,
    DECEMBER,
    LATER,
    NOVEMBER,
    OCTOBER,
    by,
    issued,
    late,
    office_of,
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


def test_a_stored_bill_comes_out_again_to_the_byte_whatever_happened_since(ledger: Engine) -> None:
    office = tell(ledger, TEXT)
    issued(office, when=at("2026-10-20"))
    issued(office)
    late(ledger, MORE)
    issued(office, NOVEMBER)
    office.notes.void("acme-202610-2", by())
    late(ledger, "used 2026-11-07T10 shared requests=2 fresh=1000000")
    [node] = [c for c in ContractStore(ledger, small_book()).contracts() if c.id == "h1"]
    ended = replace(node, period=replace(node.period, end=at("2026-10-03")))
    ContractStore(ledger, small_book()).put_contracts([ended])

    verdicts = [
        office_of(ledger, DEARER).billing.verify(name)
        for name in ("acme-202610", "acme-202610-2", "acme-202611")
    ]

    assert [v.is_same for v in verdicts] == [True] * 3


def test_a_changed_row_does_not_pass_for_the_same(engine: Engine) -> None:
    office = tell(engine, TOKENS)
    bill = issued(office)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE line SET cells = replace(cells, 'qwen3', 'qwen4')")

    assert not office.billing.verify(bill.id).is_same


def test_rating_again_is_shown_first_and_then_carried_by_the_next_bill(engine: Engine) -> None:
    office = tell(engine, TOKENS)
    issued(office)
    decision = Decision(DEARER, None)

    shown = office.billing.difference(ACME, OCTOBER, decision)
    untouched = office.billing.draft(ACME, NOVEMBER, LATER)
    made = office.billing.decide(ACME, OCTOBER, decision, by("new terms"))
    november = issued(office, NOVEMBER)

    assert shown.totals.payable == 1234 - 925
    assert untouched.payable == 0
    assert made == "acme-202610-1"
    assert str(november.payable) == "3.09"
    new, back = [r for r in november.lines if r["x_Model"]]
    assert [str(r["ListUnitPrice"]) for r in (new, back)] == ["0.1", "0.075"]
    assert back["BilledCost"] < 0 < new["BilledCost"]
    assert office.billing.difference(ACME, OCTOBER, decision).says_something is False
    assert office.billing.verify(november.id).is_same


def test_a_month_may_be_rated_as_usage_stood_at_an_earlier_close(engine: Engine) -> None:
    office = tell(engine, TOKENS)
    late(engine, MORE)
    assert str(issued(office).payable) == "16.75"
    first_close = Decision(small_book(), 1)

    office.billing.decide(ACME, OCTOBER, first_close, by("agreed: without the last day"))

    assert str(issued(office, NOVEMBER).payable) == "-7.50"
    late(engine, MORE)
    assert issued(office, DECEMBER).payable == 0


def test_an_open_month_is_not_rated_again(engine: Engine) -> None:
    office = tell(engine, TOKENS)
    decision = Decision(DEARER, None)

    with pytest.raises(OpenMonthError, match="must be closed by a bill"):
        office.billing.difference(ACME, OCTOBER, decision)
    with pytest.raises(OpenMonthError):
        office.billing.decide(ACME, OCTOBER, decision, by())
