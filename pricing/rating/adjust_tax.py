"""Taxes of an account's month: a line a tax and validity, of the exact sum that it is taken of."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from fractions import Fraction

from metering.period import Period
from pricing.contracts.contract import Contract
from pricing.contracts.schemes import priced_by
from pricing.prices.policy import TaxRate
from pricing.rating.charge import Charge, Kind, adjustment, total


def taxes(charges: Sequence[Charge], rates: Iterable[TaxRate], month: Period) -> list[Charge]:
    """Return what taxes add to charges that are complete but for them.

    A charge is taxed as of the instant at which its period begins, or the month's start where it
    began before. Adjustments are taxed in the proportion in which their contract's charges are;
    where those come to nothing, as what the contract sells is.
    """
    found = (_tax(charges, rate, month) for rate in rates)
    return [tax for tax in found if tax is not None]


def _tax(charges: Sequence[Charge], rate: TaxRate, month: Period) -> Charge | None:
    within = rate.valid.overlap(month)
    if within is None:
        return None
    base = _base([c for c in charges if within.holds(max(c.period.start, month.start))], rate)
    if not base:
        return None
    name = " ".join((rate.name, str(rate.rate), *rate.applies_to))
    amount = base * Fraction(rate.rate)
    return adjustment(Kind.TAX, within, base, amount, contract=None, name=name, rule=name)


def _base(charges: Iterable[Charge], rate: TaxRate) -> Fraction:
    """Return what a tax is taken of."""
    by_contract: dict[Contract | None, list[Charge]] = defaultdict(list)
    for charge in charges:
        by_contract[charge.contract].append(charge)
    return sum((_taxed(c, some, rate) for c, some in by_contract.items()), Fraction(0))


def _taxed(contract: Contract | None, charges: Sequence[Charge], rate: TaxRate) -> Fraction:
    """Return a contract's taxed charges, and as large a part of its adjustments."""
    if not rate.applies_to or contract is None:
        return total(charges)
    priced = [c for c in charges if c.rate]
    every, taxed = total(priced), total(c for c in priced if _applies(rate, c))
    adjusted = total(charges) - every
    if every:
        return taxed + adjusted * taxed / every
    sold, _ = priced_by(contract.scheme)
    return adjusted if sold in rate.applies_to else Fraction(0)


def _applies(tax: TaxRate, charge: Charge) -> bool:
    return charge.rate is not None and charge.rate.item in tax.applies_to
