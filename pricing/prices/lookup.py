"""Find the rates that may price something, fast: a tree over dimensions, and a memory.

item, region=..., model=... -> candidates, most specific first -> the first that holds at an instant
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from pricing.prices.dimension import HOURS, said
from pricing.prices.rate import Item, Rate

_LEAF = 8
"""So many rates are looked at one by one."""
_REMEMBERED = 20_000
"""Questions that are remembered. What is asked comes from usage, so it has no bound."""

_Question = tuple[str, ...]
"""The item, the names of dimensions, their values."""


@dataclass(frozen=True, slots=True)
class _Branch:
    """Rates by their value of one dimension, and those that do not name it."""

    dimension: str
    by_value: Mapping[str, "_Node"]
    rest: "_Node"


_Node = _Branch | tuple[Rate, ...]


class Lookup:
    """The rates of a book, ready to be asked for."""

    __slots__ = ("_items", "_known", "_rates", "_trees")

    def __init__(self, rates: Sequence[Rate]) -> None:
        self._rates = rates
        self._items: dict[Item, tuple[Rate, ...]] = {}
        self._trees: dict[Item, _Node] = {}
        self._known: dict[_Question, tuple[Rate, ...]] = {}

    def of(self, item: Item) -> tuple[Rate, ...]:
        """Return all rates of an item, in the order of the book."""
        if item not in self._items:
            self._items[item] = tuple(r for r in self._rates if r.item is item)
        return self._items[item]

    def candidates(self, item: Item, wanted: Mapping[str, str]) -> tuple[Rate, ...]:
        """Return the rates that match at some time, the most specific first."""
        question = (item, *wanted, *wanted.values())
        found = self._known.get(question)
        if found is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            found = self._known[question] = self._find(item, wanted)
        return found

    def _find(self, item: Item, wanted: Mapping[str, str]) -> tuple[Rate, ...]:
        if item not in self._trees:
            self._trees[item] = _tree(self.of(item), frozenset())
        found = (r for r in _leaves(self._trees[item], wanted) if r.matches(item, wanted))
        return tuple(sorted(found, key=lambda r: -r.specificity))


def _tree(rates: Sequence[Rate], used: frozenset[str]) -> _Node:
    """Split rates by the dimension that tells most of them apart, as long as there are many."""
    by_dimension: dict[str, dict[str, list[Rate]]] = {}
    for rate in rates if len(rates) > _LEAF else ():
        for name, values in rate.match:
            if name != HOURS and name not in used:
                by_value = by_dimension.setdefault(name, {})
                for value in values:
                    by_value.setdefault(value, []).append(rate)
    name = max(by_dimension, key=lambda d: len(by_dimension[d]), default="")
    if not name:
        return tuple(rates)
    later = used | {name}
    branches = {value: _tree(group, later) for value, group in by_dimension[name].items()}
    return _Branch(name, branches, _tree([r for r in rates if name not in dict(r.match)], later))


def _leaves(node: _Node, wanted: Mapping[str, str]) -> Iterator[Rate]:
    while isinstance(node, _Branch):
        value = wanted.get(node.dimension)
        if value is not None and value in node.by_value:
            yield from _leaves(node.by_value[value], wanted)
        node = node.rest
    yield from node


class Explained(NamedTuple):
    """A rate, and why it lost a question or that it ``applies``."""

    rate: Rate
    why: str


class Moment(NamedTuple):
    """An instant, and the hour of the day that it is in the book's zone."""

    at: datetime
    hour: int


def explained(
    rates: Iterable[Rate], item: Item, wanted: Mapping[str, str], moment: Moment
) -> list[Explained]:
    """Return every rate of an item with its fate: the one that applies, then the nearest first."""
    own = [r for r in rates if r.item is item]
    faults = {id(r): list(_faults(r, wanted, moment)) for r in own}
    holding = [r for r in own if not faults[id(r)]]
    best = max(holding, key=lambda r: r.specificity, default=None)
    found = []
    for rate in sorted(own, key=lambda r: (r is not best, len(faults[id(r)]), -r.specificity)):
        why = "; ".join(faults[id(rate)])
        if rate is best:
            why = "applies"
        elif not why:
            assert best is not None
            why = f"names {rate.specificity} dimensions, the one that applies {best.specificity}"
        found.append(Explained(rate, why))
    return found


def _faults(rate: Rate, wanted: Mapping[str, str], moment: Moment) -> Iterator[str]:
    for name, values in rate.match:
        if name != HOURS and wanted.get(name) not in values:
            required = "|".join(said(name, v) for v in values)
            found = said(name, wanted[name]) if name in wanted else "nothing"
            yield f"needs {name}={required}, found {found}"
    if moment.at < rate.valid.start:
        yield f"begins {rate.valid.start.isoformat()}"
    if moment.at >= rate.valid.end:
        yield f"ended {rate.valid.end.isoformat()}"
    if rate.hours and moment.hour not in rate.hours:
        yield f"holds {'|'.join(dict(rate.match)[HOURS])}, found the hour {moment.hour:02}"
