"""How attribute values are read, whatever their type: the first name that holds one counts."""

import json
from collections.abc import Iterable, Mapping

from collector.dialect.dissect import count_of
from collector.otlp import Value

MAX_TEXT = 500
"""Characters that are kept of a name or id."""

_YES = frozenset({"true"})
_LONGEST_LATENCY_S = 1e6

Attributes = Mapping[str, Value]


def first(attributes: Attributes, names: Iterable[str]) -> Value:
    """Return the value of the first name that has one."""
    for name in names:
        value = attributes.get(name)
        if value is not None:
            return value
    return None


def text(attributes: Attributes, names: Iterable[str]) -> str:
    """Return a value as a short text that every database takes; empty where there is none.

    Names that hold an empty text say nothing: the next is asked.
    """
    for name in names:
        value = attributes.get(name)
        found = value if isinstance(value, str) else "" if value is None else str(value)
        if found:
            fits = len(found) <= MAX_TEXT and found.isprintable()
            return found if fits else _cleaned(found)
    return ""


def count(attributes: Attributes, names: Iterable[str]) -> int | None:
    """Return the first possible count; None where there is none."""
    for name in names:
        found = count_of(attributes.get(name))
        if found is not None:
            return found
    return None


def is_true(attributes: Attributes, names: Iterable[str]) -> bool:
    """Whether the first name that has a value says yes: some clients write it as text."""
    value = first(attributes, names)
    return value is True or (isinstance(value, str) and value.lower() in _YES)


def number(value: object) -> float | None:
    """Read a number, also from text; None where the value is none or no finite one.

    >>> number("0.5"), number(True), number("nan"), number("many")
    (0.5, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if abs(found) < float("inf") else None


def nanoseconds(attributes: Attributes, names: Iterable[str], unit: int) -> int:
    """Return a latency, of which the value counts ``unit`` nanoseconds each; 0 where unknown."""
    value = first(attributes, names)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    if not 0 <= value * unit < _LONGEST_LATENCY_S * 1e9:
        return 0
    return round(value * unit)


def words(value: Value) -> list[str]:
    """Return the words of a list, of a JSON list in a text, or of a single text, in lower case.

    >>> words('["stop"]'), words(["STOP"]), words("stop"), words(5)
    (['stop'], ['stop'], ['stop'], [])
    """
    if isinstance(value, str) and value.startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return []
    listed = value if isinstance(value, list) else [value]
    return [item.lower() for item in listed if isinstance(item, str)]


def _cleaned(found: str) -> str:
    """Drop what databases refuse (NUL and other controls) and what no name needs."""
    return "".join(c for c in found[:MAX_TEXT] if c.isprintable())
