"""Prepaid money over a ledger: granted, used by bills, expired, and given back."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from metering.period import Period
from pricing.focus.check import all_faults
from pricing.jobs import Office
from pricing.ledger.entry import Unit
from pricing.ledger.ledger_store import LedgerStore
from pricing.wallets.store import OtherGrantError, WalletStore
from pricing.wallets.wallet import Draw, Grant, Source
from tests.pricing.month_notation import at
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
token t1 shared small 2026-10-01
used  2026-10-06T10 shared requests=3 fresh=1234567
"""
FEN = Unit("CNY", 2)


def grant(name: str, units: int, *, until: str = "2027-10-01", **said: object) -> Grant:
    valid = Period(at("2026-10-01"), at(until))
    return Grant(name, "acme", FEN, units, valid, **said)  # type: ignore[arg-type]


def left(wallets: WalletStore) -> dict[str, int]:
    return {h.grant.id: h.left for h in wallets.holdings("acme")}


def test_a_bill_is_paid_from_the_wallet_and_shows_it(ledger: Engine) -> None:
    office = tell(ledger, TEXT)
    for one in (grant("g2", 1000), grant("g1", 300, source=Source.PROMOTION)):
        for _ in range(2):
            office.wallets.grant(one, by("top-up"))

    bill = issued(office)

    assert left(office.wallets) == {"g1": 0, "g2": 375}
    assert [(r["ChargeCategory"], r["BilledCost"]) for r in bill.credits] == [
        ("Credit", Decimal("-3.00")), ("Credit", Decimal("-6.25")),
    ]  # fmt: skip
    assert str(bill.payable) == "0.00"
    assert sum(Fraction(r["BilledCost"]) for r in bill.rows) == 0
    assert all_faults(bill.rows) == []
    assert balances(ledger) == {
        "cash": Decimal("10.00"), "promotion": Decimal("3.00"), "wallet": Decimal("-3.75"),
        "revenue": Decimal("-9.26"), "rounding": Decimal("0.01"),
    }  # fmt: skip
    assert office.billing.verify(bill.id).is_same


def test_a_void_bill_gives_the_wallet_back_what_it_paid(engine: Engine) -> None:
    office = tell(engine, TEXT)
    office.wallets.grant(grant("g1", 300), by())
    bill = issued(office)

    office.notes.void(bill.id, by())

    assert left(office.wallets) == {"g1": 300}
    assert balances(engine) == {"cash": Decimal("3.00"), "wallet": Decimal("-3.00")}
    assert str(issued(office).payable) == "6.25"


def test_a_bill_below_zero_takes_nothing_from_the_wallet(engine: Engine) -> None:
    office = tell(engine, TEXT)
    issued(office)
    office.wallets.grant(grant("g1", 300), by())
    late(engine, "used 2026-10-06T10 shared requests=-1 fresh=-1000000")

    assert str(issued(office, NOVEMBER).payable) == "-7.50"
    assert left(office.wallets) == {"g1": 300}


def test_what_expired_is_booked_once_and_pays_nothing(engine: Engine) -> None:
    office = tell(engine, TEXT)
    office.wallets.grant(grant("g1", 300, until="2026-11-01"), by())

    assert office.wallets.expire(at("2026-10-31")) == []
    assert office.wallets.expire(LATER) == [Draw("g1", 300)]
    assert office.wallets.expire(LATER) == []
    assert str(issued(office).payable) == "9.25"
    assert balances(engine)["breakage"] == Decimal("-3.00")


def test_an_id_names_one_grant(engine: Engine) -> None:
    office = tell(engine, TEXT)
    office.wallets.grant(grant("g1", 300), by())

    with pytest.raises(OtherGrantError, match="found 'g1' on another"):
        office.wallets.grant(grant("g1", 301), by())


def test_money_of_another_currency_is_not_used(engine: Engine) -> None:
    office = tell(engine, TEXT)
    dollars = Grant("g1", "acme", Unit("USD", 2), 500, Period(at("2026-10-01"), at("2027-01-01")))
    office.wallets.grant(dollars, by())

    assert str(issued(office).payable) == "9.25"
    assert left(office.wallets) == {"g1": 500}


ACTIONS = ("more", "less", "grant", "bill", "interim", "void", "settle", "credit", "expire")


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(actions=st.lists(st.sampled_from(ACTIONS), max_size=9))
def test_whatever_happens_the_ledger_sums_to_zero_and_no_wallet_is_below_zero(
    fresh: Callable[[], Engine], actions: list[str]
) -> None:
    engine = fresh()
    office = tell(engine, TEXT)
    done: list[str] = []
    for number, action in enumerate(actions):
        when = at(f"2026-12-{number + 1:02}")
        act(office, engine, action, (number, when), done)

        for books in LedgerStore(engine).balances().values():
            assert sum(books.values()) == 0
        assert all(h.left >= 0 for h in office.wallets.holdings("acme"))


def act(
    office: Office, engine: Engine, action: str, turn: tuple[int, datetime], done: list[str]
) -> None:
    """Do one thing that may be done; what may not is refused and changes nothing."""
    number, when = turn
    signed = by(when=when)
    last = done[-1] if done else ""
    try:
        match action:
            case "more":
                late(engine, f"used 2026-10-0{number % 9 + 1}T10 shared requests=1 fresh=777777")
            case "less":
                late(engine, "used 2026-10-06T10 shared requests=-1 fresh=-100000")
            case "grant":
                office.wallets.grant(grant(f"g{number}", 500, until="2026-12-05"), signed)
            case "bill" | "interim":
                month = OCTOBER if number < 4 else NOVEMBER
                to = when if action == "bill" else month.end.replace(day=20)
                bill = office.billing.draft(ACME, month, to)
                office.postings.issue([bill.id], signed, interim=True)
                done.append(bill.id)
            case "void":
                office.notes.void(last, signed)
            case "settle":
                office.postings.settle(last, signed)
            case "credit":
                office.notes.credit(last, f"cn-{number}", Decimal("1.23"), signed)
            case _:
                office.wallets.expire(when)
    except (ValueError, LookupError):
        return
