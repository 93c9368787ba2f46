"""Rows that give money back: of the wallet, of a credit note, and all rows of a void bill."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from typing import Any

from pricing.bills.stored_row import COSTS, NAMES, taken_back
from pricing.bills.total import Totals
from pricing.focus.column import Row
from pricing.ledger.entry import Book, Movement, Unit, moved
from pricing.money import Money
from pricing.wallets.wallet import Draw

_OF_THE_BILL = (
    "BillingAccountId", "BillingAccountName", "BillingAccountType", "BillingCurrency",
    "BillingPeriodEnd", "BillingPeriodStart", "InvoiceIssuerName", "PricingCurrency",
    "ProviderName", "PublisherName", "ServiceCategory", "ServiceName", "ServiceSubcategory",
    "x_BookHash",
)  # fmt: skip
"""Columns that all rows of a bill share."""


def wallet_rows(bill: str, like: Row, draws: Sequence[Draw], unit: Unit) -> list[Row]:
    """Return the rows of what the wallet pays of a bill; ``like`` is any other row of it."""
    return [
        _credit_row(like, (bill, "wallet", draw.grant), -unit.amount(draw.units))
        | {
            "ChargeDescription": f"Prepaid credit, grant {draw.grant}",
            "x_ChargeDescriptionZh": f"预付余额抵扣 {draw.grant}",
        }
        for draw in draws
    ]


def note_row(note: str, like: Row, amount: Decimal, reason: str) -> Row:
    """Return the one row of a credit note that gives an amount back for a reason."""
    return _credit_row(like, (note, "note"), -amount) | {
        "ChargeClass": "Correction",
        "ChargeDescription": reason,
        "x_ChargeDescriptionZh": "红字冲减",
    }


def void_rows(note: str, rows: Sequence[Row]) -> list[Row]:
    """Return the rows that take a whole bill back, one for each of its own."""
    return [
        {
            **taken_back(row),
            "ChargeClass": "Correction",
            "x_BillId": note,
            "x_LineId": line_id(note, row["x_LineId"]),
        }
        for row in rows
    ]


def shared_out(units: int, totals: Totals) -> tuple[Movement, ...]:
    """Return how the ledger books a credit note: tax goes back with what it was charged on."""
    tax, rest = abs(totals.tax), abs(totals.payable - totals.tax)
    of_rest, of_tax = Money(Fraction(units), "").share([rest, tax], 0)
    return (
        *moved(Book.REVENUE, Book.RECEIVABLE, int(of_rest)),
        *moved(Book.TAX, Book.RECEIVABLE, int(of_tax)),
    )


def line_id(*identity: str) -> str:
    """Return the id of a line: the same for the same identity, for ever."""
    return sha256("\0".join(identity).encode()).hexdigest()[:20]


def _credit_row(like: Row, identity: tuple[str, ...], amount: Decimal) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(NAMES) | {name: like[name] for name in _OF_THE_BILL}
    return row | {
        "ChargeCategory": "Credit",
        "ChargeFrequency": "One-Time",
        "ChargePeriodStart": like["BillingPeriodStart"],
        "ChargePeriodEnd": like["BillingPeriodEnd"],
        **dict.fromkeys(COSTS, amount),
        "x_BillId": identity[0],
        "x_LineId": line_id(*identity),
    }
