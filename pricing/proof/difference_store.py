"""Bills read for a comparison: their rows with the keys of their charges."""

from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import Engine
from sqlmodel import Session

from pricing.bills.part import Line
from pricing.bills.store import found, lines_of
from pricing.bills.stored_row import read_amounts, read_key, read_row


@dataclass(frozen=True, slots=True)
class Compared:
    """A bill with the lines that add up to what it asks."""

    id: str
    currency: str
    payable: Decimal
    lines: tuple[Line, ...]


class DifferenceStore:
    """Reads bills. It changes nothing."""

    def __init__(self, engine: Engine) -> None:
        """Read a ledger."""
        self._engine = engine

    def bill(self, bill_id: str) -> Compared:
        """Return a bill.

        Raises:
            UnknownBillError: there is none of this id.
        """
        with Session(self._engine) as session:
            row = found(session, bill_id)
            lines = tuple(
                Line(
                    read_row(one.cells),
                    read_key(one.key) if one.key else None,
                    read_amounts(one.amounts),
                )
                for one in lines_of(session, bill_id)
            )
            return Compared(row.id, row.currency, row.payable, lines)

    def common_currency(self, one: Compared, other: Compared) -> str:
        """Return the currency of two bills.

        Raises:
            CurrencyMismatchError: they are in different ones.
        """
        if one.currency != other.currency:
            raise CurrencyMismatchError(one, other)
        return one.currency


class CurrencyMismatchError(ValueError):
    """Two bills that no amount can tell apart."""

    def __init__(self, one: Compared, other: Compared) -> None:
        super().__init__(
            f"bills must be in one currency to be compared, "
            f"found {one.id} in {one.currency} and {other.id} in {other.currency}"
        )
