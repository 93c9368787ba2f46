"""Laws that hold for every bill, whatever ran, was used and agreed."""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from metering.event import Outcome, Quality
from metering.interval import Interval, State, running_seconds
from metering.period import Period, month_of
from metering.rollup import REQUESTS
from metering.usage import Usage
from pricing.bills.export import focus_csv, focus_json, sorted_rows
from pricing.contracts.contract import Contract, check_contract, check_disjoint
from pricing.contracts.schemes import Hourly, Subscription, rate_of
from pricing.focus.check import all_faults
from pricing.focus.column import Column, Row, Type, cell
from pricing.focus.columns import columns_of
from pricing.money import Rounding, rounded
from pricing.rating.inputs import Inputs
from pricing.rating.rating import rate
from tests.pricing.month_notation import (
    BEIJING,
    SMALL_BOOK,
    bill_of,
    month_from,
    small_book,
    term_of,
)
from tests.pricing.month_strategies import discounts, instants, months

SOME = settings(deadline=None, max_examples=40)
SPEC = "polar.pg.g4.xlarge.gu10"
FREE = {Outcome.CLIENT_ERROR, Outcome.THROTTLED, Outcome.SERVER_ERROR}


@SOME
@given(months())
def test_the_drawn_months_are_ones_that_could_be_stored(inputs: Inputs) -> None:
    for contract in inputs.contracts:
        check_contract(contract, inputs.book)
    check_disjoint(inputs.contracts)


@SOME
@given(months(), st.data())
def test_the_order_of_what_is_rated_does_not_change_a_bill(
    inputs: Inputs, drawn: st.DataObject
) -> None:
    shuffled = replace(
        inputs,
        usage=drawn.draw(st.permutations(inputs.usage)),
        intervals=drawn.draw(st.permutations(inputs.intervals)),
        contracts=drawn.draw(st.permutations(inputs.contracts)),
    )

    assert rate(shuffled) == rate(inputs)
    assert bill_of(shuffled).result_hash == bill_of(inputs).result_hash


@SOME
@given(months(), st.lists(instants, max_size=6), st.integers(0, 999_999))
def test_cutting_running_time_at_any_instants_does_not_change_a_bill(
    inputs: Inputs, cuts: list[datetime], microseconds: int
) -> None:
    at = [cut + timedelta(microseconds=microseconds) for cut in cuts]
    pieces = [piece for i in inputs.intervals for piece in pieces_of(i, at)]

    assert bill_of(replace(inputs, intervals=pieces)).result_hash == bill_of(inputs).result_hash


@SOME
@given(months(), st.data())
def test_reporting_usage_in_parts_does_not_change_a_bill(
    inputs: Inputs, drawn: st.DataObject
) -> None:
    parts: list[Usage] = []
    for usage in inputs.usage:
        first = drawn.draw(st.integers(0, usage.quantity))
        parts += [Usage(usage.key, first), Usage(usage.key, usage.quantity - first)]

    assert rate(replace(inputs, usage=parts)) == rate(inputs)


@SOME
@given(months(), instants)
def test_the_rows_of_a_bill_add_up_to_what_is_payable(inputs: Inputs, cutoff: datetime) -> None:
    for service_to in (inputs.month.end, cutoff):
        bill = bill_of(replace(inputs, service_to=service_to))

        assert total(bill.lines, "BilledCost") == Fraction(bill.payable)
        assert bill.payable.as_tuple().exponent == -2


@SOME
@given(months(prepaid=False))
def test_what_is_payable_afterwards_is_the_exact_sum_cut_down(inputs: Inputs) -> None:
    bill = bill_of(inputs)

    assert bill.payable == rounded(exact_sum(inputs), 2, Rounding.DOWN)


@SOME
@given(months())
def test_an_order_adds_its_whole_fen_to_what_is_payable_afterwards(inputs: Inputs) -> None:
    bill = bill_of(inputs)

    afterwards = rounded(exact_sum(inputs), 2, Rounding.DOWN)
    orders = [row for row in bill.lines if row["ChargeCategory"] == "Purchase"]
    assert Fraction(bill.payable) == Fraction(afterwards) + total(orders, "BilledCost")
    assert all(row["BilledCost"] == round(row["BilledCost"], 2) for row in orders)


@SOME
@given(
    st.decimals("0.01", 10**6, places=5),
    st.sampled_from([1, 2, 12]),
    discounts,
    instants,
    st.lists(st.integers(0, 400 * 86_400), min_size=4, max_size=4),
)
def test_the_months_of_a_term_carry_exactly_what_was_ordered(
    price: Decimal, term: int, discount: Decimal, start: datetime, offsets: list[int]
) -> None:
    scheme = Subscription(SPEC, term, discount)
    book = small_book(nodes=SMALL_BOOK["nodes.csv"].replace("6405.92", f"{price:f}"))
    contract = Contract(
        "s1", "acme", scheme, "cn-hangzhou", "dedicated", term_of(scheme, start), "n1"
    )
    turns = [start + timedelta(seconds=s) for s in sorted(offsets)]
    spans = (Period(turns[0], turns[1]), Period(turns[2], turns[3]))
    intervals = [Interval("n1", span, State.RUNNING) for span in spans]

    rows: list[Row] = []
    for month in months_of(contract.period):
        whole = replace(month_from("", book), month=month, service_to=month.end)
        bill = bill_of(replace(whole, contracts=[contract], intervals=intervals))
        rows += [row for row in bill.lines if row["x_ContractId"] == "s1"]

    assert total(rows, "EffectiveCost") == total(rows, "BilledCost")
    assert total(rows, "BilledCost") == Fraction(
        rounded(Fraction(price) * term * Fraction(discount), 2, Rounding.HALF_UP)
    )
    hours = [row for row in rows if row["ChargeCategory"] == "Usage"]
    seconds = total(hours, "PricingQuantity") * 3600
    assert abs(seconds - contract.period.seconds) < Fraction(1, 10**5)


@SOME
@given(months(), instants, st.text(max_size=5))
def test_every_row_obeys_focus(inputs: Inputs, cutoff: datetime, name: str) -> None:
    for service_to in (inputs.month.end, cutoff):
        bill = bill_of(replace(inputs, service_to=service_to), name)

        assert all_faults(bill.lines) == []


@SOME
@given(st.decimals("0.0000000001", 1, places=10), st.sampled_from([1, 12, 36]))
def test_the_row_of_an_order_obeys_focus_at_any_discount(discount: Decimal, term: int) -> None:
    bill = bill_of(month_from(f"sub s1 n1 g4.xlarge.gu10 2026-10-07 months={term} {discount=:f}"))

    assert all_faults(bill.lines) == []


@SOME
@given(months())
def test_no_two_lines_of_a_bill_have_one_id(inputs: Inputs) -> None:
    ids = Counter(row["x_LineId"] for row in bill_of(inputs).lines)

    assert [line for line, count in ids.items() if count > 1] == []


@SOME
@given(months(), st.text(max_size=5))
def test_a_csv_file_reads_back_as_the_cells_of_its_rows(inputs: Inputs, name: str) -> None:
    rows = sorted_rows(bill_of(inputs, name).lines)

    read = list(csv.DictReader(io.StringIO(focus_csv(rows), newline="")))

    columns = columns_of("1.2")
    assert read == [{c.name: csv_cell(c, row) for c in columns} for row in rows]


@SOME
@given(months(), st.text(max_size=5))
def test_a_json_file_reads_back_as_the_cells_of_its_rows(inputs: Inputs, name: str) -> None:
    rows = sorted_rows(bill_of(inputs, name).lines)

    read = json.loads(focus_json(rows))

    columns = columns_of("1.2")
    assert read == [{c.name: json_cell(c, row) for c in columns} for row in rows]


@SOME
@given(months(), st.data())
def test_the_same_inputs_give_the_same_bytes(inputs: Inputs, drawn: st.DataObject) -> None:
    rows = bill_of(inputs).lines
    again = drawn.draw(st.permutations(bill_of(inputs).lines))

    write: Callable[[Iterable[Row]], str]
    for write in (focus_csv, focus_json):
        assert write(sorted_rows(again)).encode() == write(sorted_rows(rows)).encode()


def total(rows: Iterable[Row], column: str) -> Fraction:
    """Add up a column exactly."""
    return sum((Fraction(row[column]) for row in rows), Fraction(0))


def pieces_of(interval: Interval, cuts: Iterable[datetime]) -> list[Interval]:
    """Cut an interval at the instants that lie inside it."""
    ends = [
        interval.period.start,
        *sorted(filter(interval.period.holds, cuts)),
        interval.period.end,
    ]
    return [replace(interval, period=Period(a, b)) for a, b in pairwise(ends)]


def exact_sum(inputs: Inputs) -> Fraction:
    """Add up what hourly nodes and measured tokens cost, with no lines and no rounding."""
    tokens = sum((token_price(inputs, u) * u.quantity for u in inputs.usage), Fraction(0))
    return tokens + sum((node_cost(inputs, c) for c in inputs.contracts), Fraction(0))


def node_cost(inputs: Inputs, contract: Contract) -> Fraction:
    covered = contract.period.overlap(inputs.month)
    if not isinstance(contract.scheme, Hourly) or covered is None:
        return Fraction(0)
    rate = rate_of(contract.scheme, contract.region, inputs.book)
    seconds = running_seconds(inputs.intervals, contract.resource, covered)
    return Fraction(rate.price) * seconds / 3600


def token_price(inputs: Inputs, usage: Usage) -> Fraction:
    key = usage.key
    is_free = key.account != "acme" or key.outcome in FREE or key.meter == REQUESTS
    hour = Period(key.hour, key.hour + timedelta(hours=1))
    covering = [
        c for c in inputs.contracts if c.is_per_token and c.covers(key.pool, key.resource, hour)
    ]
    if is_free or key.quality not in {Quality.MEASURED, Quality.ACCEPTED} or not covering:
        return Fraction(0)
    rate = rate_of(covering[0].scheme, covering[0].region, inputs.book)
    return Fraction(rate.price) / rate.per


def months_of(term: Period) -> list[Period]:
    """Return the Beijing months that a term touches."""
    first = term.start + timedelta(hours=8)
    numbers = range(first.year * 12 + first.month - 1, first.year * 12 + first.month + 36)
    named = (month_of(f"{n // 12}-{n % 12 + 1:02}", BEIJING) for n in numbers)
    return [month for month in named if month.overlap(term)]


def csv_cell(column: Column, row: Row) -> str:
    text = cell(row[column.name])
    is_formula = column.type is Type.TEXT and text[:1] in set("=+-@\t\r")
    return f"'{text}" if is_formula else text


def json_cell(column: Column, row: Row) -> object:
    value = row[column.name]
    return value if value is None or column.type is Type.JSON else cell(value)
