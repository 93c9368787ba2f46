"""Exact money: a Fraction inside, no float in, no division out, rounded once by name.

Prices are Decimal with their ``per``; sums are exact; ``cut`` and ``share`` are the only ways to
whole minor units.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact, InvalidOperation
from enum import StrEnum
from fractions import Fraction
from functools import reduce
from typing import Self

SHOWN_PLACES = 10
"""Decimals of a line's amount: prices and postpaid lines carry up to ten (rule R1)."""
_SUM_DIGITS = 1000
"""More than any sum of amounts has."""


class Rounding(StrEnum):
    """Where a price book sends the part below the last minor unit."""

    DOWN = "down"
    """Toward zero: 抹零."""
    HALF_UP = "half_up"
    """To the nearest; a half goes away from zero."""


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount in one currency."""

    amount: Fraction
    currency: str

    def __post_init__(self) -> None:
        if isinstance(self.amount, float):
            raise FloatMoneyError(self.amount)

    def __add__(self, other: Self) -> Self:
        if other.currency != self.currency:
            raise CurrencyMismatchError(other.currency, self.currency)
        return type(self)(self.amount + other.amount, self.currency)

    def cut(self, places: int, mode: Rounding) -> Decimal:
        """Return the amount in whole minor units."""
        return rounded(self.amount, places, mode)

    def share(self, weights: Sequence[int], places: int) -> list[Decimal]:
        """Cut the amount into parts by weight that add up to it to the last minor unit.

        Largest remainder; ties go to the earlier part (rule R14).

        >>> Money(Fraction("15097.02"), "CNY").share([1000001, 600000, 399999], 2)
        [Decimal('7548.52'), Decimal('4529.10'), Decimal('3019.40')]
        """
        unit = 10**places
        whole = self.amount * unit
        if whole.denominator != 1:
            raise UnsharableError(self.amount, places)
        total = sum(weights)
        if total <= 0 or min(weights) < 0:
            raise WeightsError(weights)
        sign = -1 if whole < 0 else 1
        units = abs(whole.numerator)
        parts = [units * w // total for w in weights]
        by_remainder = sorted(range(len(weights)), key=lambda i: (-(units * weights[i] % total), i))
        for i in by_remainder[: units - sum(parts)]:
            parts[i] += 1
        return [scaled(sign * part, places) for part in parts]


def rounded(amount: Fraction, places: int, mode: Rounding) -> Decimal:
    """Round an exact amount to so many decimals, the one place where anything is lost.

    >>> rounded(Fraction("24.68936"), 2, Rounding.DOWN)
    Decimal('24.68')
    >>> rounded(Fraction("0.125"), 2, Rounding.HALF_UP)
    Decimal('0.13')
    """
    above, below = abs(amount.numerator) * 10**places, amount.denominator
    if mode is Rounding.HALF_UP:
        above, below = 2 * above + below, 2 * below
    whole = above // below
    return scaled(-whole if amount.numerator < 0 else whole, places)


def shown(amount: Fraction) -> Decimal:
    """Return what a line shows: ten decimals, half up."""
    return rounded(amount, SHOWN_PLACES, Rounding.HALF_UP)


def scaled(units: int, places: int) -> Decimal:
    """Return ``units / 10**places`` exactly, with so many decimals.

    >>> scaled(670, 2)
    Decimal('6.70')
    """
    return Decimal(f"{units}E-{places}")  # text is read exactly, whatever the context


def exact_sum(amounts: Iterable[Decimal]) -> Decimal:
    """Return what decimals come to, exactly: where digits would be lost it raises.

    >>> exact_sum([Decimal("12345678901234567890.0000000001"), Decimal("1E-10")])
    Decimal('12345678901234567890.0000000002')
    """
    add = Context(prec=_SUM_DIGITS, traps=[Inexact, InvalidOperation]).add
    return reduce(add, amounts, Decimal(0))


def plain(value: Decimal) -> str:
    """Write a decimal without exponent or trailing zeros, always with a point.

    >>> plain(Decimal("6405.9200")), plain(Decimal("1E+3")), plain(Decimal("-0.00"))
    ('6405.92', '1000.0', '0.0')
    """
    text = str(value)
    if "E" in text:
        text = f"{value:f}"
    text = text.rstrip("0") if "." in text else f"{text}."
    if text[-1] == ".":
        text += "0"
    return "0.0" if text == "-0.0" else text


def price_of(text: object) -> Decimal:
    """Read a price from text: digits with at most one point, never negative, never a float.

    >>> price_of("18.26253")
    Decimal('18.26253')

    Raises:
        PriceTextError: anything else.
    """
    if not isinstance(text, str) or not text.isascii() or text.count(".") > 1:
        raise PriceTextError(text)
    if not text.replace(".", "", 1).isdigit() or not text[0].isdigit() or not text[-1].isdigit():
        raise PriceTextError(text)
    return Decimal(text)


class FloatMoneyError(TypeError):
    """A float was offered as an amount."""

    def __init__(self, amount: float) -> None:
        super().__init__(f"an amount must be exact (Fraction), found the float {amount!r}")


class CurrencyMismatchError(ValueError):
    """Two currencies were added."""

    def __init__(self, other: str, own: str) -> None:
        super().__init__(f"cannot add {other} to {own}: convert one first")


class UnsharableError(ValueError):
    """An amount finer than the minor unit it is to be shared in."""

    def __init__(self, amount: Fraction, places: int) -> None:
        super().__init__(f"only whole units of 10^-{places} can be shared, found {amount}")


class WeightsError(ValueError):
    """Weights that share nothing out."""

    def __init__(self, weights: Sequence[int]) -> None:
        super().__init__(f"weights must be 0 or more and not all 0, found {list(weights)!r}")


class PriceTextError(ValueError):
    """A price that is not decimal text."""

    def __init__(self, text: object) -> None:
        super().__init__(
            f'a price must be decimal text in quotes, as in "0.075", '
            f"found {type(text).__name__} {text!r}"
        )
