import json
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest

from metering.period import month_of
from pricing.bills.bill import Cutoffs, canonical_lines, make_bill
from pricing.money import Rounding
from pricing.prices.book import Cut
from pricing.rating.inputs import Inputs
from tests.pricing.month_notation import (
    SMALL_BOOK,
    at,
    bill_of,
    lines_of,
    month_from,
    shipped,
    small_book,
)


def test_a_bill_says_whose_it_is_for_which_month_and_what_it_saw(inputs: Inputs) -> None:
    """
    month 2026-10 to=2026-10-06T10:30
    token t1 shared small 2026-10-01
    used  2026-10-06T10 shared requests=3 fresh=1234567
    """
    cutoffs = Cutoffs(at("2026-10-06T10:30"), 1_790_000_000_000_000_000, 42)

    bill = make_bill(inputs, "Acme Ltd", (), cutoffs, ["2 requests belong to no account"])

    assert (bill.id, bill.account, bill.currency) == ("acme-202610", "acme", "CNY")
    assert bill.month == month_of("2026-10", "Asia/Shanghai")
    assert (bill.cutoffs, bill.book_hash) == (cutoffs, shipped().digest)
    assert bill.payable == Decimal("9.25")
    assert (bill.state, bill.blockers) == ("draft", ())
    assert bill.warnings == ("2 requests belong to no account",)


def test_a_bill_s_month_is_named_in_the_account_s_zone() -> None:
    month = month_of("2026-11", "Asia/Shanghai")

    assert bill_of(replace(month_from(""), month=month)).id == "acme-202611"


def test_an_empty_month_is_a_bill_of_nothing_with_its_rounding_row() -> None:
    bill = bill_of(month_from(""))

    assert str(bill.payable) == "0.00"
    assert [row["ChargeDescription"] for row in bill.lines] == [
        "Rounding of the postpaid sum to whole minor units (down)"
    ]
    assert bill.lines[0]["BilledCost"] == 0


def test_the_sum_is_cut_once_and_not_line_by_line(inputs: Inputs) -> None:
    """
    hour  h1 n1 x8.16xlarge.gu800 2026-10-01
    ran   n1 2026-10-06T10:00 2026-10-06T10:20
    ran   n1 2026-10-06T11:00 2026-10-06T11:20
    ran   n1 2026-10-06T12:00 2026-10-06T12:20
    """
    bill = bill_of(inputs)

    *lines, rounding = [row["BilledCost"] for row in bill.lines]
    assert [str(line) for line in lines] == ["67.0833333333"] * 3
    assert str(bill.payable) == "201.25"
    assert rounding == Decimal("0.0000000001")


def test_what_is_cut_off_is_one_visible_row(inputs: Inputs) -> None:
    """
    hour  h1 n1 g4.xlarge.gu10 2026-10-01
    ran   n1 2026-10-06T10:59:30 2026-10-06T12:50:30
    """
    bill = bill_of(inputs)

    [row] = lines_of(bill, ChargeCategory="Adjustment")
    assert row is bill.lines[-1]
    assert (str(bill.payable), row["BilledCost"]) == ("24.68", Decimal("-0.00936"))
    assert row["x_ChargeDescriptionZh"] == "抹零"
    assert (row["ChargePeriodStart"], row["ChargePeriodEnd"]) == (bill.month.start, bill.month.end)


def test_an_order_is_not_cut_with_what_is_paid_afterwards(inputs: Inputs) -> None:
    """
    sub   s1 n1 g4.xlarge.gu10 2026-10-07
    token t1 shared small 2026-10-01
    used  2026-10-06T10 shared requests=1 fresh=1234567
    """
    bill = bill_of(inputs)

    assert bill.payable == Decimal("6405.92") + Decimal("9.25")


def test_rounding_follows_the_book(inputs: Inputs) -> None:
    """
    hour  h1 n1 g4.xlarge.gu10 2026-10-01
    ran   n1 2026-10-06T10:59:30 2026-10-06T12:50:30
    """
    book = replace(inputs.book, postpaid=Cut(3, Rounding.HALF_UP))

    assert str(bill_of(replace(inputs, book=book)).payable) == "24.689"


def test_an_order_keeps_its_fen_where_the_postpaid_sum_is_cut_coarser(inputs: Inputs) -> None:
    """
    sub   s1 n1 g4.xlarge.gu10 2026-10-07
    """
    book = replace(inputs.book, postpaid=Cut(1, Rounding.DOWN))

    assert bill_of(replace(inputs, book=book)).payable == Decimal("6405.92")


@pytest.mark.parametrize(
    ("usage", "blocker"),
    [
        (
            "used 2026-10-06T10 lab requests=3 fresh=1000",
            "3 requests in pool 'lab' must be under a contract, found none in force",
        ),
        (
            "used 2026-10-06T10 shared requests=2 quality=unknown",
            "2 requests must have measured token counts, found unknown ones",
        ),
        (
            "used 2026-10-06T10 shared requests=2 fresh=7 quality=estimated",
            "2 requests must have measured token counts, found estimated ones",
        ),
    ],
)
def test_a_bill_is_blocked_by_what_nobody_can_price_or_prove(usage: str, blocker: str) -> None:
    bill = bill_of(month_from(f"token t1 shared small 2026-10-01\n{usage}"))

    assert bill.state == "blocked"
    assert bill.blockers == (blocker,)
    assert bill.payable == 0


def test_a_missing_price_blocks_the_bill(inputs: Inputs) -> None:
    """
    hour  h1 n1 g8.16xlarge.gu100 2026-10-01 region=cn-wulanchabu
    ran   n1 2026-10-06T10:00 2026-10-06T14:00
    """
    bill = bill_of(inputs)

    [blocker] = bill.blockers
    assert bill.state == "blocked"
    assert blocker == (
        "contract 'h1': book polardb-2026 must have a node-hour price for region=cn-wulanchabu, "
        "spec=polar.pg.g8.16xlarge.gu100 at 2026-10-06T02:00:00+00:00, found none"
    )


def test_amounts_beyond_the_digits_of_a_decimal_sum_still_add_up() -> None:
    price = f"{10**17}.334"
    nodes = SMALL_BOOK["nodes.csv"].replace("13.3456", price)
    text = """
    hour  h1 n1 g4.xlarge.gu10 2026-10-01
    ran   n1 2026-10-06T08:00 2026-10-06T22:00
    """

    bill = bill_of(month_from(text, small_book(nodes=nodes)))

    assert sum(Fraction(row["BilledCost"]) for row in bill.lines) == Fraction(bill.payable)
    assert str(bill.payable) == f"{14 * 10**17 + 4}.67"


def test_the_result_hash_changes_with_any_cell(inputs: Inputs) -> None:
    """
    token t1 shared small 2026-10-01
    used  2026-10-06T10 shared requests=1 fresh=1234567
    """
    bill = bill_of(inputs)
    dearer = {**bill.lines[0], "ListCost": bill.lines[0]["ListCost"] + Decimal("1e-10")}

    assert bill_of(inputs).result_hash == bill.result_hash
    assert replace(bill, lines=(dearer, *bill.lines[1:])).result_hash != bill.result_hash
    assert bill_of(inputs, "Acme Limited").result_hash != bill.result_hash


def test_the_text_that_is_hashed_keeps_null_apart_from_empty(inputs: Inputs) -> None:
    """
    token t1 shared small 2026-10-01
    used  2026-10-06T10 shared requests=1 fresh=1234567
    """
    [line, _] = bill_of(inputs).lines

    [null] = json.loads(canonical_lines([{**line, "x_Model": None}]))
    [empty] = json.loads(canonical_lines([{**line, "x_Model": ""}]))

    differing = [(a, b) for a, b in zip(null, empty, strict=True) if a != b]
    assert differing == [(None, "")]


def test_a_re_run_gives_every_line_the_id_it_had(inputs: Inputs) -> None:
    """
    sub   s1 n1 g4.xlarge.gu10 2026-10-01
    token t1 shared small 2026-10-01
    used  2026-10-06T10 shared requests=1 fresh=1000
    """
    early = bill_of(replace(inputs, service_to=at("2026-10-07")))
    late = bill_of(inputs)

    assert [row["x_LineId"] for row in early.lines] == [row["x_LineId"] for row in late.lines]
    assert sum(Fraction(row["EffectiveCost"]) for row in early.lines[:-1]) < sum(
        Fraction(row["EffectiveCost"]) for row in late.lines[:-1]
    )
