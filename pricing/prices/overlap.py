"""Which rates could price the same thing at the same time: a book with two such is refused.

Rates of one item that name equally many dimensions meet where their values, hours and validity do.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations_with_replacement, product

from pricing.prices.dimension import HOURS
from pricing.prices.rate import Item, Rate

_FEW = 64
"""So many pairs are looked at one by one."""

Named = frozenset[str]


def first_clash(rates: Sequence[Rate]) -> tuple[Rate, Rate] | None:
    """Return two rates of which neither is more specific where both apply, or None."""
    groups: dict[tuple[Item, int], dict[Named, list[Rate]]] = {}
    for rate in rates:
        alike = groups.setdefault((rate.item, rate.specificity), {})
        alike.setdefault(_named(rate), []).append(rate)
    pairs = (
        pair
        for alike in groups.values()
        for one, other in combinations_with_replacement(alike, 2)
        for pair in _near(alike[one], alike[other], (one & other) - {HOURS})
    )
    return next((pair for pair in pairs if pair[0] is not pair[1] and can_meet(*pair)), None)


def can_meet(one: Rate, other: Rate) -> bool:
    """Whether there is something, at some time, that both rates price."""
    own, theirs = dict(one.match), dict(other.match)
    shared = (own.keys() & theirs.keys()) - {HOURS}
    return (
        one.item is other.item
        and one.valid.overlap(other.valid) is not None
        and all(not set(own[name]).isdisjoint(theirs[name]) for name in shared)
        and not (one.hours and other.hours and one.hours.isdisjoint(other.hours))
    )


def _near(
    ones: Sequence[Rate], others: Sequence[Rate], shared: Named
) -> Iterator[tuple[Rate, Rate]]:
    """Yield at least the pairs that have a value of every shared dimension in common."""
    if not shared or len(ones) * len(others) <= _FEW:
        yield from product(ones, others)
        return
    name = min(shared, key=lambda d: (-len(_values(ones, d)), d))
    for value in sorted(_values(ones, name) & _values(others, name)):
        yield from _near(_of(ones, name, value), _of(others, name, value), shared - {name})


def _of(rates: Iterable[Rate], name: str, value: str) -> list[Rate]:
    return [r for r in rates if value in dict(r.match)[name]]


def _values(rates: Iterable[Rate], name: str) -> set[str]:
    return {value for rate in rates for value in dict(rate.match)[name]}


def _named(rate: Rate) -> Named:
    return frozenset(name for name, _ in rate.match)
