"""What a run was told, as text: the same inputs give the same text, and it reads back to them.

Contracts end and states of nodes are told late; a run that is to be repeated needs them as they
were. Fields at their defaults are left out, so that a field added later changes no hash.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from functools import cache
from hashlib import sha256
from typing import Any, get_args, get_type_hints

from metering.period import parse_instant

_IS, _OF = "is", "of"
_MAPPING = "Mapping"
_ATOMS: Mapping[type[Any], Callable[[str], Any]] = {
    Decimal: Decimal,
    Fraction: Fraction,
    datetime: parse_instant,
}


def written(value: Any) -> str:
    """Return a value made of dataclasses, enums, numbers and instants as the one text of it."""
    return json.dumps(_told(value), ensure_ascii=False, separators=(",", ":"))


def digest(text: str) -> str:
    """Return the hash that a snapshot is known by."""
    return sha256(text.encode()).hexdigest()


def read(text: str, *kinds: Any) -> Any:
    """Read what ``written`` wrote of a value made of some kinds, and of what those are made of.

    Raises:
        SnapshotError: it names a type that they have no more.
    """
    return _value(json.loads(text), known_types(*kinds))


def known_types(*kinds: Any) -> Mapping[str, type[Any]]:
    """Return all types that values of some kinds may hold, by name."""
    found: dict[str, type[Any]] = {}
    for kind in kinds:
        found |= _types_in(kind)
    return found


@cache
def _types_in(kind: Any) -> dict[str, type[Any]]:
    found: dict[str, type[Any]] = {}
    _walk(kind, found)
    return found


def _walk(hint: Any, found: dict[str, type[Any]]) -> None:
    for part in get_args(hint):
        _walk(part, found)
    is_ours = isinstance(hint, type) and (is_dataclass(hint) or issubclass(hint, Enum))
    if not is_ours or hint.__name__ in found:
        return
    found[hint.__name__] = hint
    if is_dataclass(hint):
        hints = get_type_hints(hint)
        for field in _kept(hint):
            _walk(hints[field.name], found)


def _told(value: Any) -> Any:
    match value:
        case Enum():
            told = value.value
        case None | bool() | int() | str():
            return value
        case list() | tuple():
            return [_told(one) for one in value]
        case datetime():
            told = value.isoformat()
        case Decimal() | Fraction():
            told = str(value)
        case Mapping():
            return {_IS: _MAPPING, _OF: [[_told(k), _told(v)] for k, v in sorted(value.items())]}
        case _:
            told = dict(_changed(value))
    return {_IS: type(value).__name__, _OF: told}


def _changed(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the fields that are not at their defaults."""
    for field in _kept(type(value)):
        told = getattr(value, field.name)
        if told != _default(field):
            yield field.name, _told(told)


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _kept(kind: Any) -> list[Field[Any]]:
    return [field for field in fields(kind) if field.init]


def _value(told: Any, types: Mapping[str, type[Any]]) -> Any:
    if isinstance(told, list):
        return tuple(_value(one, types) for one in told)
    if not isinstance(told, dict):
        return told
    name = told[_IS]
    for kind, reading in _ATOMS.items():
        if name == kind.__name__:
            return reading(told[_OF])
    if name == _MAPPING:
        return {_value(k, types): _value(v, types) for k, v in told[_OF]}
    if name not in types:
        raise SnapshotError(name, types)
    if issubclass(types[name], Enum):
        return types[name](told[_OF])
    return types[name](**{k: _value(v, types) for k, v in told[_OF].items()})


class SnapshotError(ValueError):
    """A snapshot of something that is known no more."""

    def __init__(self, name: str, types: Mapping[str, type[Any]]) -> None:
        known = ", ".join(sorted(types))
        super().__init__(f"a snapshot must be of {known}, found {name!r}")
