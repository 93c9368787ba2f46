"""Numbers that stand for the keys of an hour's usage, so that rows are grouped by one number.

Which keys there are is known before a row is read. Those of their texts that differ are hashed, and
no two keys have one number: that is checked, and where it cannot be had keys stand for themselves.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from metering.event_sql import DIMENSIONS
from metering.hashing import MASK, mixed, text_hash

Texts = tuple[str, ...]
"""What a row says in each of ``DIMENSIONS``."""

_TRIES = 3


@dataclass(frozen=True, slots=True)
class Groups:
    """How SQL tells the keys of some rows apart, and which key it means."""

    expression: str
    """A number, or the texts of a key as a tuple."""
    _keys: Mapping[int, Texts] = field(default_factory=dict)

    def knows(self, value: Any) -> bool:
        """Whether a value of the expression stands for a key."""
        return isinstance(value, tuple) or value in self._keys

    def key_of(self, value: Any) -> Texts:
        """Return the key that a value of the expression stands for."""
        return value if isinstance(value, tuple) else self._keys[value]


BY_TEXTS = Groups(f"({', '.join(DIMENSIONS)})")
"""What tells any keys apart, slowly."""


def groups_of(keys: Iterable[Texts]) -> Groups:
    """Return what tells some keys apart, as fast as can be."""
    listed = list(keys)
    differing = [at for at, texts in enumerate(zip(*listed, strict=True)) if len(set(texts)) > 1]
    for attempt in range(_TRIES):
        found = _numbered(listed, {at: mixed(attempt, at) | 1 for at in differing})
        if found:
            return found
    return BY_TEXTS


def _numbered(keys: Sequence[Texts], factors: Mapping[int, int]) -> Groups | None:
    """Return keys by the sum of their texts' hashes, each times a factor; None if two are one."""
    texts = {key[at] for key in keys for at in factors}
    hashes = {text: text_hash(text.encode()) for text in texts}
    numbers = {sum(f * hashes[key[at]] for at, f in factors.items()) & MASK: key for key in keys}
    if len(numbers) < len(keys):
        return None
    terms = (f"{factor} * xxHash64({DIMENSIONS[at]})" for at, factor in factors.items())
    return Groups(" + ".join(terms) or "toUInt64(0)", numbers)
