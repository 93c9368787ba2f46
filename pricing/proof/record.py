"""A usage event as evidence: one line of JSON that anybody can read, hash and sum again."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from operator import attrgetter
from typing import Any

from metering.event import (
    SAID,
    Call,
    Outcome,
    Qualities,
    Quality,
    Role,
    Source,
    Tokens,
    UsageEvent,
)
from pricing.proof import merkle

_IDS = ("event_id", "trace_id", "span_id", "parent_span_id")
_OWN: tuple[tuple[str, Any], ...] = (("role", Role.BILL), ("rank", 0), ("caveat", ""))
"""What rules decided about an event; it takes part in the choice of the bill record."""
_READ = {"role": Role, "call.outcome": Outcome}
_PARTS = {"source": Source, "call": Call, "tokens": Tokens, "qualities": Qualities}


@dataclass(frozen=True, slots=True)
class Record:
    """An event as it counts: what corrections decided is in it, and they are named."""

    event: UsageEvent
    stored_at: int
    """Nanoseconds since 1970 UTC; a bill counts what was stored before its cutoff."""
    corrections: tuple[str, ...] = ()
    _leaf: list[str] = field(default_factory=list, init=False, compare=False, repr=False)
    """Worked out once: an event is on a line for each of its token classes."""

    @property
    def id(self) -> str:
        """The identity of the event, in hex."""
        return self.event.event_id.hex()

    @property
    def leaf(self) -> str:
        """What evidence holds of it: its identity, and the hash of all that it says."""
        if not self._leaf:
            digest = sha256(written_record(self).encode()).hexdigest()
            self._leaf.append(f"{self.id} {digest}")
        return self._leaf[0]


def evidence_root(leaves: Sequence[str]) -> str:
    """Return the hash over the evidence of events, in whatever order they come."""
    return merkle.root([leaf.encode() for leaf in sorted(leaves)]).hex()


def written_record(record: Record) -> str:
    """Return an event as one line of JSON; what is at its default is left out."""
    event = record.event
    told: dict[str, Any] = {name: getattr(event, name).hex() for name in _IDS}
    for path, default in (*SAID, *_OWN):
        value = attrgetter(path)(event)
        if value != default:
            told[path] = value
    told |= {"stored_at": record.stored_at, "corrections": list(record.corrections)}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def read_record(text: str) -> Record:
    """Read what ``written_record`` wrote.

    Raises:
        ValueError, LookupError, TypeError: it is no such line.
    """
    told = json.loads(text)
    ids: dict[str, Any] = {name: bytes.fromhex(told.pop(name)) for name in _IDS}
    stored_at, corrections = int(told.pop("stored_at")), tuple(told.pop("corrections"))
    parts: dict[str, dict[str, Any]] = {name: {} for name in ("", *_PARTS)}
    for path, value in told.items():
        part, _, name = path.rpartition(".")
        parts[part][name] = _value(path, value)
    nested: dict[str, Any] = {name: replace(kind(), **parts[name]) for name, kind in _PARTS.items()}
    return Record(UsageEvent(**ids, **parts[""], **nested), stored_at, corrections)


def _value(path: str, value: Any) -> Any:
    if path.startswith("qualities."):
        return Quality(value)
    return _READ[path](value) if path in _READ else value
