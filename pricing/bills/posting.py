"""Posting by difference: what a month comes to by now, less what its bills already carry.

charges (the month to date) - posted (per line key) -> postings; together they are the charges

Late usage, another price, a corrected count and a bill that was never made are the same: a
difference. Posting it twice posts nothing the second time.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from pricing.rating.charge import Charge, LineKey


@dataclass(frozen=True, slots=True)
class Amounts:
    """What lines of one key come to, exactly."""

    quantity: Fraction = Fraction(0)
    listed: Fraction = Fraction(0)
    billed: Fraction = Fraction(0)
    effective: Fraction = Fraction(0)
    requests: int = 0

    def plus(self, other: "Amounts") -> "Amounts":
        """Return both together."""
        return Amounts(
            self.quantity + other.quantity,
            self.listed + other.listed,
            self.billed + other.billed,
            self.effective + other.effective,
            self.requests + other.requests,
        )

    @property
    def negative(self) -> "Amounts":
        """What takes these back."""
        return Amounts(-self.quantity, -self.listed, -self.billed, -self.effective, -self.requests)

    @property
    def values(self) -> tuple[Fraction, Fraction, Fraction, Fraction, int]:
        """All five, in the order of the fields."""
        return self.quantity, self.listed, self.billed, self.effective, self.requests

    @property
    def is_nothing(self) -> bool:
        """Whether a line of these would say nothing."""
        return not any(self.values)


NOTHING = Amounts()

Posted = Mapping[LineKey, Amounts]
"""What issued bills carry of an account's month, per line key."""


@dataclass(frozen=True, slots=True)
class Posting:
    """A difference to be posted."""

    key: LineKey
    amounts: Amounts
    charge: Charge | None
    """The charge as it is now; None where nothing is charged under the key any more."""


def amounts_of(charge: Charge) -> Amounts:
    """Return the amounts of one charge."""
    return Amounts(charge.quantity, charge.listed, charge.billed, charge.effective, charge.requests)


def posted(lines: Iterable[tuple[LineKey, Amounts]]) -> dict[LineKey, Amounts]:
    """Return what lines come to per key; keys that came to nothing are left out."""
    sums: dict[LineKey, Amounts] = defaultdict(Amounts)
    for key, amounts in lines:
        sums[key] = sums[key].plus(amounts)
    return {key: amounts for key, amounts in sums.items() if not amounts.is_nothing}


def delta(charges: Sequence[Charge], before: Posted) -> list[Posting]:
    """Return what must be posted so that bills carry the charges: differences, none of them zero.

    Charges keep their order; then, by key, what is charged no longer is taken back whole. So a
    price that changed, which is another key, comes as its reversal and the new line.

    Raises:
        SameKeyError: two charges would be one line.
    """
    now: dict[LineKey, Charge] = {}
    for charge in charges:
        key = charge.key
        if key in now:
            raise SameKeyError(key)
        now[key] = charge
    found = [Posting(key, _left(charge, before.get(key)), charge) for key, charge in now.items()]
    found += [Posting(k, before[k].negative, None) for k in sorted(before.keys() - now.keys())]
    return [posting for posting in found if not posting.amounts.is_nothing]


def _left(charge: Charge, before: Amounts | None) -> Amounts:
    """Return what of a charge no bill carries."""
    amounts = amounts_of(charge)
    return amounts.plus(before.negative) if before else amounts


class SameKeyError(ValueError):
    """Two charges under one key."""

    def __init__(self, key: LineKey) -> None:
        about = ", ".join(f"{k}={v}" for k, v in key._asdict().items() if v)
        super().__init__(f"charges must have keys of their own, found two of {about}")
