"""Rate an account's month: a pure function of usage, intervals, contracts, book and cutoff.

time + usage -> charges (exact) -> each contract's terms -> taxes, and whatever blocks the bill
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple, assert_never

from pricing.contracts.contract import Contract
from pricing.contracts.schemes import (
    Hourly,
    KvCacheHourly,
    KvCacheSubscription,
    PerModelToken,
    PerToken,
    Subscription,
)
from pricing.contracts.terms import NO_TERMS
from pricing.prices.book import MissingPriceError
from pricing.rating.adjust_contract import adjustments
from pricing.rating.adjust_tax import taxes
from pricing.rating.charge import Charge
from pricing.rating.inputs import Inputs
from pricing.rating.prepaid import settlement_charges, term_charges
from pricing.rating.running import fee_charges, hour_charges
from pricing.rating.tokens import usage_charges
from pricing.rating.usage_match import matched


class Rated(NamedTuple):
    """What rating came to: charges, and sentences on what nobody can price or prove."""

    charges: list[Charge]
    blockers: list[str]


def rate(inputs: Inputs) -> Rated:
    """Return the month's charges and what blocks its bill.

    The one function behind preview, posting, re-rating and simulation. What has no price is no
    charge of zero: it blocks the bill, in a sentence.
    """
    timed = _timed(inputs)
    groups, unmatched = matched(inputs)
    used = usage_charges(groups, inputs)
    charges = timed.charges + used.charges
    charges += _adjusted(charges, inputs)
    charges += taxes(charges, inputs.book.taxes, inputs.month)
    return Rated(charges, [*unmatched, *used.blockers, *timed.blockers])


def _timed(inputs: Inputs) -> Rated:
    """Return what contracts cost by time; a contract whose price is missing costs nothing yet."""
    charges = list(settlement_charges(inputs))
    blockers: list[str] = []
    for contract in inputs.own_contracts:
        try:
            charges += [*_time_charges(contract, inputs), *fee_charges(contract, inputs)]
        except MissingPriceError as gap:
            blockers.append(f"contract {contract.id!r}: {gap}")
    return Rated(charges, blockers)


def _time_charges(contract: Contract, inputs: Inputs) -> Iterator[Charge]:
    match contract.scheme:
        case Subscription() | KvCacheSubscription() as scheme:
            return term_charges(contract, scheme, inputs)
        case Hourly() | KvCacheHourly() as scheme:
            return hour_charges(contract, scheme, inputs)
        case PerToken() | PerModelToken():
            return iter(())
        case _:
            assert_never(contract.scheme)


def _adjusted(charges: Iterable[Charge], inputs: Inputs) -> Iterator[Charge]:
    """Yield what each contract's terms add to its charges, or take off them."""
    own: dict[str, list[Charge]] = defaultdict(list)
    for charge in charges:
        own[charge.contract.id if charge.contract else ""].append(charge)
    for contract in inputs.own_contracts:
        if contract.terms != NO_TERMS:
            yield from adjustments(contract, own[contract.id], inputs)
