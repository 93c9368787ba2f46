"""Records of every dialect -> usage events, by one table of names and a few rules.

Record -> is it a model call? -> Reported counts -> disjoint tokens -> UsageEvent
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace

from collector import aliases
from collector.aliases import Dialect
from collector.dissect import Reported, count_of, dissect
from collector.otlp import Record, Value
from collector.usage_object import usage_object
from metering.event import (
    Call,
    Outcome,
    Qualities,
    Quality,
    Role,
    Source,
    Tokens,
    UsageEvent,
    response_identity,
    source_identity,
    span_identity,
)

MAX_TEXT = 500
"""Characters that are kept of a name or id."""

MAX_DAYS = 100
"""On how many days the events of one body may end; exporters send seconds, backfills weeks."""

_DAY_NS = 86_400_000_000_000


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that reports a model call but cannot be kept, and why."""

    record: Record
    reason: str


def usage_events(records: Iterable[Record]) -> tuple[list[UsageEvent], list[Rejected]]:
    """Return the usage events among the records, and those that could not be made into one.

    Records that are no model call (HTTP spans, tools, log lines) are neither.
    """
    events: list[UsageEvent] = []
    rejected: list[Rejected] = []
    for record in records:
        if not _is_about_a_call(record):
            continue
        try:
            events.append(usage_event(record))
        except ValueError as error:
            rejected.append(Rejected(record, str(error)))
    return events, rejected


def check_days(events: Iterable[UsageEvent]) -> None:
    """Refuse a body whose events end on too many days: each day is a file of its own to write.

    Raises:
        TooManyDaysError: a broken clock, or a backfill that should come in parts.
    """
    days = {e.ended_at // _DAY_NS for e in events}
    if len(days) > MAX_DAYS:
        raise TooManyDaysError(len(days))


def usage_event(record: Record) -> UsageEvent:
    """Return the event of a record that reports a model call.

    Raises:
        ValueError: the record has no possible time or identity.
    """
    dialect = _dialect(record.scope)
    call = _call(record, dialect)
    reported = _reported(record.attributes)
    tokens, qualities = _counts(reported, call)
    event_id, call_id = _identities(record, call)
    ended_at = record.ended_at or record.started_at
    return UsageEvent(
        event_id=event_id,
        call_id=call_id,
        started_at=min(record.started_at or ended_at, ended_at),
        ended_at=ended_at,
        trace_id=record.trace_id,
        span_id=record.span_id,
        parent_span_id=record.parent_span_id,
        source=_source(record),
        call=call,
        tokens=tokens,
        qualities=qualities,
        role=Role.BILL if _operation(record) else Role.WITNESS,
        dialect=dialect.name,
        rank=dialect.rank + (aliases.LOG_RANK if record.is_log else 0),
        is_choice=dialect.name == "vllm" and (_count(record.attributes, aliases.CHOICES) or 1) > 1,
    )


def _is_about_a_call(record: Record) -> bool:
    if record.is_log and record.name not in aliases.LOG_EVENTS:
        return False
    return bool(_named_operation(record)) or not _reported(record.attributes).is_silent


def _named_operation(record: Record) -> str:
    """Return the canonical operation that the record names itself, or nothing."""
    for name in (*aliases.OPERATION, *aliases.KIND):
        operation = aliases.OPERATIONS.get(_text(record.attributes, (name,)).lower())
        if operation:
            return operation
    return ""


def _operation(record: Record) -> str:
    """Return the operation of a model call, or nothing for a record that repeats another's usage.

    Engines and the oldest clients name no operation at all; theirs is a chat.
    """
    said = [_text(record.attributes, (n,)).lower() for n in (*aliases.OPERATION, *aliases.KIND)]
    if aliases.AGGREGATES.intersection(said) or record.name in aliases.REPEATING_SPANS:
        return ""
    named = _named_operation(record)
    return named or next((name for name in said if name), "chat")


def _dialect(scope: str) -> Dialect:
    for dialect in aliases.DIALECTS:
        if scope == dialect.scope or (not dialect.is_whole and scope.startswith(dialect.scope)):
            return dialect
    return aliases.OTHER_DIALECT


def _reported(attributes: Mapping[str, Value]) -> Reported:
    """Return what attributes report, with what only a usage object beside them tells.

    An object speaks of the same call only if it agrees on the totals that both give.
    """
    reported = Reported(
        input=_count(attributes, aliases.INPUT),
        output=_count(attributes, aliases.OUTPUT),
        cached=_count(attributes, aliases.CACHED),
        written=_count(attributes, aliases.WRITTEN),
        written_5m=_count(attributes, aliases.WRITTEN_5M),
        written_1h=_count(attributes, aliases.WRITTEN_1H),
        reasoning=_count(attributes, aliases.REASONING),
    )
    for name in (*aliases.USAGE_OBJECTS, *aliases.NATIVE_USAGE_OBJECTS):
        if name in attributes:
            is_native = name in aliases.NATIVE_USAGE_OBJECTS
            told = usage_object(attributes[name], is_native=is_native)
            reported = reported.filled_from(told)
    return reported


def _counts(reported: Reported, call: Call) -> tuple[Tokens, Qualities]:
    """Dissect the counts; two zeros on a call that went well mean that nobody counted."""
    if call.operation in aliases.NO_OUTPUT and reported.output is None:
        reported = replace(reported, output=0)
    tokens, qualities = dissect(reported)
    nobody_counted = not tokens.total_input and not tokens.total_output
    if nobody_counted and call.outcome.is_billable:
        return tokens, Qualities(*[Quality.UNKNOWN] * len(fields(Qualities)))
    return tokens, qualities


def _call(record: Record, dialect: Dialect) -> Call:
    attributes = record.attributes
    requested = _text(attributes, aliases.REQUESTED_MODEL)
    return Call(
        provider=_text(attributes, aliases.PROVIDER).lower() or (dialect.name * dialect.is_engine),
        requested_model=requested,
        model=_text(attributes, aliases.RESPONSE_MODEL)
        or requested
        or _text(record.resource, ("service.name",)) * dialect.is_engine,
        operation=_operation(record) or "aggregate",
        response_id=_response_id(attributes, dialect),
        request_id=_text(attributes, aliases.REQUEST_ID),
        attempt=min(_count(attributes, aliases.ATTEMPT) or 0, 65_535),
        outcome=_outcome(record),
        status_code=_status_code(record),
        stream=_first(attributes, aliases.STREAM) is True,
        ttft_ns=_nanoseconds(attributes, aliases.TTFT_SECONDS),
        queue_ns=_nanoseconds(attributes, aliases.QUEUE_SECONDS),
    )


def _response_id(attributes: Mapping[str, Value], dialect: Dialect) -> str:
    """Return the id that all records of a call share.

    Engines call it the request id. OpenInference has no attribute for it, so it is read from the
    answer, of which nothing else is kept.
    """
    names = aliases.ENGINE_REQUEST_ID if dialect.is_engine else aliases.RESPONSE_ID
    response_id = _text(attributes, names)
    answer = attributes.get("output.value")
    if response_id or not isinstance(answer, str) or not answer.startswith("{"):
        return response_id
    try:
        found = json.loads(answer).get("id")
    except (ValueError, RecursionError):
        return ""
    return found if isinstance(found, str) and found.isprintable() else ""


def _identities(record: Record, call: Call) -> tuple[bytes, bytes]:
    """Return the record's own identity and that of its call."""
    if record.is_log:
        event_id = _log_identity(record)
    elif record.trace_id and record.span_id:
        event_id = span_identity(record.trace_id, record.span_id)
    else:
        raise MissingIdentityError(record.name)
    if call.response_id:
        return event_id, response_identity(call.response_id)
    if record.trace_id and record.span_id:
        return event_id, span_identity(record.trace_id, record.span_id)
    return event_id, event_id


def _log_identity(record: Record) -> bytes:
    producer = _text(record.resource, ("service.name",))
    given = _text(record.attributes, aliases.EVENT_ID)
    if given:
        return source_identity(producer, given)
    about = (record.name, record.trace_id.hex(), record.span_id.hex(), record.ended_at)
    if record.trace_id and record.span_id:
        return source_identity("log", repr(about))
    return source_identity(producer, repr((about, sorted(record.attributes.items(), key=repr))))


def _source(record: Record) -> Source:
    return Source(
        **{
            name: _text(record.attributes, names) or _text(record.resource, names)
            for name, names in aliases.SOURCE.items()
        }
    )


def _status_code(record: Record) -> int:
    code = _count(record.attributes, aliases.STATUS_CODE)
    if code is None and record.is_error:
        said = _ERROR_CODE.search(record.status_message)
        code = int(said.group(1)) if said else None
    return code if code is not None and code < 1000 else 0


def _outcome(record: Record) -> Outcome:
    code = _status_code(record)
    error_type = _text(record.attributes, aliases.ERROR_TYPE)
    if code >= 400:
        return _outcome_of_code(code)
    if error_type or record.is_error:
        said = f"{error_type} {record.status_message}".casefold()
        for outcome, words in _OUTCOME_WORDS:
            if any(word in said for word in words):
                return outcome
        return Outcome.SERVER_ERROR
    if "abort" in _text(record.attributes, aliases.FINISH_REASONS):
        return Outcome.ABORTED
    return Outcome.OK


def _outcome_of_code(code: int) -> Outcome:
    by_code = {
        408: Outcome.TIMEOUT,
        429: Outcome.THROTTLED,
        499: Outcome.ABORTED,
        504: Outcome.TIMEOUT,
    }
    return by_code.get(code, Outcome.CLIENT_ERROR if code < 500 else Outcome.SERVER_ERROR)


def _first(attributes: Mapping[str, Value], names: Iterable[str]) -> Value:
    for name in names:
        value = attributes.get(name)
        if value is not None:
            return value
    return None


def _text(attributes: Mapping[str, Value], names: Iterable[str]) -> str:
    value = _first(attributes, names)
    text = value if isinstance(value, str) else "" if value is None else str(value)
    return text if len(text) <= MAX_TEXT and text.isprintable() else _cleaned(text)


def _cleaned(text: str) -> str:
    """Drop what databases refuse (NUL and other controls) and what no name needs."""
    return "".join(c for c in text[:MAX_TEXT] if c.isprintable())


def _count(attributes: Mapping[str, Value], names: Iterable[str]) -> int | None:
    for name in names:
        count = count_of(attributes.get(name))
        if count is not None:
            return count
    return None


def _nanoseconds(attributes: Mapping[str, Value], names: Iterable[str]) -> int:
    value = _first(attributes, names)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e6:
        return 0
    return round(value * 1e9)


_ERROR_CODE = re.compile(r"\b[Ee]rror code: (\d{3})\b")
_OUTCOME_WORDS: tuple[tuple[Outcome, tuple[str, ...]], ...] = (
    (Outcome.THROTTLED, ("ratelimit", "rate_limit", "429")),
    (Outcome.TIMEOUT, ("timeout", "timed out")),
    (Outcome.ABORTED, ("cancel", "abort", "abandon", "generatorexit", "disconnect")),
    (
        Outcome.CLIENT_ERROR,
        (
            "badrequest",
            "authentication",
            "permissiondenied",
            "notfound",
            "unprocessable",
            "invalid_request",
        ),
    ),
)


class TooManyDaysError(ValueError):
    """A body of events from too many days."""

    def __init__(self, days: int) -> None:
        super().__init__(
            f"the events of one body must end on at most {MAX_DAYS} days, found {days}: "
            f"send them in parts"
        )


class MissingIdentityError(ValueError):
    """A span without the ids that make it countable once."""

    def __init__(self, name: str) -> None:
        super().__init__(f"a span must have a trace id and a span id, found none on {name!r}")
