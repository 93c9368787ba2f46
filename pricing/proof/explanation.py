"""Why a line costs what it costs: its price and why others lost, the arithmetic, usage by hour.

line -> its charge, rated again -> the rate that applied, of all of its kind -> figures
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from urllib.parse import urlencode

from metering.usage import Usage, UsageKey
from pricing.bills.part import Line, Part
from pricing.money import shown
from pricing.prices.book import PriceBook
from pricing.prices.lookup import Explained
from pricing.prices.rate import Rate
from pricing.proof.resum import lines_of_usage
from pricing.rating.charge import Charge, LineKey
from pricing.rating.inputs import Inputs
from pricing.rating.token_price import asked
from pricing.rating.usage_match import Served, cuts


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is behind a line."""

    line: Line
    arithmetic: str
    """What it comes to, in figures."""
    rule: str
    rates: tuple[Explained, ...]
    """Every rate of its kind: the one that applied first, then those that lost, and why."""
    hours: tuple[tuple[datetime, int], ...]
    """Hour and quantity of the usage behind it."""
    requests: str
    """The question to GET /v1/requests that lists the requests behind it; empty where none are."""


def explanations(
    part: Part, hourly: Sequence[Usage], is_asked: Callable[[Line], bool]
) -> Iterator[Explanation]:
    """Yield what is behind lines of a month's part; ``hourly`` is the month's usage by hour."""
    inputs = part.rating.inputs
    charges = {charge.key: charge for charge in part.rating.rated.charges}
    behind = usage_behind(inputs, hourly)
    for line in filter(is_asked, part.lines):
        charge = charges.get(line.key) if line.key else None
        if charge is None:
            yield _without_charge(line)
            continue
        served = behind.get(charge.key._replace(tier=""), [])
        yield Explanation(
            line=line,
            arithmetic=_arithmetic(charge, line),
            rule=charge.rule,
            rates=_rates(charge, inputs, served),
            hours=_hours(served),
            requests=_question(charge, inputs, served),
        )


def usage_behind(inputs: Inputs, hourly: Sequence[Usage]) -> Mapping[LineKey, list[Usage]]:
    """Return the hours of usage behind each line, whatever its tier."""
    lines, edges = lines_of_usage(inputs), cuts(inputs)
    found: dict[LineKey, list[Usage]] = defaultdict(list)
    for usage in hourly:
        if not inputs.to_date.holds(usage.key.hour):
            continue
        key = lines.get((served_of(usage.key, edges), usage.key.meter))
        if key:
            found[key].append(usage)
    return found


def served_of(key: UsageKey, edges: Sequence[datetime]) -> Served:
    """Return what a price may depend on of usage."""
    return Served(
        bisect_right(edges, key.hour) - 1, key.pool, key.resource, key.project, key.provider,
        key.model, key.operation, key.band, key.tier, key.spill_reason,
        "" if key.quality.is_settled else key.quality.value,
    )  # fmt: skip


def _without_charge(line: Line) -> Explanation:
    cost = f"{line.cells['BilledCost']:f}"
    said = "what earlier bills carry is taken back" if line.key else "no price makes it"
    return Explanation(line, f"{cost}: {said}", "", (), (), "")


def _arithmetic(charge: Charge, line: Line) -> str:
    """Return how the amount comes about, and what of it earlier bills carry.

    A price may be multiplied by a factor: a contract's discount, or a share of a class's price.
    """
    said = product(charge)
    earlier = charge.billed - line.amounts.billed
    if earlier:
        now = figure(line.amounts.billed)
        said += f"; less {figure(earlier)} on earlier bills = {now}"
    return said


def product(charge: Charge) -> str:
    """Return how a charge comes about, whatever bills carry of it."""
    total = figure(charge.billed)
    if charge.rate is None:
        return f"{charge.rule or charge.kind.value}, of {figure(charge.quantity)} = {total}"
    price = charge.unit_price
    factor = f" x {figure(charge.discount)}" if charge.discount != 1 else ""
    of = f"{figure(charge.quantity)} {charge.rate.unit}"
    if price is None or Fraction(price) * charge.priced_quantity * charge.discount != charge.billed:
        return f"{of} by {charge.rule or charge.rate.model.value}{factor} = {total}"
    return f"{of} x {price:f} / {charge.pricing_unit}{factor} = {total}"


def figure(amount: Fraction) -> str:
    """Return an amount as text: exact where ten decimals hold it, else marked as cut."""
    text = f"{shown(amount):f}"
    is_exact = Fraction(text) == amount
    short = text.rstrip("0").rstrip(".") if "." in text else text
    return short if is_exact else f"~{text}"


def _rates(charge: Charge, inputs: Inputs, served: Sequence[Usage]) -> tuple[Explained, ...]:
    rate = charge.rate
    if rate is None or rate not in inputs.book.rates:
        return ()
    if served and charge.contract:
        key = served[0].key
        wanted = asked(charge.contract, served_of(key, cuts(inputs)))
        return beside(rate, inputs.book, key.hour, wanted)
    return beside(rate, inputs.book, max(charge.period.start, rate.valid.start), {})


def beside(
    rate: Rate, book: PriceBook, at: datetime, wanted: Mapping[str, str]
) -> tuple[Explained, ...]:
    """Return a rate that applied at an instant, and all others of its kind with why they lost."""
    named = {name: values[0] for name, values in rate.match}
    found = book.explain(rate.item, at, **{**wanted, **named})
    return tuple(sorted(found, key=lambda one: one.rate != rate))


def _hours(served: Sequence[Usage]) -> tuple[tuple[datetime, int], ...]:
    sums: dict[datetime, int] = defaultdict(int)
    for usage in served:
        sums[usage.key.hour] += usage.quantity
    return tuple(sorted(sums.items()))


def _question(charge: Charge, inputs: Inputs, served: Sequence[Usage]) -> str:
    """Return what lists the requests of a line, by the hours and dimensions of its usage."""
    if not served:
        return ""
    period = charge.period.overlap(inputs.to_date)
    assert period is not None
    names = ("model", "operation", "pool", "resource", "tier", "spill_reason")
    told = {name: {getattr(usage.key, name) for usage in served} - {""} for name in names}
    said = [(name, value) for name, values in told.items() for value in sorted(values)]
    ends = [("from", period.start.isoformat()), ("to", period.end.isoformat())]
    return "/v1/requests?" + urlencode([("account", inputs.account), *ends, *said])
