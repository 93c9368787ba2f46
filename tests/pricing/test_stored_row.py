from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from pricing.bills.export import json_row
from pricing.bills.posting import Amounts
from pricing.bills.stored_row import (
    ADDED_UP,
    read_amounts,
    read_key,
    read_row,
    taken_back,
    written_amounts,
    written_key,
    written_row,
)
from pricing.focus.check import faults
from pricing.focus.columns import COLUMNS
from pricing.rating.charge import LineKey
from pricing.rating.inputs import Inputs
from tests.pricing.month_notation import bill_of

fractions = st.fractions()


def test_rows_come_back_as_they_were_written(inputs: Inputs) -> None:
    """
    sub   s1 n1 g4.xlarge.gu10 2026-10-07
    hour  h1 n2 g4.xlarge.gu10 2026-10-01
    ran   n2 2026-10-06T10:59:30 2026-10-06T12:50:30
    token t1 shared small 2026-10-01
    used  2026-10-06T10 shared requests=3 fresh=1234567 project=alpha
    """
    for row in bill_of(inputs).lines:
        again = read_row(written_row(row))

        assert written_row(again) == written_row(row)
        assert json_row(again, COLUMNS["1.2"]) == json_row(row, COLUMNS["1.2"])
        assert faults(again) == []


def test_rows_and_what_takes_them_back_come_to_zero_in_every_column(inputs: Inputs) -> None:
    """
    hour  h1 n2 g4.xlarge.gu10 2026-10-01
    ran   n2 2026-10-06T10:59:30 2026-10-06T12:50:30
    """
    for row in bill_of(inputs).lines:
        back = taken_back(row)

        told = [name for name in ADDED_UP if row[name] is not None]
        assert all(Fraction(row[name]) + Fraction(back[name]) == 0 for name in told)
        assert {n: back[n] for n in row if n not in told} == {
            n: row[n] for n in row if n not in told
        }
        assert faults(back) == []


@given(
    amounts=st.builds(Amounts, fractions, fractions, fractions, fractions, st.integers()),
    words=st.lists(st.text(), min_size=14, max_size=14),
)
def test_keys_and_exact_amounts_come_back(amounts: Amounts, words: list[str]) -> None:
    key = LineKey(*words)

    assert read_amounts(written_amounts(amounts)) == amounts
    assert read_key(written_key(key)) == key
