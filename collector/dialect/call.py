"""What a record says of its call: what was asked of which model, by whom, and what came back."""

import json
from collections.abc import Mapping

from collector.dialect import aliases, dialects
from collector.dialect.dialects import Dialect, provider_named
from collector.dialect.outcome import outcome_of, status_code
from collector.dialect.reading import Attributes, count, is_true, nanoseconds, text
from collector.dialect.tier import tier_of
from collector.dialect.usage_object import at
from collector.otlp import Record
from metering.event import Call, Source

MAX_ANSWER = 1_000_000
"""Characters of a whole answer that is looked into for its id and its usage's details."""

ANSWER_IDS = ("id", "llm_output.id")
"""Where an answer keeps its id: a provider's, and LangChain's around it."""

Answer = Mapping[str, object]

_SECOND_NS = 1_000_000_000
_MILLISECOND_NS = 1_000_000


def named_operation(record: Record) -> str:
    """Return the canonical operation that the record names itself, or nothing."""
    said = (dialects.OPERATIONS.get(name, "") for name in _said_operations(record))
    return next((operation for operation in said if operation), "")


def operation_of(record: Record) -> str:
    """Return the operation of a model call, or nothing for a record that repeats another's usage.

    Engines and the oldest clients name no operation at all; theirs is a chat.
    """
    said = _said_operations(record)
    if (
        dialects.AGGREGATES.intersection(said)
        or record.name in dialects.REPEATING_SPANS
        or any(mark in record.attributes for mark in aliases.AGGREGATE_MARKS)
    ):
        return ""
    return named_operation(record) or next((name for name in said if name), "chat")


def call_of(record: Record, dialect: Dialect, answer: Answer) -> Call:
    """Return the call that a record tells of; an aggregate of calls is told to be one."""
    attributes = record.attributes
    requested = text(attributes, aliases.REQUESTED_MODEL)
    provider = provider_named(text(attributes, aliases.PROVIDER))
    served = text(record.resource, ("service.name",)) * dialect.is_engine
    return Call(
        provider=provider or (dialect.name * dialect.is_engine),
        requested_model=requested,
        model=text(attributes, aliases.RESPONSE_MODEL) or requested or served,
        operation=operation_of(record) or "aggregate",
        response_id=_response_id(attributes, dialect, answer),
        request_id=text(attributes, aliases.REQUEST_ID),
        attempt=min(count(attributes, aliases.ATTEMPT) or 0, 65_535),
        outcome=outcome_of(record),
        status_code=status_code(record),
        stream=is_true(attributes, aliases.STREAM),
        ttft_ns=_ttft_ns(attributes),
        queue_ns=nanoseconds(attributes, aliases.QUEUE_SECONDS, _SECOND_NS),
        tier=tier_of(attributes),
    )


def answer_of(attributes: Attributes) -> Answer:
    """Return the whole answer that an attribute holds in JSON, or an empty one."""
    for name in aliases.ANSWER:
        value = attributes.get(name)
        if isinstance(value, str) and value.startswith("{") and len(value) <= MAX_ANSWER:
            try:
                found = json.loads(value)
            except (ValueError, RecursionError):
                continue
            return found if isinstance(found, dict) else {}
    return {}


def source_of(record: Record) -> Source:
    """Return who and where, looked up on the record first and then on its resource."""
    return Source(
        **{
            name: text(record.attributes, names) or text(record.resource, names)
            for name, names in aliases.SOURCE.items()
        }
    )


def _said_operations(record: Record) -> list[str]:
    """Return what a record says it is, in lower case; MLflow writes it as JSON, in quotes."""
    names = (*aliases.OPERATION, *aliases.KIND)
    return [text(record.attributes, (name,)).lower().strip('"') for name in names]


def _ttft_ns(attributes: Attributes) -> int:
    """Return the time to the first token, under whichever name and unit it is told."""
    whole = {n: v for n in aliases.TTFT_NANOSECONDS if isinstance(v := attributes.get(n), int)}
    return (
        nanoseconds(attributes, aliases.TTFT_SECONDS, _SECOND_NS)
        or nanoseconds(attributes, aliases.TTFT_MILLISECONDS, _MILLISECOND_NS)
        or nanoseconds(whole, aliases.TTFT_NANOSECONDS, 1)
        or nanoseconds(attributes, () if whole else aliases.TTFT_NANOSECONDS, _SECOND_NS)
    )


def _response_id(attributes: Attributes, dialect: Dialect, answer: Answer) -> str:
    """Return the id that all records of a call share.

    Engines call it the request id. OpenInference has no attribute for it, so it is read from the
    answer.
    """
    names = aliases.ENGINE_REQUEST_ID if dialect.is_engine else aliases.RESPONSE_ID
    response_id = text(attributes, names)
    told = (at(answer, path) for path in ANSWER_IDS)
    ids = (found for found in told if isinstance(found, str) and found.isprintable())
    return response_id or next(ids, "")
