"""Two records that differ in one thing only: where that thing matters, it must be seen.

The fast decoder learns from the first record of a shape what all others come to. So every name and
every field is changed alone, before and after the record that is like it but for that.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from alike import assert_alike
from any_request import NAMES, any_value, pairs
from builders import T0
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.batch.keys import MEANING, NANOS, SHAPE, registered
from collector.otlp import Signal

pytestmark = pytest.mark.no_cover  # each test decodes thousands of bodies: others look at lines

Said = Mapping[str, Any]
Change = tuple[Said, Sequence[tuple[str, Any]]]
"""Fields of a record, and attributes, that take the place of others or are added."""


class Context(NamedTuple):
    """What stands around the one thing that changes."""

    scope: str
    said: Said
    resource: Said
    signal: Signal = Signal.TRACES
    record: Said = MappingProxyType({})


CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "m",
    "gen_ai.usage.input_tokens": 20,
    "gen_ai.usage.output_tokens": 5,
}
STREAM = {**CALL, "gen_ai.request.stream": True, "gen_ai.provider.name": "anthropic"}
DETAILED = {
    **STREAM,
    "gen_ai.usage.cache_read.input_tokens": 4,
    "gen_ai.usage.reasoning.output_tokens": 1,
    "gen_ai.response.id": "r0",
    "gen_ai.response.time_to_first_chunk": 0.0,
    "gen_ai.response.finish_reasons": ["stop"],
}
NAMED = {"event_name": "tallystick.usage"}
IDENTIFIED = {**DETAILED, "tallystick.event.id": "e0"}
CONTEXTS = {
    "a plain call": Context("other", CALL, {"service.name": "gw"}),
    "a call with all details": Context("litellm", DETAILED, {}),
    "a stream that may be guessed": Context("openlit.instrumentation.anthropic", STREAM, {}),
    "counts as the provider's": Context("ai", {**DETAILED, "ai.operationId": "ai.streamText"}, {}),
    "an engine": Context("vllm.x", {**CALL, "gen_ai.request.id": "q"}, {"service.name": "m2"}),
    "a failed call": Context("other", {**CALL, "error.type": "x"}, {}),
    "a call without counts": Context("logfire.openai", {"gen_ai.operation.name": "chat"}, {}),
    "latencies that say nothing": Context(
        "other", {**CALL, "gen_ai.response.time_to_first_chunk": "x", "tenant.id": ""}, {}
    ),
    "no call": Context("other", {"user.id": "u"}, {}),
    "a log record": Context("tallystick", IDENTIFIED, {}, Signal.LOGS, NAMED),
    "a log record with ids": Context(
        "litellm", IDENTIFIED, {}, Signal.LOGS,
        {**NAMED, "trace_id": b"t" * 16, "span_id": b"s" * 8},
    ),
    "a log record that may be a stream's": Context(
        "litellm", {**CALL, "event.id": "e"}, {}, Signal.LOGS, NAMED
    ),
    "a log record without a name": Context("other", IDENTIFIED, {}, Signal.LOGS),
    "a log record without an id": Context("other", CALL, {}, Signal.LOGS, NAMED),
    "an access log": Context(
        "", {"request_id": "1", "start_time": "2026-10-01T00:00:00Z", "event.id": "e"}, {},
        Signal.LOGS,
    ),
}  # fmt: skip
EACH_CONTEXT = pytest.mark.parametrize("context", CONTEXTS.values(), ids=CONTEXTS)

VALUES = [
    ..., None, True, False, 0, 1, 4, 5, 20, 25, 2**40, -1, 0.0, 0.25, 4.0, -1.0, float("nan"),
    1e300, "", " ", "4", "chat", "千", "é", "\t", "x" * 501, "{", "[]", '{"id": "r9"}', b"", b"4",
    [], ["4"], {}, {"a": 1},
    '{"input_tokens": 20, "output_tokens": 5, "cache_read_input_tokens": 2}',
]  # fmt: skip
FEW_VALUES = [..., None, 1, "", "chat", "429", ["error"], '"llm"']
"""For what is part of a shape with its whole value."""
_MEANINGS = dict(zip(NAMES, registered(0).rows[:, MEANING].tolist(), strict=True))
OTHER_NAMES = ["", "unknown", "genai_tokens_input", "llm_prompt_tokens", "input_token", "gen_ai"]

SPAN_CHANGES: list[Said] = [
    {"name": "agent run"}, {"name": "raw_gen_ai_request"}, {"name": "千"}, {"kind": 2},
    {"status": {"code": 1}}, {"status": {"code": 2}}, {"status": {"message": "rate_limit"}},
    {"status": {"code": 1, "message": "Error code: 429"}},
    {"status": {"code": 2, "message": "Error code: 429"}},
    {"trace_state": "ot=th:8"}, {"trace_state": "a=b"}, {"flags": 1}, {"dropped_events_count": 1},
    {"trace_id": b""}, {"trace_id": bytes(16)}, {"trace_id": b"short"}, {"span_id": b""},
    {"span_id": bytes(8)}, {"parent_span_id": b"p" * 8}, {"parent_span_id": b"short"},
    {"parent_span_id": bytes(8)}, {"end_time_unix_nano": 0}, {"start_time_unix_nano": T0 * 2},
    {"end_time_unix_nano": 1}, {"end_time_unix_nano": 2**62},
    {"end_time_unix_nano": 4_102_444_800_000_000_000}, {"events": [{"name": "e"}]},
    {"links": [{"trace_id": b"x"}]}, {"events": [{}], "links": [{}, {}]},
]  # fmt: skip
LOG_CHANGES: list[Said] = [
    {"event_name": ""}, {"event_name": "other"}, {"body": any_value("x")},
    {"event_name": "gen_ai.client.inference.operation.details"}, {"severity_text": "INFO"},
    {"severity_number": 9}, {"time_unix_nano": 0}, {"observed_time_unix_nano": T0 + 5},
    {"time_unix_nano": 0, "observed_time_unix_nano": T0 + 5}, {"flags": 1},
    {"trace_id": b"u" * 16}, {"span_id": b"u" * 8}, {"trace_id": b"u" * 16, "span_id": b"u" * 8},
    {"trace_id": b"", "span_id": b""}, {"trace_id": bytes(16)}, {"span_id": b"short"},
    {"body": any_value("x"), "severity_text": "INFO"},
]  # fmt: skip


def body_of(context: Context, changed: Sequence[Change]) -> bytes:
    """Write a request of records, each with its own fields and attributes more."""
    is_log = context.signal is Signal.LOGS
    message: Any = ExportLogsServiceRequest() if is_log else ExportTraceServiceRequest()
    of_resource = (message.resource_logs if is_log else message.resource_spans).add()
    of_resource.resource.attributes.extend(pairs(context.resource.items()))
    of_scope = (of_resource.scope_logs if is_log else of_resource.scope_spans).add()
    of_scope.scope.name = context.scope
    for number, (fields, said) in enumerate(changed, start=1):
        own = {"time_unix_nano": T0} if is_log else _span(number)
        records = of_scope.log_records if is_log else of_scope.spans
        attributes = pairs([*context.said.items(), *said])
        records.add(**{**own, **context.record, **fields, "attributes": attributes})
    raw: bytes = message.SerializeToString()
    return raw


def _span(number: int) -> Said:
    return {
        "trace_id": b"t" * 16,
        "span_id": number.to_bytes(8),
        "start_time_unix_nano": T0 - 10**9,
        "end_time_unix_nano": T0,
    }


PLAIN: Change = ({}, [])


def assert_alike_in_any_order(context: Context, changes: Sequence[Change]) -> None:
    """Hold that what is changed and what is not are read alike, whichever comes first."""
    for body in ([PLAIN, *changes], [*changes, PLAIN]):
        assert assert_alike(body_of(context, body), context.signal)


def changes_of(name: str) -> list[Change]:
    values = FEW_VALUES if _MEANINGS.get(name, SHAPE) == SHAPE else VALUES
    return [({}, [(name, value)]) for value in values]


@EACH_CONTEXT
def test_another_field_of_the_record_is_seen(context: Context) -> None:
    changes = LOG_CHANGES if context.signal is Signal.LOGS else SPAN_CHANGES

    assert_alike_in_any_order(context, [(change, []) for change in changes])
    for change in changes:
        assert_alike_in_any_order(context, [(change, [])])


@EACH_CONTEXT
def test_an_attribute_more_is_seen(context: Context) -> None:
    """Every context meets a part of the names, and every name one context, in one order."""
    part = list(CONTEXTS.values()).index(context)

    for number, name in enumerate([*OTHER_NAMES, *NAMES][part :: len(CONTEXTS)]):
        changes = changes_of(name)
        body = [PLAIN, *changes] if number % 2 else [*changes, PLAIN]
        assert assert_alike(body_of(context, body), context.signal)


def test_a_latency_under_another_name_is_seen() -> None:
    for name in NAMES:
        if _MEANINGS[name] == NANOS:
            assert_alike_in_any_order(CONTEXTS["latencies that say nothing"], changes_of(name))


@pytest.mark.slow
@EACH_CONTEXT
def test_any_attribute_more_is_seen(context: Context) -> None:
    for name in [*OTHER_NAMES, *NAMES]:
        assert_alike_in_any_order(context, changes_of(name))
