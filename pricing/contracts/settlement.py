"""The money that a change of contract makes at once."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Settlement:
    """A surcharge or a refund of one account, due at an instant. It is never changed."""

    id: str
    account: str
    contract: str
    """The contract that the change ended."""
    at: datetime
    amount: Decimal
    """Whole minor units; negative where money goes back."""
    rule: str
    working: str
    """The formula with its numbers, so that a customer can follow it."""
    unused_hours: Fraction = Fraction(0)
    """The paid time that was left."""
    expensed: Decimal = Decimal(0)
    """What was paid before and is neither used, refunded nor worth anything to a successor."""
