"""A record that was set aside becomes an event after all: somebody says what it lacks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from metering.event import (
    SPAN_ID_BYTES,
    TOKEN_CLASSES,
    Call,
    Outcome,
    Qualities,
    Quality,
    Source,
    Tokens,
    UsageEvent,
    source_identity,
    span_identity,
)
from metering.quarantine import Quarantined

EARLIEST_NS = 1_420_070_400_000_000_000
"""2015: nobody was charged for tokens before."""

ENTERED = "entered"
"""The dialect of events that were entered by hand."""


class Fate(StrEnum):
    """What was decided about a record that was set aside."""

    DISCARDED = "discarded"
    ENTERED = "entered"


@dataclass(frozen=True, slots=True)
class Entry:
    """What somebody says of a record that could not be read."""

    model: str
    counts: Mapping[str, int]
    """Token class -> count."""
    ended_at: int = 0
    """Nanoseconds since 1970 UTC; 0 where what the record told is right."""
    tenant: str = ""
    project: str = ""
    api_key: str = ""
    pool: str = ""
    resource: str = ""
    operation: str = "chat"
    outcome: Outcome = field(default=Outcome.OK)


def entered(record: Quarantined, entry: Entry, now_ns: int) -> UsageEvent:
    """Return the event that a record set aside should have been; its counts are accepted ones.

    It keeps the record's identity, so that the same span, sent again in good order, is known.

    Raises:
        EntryCountError: there is no such token class.
        EntryInstantError: it would end before 2015 or after ``now_ns``.
        ValueError: the event cannot be: see UsageEvent and Tokens.
    """
    unknown = sorted(entry.counts.keys() - set(TOKEN_CLASSES))
    if unknown:
        raise EntryCountError(unknown[0])
    ended_at = entry.ended_at or record.ended_at
    if not EARLIEST_NS <= ended_at <= now_ns:
        raise EntryInstantError(ended_at)
    return UsageEvent(
        event_id=_identity(record),
        started_at=ended_at,
        ended_at=ended_at,
        trace_id=record.trace_id,
        span_id=record.span_id,
        source=Source(
            tenant=entry.tenant,
            project=entry.project,
            api_key=entry.api_key,
            gateway=record.service,
            pool=entry.pool,
            resource=entry.resource,
        ),
        call=Call(
            requested_model=entry.model,
            model=entry.model,
            operation=entry.operation,
            outcome=entry.outcome,
        ),
        tokens=Tokens(**entry.counts),
        qualities=Qualities(*(Quality.ACCEPTED for _ in TOKEN_CLASSES)),
        dialect=ENTERED,
    )


def _identity(record: Quarantined) -> bytes:
    spanned = span_identity(record.trace_id, record.span_id)
    if len(spanned) == SPAN_ID_BYTES:
        return spanned
    return source_identity("set aside", f"{record.key:016x}")


class EntryCountError(ValueError):
    """A count of no known class."""

    def __init__(self, name: str) -> None:
        super().__init__(f"a count must be of {', '.join(TOKEN_CLASSES)}, found {name!r}")


class EntryInstantError(ValueError):
    """An event that cannot have been yet, or that no gateway can have told of."""

    def __init__(self, ended_at: int) -> None:
        super().__init__(
            f"what is entered must have ended after 2015 and by now, found {ended_at} ns "
            "since 1970: say when it ended"
        )


class EnteredError(ValueError):
    """A record whose identity stands for another event already."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"the identity of record {key} must be new or mean the same event, found another "
            "stored under it: correct that"
        )
