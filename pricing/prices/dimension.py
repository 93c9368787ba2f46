"""What a rate may be told apart by, and the hours of the day that a tariff holds in."""

import re
from collections.abc import Mapping, Sequence

DIMENSIONS = (
    "region", "spec", "model", "provider", "pool", "meter", "size_class", "band", "tier",
    "operation", "hours", "network", "resource",
)  # fmt: skip
"""Everything that a rate may name; usage, contract and resource say what it is."""

HOURS = "hours"
"""The one dimension that the clock says: hours of the day in the book's zone."""

STANDARD = "standard"
"""How files write the service tier that usage leaves empty."""

Match = tuple[tuple[str, tuple[str, ...]], ...]
"""Dimension -> the values that it may have, both in order."""

_DAY = 24
_HOURS = re.compile(r"([01]\d|2[0-3])-([01]\d|2[0-4])")


def match_of(named: Mapping[str, Sequence[str]]) -> Match:
    """Return dimensions and their values in order, each value once.

    >>> match_of({"tier": ["standard", "batch"], "region": ["cn-hangzhou"]})
    (('region', ('cn-hangzhou',)), ('tier', ('', 'batch')))

    Raises:
        DimensionError: there is no such dimension.
    """
    for name in named:
        if name not in DIMENSIONS:
            raise DimensionError(name)
    values = {name: {meant(name, v) for v in named[name]} for name in named}
    return tuple((name, tuple(sorted(values[name]))) for name in sorted(values))


def hours_of(text: str) -> frozenset[int]:
    """Return the hours of the day of a span ``HH-HH``; it is half-open and may cross midnight.

    >>> sorted(hours_of("22-02"))
    [0, 1, 22, 23]

    Raises:
        HoursError: no hours, or none that a day has.
    """
    found = _HOURS.fullmatch(text)
    if not found:
        raise HoursError(text)
    start, end = int(found[1]), int(found[2])
    if start == end:
        raise HoursError(text)
    return frozenset(hour % _DAY for hour in range(start, end if start < end else end + _DAY))


def phrase(match: Match) -> str:
    """Write dimensions for a sentence.

    >>> phrase((("region", ("a", "b")), ("tier", ("",))))
    'region=a|b, tier=standard'
    """
    return ", ".join(f"{name}={'|'.join(said(name, v) for v in values)}" for name, values in match)


def said(name: str, value: str) -> str:
    """Return a value as files write it."""
    return STANDARD if name == "tier" and not value else value


def meant(name: str, value: str) -> str:
    """Return a value as usage has it, from how files write it."""
    return "" if name == "tier" and value == STANDARD else value


class DimensionError(ValueError):
    """A dimension that nothing is told apart by."""

    def __init__(self, name: str) -> None:
        super().__init__(f"a dimension must be one of {', '.join(DIMENSIONS)}, found {name!r}")


class HoursError(ValueError):
    """Hours that no day has."""

    def __init__(self, text: str) -> None:
        super().__init__(
            f"hours must be from one hour of the day to another, as in 22-08, found {text!r}"
        )
