"""What a contract agrees on beside prices: included usage, commitments and discounts.

rate -> usage discount -> minimum, maximum -> percentages -> amounts -> tax -> credit
"""

from dataclasses import dataclass
from decimal import Decimal

from metering.rollup import METERS

ANY_TOKENS = "tokens"
"""Stands for all token classes together."""

SCOPES = (
    "node-time", "kv-cache", "fee", "tokens", "requests", "included", "usage-discount", "true-up",
    "cap",
)  # fmt: skip
"""Kinds of charges that a discount may be taken off; orders have discounts of their own."""

_COUNTED = (ANY_TOKENS, *METERS)
_ALL = Decimal(100)


@dataclass(frozen=True, slots=True)
class Included:
    """So much of a meter is free each calendar month; what goes beyond is overage."""

    quantity: int
    meter: str = ANY_TOKENS
    """A token class, ``requests``, or ``tokens`` for all classes together."""

    def __post_init__(self) -> None:
        if self.quantity < 0:
            raise TermsError("included usage", "be at least 0", str(self.quantity))
        if self.meter not in _COUNTED:
            raise TermsError("included usage", f"be of {', '.join(_COUNTED)}", repr(self.meter))


@dataclass(frozen=True, slots=True)
class Discount:
    """A percentage or an amount of money, every month, taken off what commitments left."""

    name: str
    percent: Decimal = Decimal(0)
    amount: Decimal = Decimal(0)
    scope: tuple[str, ...] = ()
    """Kinds of charges it is taken off, as in ``tokens``; all of the contract's where empty."""

    def __post_init__(self) -> None:
        if not self.name:
            raise TermsError("a discount", "have a name", "none")
        if not set(self.scope) <= set(SCOPES):
            found = ", ".join(self.scope)
            raise TermsError(f"the scope of {self.name!r}", f"be of {', '.join(SCOPES)}", found)
        if not 0 <= self.percent <= _ALL:
            raise TermsError(f"discount {self.name!r}", "be 0 to 100 percent", f"{self.percent}")
        if self.amount < 0:
            raise TermsError(
                f"discount {self.name!r}", "be an amount of at least 0", f"{self.amount}"
            )
        if bool(self.percent) == bool(self.amount):
            raise TermsError(
                f"discount {self.name!r}", "be a percentage or an amount", "both or none"
            )


@dataclass(frozen=True, slots=True)
class Terms:
    """A contract's agreements on money, in the order in which they are applied."""

    included: tuple[Included, ...] = ()
    usage_discount: Decimal = Decimal(0)
    """Percent taken off usage before its minimum and maximum are looked at."""
    minimum: Decimal | None = None
    """The least that a month's usage costs; for a part of a month, its part by seconds."""
    maximum: Decimal | None = None
    """The most that a month's usage costs; for a part of a month, its part by seconds."""
    discounts: tuple[Discount, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.usage_discount <= _ALL:
            raise TermsError("a usage discount", "be 0 to 100 percent", f"{self.usage_discount}")
        if (self.minimum or 0) < 0 or (self.maximum or 0) < 0:
            raise TermsError("a commitment", "be at least 0", f"{self.minimum}, {self.maximum}")
        if self.maximum is not None and (self.minimum or 0) > self.maximum:
            most = f"be at most the maximum {self.maximum}"
            raise TermsError("a minimum", most, f"{self.minimum}")
        names = [d.name for d in self.discounts]
        if len(set(names)) < len(names):
            raise TermsError("discounts", "have names of their own", ", ".join(names))


NO_TERMS = Terms()
"""Nothing but the book's prices."""


class TermsError(ValueError):
    """An agreement that cannot be applied."""

    def __init__(self, what: str, required: str, found: str) -> None:
        super().__init__(f"{what} must {required}, found {found}")
