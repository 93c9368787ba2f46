"""What the clock starts: due drafts, bills that issue themselves, expired credit."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Engine

from metering.period import Period
from pricing.bills.bill import State
from pricing.bills.store import Wanted
from pricing.jobs import Office, payable_changes, tick
from pricing.ledger.entry import Unit
from pricing.wallets.wallet import Grant
from tests.pricing.month_notation import at, month_from, small_book
from tests.pricing.office_notation import ACME, OCTOBER, by, issued, late, tell

TEXT = """
token t1 shared small 2026-10-01
token o1 shared small 2026-10-01 account=other
used  2026-10-06T10 shared requests=3 fresh=1234567
"""


def kept(office: Office) -> dict[str, State]:
    return {bill.id: bill.state for bill in office.bills.bills(Wanted())}


def test_open_months_are_drafted_about_once_an_hour(engine: Engine) -> None:
    office = tell(engine, TEXT)

    first = tick(office, at("2026-10-07T10:05"))
    soon = tick(office, at("2026-10-07T10:55"))
    later = tick(office, at("2026-10-07T11:05"))

    assert (first.drafted, first.did_something) == (2, True)
    assert (soon.drafted, soon.did_something) == (0, False)
    assert later.drafted == 2
    assert kept(office) == {"acme-202610": State.DRAFT, "other-202610": State.DRAFT}


def test_a_month_that_is_over_is_drafted_again_only_when_usage_comes_late(engine: Engine) -> None:
    office = tell(engine, TEXT)
    tick(office, at("2026-11-01T00:05"))
    late(engine, "used 2026-10-07T10 shared requests=2 fresh=1000000")

    again = tick(office, at("2026-11-01T00:15"))
    quiet = tick(office, at("2026-11-01T00:25"))

    assert (again.drafted, quiet.drafted) == (1, 0)
    assert str(office.bills.bill("acme-202610").payable) == "16.75"


def test_an_account_without_contract_or_usage_is_left_alone_and_usage_alone_is_enough(
    engine: Engine,
) -> None:
    office = tell(engine, "used 2026-10-06T10 lab requests=3 fresh=1000")

    done = tick(office, at("2026-10-07T10:05"))

    assert done.drafted == 1
    assert kept(office) == {"acme-202610": State.BLOCKED}


def test_bills_are_issued_by_themselves_only_where_that_is_wished(engine: Engine) -> None:
    office = tell(engine, TEXT + "used 2026-10-06T10 lab requests=3 fresh=1000 account=other")
    tick(office, at("2026-11-03T00:05"))
    wished = replace(office, issue_after=timedelta(days=2))

    early = tick(wished, at("2026-11-02T23:00"))
    done = tick(wished, at("2026-11-03T00:15"))

    assert (early.issued, done.issued, done.failed) == (0, 1, ())
    assert kept(office)["acme-202610"] is State.ISSUED
    assert kept(office)["other-202610"] is State.BLOCKED
    assert kept(office)["acme-202611"] is State.DRAFT
    assert [s.actor for s in office.bills.steps("acme-202610")] == ["tallystick"]
    assert tick(wished, at("2026-11-03T00:25")).issued == 0


def test_a_draft_that_cannot_be_issued_keeps_no_other_waiting(engine: Engine) -> None:
    office = tell(engine, TEXT)
    tick(office, at("2026-11-01T00:05"))
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE line SET cells = replace(cells, 'qwen3', 'qwen4') WHERE bill = 'acme-202610'"
        )

    done = tick(replace(office, issue_after=timedelta(0)), at("2026-11-01T00:15"))

    assert done.issued == 1
    assert done.failed == (
        "acme: bill acme-202610 must have the rows that were drafted, found others",
    )


def test_credit_that_expired_is_booked(engine: Engine) -> None:
    office = tell(engine, TEXT)
    valid = Period(at("2026-10-01"), at("2026-10-05"))
    office.wallets.grant(Grant("g1", "acme", Unit("CNY", 2), 300, valid), by())

    assert tick(office, at("2026-10-07T10:05")).expired == 1


def test_an_account_that_cannot_be_billed_is_told(
    engine: Engine, fresh: Callable[[], Engine]
) -> None:
    del fresh
    office = tell(engine, TEXT)
    issued(office)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE line SET cells = replace(cells, 'qwen3', 'qwen4')")
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE run_input SET content = '[]'")
        connection.exec_driver_sql("UPDATE price_book SET content = '{}'")

    done = tick(office, at("2026-11-07T10:05"))

    assert [sentence.partition(":")[0] for sentence in done.failed] == ["acme"]
    assert "other-202611" in kept(office)


def test_what_a_change_of_usage_does_to_bills_is_told_beforehand(engine: Engine) -> None:
    office = tell(engine, TEXT)
    changes = month_from("used 2026-10-06T10 shared fresh=-1000000", small_book()).usage
    of_nobody = month_from("used 2026-10-06T10 shared fresh=5 account=x", small_book()).usage

    [change] = payable_changes(office, [*changes, *of_nobody], at("2026-10-07"))

    assert (change.account, change.month) == (ACME.id, OCTOBER)
    assert (str(change.before), str(change.after)) == ("9.25", "1.75")
