"""Subscriptions, 包年包月: the order in the month it is placed, and each month's share of it.

contract -> order, whole minor units -> used and unused time, which carry what is earned of it
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from metering.interval import running_seconds
from metering.period import Period
from pricing.contracts.contract import Contract
from pricing.contracts.schemes import Prepaid, priced_by, rate_of, units_of
from pricing.contracts.settlement import Settlement
from pricing.contracts.term import earned, order_list_price, worth
from pricing.money import shown
from pricing.prices.rate import Item, Rate, charge
from pricing.rating.charge import Charge, Kind
from pricing.rating.inputs import Inputs

ORDER_RULE = "R3 order"

_BY_THE_HOUR: Mapping[Item, Item] = {
    Item.NODE_MONTH: Item.NODE_HOUR,
    Item.KV_CACHE_MONTH: Item.KV_CACHE_HOUR,
}
"""What is sold by the month -> the same by the hour, at whose price used time is listed."""


def term_charges(contract: Contract, scheme: Prepaid, inputs: Inputs) -> Iterator[Charge]:
    """Yield the order, if it was placed this month, and the month's used and unused time.

    What a change made was paid for by the change: it places no order, and earns what it is worth.

    Raises:
        MissingPriceError: the book does not price this.
    """
    paid = worth(contract, scheme, inputs.book)
    if contract.worth is None and inputs.to_date.holds(contract.period.start):
        yield _order(contract, scheme, paid, inputs)
    yield from _shares(contract, scheme, paid, inputs)


def settlement_charges(inputs: Inputs) -> Iterator[Charge]:
    """Yield what changes of contracts made due in the month, and what they gave back."""
    contracts = {c.id: c for c in inputs.contracts}
    for settlement in inputs.settlements:
        if settlement.account == inputs.account and inputs.to_date.holds(settlement.at):
            yield _settled(settlement, contracts[settlement.contract])


def _order(contract: Contract, scheme: Prepaid, paid: Decimal, inputs: Inputs) -> Charge:
    return Charge(
        contract=contract,
        kind=Kind.TERM,
        period=contract.prepaid_period,
        rate=rate_of(scheme, contract.region, inputs.book, contract.period.start),
        quantity=Fraction(scheme.months * units_of(scheme) * contract.quantity),
        listed=order_list_price(contract, scheme, inputs.book),
        billed=Fraction(paid),
        effective=Fraction(0),
        discount=Fraction(scheme.discount),
        rule=ORDER_RULE,
    )


@dataclass(frozen=True, slots=True)
class _Share:
    """A month's part of a term: of so much time, so much is earned."""

    period: Period
    hourly: Rate
    units: int
    """Nodes, or gigabytes."""

    def charge(self, contract: Contract, kind: Kind, seconds: int, effective: Fraction) -> Charge:
        """Return the line of a part of the time: it is paid for already."""
        hours = Fraction(seconds * self.units, 3600)
        return Charge(
            contract=contract,
            kind=kind,
            period=self.period,
            rate=self.hourly,
            quantity=hours,
            listed=charge(self.hourly, hours),
            billed=Fraction(0),
            effective=effective,
            rule=ORDER_RULE,
        )


def _shares(contract: Contract, scheme: Prepaid, paid: Decimal, inputs: Inputs) -> Iterator[Charge]:
    """Yield the month's used and unused time, billed nothing, with what it earns of the order."""
    covered, whole = inputs.covered(contract), inputs.covered_month(contract)
    item, sold_by = priced_by(scheme)
    where = {"region": contract.region, **sold_by}
    hourly = inputs.book.rate_for(_BY_THE_HOUR[item], contract.period.start, **where)
    month = _Share(whole, hourly, units_of(scheme) * contract.quantity)
    term, ran = contract.prepaid_period, _used_seconds(contract, covered, inputs)
    share = Fraction(earned(paid, term, covered.end) - earned(paid, term, covered.start))
    share_used = Fraction(shown(share * ran / max(1, covered.seconds)))
    if ran:
        yield month.charge(contract, Kind.TERM_USED, ran, share_used)
    if covered.seconds > ran:
        unused = covered.seconds - ran
        yield month.charge(contract, Kind.TERM_UNUSED, unused, share - share_used)


def _used_seconds(contract: Contract, covered: Period, inputs: Inputs) -> int:
    """Return how long what is reserved was used: a KV-cache that is always charged, always."""
    if contract.is_kv_cache and inputs.book.policy.kv_cache_when == "always":
        return covered.seconds
    return running_seconds(inputs.intervals, contract.resource, covered)


def _settled(settlement: Settlement, contract: Contract) -> Charge:
    amount = Fraction(settlement.amount)
    return Charge(
        contract=contract,
        kind=Kind.CHANGE,
        period=Period(settlement.at, contract.prepaid_period.end),
        rate=None,
        quantity=settlement.unused_hours,
        listed=amount,
        billed=amount,
        effective=Fraction(settlement.expensed),
        rule=f"{settlement.rule}: {settlement.working}",
        name=settlement.id,
    )
