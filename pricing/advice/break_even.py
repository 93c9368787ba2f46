"""Advice on which way to be charged: where one of them becomes cheaper than another."""

from fractions import Fraction

from pricing.prices.rate import Rate, charge

_ONE = Fraction(1)


def break_even_hours(monthly: Rate, hourly: Rate) -> Fraction | None:
    """Return the hours a month from which a subscription is cheaper, or None: it never is.

    Each price is looked up: neither follows from the other, and the hours differ by node and
    region.

    >>> from decimal import Decimal
    >>> from pricing.prices.rate import Item, Model
    >>> monthly = Rate(Item.NODE_MONTH, (), Decimal("6405.92"), 1, "Months")
    >>> hourly = Rate(Item.NODE_HOUR, (), Decimal("13.3456"), 1, "Hours", Model.TIME)
    >>> round(break_even_hours(monthly, hourly), 2)
    Fraction(480, 1)
    """
    return _ratio(monthly, hourly)


def break_even_tokens(monthly: Rate, tokens: Rate) -> int | None:
    """Return the tokens a month from which a subscription is cheaper, or None: it never is."""
    exact = _ratio(monthly, tokens)
    return None if exact is None else -(-exact.numerator // exact.denominator)


def _ratio(monthly: Rate, other: Rate) -> Fraction | None:
    one = charge(other, _ONE)
    return charge(monthly, _ONE) / one if one else None
