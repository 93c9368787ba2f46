"""What the reference decoder makes of a record, learned once for each shape and then reused.

All records of one shape differ only in ids, times, counts and texts of their own. So a class is
the reference decoder's event of its first record, and the fast path puts each record's own ones in.
A shape whose first record does not come out alike both ways is left to the reference decoder.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from collector.batch.keys import ENGINE_ID, RESPONSE_ID, SOURCES
from collector.dialect.call import source_of
from collector.dialect.dialects import dialect_of
from collector.dialect.reading import text
from collector.dialect.roles import Gateways
from collector.otlp import Record
from metering.event import SAID, TOKEN_CLASSES, Role, UsageEvent
from metering.hashing import MASK, mixed, text_hash

OWN_NUMBERS = (
    "started_at", "ended_at", "sequence", "call.attempt", "call.ttft_ns", "call.queue_ns",
    *(f"tokens.{name}" for name in TOKEN_CLASSES),
)  # fmt: skip
"""Numbers that each record says for itself, in the order in which they are hashed."""
OWN_TEXTS = (*(f"source.{name}" for name in SOURCES), "call.response_id", "call.request_id")
"""Texts that each record may say for itself; a source's otherwise come from its resource."""
_OWN = frozenset((*OWN_NUMBERS, *OWN_TEXTS))
SEEDS = {path: text_hash(path.encode()) for path, _ in SAID}


@dataclass(frozen=True)
class Class:
    """What all records of one shape have in common."""

    event: UsageEvent | None = None
    """The first record's event, with its own numbers and texts; None where there is none."""
    is_odd: bool = False
    """Whether the reference decoder must read every record of this shape."""
    producer: str = ""
    """The service that gives log records their ids."""
    is_engine: bool = False
    is_gateway: bool = False
    shared: tuple[str, ...] = ()
    """What each of ``OWN_TEXTS`` is for a record that does not say it itself."""

    @cached_property
    def base(self) -> int:
        """The part of the content hash that all records share."""
        assert self.event is not None
        return base_of(self.event)

    @property
    def is_witness(self) -> bool:
        """Whether records of this shape never bill."""
        return self.event is not None and self.event.role is Role.WITNESS

    @property
    def response(self) -> int:
        """Which of a record's texts is its response id."""
        return ENGINE_ID if self.is_engine else RESPONSE_ID


NO_CALL = Class()
UNSUITED = Class(is_odd=True)


def class_of(record: Record, event: UsageEvent, gateways: Gateways) -> Class:
    """Return the class of which a record is the first."""
    dialect = dialect_of(record.scope)
    resource = Record(attributes={}, resource=record.resource, scope=record.scope)
    return Class(
        event=event,
        producer=text(record.resource, ("service.name",)),
        is_engine=dialect.is_engine,
        is_gateway=dialect.is_gateway or gateways.include(record),
        shared=(*_sources(resource), "", ""),
    )


def _sources(record: Record) -> list[str]:
    source = source_of(record)
    return [getattr(source, name) for name in SOURCES]


def base_of(event: UsageEvent) -> int:
    """Return the part of an event's content hash that is not each record's own."""
    values = ((path, read(event, path), default) for path, default in SAID if path not in _OWN)
    return sum(said(path, value) for path, value, default in values if value != default) & MASK


def said(path: str, value: object) -> int:
    """Return what one value adds to a content hash."""
    number = int(value) if isinstance(value, int) else text_hash(str(value).encode())
    return mixed(SEEDS[path], number)


def read(event: UsageEvent, path: str) -> Any:
    """Read what lies under a path such as ``call.model``."""
    value: Any = event
    for name in path.split("."):
        value = getattr(value, name)
    return value
