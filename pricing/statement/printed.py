"""Figures that add up as printed: parts in whole minor units, by largest remainder."""

from collections.abc import Sequence
from fractions import Fraction

from pricing.ledger.entry import Unit


def printed(parts: Sequence[Fraction], unit: Unit) -> list[int]:
    """Return exact parts as whole units that add up to their sum; none moves by a unit or more.

    >>> printed([Fraction("9.2592525"), Fraction("-0.0092525")], Unit("CNY", 2))
    [926, -1]

    Raises:
        PartSumError: the parts do not come to whole units.
    """
    exact = [part * 10**unit.places for part in parts]
    total = sum(exact, Fraction(0))
    if total.denominator != 1:
        raise PartSumError(total, unit)
    units = [part.numerator // part.denominator for part in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: (units[i] - exact[i], i))
    for i in by_remainder[: total.numerator - sum(units)]:
        units[i] += 1
    return units


class PartSumError(ValueError):
    """Parts whose sum cannot be printed."""

    def __init__(self, total: Fraction, unit: Unit) -> None:
        super().__init__(
            f"parts of a bill must come to whole units of 10^-{unit.places} {unit.currency}, "
            f"found {total} of them"
        )
