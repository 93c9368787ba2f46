"""Why two bills differ: effects that add up to the difference, exactly.

rows of both -> items -> volume, mix, cache, tier, price of what has a quantity; the rest whole

For an item with quantities q and Q and average prices p and P (before and after), where n and N
are the quantities of all items of its unit together, i and I those of its model's input alone:

    volume = (q x N/n - q) x p        as if every item had grown as the whole
    mix    = (q x I/i - q x N/n) x p  what models have more or less than that; output: Q for I/i
    cache  = (Q - q x I/i) x p        what classes of a model's input have more or less than it
    tier   = Q x (the old tier prices by the new tiers - p)
    price  = what is left of Q x P - q x p: other prices, factors and discounts
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from pricing.bills.part import ROUNDING_ZH, Line
from pricing.money import shown
from pricing.rating.charge import Kind


class Effect(StrEnum):
    """Why money changed, in the order of the waterfall."""

    VOLUME = "volume"
    """More or fewer tokens and requests."""
    MIX = "mix"
    """Other models, token classes, bands or tiers of service."""
    CACHE = "cache"
    """Another share of a model's input was read from a cache."""
    PRICE = "price"
    """Other prices, factors or discounts on the same usage."""
    TIER = "tier"
    """The same prices, but other tiers of them reached."""
    SCHEDULE = "schedule"
    """Nodes and caches ran for more or fewer hours."""
    SPILL = "spill"
    """Requests that left their reservation."""
    ROUNDING = "rounding"
    OTHER = "other"
    """Terms, changes, fees, commitments, discounts, taxes, credits."""


class Share(NamedTuple):
    """An effect, and what it comes to."""

    effect: Effect
    amount: Fraction

    @property
    def shown(self) -> str:
        """The amount as text, with ten decimals at most."""
        return f"{shown(self.amount):f}"


def difference(before: Iterable[Line], after: Iterable[Line]) -> list[Share]:
    """Return every effect; together they are what the rows of two bills differ by."""
    was, now = _sorted(before), _sorted(after)
    found: dict[Effect, Fraction] = dict.fromkeys(Effect, Fraction(0))
    for effect in (Effect.SPILL, Effect.ROUNDING, Effect.OTHER):
        found[effect] = _cost(now[effect]) - _cost(was[effect])
    for lines, effects in ((Effect.VOLUME, _tokens), (Effect.SCHEDULE, _hours)):
        for effect, amount in effects(_items(was[lines]), _items(now[lines])):
            found[effect] += amount
    return [Share(effect, amount) for effect, amount in found.items()]


class _Item(NamedTuple):
    """What one price is for."""

    kind: str
    contract: str
    model: str
    operation: str
    meter: str
    band: str
    service_tier: str

    @property
    def unit(self) -> str:
        """What it is counted in: items of one unit may be added up."""
        return self.kind

    @property
    def input_of(self) -> tuple[str, ...] | None:
        """The model whose input it is; None for output and requests."""
        if self.kind != Kind.TOKENS or self.meter in {"output", "reasoning", ""}:
            return None
        return self.contract, self.model, self.operation, self.band, self.service_tier


@dataclass(slots=True)
class _Sum:
    """What an item comes to, and its tiers."""

    quantity: Fraction
    amount: Fraction
    tiers: dict[tuple[str, str], tuple[Fraction, Fraction]]

    @property
    def price(self) -> Fraction:
        """The average price of one."""
        return self.amount / self.quantity if self.quantity else Fraction(0)


_NOTHING = _Sum(Fraction(0), Fraction(0), {})
_Items = Mapping[_Item, _Sum]
_Effects = Iterable[tuple[Effect, Fraction]]


def _sorted(lines: Iterable[Line]) -> Mapping[Effect, Sequence[Line]]:
    found: dict[Effect, list[Line]] = defaultdict(list)
    for line in lines:
        found[_kind_of(line)].append(line)
    return found


def _kind_of(line: Line) -> Effect:
    """Return which effects may move a line."""
    if line.key is None:
        is_rounding = line.cells["x_ChargeDescriptionZh"] == ROUNDING_ZH
        return Effect.ROUNDING if is_rounding else Effect.OTHER
    if line.key.reason:
        return Effect.SPILL
    if line.key.kind in {Kind.TOKENS, Kind.REQUESTS}:
        return Effect.VOLUME
    is_time = line.key.kind in {Kind.NODE_TIME, Kind.KV_CACHE}
    return Effect.SCHEDULE if is_time else Effect.OTHER


def _cost(lines: Iterable[Line]) -> Fraction:
    return sum((Fraction(line.cells["BilledCost"]) for line in lines), Fraction(0))


def _items(lines: Iterable[Line]) -> _Items:
    """Return lines summed by item; one whose quantities cancel has no price, and no item either."""
    found: dict[_Item, _Sum] = {}
    for line in lines:
        key = line.key
        assert key is not None
        item = _Item(
            key.kind, key.contract, key.model, key.operation, key.meter, key.band, key.service_tier
        )
        held = found.setdefault(item, _Sum(Fraction(0), Fraction(0), {}))
        quantity, amount = line.amounts.quantity, Fraction(line.cells["BilledCost"])
        held.quantity += quantity
        held.amount += amount
        so_far = held.tiers.get((key.rate, key.tier), (Fraction(0), Fraction(0)))
        held.tiers[key.rate, key.tier] = (so_far[0] + quantity, so_far[1] + amount)
    return found


def _hours(was: _Items, now: _Items) -> _Effects:
    """Yield what more running time costs at the old price, and the new price for all of it."""
    for item in was.keys() | now.keys():
        before, after = was.get(item, _NOTHING), now.get(item, _NOTHING)
        price = before.price if before.quantity else after.price
        more = (after.quantity - before.quantity) * price
        yield Effect.SCHEDULE, more
        yield Effect.PRICE, after.amount - before.amount - more


def _tokens(was: _Items, now: _Items) -> _Effects:
    grown = _grown(was, now, lambda item: item.unit)
    shared = _grown(was, now, lambda item: item.input_of or item)
    for item in was.keys() | now.keys():
        before, after = was.get(item, _NOTHING), now.get(item, _NOTHING)
        price = before.price if before.quantity else after.price
        effects = {
            Effect.VOLUME: (grown[item] - before.quantity) * price,
            Effect.MIX: (shared[item] - grown[item]) * price,
            Effect.CACHE: (after.quantity - shared[item]) * price,
            Effect.TIER: _tier(before, after),
        }
        yield from effects.items()
        yield Effect.PRICE, after.amount - before.amount - sum(effects.values())


def _grown(was: _Items, now: _Items, group: Callable[[_Item], object]) -> Mapping[_Item, Fraction]:
    """Return what each item would be had it grown as its group; a new group grew as it did."""
    before: dict[object, Fraction] = defaultdict(Fraction)
    after: dict[object, Fraction] = defaultdict(Fraction)
    for sums, items in ((before, was), (after, now)):
        for item, held in items.items():
            sums[group(item)] += held.quantity
    return {
        item: was.get(item, _NOTHING).quantity * after[group(item)] / before[group(item)]
        if before[group(item)]
        else now.get(item, _NOTHING).quantity
        for item in was.keys() | now.keys()
    }


def _tier(before: _Sum, after: _Sum) -> Fraction:
    """Return what other tiers of the same rate cost: nothing where a rate has only one."""
    shared = before.tiers.keys() & after.tiers.keys()
    has_tiers = len(before.tiers) > 1 or len(after.tiers) > 1
    rates = {rate for rate, _ in before.tiers} | {rate for rate, _ in after.tiers}
    if not has_tiers or len(rates) > 1 or not before.quantity or not shared:
        return Fraction(0)
    at_old = sum(
        (_at_price_of(before.tiers.get(key), quantity, amount)
         for key, (quantity, amount) in after.tiers.items()),
        Fraction(0),
    )  # fmt: skip
    return at_old - after.quantity * before.price


def _at_price_of(
    old: tuple[Fraction, Fraction] | None, quantity: Fraction, amount: Fraction
) -> Fraction:
    """Return what a tier's quantity costs at its old price; one not reached before, at its own."""
    return quantity * old[1] / old[0] if old and old[0] else amount
