"""Apply a contract's terms to what its month costs. Every adjustment is a charge of its own.

charges -> included usage -> usage discount -> minimum, maximum -> percentages -> amounts

All amounts stay exact, and all are of the month to date: rated again with more usage, they are
other amounts under the same keys. Only a minimum waits until the month is over.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from metering.period import Period
from metering.rollup import REQUESTS
from pricing.contracts.contract import Contract
from pricing.contracts.terms import ANY_TOKENS, Discount, Included
from pricing.rating.charge import PREPAID, Charge, Kind, adjustment, total
from pricing.rating.inputs import Inputs

_USED = frozenset({Kind.NODE_TIME, Kind.KV_CACHE, Kind.TOKENS, Kind.REQUESTS, Kind.INCLUDED})
"""What a usage discount is taken of: usage, less what of it was included."""
_PERCENT = 100


def adjustments(contract: Contract, charges: Sequence[Charge], inputs: Inputs) -> list[Charge]:
    """Return what a contract's terms add to its charges of a month, or take off them.

    Orders are left alone: a subscription's discount is part of its price.
    """
    terms = contract.terms
    found = [c for c in charges if c.kind not in PREPAID]
    before = len(found)
    found += _included(found, terms.included)
    found += _usage_discount(contract, found, inputs.month)
    found += _commitments(contract, found, inputs)
    found += _discounts(contract, found, inputs.month)
    return found[before:]


def _included(charges: Sequence[Charge], included: Iterable[Included]) -> Iterator[Charge]:
    """Give back the first so many of a meter, in order of time, at the price they were charged."""
    free: dict[int, Fraction] = {}
    in_order = sorted(enumerate(charges), key=lambda c: (c[1].period.start, c[1].key))
    for part in included:
        left = Fraction(part.quantity)
        for number, charge in in_order:
            if _counts_as(charge, part.meter):
                rest = charge.quantity - free.get(number, Fraction(0))
                taken = max(Fraction(0), min(left, rest))
                free[number] = free.get(number, Fraction(0)) + taken
                left -= taken
    for number, quantity in sorted(free.items()):
        if quantity:
            yield _given_back(charges[number], quantity)


def _counts_as(charge: Charge, meter: str) -> bool:
    if charge.kind is Kind.REQUESTS:
        return meter == REQUESTS
    return charge.kind is Kind.TOKENS and meter in {ANY_TOKENS, charge.meter}


def _given_back(charge: Charge, quantity: Fraction) -> Charge:
    amount = charge.billed * quantity / charge.quantity
    return replace(
        charge,
        kind=Kind.INCLUDED,
        quantity=-quantity,
        listed=-charge.listed * quantity / charge.quantity,
        billed=-amount,
        effective=-amount,
        requests=0,
        rule=f"included: {quantity} of {charge.quantity}",
    )


def _usage_discount(
    contract: Contract, charges: Iterable[Charge], month: Period
) -> Iterator[Charge]:
    percent = contract.terms.usage_discount
    base = total(c for c in charges if c.kind in _USED)
    if percent and base:
        rule = f"usage discount {percent} %"
        yield adjustment(
            Kind.USAGE_DISCOUNT, month, base, _part(base, percent), contract=contract, rule=rule
        )


def _commitments(contract: Contract, charges: Sequence[Charge], inputs: Inputs) -> Iterator[Charge]:
    """Make up a month's minimum once it is over, and cap it at its maximum from the start.

    Of a month in which the contract is in force for a part, the part by seconds is committed.
    """
    terms, month = contract.terms, inputs.month
    base = total(charges)
    in_force = Fraction(inputs.covered_month(contract).seconds, month.seconds)
    least = Fraction(terms.minimum or 0) * in_force
    most = None if terms.maximum is None else Fraction(terms.maximum) * in_force
    if base < least and inputs.service_to >= month.end:
        rule = f"minimum {terms.minimum} a month"
        yield adjustment(Kind.TRUE_UP, month, base, least - base, contract=contract, rule=rule)
    if most is not None and base > most:
        rule = f"maximum {terms.maximum} a month"
        yield adjustment(Kind.CAP, month, base, most - base, contract=contract, rule=rule)


def _discounts(contract: Contract, charges: Iterable[Charge], month: Period) -> Iterator[Charge]:
    """Take off percentages, then amounts, each of what those before it left."""
    left: dict[str, Fraction] = defaultdict(Fraction)
    for charge in charges:
        left[charge.kind] += charge.billed
    for discount in sorted(contract.terms.discounts, key=lambda d: not d.percent):
        scope = [kind for kind in left if not discount.scope or kind in discount.scope]
        base = sum((left[kind] for kind in scope), Fraction(0))
        amount = _taken_off(discount, base)
        if amount:
            rule = f"discount {discount.name!r}: {_worth(discount)}"
            said = {"contract": contract, "name": discount.name, "rule": rule}
            yield adjustment(Kind.DISCOUNT, month, base, amount, **said)
            for kind in scope:
                left[kind] += amount * left[kind] / base


def _taken_off(discount: Discount, base: Fraction) -> Fraction:
    """Return what a discount takes off, below zero: a percentage, or an amount while it lasts."""
    if discount.percent:
        return _part(base, discount.percent)
    return -max(Fraction(0), min(Fraction(discount.amount), base))


def _worth(discount: Discount) -> str:
    return f"{discount.percent} %" if discount.percent else f"{discount.amount} a month"


def _part(base: Fraction, percent: Decimal) -> Fraction:
    return -base * Fraction(percent) / _PERCENT
