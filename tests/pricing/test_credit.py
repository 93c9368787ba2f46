from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.bills.credit import note_row, shared_out, void_rows, wallet_rows
from pricing.bills.signed import Signed, UnsignedError
from pricing.bills.total import Totals
from pricing.focus.check import all_faults
from pricing.ledger.entry import Book, Unit, balances
from pricing.rating.inputs import Inputs
from pricing.wallets.wallet import Draw
from tests.pricing.month_notation import at, bill_of

FEN = Unit("CNY", 2)


def test_credits_and_reversals_are_rows_of_focus(inputs: Inputs) -> None:
    """
    sub   s1 n1 g4.xlarge.gu10 2026-10-07
    token t1 shared small 2026-10-01
    used  2026-10-06T10 shared requests=3 fresh=1234567
    """
    bill = bill_of(inputs)
    like = bill.lines[0]
    paid = wallet_rows(bill.id, like, [Draw("g1", 500), Draw("g2", 25)], FEN)
    note = note_row("cn-1", like, Decimal("12.50"), "slow on 3 October")
    back = void_rows("acme-202610-void", bill.lines)

    assert all_faults([*paid, note, *back]) == []
    assert [row["BilledCost"] for row in paid] == [Decimal("-5.00"), Decimal("-0.25")]
    assert (note["BilledCost"], note["ChargeDescription"]) == (
        Decimal("-12.50"), "slow on 3 October",
    )  # fmt: skip
    assert sum(Fraction(row["BilledCost"]) for row in (*bill.lines, *back)) == 0
    assert (
        len({row["x_LineId"] for row in (*bill.lines, *paid, note, *back)})
        == 2 * len(bill.lines) + 3
    )


@given(tax=st.integers(0, 10**6), rest=st.integers(1, 10**8), units=st.integers(1, 10**8))
def test_a_credit_note_gives_tax_back_with_what_it_was_charged_on(
    tax: int, rest: int, units: int
) -> None:
    totals = Totals(payable=rest + tax, tax=tax, revenue=rest)

    found = balances(shared_out(units, totals))

    assert sum(found.values()) == 0
    assert -found[Book.RECEIVABLE] == units
    assert abs(Fraction(units * tax, rest + tax) - found.get(Book.TAX, 0)) < 1


@pytest.mark.parametrize(("actor", "reason"), [("", "why"), ("ann", " ")], ids=["actor", "reason"])
def test_a_decision_has_an_author_and_a_reason(actor: str, reason: str) -> None:
    with pytest.raises(UnsignedError, match="must have an actor and a reason"):
        Signed(actor, reason, at("2026-10-01"))
