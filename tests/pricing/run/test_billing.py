"""Drafts, bills and corrections over a ledger."""

from decimal import Decimal
from fractions import Fraction

import pytest
from sqlalchemy import Engine

from metering.period import month_of
from pricing.bills.bill import Bill, State
from pricing.bills.store import StaleDraftError, UnknownBillError, Wanted
from pricing.focus.check import all_faults
from pricing.rating.inputs import Inputs
from pricing.run.life_store import StateError
from tests.pricing.month_notation import BEIJING, at, bill_of, month_from, small_book
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


def test_an_issued_bill_is_numbered_frozen_and_booked(ledger: Engine) -> None:
    office = tell(ledger, TEXT)

    bill = issued(office)

    assert (bill.id, bill.number, bill.state) == ("acme-202610", "INV-2026-000001", State.ISSUED)
    assert str(bill.payable) == "6439.86"
    assert sum(Fraction(row["BilledCost"]) for row in bill.rows) == Fraction(bill.payable)
    assert all_faults(bill.rows) == []
    assert balances(ledger) == {
        "receivable": Decimal("6439.86"), "deferred": Decimal("-1401.29"),
        "revenue": Decimal("-5038.58"), "rounding": Decimal("0.01"),
    }  # fmt: skip
    late(ledger, MORE)
    office.postings.issue([bill.id], by("again"))
    assert office.bills.bill(bill.id) == bill


def test_numbers_have_no_gap_even_where_issuing_fails(engine: Engine) -> None:
    office = tell(engine, TOKENS + "token o1 shared small 2026-10-01 account=other")
    other = office.meter.account("other")
    bills = [issued(office), office.billing.draft(other, OCTOBER, LATER)]
    office.billing.draft(ACME, NOVEMBER, LATER)

    with pytest.raises(UnknownBillError):
        office.postings.issue([bills[1].id, "nobody-202610"], by())
    office.postings.issue([bills[1].id, "acme-202611"], by())

    numbers = [b.number for b in office.bills.bills(Wanted(state=State.ISSUED))]
    assert sorted(numbers) == [f"INV-2026-00000{n}" for n in (1, 2, 3)]


def test_a_draft_is_replaced_and_its_runs_with_it(engine: Engine) -> None:
    office = tell(engine, TOKENS)
    office.billing.draft(ACME, OCTOBER, LATER)
    late(engine, MORE)

    draft = office.billing.draft(ACME, OCTOBER, LATER)

    assert [b.id for b in office.bills.bills(Wanted())] == ["acme-202610"]
    assert str(draft.payable) == "16.75"
    [run] = office.billing.runs.of_account("acme")
    assert (run.bill, run.sequence, run.base) == ("acme-202610", None, 0)


def test_what_comes_late_goes_on_the_next_bill_and_names_month_and_run(engine: Engine) -> None:
    office = tell(engine, TOKENS)
    october = issued(office)
    late(engine, MORE)

    closed = office.billing.draft(ACME, OCTOBER, LATER)
    november = issued(office, NOVEMBER)

    assert closed.lines == october.lines
    assert closed.warnings == ("issued; a difference of 7.50 CNY goes on the next bill",)
    [line] = [r for r in november.lines if r["x_Model"]]
    assert (line["ChargeClass"], line["x_CorrectsRunId"]) == ("Correction", "acme-202610:202610")
    assert line["ChargePeriodStart"] == at("2026-10-07")
    assert line["BillingPeriodStart"] == at("2026-11-01")
    assert str(november.payable) == "7.50"
    assert all_faults(november.rows) == []
    again = office.billing.draft(ACME, OCTOBER, LATER)
    assert (again.id, again.lines, again.warnings) == (october.id, october.lines, ())
    assert issued(office, DECEMBER).payable == 0


def test_a_month_billed_in_parts_comes_to_what_it_comes_to_at_once(engine: Engine) -> None:
    office = tell(engine, TEXT + MORE)

    first = issued(office, when=at("2026-10-06T11:30"))
    second = issued(office, when=at("2026-10-20"))
    third = issued(office)

    assert [first.id, second.id, third.id] == ["acme-202610", "acme-202610-2", "acme-202610-3"]
    assert str(first.payable + second.payable + third.payable) == "6447.36"
    assert office.billing.draft(ACME, OCTOBER, LATER).id == third.id


def test_only_whole_months_are_issued_unless_asked_otherwise(engine: Engine) -> None:
    office = tell(engine, TOKENS)
    draft = office.billing.draft(ACME, OCTOBER, at("2026-10-20"))

    with pytest.raises(StateError, match=r"must reach its month's end .* ask for an interim bill"):
        office.postings.issue([draft.id], by())


def test_what_blocks_a_bill_keeps_it_from_being_issued(engine: Engine) -> None:
    office = tell(engine, TOKENS + "used 2026-10-06T10 lab requests=3 fresh=1000")
    draft = office.billing.draft(ACME, OCTOBER, LATER)

    assert draft.state is State.BLOCKED
    with pytest.raises(StateError, match="must be draft to be issued, found blocked"):
        office.postings.issue([draft.id], by())


def test_a_bill_whose_rows_were_touched_is_not_issued(engine: Engine) -> None:
    office = tell(engine, TOKENS)
    draft = office.billing.draft(ACME, OCTOBER, LATER)
    for change, said in (
        ("replace(cells, 'qwen3', 'qwen4')", "must have the rows that were drafted"),
        ("replace(cells, '9.2592525', '8.2592525')", "must have rows that add up to 9.25"),
    ):
        with engine.begin() as connection:
            connection.exec_driver_sql(f"UPDATE line SET cells = {change} WHERE number = 0")
        with pytest.raises(StateError, match=said):
            office.postings.issue([draft.id], by())


def test_a_draft_from_before_another_was_issued_is_stale(engine: Engine) -> None:
    office = tell(engine, TOKENS)
    issued(office)
    late(engine, MORE)
    november = office.billing.draft(ACME, NOVEMBER, LATER)
    office.billing.draft(ACME, DECEMBER, LATER)
    office.postings.issue(["acme-202612"], by(), interim=True)

    with pytest.raises(StaleDraftError, match="draft again"):
        office.postings.issue([november.id], by())
    assert issued(office, NOVEMBER).payable == 0


def test_a_stale_draft_does_not_replace_an_issued_bill(engine: Engine) -> None:
    office = tell(engine, TOKENS)
    stale = office.billing.draft(ACME, OCTOBER, LATER)
    issued(office)

    with pytest.raises(StaleDraftError):
        office.bills.put_drafts([stale])


def test_orders_are_earned_month_by_month_to_the_fen(engine: Engine) -> None:
    office = tell(engine, "sub s1 n1 g4.xlarge.gu10 2026-10-07 months=2")
    deferred = []
    for month in (OCTOBER, NOVEMBER, DECEMBER):
        issued(office, month, when=max(LATER, month.end))
        deferred.append(balances(engine).get("deferred", 0))

    assert deferred == [Decimal("-7645.78"), Decimal("-1446.50"), 0]
    assert balances(engine)["revenue"] == Decimal("-12811.84")


def test_usage_of_nobody_is_a_warning(engine: Engine) -> None:
    office = tell(engine, TOKENS + "used 2026-10-08T10 shared account=unattributed requests=4")

    assert office.billing.draft(ACME, OCTOBER, LATER).warnings == (
        "4 requests of the month belong to no account: bind their identity",
    )


def test_a_month_before_it_begins_comes_to_nothing(engine: Engine) -> None:
    office = tell(engine, TOKENS)

    draft = office.billing.draft(ACME, month_of("2027-03", BEIJING), LATER)

    assert (draft.payable, len(draft.lines)) == (0, 1)


def test_hours_summed_by_the_ledger_are_rated_as_single_hours_are(engine: Engine) -> None:
    """
    Days, projects, models and a node's free hours are kept apart.
    """
    text = TEXT + "\n".join(
        f"used 2026-10-{day:02}T{hour:02} shared requests=1 {meter}={day * hour} model=m{hour % 3}"
        for day in (6, 7, 31)
        for hour in (0, 9, 23)
        for meter in ("fresh", "output")
    )
    office = tell(engine, text)
    inputs = month_from(text, small_book())

    drafted = office.billing.draft(ACME, OCTOBER, LATER)

    assert drafted.payable == office_bill(inputs).payable
    assert len(drafted.lines) == len(office_bill(inputs).lines)


def office_bill(inputs: Inputs) -> Bill:
    """Return the bill of the same month, rated hour by hour."""
    return bill_of(inputs, ACME.name)
