"""Records of every dialect -> usage events, by one table of names and a few rules.

record -> is it a model call? -> reported counts -> disjoint tokens -> event -> place in the body
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from collector.dialect import aliases, dialects
from collector.dialect.beside import with_all_inside
from collector.dialect.call import (
    Answer,
    answer_of,
    call_of,
    named_operation,
    operation_of,
    source_of,
)
from collector.dialect.caveat import Caveat, caveat_in_counts, caveat_of, foremost, weakened
from collector.dialect.dialects import Dialect, dialect_of
from collector.dialect.dissect import Reported, dissect
from collector.dialect.identity import SPAN_ID_BYTES, check_ids, event_identity, valid_id
from collector.dialect.reading import Attributes, count, first, text
from collector.dialect.roles import ANY_GATEWAY, Gateways
from collector.dialect.usage_object import answer_usage, completed, usage_object
from collector.otlp import Record
from metering.event import (
    MAX_INSTANT_NS,
    Call,
    Outcome,
    Qualities,
    Role,
    Tokens,
    UsageEvent,
)
from metering.tree import Node, call_parents, repeated

MAX_DAYS = 100
"""On how many days the events of one body may end; exporters send seconds, backfills weeks."""

EARLIEST_NS = 1_420_070_400_000_000_000
"""2015-01-01: what ended before is told by a clock that was never set, not by a model call."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that reports a model call but cannot be kept, and why."""

    record: Record
    reason: str

    @property
    def service(self) -> str:
        """The service that sent it."""
        return text(self.record.resource, ("service.name",))


def usage_events(
    records: Iterable[Record],
    *,
    gateways: Gateways = ANY_GATEWAY,
    earliest_ns: int = EARLIEST_NS,
    latest_ns: int = MAX_INSTANT_NS,
) -> tuple[list[UsageEvent], list[Rejected]]:
    """Return the usage events among the records of a body, and those that could not become one.

    Records that are no model call (HTTP spans, tools, log lines) are neither. Events end from
    ``earliest_ns`` to ``latest_ns``, both included; only those of ``gateways`` bill.
    """
    events: list[UsageEvent] = []
    rejected: list[Rejected] = []
    nodes: list[Node] = []
    places: list[int | None] = []
    for record in records:
        event = None
        try:
            event = event_of(record, gateways, (earliest_ns, latest_ns))
        except ValueError as error:
            rejected.append(Rejected(record, str(error)))
        if not record.is_log:
            nodes.append(_node(record, event, gateways))
            places.append(None if event is None else len(events))
        if event is not None:
            events.append(event)
    _put_in_place(events, nodes, places)
    return events, rejected


def event_of(record: Record, gateways: Gateways, bounds_ns: tuple[int, int]) -> UsageEvent | None:
    """Return the event of a record by itself; None where it is about no model call.

    Raises:
        ValueError: the record reports a call but cannot be kept, and why.
    """
    if not is_about_a_call(record):
        return None
    event = _billing_by(gateways, record, usage_event(record))
    _check_time(event.ended_at, *bounds_ns)
    return event


def check_days(days: Collection[int]) -> None:
    """Refuse a body whose events end on too many days: each day is a file of its own to write.

    Raises:
        TooManyDaysError: a broken clock, or a backfill that should come in parts.
    """
    if len(days) > MAX_DAYS:
        raise TooManyDaysError(len(days))


def usage_event(record: Record) -> UsageEvent:
    """Return the event of a record that reports a model call, whatever stands beside it.

    Raises:
        ValueError: the record has no possible time or identity.
    """
    check_ids(record)
    dialect = dialect_of(record.scope)
    answer = answer_of(record.attributes)
    call = call_of(record, dialect, answer)
    tokens, qualities, caveat = _counts(record, dialect, call, answer)
    ended_at = record.ended_at or record.started_at
    return UsageEvent(
        event_id=event_identity(record),
        started_at=_started_at(record, ended_at),
        ended_at=ended_at,
        trace_id=valid_id(record.trace_id),
        span_id=valid_id(record.span_id),
        parent_span_id=_parent(record),
        source=source_of(record),
        call=call,
        tokens=tokens,
        qualities=qualities,
        role=_role(record, dialect, call, caveat),
        dialect=dialect.name,
        rank=dialect.rank + (dialects.LOG_RANK if record.is_log else 0),
        is_choice=dialect.is_per_choice and (count(record.attributes, aliases.CHOICES) or 1) > 1,
        caveat=caveat,
        producer=text(record.attributes, aliases.PRODUCER)
        or text(record.resource, aliases.PRODUCER),
        sequence=count(record.attributes, aliases.SEQUENCE) or 0,
    )


def is_about_a_call(record: Record) -> bool:
    """Whether a record names a model call or reports usage."""
    if record.is_log and record.name not in aliases.LOG_EVENTS:
        return False
    return bool(named_operation(record)) or not _reported(record.attributes, {}).is_silent


def _role(record: Record, dialect: Dialect, call: Call, caveat: Caveat) -> Role:
    repeats = not operation_of(record) or _only_opens(record, dialect, call, caveat)
    return Role.WITNESS if repeats else Role.BILL


def _only_opens(record: Record, dialect: Dialect, call: Call, caveat: Caveat) -> bool:
    """Whether a span only opens a stream (Logfire): an answer would have an id and a finish."""
    is_open = (
        bool(dialect.opening_type)
        and text(record.attributes, aliases.RECORD_TYPE) == dialect.opening_type
    )
    is_answered = bool(call.response_id or first(record.attributes, aliases.FINISH_REASONS))
    is_quiet = caveat is Caveat.NO_COUNTS and call.operation not in dialects.NO_OUTPUT
    return is_open and is_quiet and not is_answered and call.outcome is Outcome.OK


def _reported(attributes: Attributes, answer: Answer) -> Reported:
    """Return what attributes report, with what only a usage object beside them tells."""
    reported = Reported(
        input=count(attributes, aliases.INPUT),
        output=count(attributes, aliases.OUTPUT),
        cached=count(attributes, aliases.CACHED),
        written=count(attributes, aliases.WRITTEN),
        written_5m=count(attributes, aliases.WRITTEN_5M),
        written_1h=count(attributes, aliases.WRITTEN_1H),
        reasoning=count(attributes, aliases.REASONING),
        total=count(attributes, aliases.TOTAL),
        is_whole=any(mark in attributes for mark in aliases.INCLUSIVE_MARKS),
        is_output_whole=any(mark in attributes for mark in aliases.OUTPUT_INCLUSIVE_MARKS),
    ).settled()
    for name in aliases.USAGE_OBJECTS:
        if name in attributes:
            is_whole = name in aliases.WHOLE_OBJECTS
            reported = completed(reported, usage_object(attributes[name], is_whole=is_whole))
    if answer:
        reported = completed(reported, answer_usage(answer), may_total=False)
    return reported.settled()


def _counts(
    record: Record, dialect: Dialect, call: Call, answer: Answer
) -> tuple[Tokens, Qualities, Caveat]:
    """Return the disjoint counts of a call, and what they are worth."""
    reported = with_all_inside(_reported(record.attributes, answer), dialect, call)
    if call.operation in dialects.NO_OUTPUT and reported.output is None:
        reported = replace(reported, output=0)
    tokens, qualities = dissect(reported)
    caveats = (caveat_of(record, dialect, call, answer), caveat_in_counts(reported, tokens, call))
    for caveat in caveats:
        qualities = weakened(qualities, caveat)
    return tokens, qualities, foremost(caveats)


def _started_at(record: Record, ended_at: int) -> int:
    """Return the start; a log record has only its end, and tells how long the call took."""
    lasted = count(record.attributes, aliases.DURATION_NANOSECONDS) if record.is_log else None
    if lasted is not None:
        return max(ended_at - lasted, 0)
    return min(record.started_at or ended_at, ended_at)


def _parent(record: Record) -> bytes:
    parent = record.parent_span_id
    return valid_id(parent) if len(parent) == SPAN_ID_BYTES else b""


def _billing_by(gateways: Gateways, record: Record, event: UsageEvent) -> UsageEvent:
    """Return the event as a witness where gateways are named and this is none of them."""
    if not gateways.are_named or gateways.include(record):
        return event
    return replace(event, role=Role.WITNESS)


def _check_time(ended_at: int, earliest_ns: int, latest_ns: int) -> None:
    if ended_at < earliest_ns:
        raise EndsTooEarlyError(ended_at, earliest_ns)
    if ended_at > latest_ns:
        raise EndsInTheFutureError(ended_at)


def _node(record: Record, event: UsageEvent | None, gateways: Gateways) -> Node:
    if event is None:
        return Node(record.trace_id, record.span_id, _parent(record))
    dialect = dialect_of(record.scope)
    return Node(
        trace_id=record.trace_id,
        span_id=record.span_id,
        parent_span_id=event.parent_span_id,
        call=event.call_id,
        may_bill=event.role is Role.BILL,
        has_counts=event.tokens != Tokens(),
        kind=event.call.operation if event.call.operation in dialects.NO_OUTPUT else "",
        model=event.call.requested_model,
        is_gateway=dialect.is_gateway or gateways.include(record),
        is_engine=dialect.is_engine,
    )


def _put_in_place(
    events: list[UsageEvent], nodes: Sequence[Node], places: Sequence[int | None]
) -> None:
    """Give each event the nearest call above it, and make witnesses of what repeats others."""
    if not events:
        return
    witnesses = repeated(nodes)
    for i, (parent, place) in enumerate(zip(call_parents(nodes), places, strict=True)):
        if place is None:
            continue
        event = events[place]
        role = Role.WITNESS if i in witnesses else event.role
        if (parent, role) != (event.parent_span_id, event.role):
            events[place] = replace(event, parent_span_id=parent, role=role)


class TooManyDaysError(ValueError):
    """A body of events from too many days."""

    def __init__(self, days: int) -> None:
        super().__init__(
            f"the events of one body must end on at most {MAX_DAYS} days, found {days}: "
            f"send them in parts"
        )


class EndsTooEarlyError(ValueError):
    """An event from before there were model calls."""

    def __init__(self, ended_at: int, earliest_ns: int) -> None:
        super().__init__(f"an event must end at {earliest_ns} ns or later, found {ended_at} ns")


class EndsInTheFutureError(ValueError):
    """An event that has not ended yet; the same each time it is sent, so that it is kept once."""

    def __init__(self, ended_at: int) -> None:
        super().__init__(
            f"ends in the future: an event must not end far ahead of the service's clock, "
            f"found {ended_at} ns"
        )
