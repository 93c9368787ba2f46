"""Whatever a client sends: records become events, are rejected with a reason, or are no calls."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from builders import T0
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.dialect import aliases, dialects
from collector.dialect.normalise import usage_events
from collector.otlp import Record
from metering.schema import batch_of

UNHURRIED = settings(deadline=None, max_examples=60)

CHAT = {"gen_ai.operation.name": "chat"}


def span(attributes: Mapping[str, Any]) -> Record:
    return Record(attributes, trace_id=b"t" * 16, span_id=b"s" * 8, started_at=T0, ended_at=T0)


names = st.sampled_from(
    [
        *aliases.INPUT,
        *aliases.OUTPUT,
        *aliases.CACHED,
        *aliases.WRITTEN_5M,
        *aliases.WRITTEN_1H,
        *aliases.REASONING,
        *aliases.OPERATION,
        *aliases.KIND,
        *aliases.RESPONSE_ID,
        *aliases.ENGINE_REQUEST_ID,
        *aliases.ATTEMPT,
        *aliases.STATUS_CODE,
        *aliases.ERROR_TYPE,
        *aliases.FINISH_REASONS,
        *aliases.CHOICES,
        *aliases.TTFT_SECONDS,
        *aliases.STREAM,
        *aliases.EVENT_ID,
        *aliases.TOTAL,
        *aliases.WRITTEN,
        *aliases.USAGE_OBJECTS,
        *aliases.TTFT_MILLISECONDS,
        *aliases.TTFT_NANOSECONDS,
        *aliases.PROVIDER,
        *aliases.TIER,
        *aliases.REQUESTED_TIER,
        *aliases.KEPT_RATES,
        *aliases.KEPT_PERCENT,
        *aliases.REJECTION_THRESHOLD,
        *aliases.SAMPLER,
        *aliases.SAMPLER_PARAM,
        *aliases.PRODUCER,
        *aliases.SEQUENCE,
        *aliases.DURATION_NANOSECONDS,
        *aliases.RECORD_TYPE,
        "tenant.id",
        "output.value",
    ]
)
USAGES = [
    '{"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 99}}',
    '{"input_tokens": 1099511627775, "cache_read_input_tokens": 1099511627775}',
    '{"promptTokenCount": 5, "candidatesTokenCount": 1, "thoughtsTokenCount": 7}',
    '{"usage": {"input": 1, "output": 2, "total": 9}}',
    "{'input_tokens': True, 'output_tokens': -1}",
]
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.integers(-(10**60), 10**60)
    | st.floats()
    | st.text(max_size=6)
    | st.binary(max_size=6)
    | st.sampled_from(["chat", "embeddings", "invoke_agent", "9" * 5000, "-1", " 7 "])
    | st.sampled_from(USAGES)
    | st.sampled_from(['{"id": "r1"}', '{"id": 5}', "{", '{"id": "\\ud800"}', '{"a":' * 9999]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
trace_ids = st.sampled_from([b"t" * 16, bytes(16)]) | st.binary(max_size=20)
span_ids = st.sampled_from([b"s" * 8, b"u" * 8, bytes(8)]) | st.binary(max_size=20)
records = st.builds(
    Record,
    attributes=st.dictionaries(names | st.text(max_size=3), values, max_size=8),
    resource=st.dictionaries(st.sampled_from(["service.name", "tenant.id"]), values),
    scope=st.sampled_from([d.scope for d in dialects.DIALECTS]) | st.text(max_size=5),
    name=st.sampled_from(sorted(aliases.LOG_EVENTS)) | st.text(max_size=5),
    trace_id=trace_ids,
    span_id=span_ids,
    parent_span_id=span_ids,
    started_at=st.integers(0, 2**64 - 1) | st.just(T0),
    ended_at=st.integers(0, 2**64 - 1) | st.just(T0),
    is_error=st.booleans(),
    status_message=st.text(max_size=5),
    is_log=st.booleans(),
    trace_state=st.sampled_from(["", "ot=th:8", "ot=p:x", "ot=", "a=b,ot=th:0;rv:1"]),
    flags=st.integers(0, 2**32 - 1),
)


@UNHURRIED
@given(st.lists(records, max_size=3))
def test_any_records_become_events_or_are_rejected_or_are_no_calls(found: list[Record]) -> None:
    events, rejected = usage_events(found)

    assert len(events) + len(rejected) <= len(found)
    assert all(refusal.reason and refusal.record in found for refusal in rejected)


@UNHURRIED
@given(st.lists(records, max_size=3))
def test_every_event_fits_into_the_event_store(found: list[Record]) -> None:
    events, _ = usage_events(found)

    assert len(batch_of(events)) == len(events)


@UNHURRIED
@given(st.lists(records, max_size=3))
def test_the_same_records_always_give_the_same_events(found: list[Record]) -> None:
    assert usage_events(found)[0] == usage_events([replace(r) for r in found])[0]


@UNHURRIED
@given(st.dictionaries(names, values, max_size=8))
def test_a_span_that_names_a_model_call_is_never_lost(attributes: dict[str, Any]) -> None:
    events, rejected = usage_events([span({**attributes, **CHAT})])

    assert [refusal.reason for refusal in rejected] == []
    assert len(events) == 1


def test_a_number_too_long_to_read_is_no_count_and_no_obstacle() -> None:
    long = span({"llm.usage.prompt_tokens": "9" * 5000})
    good = span({**CHAT, "llm.usage.prompt_tokens": 5})
    events, rejected = usage_events([long, good])

    assert [e.tokens.fresh for e in events] == [5]
    assert rejected == []
