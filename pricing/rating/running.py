"""Time: hours of nodes and KV-caches as they ran, and flat fees for the time they are in force.

running time -> pieces of clock hours under one rate -> rounded by policy -> charges
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import pairwise
from operator import itemgetter
from typing import NamedTuple

from metering.interval import running
from metering.period import HOUR, Period, hour_of
from pricing.contracts.contract import Contract
from pricing.contracts.schemes import Timed, priced_by, units_of
from pricing.prices.book import MissingPriceError
from pricing.prices.rate import Item, Model, Rate
from pricing.rating.charge import Charge, Kind, Priced, charges_at
from pricing.rating.inputs import Inputs

_ONE = Fraction(1)
_MINUTE = 60
_BY_THE_HOUR = frozenset({Model.UNIT, Model.TIME})


def hour_charges(contract: Contract, scheme: Timed, inputs: Inputs) -> Iterator[Charge]:
    """Yield one charge per clock hour that is charged (rules R4 and R12).

    A node is charged while it runs, and so is a KV-cache unless the book's policy says always.
    """
    item, sold_by = priced_by(scheme)
    covered = inputs.covered(contract)
    always = contract.is_kv_cache and inputs.book.policy.kv_cache_when == "always"
    held = [covered] if always else running(inputs.intervals, contract.resource, covered)
    units = units_of(scheme) * contract.quantity
    kind, rule = (
        (Kind.KV_CACHE, "R12 kv-cache") if contract.is_kv_cache else (Kind.NODE_TIME, "R4 hourly")
    )
    for lot in _lots(held, item, {"region": contract.region, **sold_by}, inputs):
        hours = Fraction(lot.seconds * units, 3600)
        priced = Priced(lot.rate, _ONE, rule)
        yield from charges_at(priced, hours, kind, lot.period, contract=contract)


def fee_charges(contract: Contract, inputs: Inputs) -> Iterator[Charge]:
    """Yield a contract's flat fee, where the book has one: by seconds of the month in force."""
    book = inputs.book
    rates = book.rates_of(Item.FEE)
    covered = inputs.covered(contract)
    seconds: dict[Rate, int] = defaultdict(int)
    for part in _between((r.valid for r in rates), covered) if rates else ():
        try:
            rate = book.rate_for(Item.FEE, part.start, **_fee_asked(contract))
        except MissingPriceError:
            continue
        seconds[rate] += part.seconds
    for rate, held in seconds.items():
        whole = inputs.covered_month(contract).overlap(rate.valid)
        assert whole is not None
        priced = Priced(rate, _ONE, "fee, by seconds of the month")
        months = Fraction(held, inputs.month.seconds)
        yield from charges_at(priced, months, Kind.FEE, whole, contract=contract)


class _Lot(NamedTuple):
    """Time that is priced as one: of a clock hour; of the month, where tiers count it."""

    period: Period
    rate: Rate
    seconds: int


def _lots(
    spans: Iterable[Period], item: Item, where: Mapping[str, str], inputs: Inputs
) -> list[_Lot]:
    """Cut time at clock hours and price changes, and round what each piece holds by policy."""
    seconds: dict[tuple[Period, str], int] = defaultdict(int)
    rates: dict[tuple[Period, str], Rate] = {}
    for span in spans:
        for part, rate in inputs.book.versions(item, span, **where):
            for piece in part.hours():
                hour = hour_of(piece.start)
                clock_hour = Period(hour, hour + HOUR).overlap(rate.valid)
                assert clock_hour is not None
                seconds[clock_hour, rate.id] += piece.seconds
                rates[clock_hour, rate.id] = rate
    rounding = _ROUNDING[inputs.book.policy.hour_rounding]
    return _counted(
        (_Lot(key[0], rates[key], rounding(ran, key[0].seconds)) for key, ran in seconds.items()),
        inputs.month,
    )


def _counted(lots: Iterable[_Lot], month: Period) -> list[_Lot]:
    """Put together, in order, the hours of the month that tiers, packages or flat prices count."""
    held: dict[tuple[Period, str], _Lot] = {}
    for lot in lots:
        by_hour = lot.rate.model in _BY_THE_HOUR
        period = lot.period if by_hour else month.overlap(lot.rate.valid)
        assert period is not None
        known = held.get((period, lot.rate.id))
        held[period, lot.rate.id] = lot._replace(
            period=period, seconds=lot.seconds + (known.seconds if known else 0)
        )
    return [lot for _, lot in sorted(held.items(), key=itemgetter(0))]


def _fee_asked(contract: Contract) -> dict[str, str]:
    _, sold_by = priced_by(contract.scheme)
    named = {"region": contract.region, "pool": contract.pool, "resource": contract.resource}
    named |= sold_by
    return {name: value for name, value in named.items() if value}


def _between(spans: Iterable[Period], within: Period) -> Iterator[Period]:
    """Cut a period where one of some spans begins or ends."""
    cuts = {i for span in spans for i in (span.start, span.end) if within.holds(i)}
    return (Period(a, b) for a, b in pairwise(sorted({*cuts, within.start, within.end})))


def _second(ran: int, whole: int) -> int:
    del whole
    return ran


def _begun_minutes(ran: int, whole: int) -> int:
    return min(whole, -(-ran // _MINUTE) * _MINUTE)


def _begun_hour(ran: int, whole: int) -> int:
    del ran
    return whole


_ROUNDING: Mapping[str, Callable[[int, int], int]] = {
    "second": _second,
    "minute": _begun_minutes,
    "hour_ceil": _begun_hour,
}
"""Policy -> the seconds that are charged of what ran of a clock hour."""
