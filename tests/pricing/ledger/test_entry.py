from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.ledger.entry import (
    MAX_UNITS,
    Book,
    Kind,
    Movement,
    MovementError,
    PartUnitError,
    Transaction,
    Unit,
    balances,
    moved,
)
from tests.pricing.month_notation import at

FEN, YEN, FILS = Unit("CNY", 2), Unit("JPY", 0), Unit("KWD", 3)
THEN, LATER = at("2026-11-01"), at("2026-11-02")

pairs = st.lists(st.sampled_from(Book), min_size=2, max_size=2, unique=True)
movements = st.lists(
    st.builds(lambda pair, units: Movement(*pair, units), pairs, st.integers(1, MAX_UNITS)),
    max_size=6,
).map(tuple)


def made(of: tuple[Movement, ...]) -> Transaction:
    return Transaction("t1", Kind.BILL, "acme", FEN, "acme-202610", THEN, of)


@given(of=movements)
def test_every_transaction_sums_to_zero(of: tuple[Movement, ...]) -> None:
    assert sum(made(of).balances.values()) == 0


@given(of=movements)
def test_a_transaction_and_its_reversal_leave_nothing(of: tuple[Movement, ...]) -> None:
    back = made(of).reversal("acme-202610-void", LATER)

    assert not any(balances([*of, *back.movements]).values())
    assert [m.units for m in back.movements] == [m.units for m in of]
    assert (back.reverses, back.document, back.made_at) == ("t1", "acme-202610-void", LATER)
    assert back.id != "t1"


@given(units=st.integers(-MAX_UNITS, MAX_UNITS))
def test_units_below_zero_go_the_other_way(units: int) -> None:
    found = balances(moved(Book.RECEIVABLE, Book.REVENUE, units))

    assert found.get(Book.RECEIVABLE, 0) == units
    assert found.get(Book.REVENUE, 0) == -units


@pytest.mark.parametrize(
    ("debit", "credit", "units"),
    [
        (Book.CASH, Book.WALLET, 0),
        (Book.CASH, Book.WALLET, -1),
        (Book.CASH, Book.WALLET, MAX_UNITS + 1),
        (Book.CASH, Book.CASH, 1),
    ],
    ids=["nothing", "negative", "too much", "to itself"],
)
def test_a_movement_moves_something_somewhere(debit: Book, credit: Book, units: int) -> None:
    with pytest.raises(MovementError, match=f"found {units} from {credit} to {debit}"):
        Movement(debit, credit, units)


@pytest.mark.parametrize(
    ("unit", "units", "amount"), [(FEN, 925, "9.25"), (YEN, 925, "925"), (FILS, 925, "0.925")],
    ids=["CNY", "JPY", "KWD"],
)  # fmt: skip
def test_units_are_the_smallest_coins_of_a_currency(unit: Unit, units: int, amount: str) -> None:
    assert str(unit.amount(units)) == amount
    assert unit.units(Decimal(amount)) == units


def test_an_amount_finer_than_the_unit_is_refused() -> None:
    with pytest.raises(PartUnitError, match=r"CNY must have at most 2 decimals, found 0.005"):
        FEN.units(Decimal("0.005"))
