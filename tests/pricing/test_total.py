from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.bills.total import NOTHING_DUE, Totals, is_over, totals_of, unit_of
from pricing.ledger.entry import Book, balances
from pricing.money import Rounding
from pricing.prices.book import Cut, Scope
from pricing.rating.charge import Charge, Kind
from pricing.rating.rating import rate
from tests.pricing.month_notation import at, month_from, small_book, span

MONTH = span("2026-10-01", "2026-11-01")
BOOK = small_book()
TERM = month_from("sub s1 n1 g4.xlarge.gu10 2026-10-07", BOOK)


def charge_of(kind: Kind, amount: str) -> Charge:
    exact = Fraction(amount)
    return Charge(None, kind, MONTH, None, Fraction(1), exact, exact, exact)


def test_the_postpaid_sum_is_cut_once() -> None:
    thirds = [charge_of(Kind.TOKENS, "67.0833333333")] * 3

    assert totals_of(thirds, BOOK).payable == 20124
    assert totals_of([charge_of(Kind.TOKENS, "67.25")] * 3, BOOK).payable == 20175


def test_a_book_may_ask_to_cut_every_line() -> None:
    book = replace(BOOK, postpaid=Cut(2, Rounding.DOWN, Scope.LINE))
    lines = [charge_of(Kind.TOKENS, "0.019")] * 3

    assert totals_of(lines, book).payable == 3
    assert totals_of(lines, BOOK).payable == 5


def test_orders_are_deferred_per_contract_and_tax_is_told_apart() -> None:
    charges = [*rate(TERM).charges, charge_of(Kind.TOKENS, "9.259"), charge_of(Kind.TAX, "0.556")]

    totals = totals_of(charges, BOOK)

    assert totals.deferred == (("s1", 640592),)
    assert (totals.tax, totals.revenue, totals.payable) == (56, 926, 640592 + 981)
    assert totals.rounding == -1


def test_what_a_month_earns_is_its_share_of_the_orders() -> None:
    totals = totals_of(rate(TERM).charges, BOOK)

    assert 0 < totals.earned < Fraction("6405.92")


@pytest.mark.parametrize(("until", "over"), [("2026-11-08", True), ("2026-11-07", False)])
def test_orders_are_over_when_no_term_goes_on(until: str, *, over: bool) -> None:
    assert is_over(rate(TERM).charges, at(until)) is over


def test_without_orders_everything_is_over() -> None:
    assert is_over([charge_of(Kind.TOKENS, "1")], at("2026-10-01"))


def test_the_unit_is_the_finest_that_the_book_cuts_to() -> None:
    assert unit_of(replace(BOOK, postpaid=Cut(1, Rounding.DOWN))).places == 2
    assert unit_of(replace(BOOK, postpaid=Cut(3, Rounding.DOWN))).amount(1) == Decimal("0.001")


units = st.integers(-(10**9), 10**9)
all_totals = st.builds(
    Totals,
    units,
    units,
    units,
    st.dictionaries(st.sampled_from(["c1", "c2"]), units.filter(bool)).map(
        lambda d: tuple(sorted(d.items()))
    ),
    st.fractions(-100, 100, max_denominator=99),
)


@given(one=all_totals, other=all_totals)
def test_totals_add_up_and_take_back(one: Totals, other: Totals) -> None:
    assert one.plus(other) == other.plus(one)
    assert one.plus(one.negative) == NOTHING_DUE
    assert one.plus(other).rounding == one.rounding + other.rounding


@given(totals=all_totals)
def test_what_the_ledger_books_sums_to_zero_and_is_all_owed(totals: Totals) -> None:
    found = balances(totals.movements)

    assert sum(found.values()) == 0
    assert found.get(Book.RECEIVABLE, 0) == totals.payable
    assert -found.get(Book.REVENUE, 0) == totals.revenue
    assert -found.get(Book.DEFERRED, 0) == sum(due for _, due in totals.deferred)


@given(
    cents=st.lists(st.fractions(-50, 50, max_denominator=10**6), max_size=6),
    cut=st.integers(0, 6),
)
def test_a_sum_billed_in_two_parts_comes_to_what_it_comes_to_at_once(
    cents: list[Fraction], cut: int
) -> None:
    charges = [charge_of(Kind.TOKENS, str(c)) for c in cents]
    first = totals_of(charges[:cut], BOOK)
    rest = totals_of(charges, BOOK).plus(first.negative)

    assert first.plus(rest) == totals_of(charges, BOOK)
