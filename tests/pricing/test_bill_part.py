from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricing.bills.bill import (
    Bill,
    MixedUnitsError,
    State,
    bill_id,
    bill_of,
    context_of,
    make_bill,
    why_parked,
)
from pricing.bills.credit import void_rows
from pricing.bills.part import FIRST, Before, Cutoffs, Line, Part, Rating, line_sum, part_of
from pricing.bills.posting import amounts_of, posted
from pricing.bills.total import totals_of, unit_of
from pricing.focus.check import all_faults
from pricing.money import Rounding
from pricing.prices.book import Cut
from pricing.prices.policy import Policy
from pricing.rating.inputs import Inputs
from pricing.rating.rating import rate
from tests.pricing.month_notation import at, month_from, small_book
from tests.pricing.month_notation import bill_of as bill_of_inputs
from tests.pricing.month_strategies import instants, months

TEXT = """
hour  h1 n1 g4.xlarge.gu10 2026-10-01
ran   n1 2026-10-06T10:59:30 2026-10-06T12:50:30
token t1 shared small 2026-10-01
used  2026-10-06T10 shared requests=3 fresh=1234567
"""


def rating_of(inputs: Inputs) -> Rating:
    cutoffs = Cutoffs(inputs.service_to, 7, 1)
    return Rating(inputs, "Acme Ltd", (), cutoffs, rate(inputs))


def next_part(inputs: Inputs, before: Before, *, number: int = 1) -> Part:
    rating = rating_of(inputs)
    name = bill_id(inputs.account, inputs.month, inputs.zone, number)
    return part_of(rating, before, context_of(rating, name, inputs.month))


def after(before: Before, part: Part) -> Before:
    """Return what bills carry once a part is posted."""
    return Before(
        runs=before.runs + 1,
        last_run=f"run {before.runs + 1}",
        lines=(*before.lines, *part.lines),
        totals=before.totals.plus(part.totals),
        is_closed=before.is_closed,
    )


def billed_in_turn(told: Sequence[Inputs]) -> tuple[list[Part], Before]:
    parts: list[Part] = []
    before = FIRST
    for number, inputs in enumerate(told, start=1):
        parts.append(next_part(inputs, before, number=number))
        before = after(before, parts[-1])
    return parts, before


@settings(max_examples=50, deadline=None)
@given(
    inputs=months(),
    ends=st.lists(instants, max_size=3),
    shown=st.lists(st.integers(0, 6), max_size=3),
)
def test_billing_in_any_parts_comes_to_what_billing_once_comes_to(
    inputs: Inputs, ends: list[Any], shown: list[int]
) -> None:
    """Parts end anywhere and know any of the usage; the last one knows all."""
    rows = list(inputs.usage)
    early = [replace(inputs, service_to=end) for end in sorted(ends)]
    partly = [replace(inputs, usage=rows[:count]) for count in shown]

    parts, before = billed_in_turn([*early, *partly, inputs])

    charges = rate(inputs).charges
    carried = posted((line.key, line.amounts) for line in before.lines if line.key)
    assert carried == posted((c.key, amounts_of(c)) for c in charges)
    assert before.totals == totals_of(charges, inputs.book)
    unit = unit_of(inputs.book)
    for part in parts:
        assert line_sum(part.lines) == unit.amount(part.totals.payable)
        assert all_faults(line.cells for line in part.lines) == []
    ids = [line.cells["x_LineId"] for part in parts for line in part.lines]
    assert len(set(ids)) == len(ids)


@settings(max_examples=50, deadline=None)
@given(inputs=months())
def test_posting_a_month_twice_posts_nothing(inputs: Inputs) -> None:
    closed = replace(after(FIRST, next_part(inputs, FIRST)), is_closed=True)

    again = next_part(inputs, closed, number=2)

    assert (again.lines, again.says_something) == ((), False)


@settings(max_examples=50, deadline=None)
@given(inputs=months())
def test_void_and_billed_again_is_as_if_it_had_never_been(inputs: Inputs) -> None:
    first = next_part(inputs, FIRST)
    rows = void_rows("note", [line.cells for line in first.lines])
    back = [
        Line(row, line.key, line.amounts.negative)
        for row, line in zip(rows, first.lines, strict=True)
    ]
    void = Before(2, "run 2", (*first.lines, *back), first.totals.plus(first.totals.negative))

    again = next_part(inputs, void)

    assert again.lines == first.lines
    assert again.totals == first.totals
    assert again.rating.hash == first.rating.hash


def test_what_is_charged_no_more_is_taken_back_line_by_line() -> None:
    """A count is corrected twice, then the contract turns out to be another's."""
    less = month_from(TEXT.replace("1234567", "1000000"), small_book())
    told = month_from(TEXT, small_book())
    gone = month_from("", small_book())

    parts, before = billed_in_turn([less, told, gone, gone])

    assert [len(part.lines) for part in parts] == [5, 2, 6, 1]
    assert [line.cells["BilledCost"] for line in parts[2].lines if line.key][-2:] == [
        -parts[0].lines[-2].cells["BilledCost"],
        -parts[1].lines[0].cells["BilledCost"],
    ]
    assert before.totals.payable == 0
    assert posted((k.key, k.amounts) for k in before.lines if k.key) == {}


def test_lines_that_were_taken_back_are_not_taken_back_again() -> None:
    told, gone = month_from(TEXT, small_book()), month_from("", small_book())

    parts, _ = billed_in_turn([told, gone, told, gone, told])

    assert [len(part.lines) for part in parts] == [5, 5, 5, 5, 5]


def test_what_is_found_after_the_month_was_closed_is_a_correction() -> None:
    told = month_from(TEXT, small_book())
    before = replace(after(FIRST, next_part(told, FIRST)), is_closed=True, last_run="acme:1")
    more = month_from(TEXT.replace("1234567", "2234567"), small_book())

    part = next_part(more, before, number=2)

    assert {line.cells["ChargeClass"] for line in part.lines} == {"Correction"}
    assert {line.cells["x_CorrectsRunId"] for line in part.lines} == {"acme:1"}
    assert part.totals.payable == 750


def test_a_bill_says_what_all_its_months_come_to() -> None:
    october = next_part(month_from(TEXT, small_book()), FIRST)
    bill = bill_of([october, october], "both")

    assert bill.totals == october.totals.plus(october.totals)
    assert bill.payable == unit_of(small_book()).amount(2 * october.totals.payable)


def test_a_bill_in_two_currencies_is_refused() -> None:
    other = replace(small_book(), currency="USD")
    parts = [next_part(month_from(TEXT, book), FIRST) for book in (small_book(), other)]

    with pytest.raises(MixedUnitsError, match="found CNY with 2 decimals and USD with 2 decimals"):
        bill_of(parts, "both")


def bill_by(policy: Policy, text: str = TEXT) -> Bill:
    return bill_of_inputs(month_from(text, replace(small_book(), policy=policy)))


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        (Policy(), ""),
        (Policy(max_lines=5, max_bill=bill_by(Policy()).payable), ""),
        (Policy(max_lines=4), "a bill must have at most 4 lines, found 5"),
        (Policy(max_bill=Decimal(30)), "a bill must be of at most 30 CNY, found 33.94"),
    ],
    ids=["usual", "at its bounds", "many lines", "much money"],
)
def test_a_bill_beyond_its_policy_is_parked(policy: Policy, reason: str) -> None:
    assert why_parked(bill_by(policy), policy) == reason


def test_a_bill_beyond_what_the_ledger_holds_is_parked() -> None:
    huge = replace(bill_by(Policy()), payable=Decimal(10**17))

    assert why_parked(huge, Policy()).startswith("a bill must be of at most 92233720368547758.07")


def test_a_number_stands_on_every_row_and_changes_no_hash() -> None:
    bill = bill_by(Policy())
    numbered = replace(bill, number="INV-2026-000001", stage=State.ISSUED)

    assert {row["InvoiceId"] for row in numbered.rows} == {"INV-2026-000001"}
    assert {row["InvoiceId"] for row in bill.rows} == {None}
    assert numbered.result_hash == replace(numbered, lines=numbered.rows).result_hash
    assert (bill.state, numbered.state) == (State.DRAFT, State.ISSUED)


def test_the_second_bill_of_a_month_has_an_id_of_its_own() -> None:
    october = month_from(TEXT, small_book())

    assert [bill_id("acme", october.month, october.zone, n) for n in (1, 2)] == [
        "acme-202610",
        "acme-202610-2",
    ]
    assert Fraction(make_bill(october, "Acme", (), Cutoffs(at("2026-11-01"), 1, 1)).payable) > 0


def test_the_hash_of_a_rating_covers_charges_and_blockers() -> None:
    told = rating_of(month_from(TEXT, small_book()))
    lab = "used 2026-10-06T10 lab requests=3 fresh=1000"
    blocked = rating_of(month_from(f"{TEXT}\n{lab}", small_book()))

    assert told.hash == rating_of(month_from(TEXT, small_book())).hash
    assert told.hash != blocked.hash


def test_corrections_round_by_the_book_of_their_month() -> None:
    coarse = replace(small_book(), postpaid=Cut(1, Rounding.DOWN))
    part = next_part(month_from(TEXT, coarse), FIRST)

    assert part.totals.payable % 10 == 0
