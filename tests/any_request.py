"""Requests of every kind that a client might send, drawn by hypothesis: likely, odd and hostile.

A request is drawn as few templates of attributes, of which each record changes a little: so that
many records share a shape, which is where a decoder that remembers shapes could go wrong.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from builders import T0
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from collector.batch.keys import NAME_AT, NAME_END, registered
from collector.dialect import aliases, dialects
from collector.logs.access_log_products import PRODUCTS
from collector.otlp import Signal

_KEYS = registered(0)
NAMES = [bytes(_KEYS.names[row[NAME_AT] : row[NAME_END]]).decode() for row in _KEYS.rows]
"""All names that the walker looks up."""
_COUNTS = [*aliases.INPUT, *aliases.OUTPUT, *aliases.CACHED, *aliases.REASONING, *aliases.TOTAL]
_LATENCIES = [
    *aliases.TTFT_SECONDS, *aliases.TTFT_MILLISECONDS, *aliases.TTFT_NANOSECONDS,
    *aliases.QUEUE_SECONDS, *aliases.DURATION_NANOSECONDS,
]  # fmt: skip
_LOGGED = sorted({name for p in PRODUCTS for name in (*p.signs, *sum(p.fields.values(), ()))})


def any_value(value: Any) -> AnyValue:
    """Wrap a value of any type that an attribute may have; a wrapped one stays as it is."""
    if isinstance(value, AnyValue):
        return value
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[any_value(v) for v in value]))
    if isinstance(value, dict):
        return AnyValue(kvlist_value=KeyValueList(values=pairs(value.items())))
    field = _FIELDS.get(type(value))
    return AnyValue(**{field: value}) if field else AnyValue()


_FIELDS: dict[type, str] = {
    bool: "bool_value",
    int: "int_value",
    float: "double_value",
    str: "string_value",
    bytes: "bytes_value",
}


def pairs(said: Iterable[tuple[str, Any]]) -> list[KeyValue]:
    """Write attributes; a value of ... leaves even the empty value out."""
    return [KeyValue(key=k) if v is ... else KeyValue(key=k, value=any_value(v)) for k, v in said]


USAGES = [
    '{"prompt_tokens": 9, "completion_tokens": 2}',
    '{"input_tokens": 7, "cache_read_input_tokens": 3}',
    "{'input_tokens': True, 'output_tokens': -1}",
    '{"id": "chatcmpl-9", "usage": {"prompt_tokens": 4, "completion_tokens": 1}}',
    '{"input_tokens": 7, "service_tier": "priority"}',
    '{"model": "qwen", "input_token": "12", "output_token": "3"}',
    "{",
]
counts = st.sampled_from([0, 1, 2, 3, 5, 8, 10, 2048, 2**40 - 1, 2**40, -1, 2**63 - 1, -(2**63)])
texts = st.sampled_from(
    ["chat", "a", "b", "", " ", "qwen3", "通义千问", "é", "a\tb", "\x00", "x" * 500, "x" * 501,
     "千" * 166, "千" * 167, "r1", "r2", "\u200b", "\U0001f600", "\ue000", "䷀", "鿿", "㐀"]
)  # fmt: skip
words = st.sampled_from(
    ["chat", "embeddings", "rerank", "invoke_agent", "tool", "LLM", '"llm"', "anthropic", "openai",
     "stop", "error", "abort", "true", "True", "0", "1", "200", "429", "timeout", "12", " 12 ",
     "default", "batch", "probabilistic", "span", "0.5", "ratelimit", "2026-10-01T00:00:00Z"]
)  # fmt: skip
odd = st.sampled_from(
    [None, ..., True, False, b"", b"bytes", b"\xff", [], ["stop"], ["error", "千"], [None], {},
     {"a": 1}, {"prompt_tokens": 9}, [[["deep"]]], float("nan"), float("inf"), -0.0, 0.0, 0.25,
     1.5, 1e300, 12.0, -1.0, 1e-9, 0.9999999995, 2.5e-9, 1e6, 999999.9999999999]
)  # fmt: skip
values = st.one_of(counts, counts, words, words, texts, odd, st.sampled_from(USAGES))
names = st.one_of(
    st.sampled_from(NAMES),
    st.sampled_from(NAMES),
    st.sampled_from(_COUNTS),
    st.sampled_from(_LATENCIES),
    st.sampled_from(_LOGGED),
    st.sampled_from(["", "unknown", "gen_ai.usage", "千", "k8s.pod.name"]),
)
likely = st.fixed_dictionaries(
    {},
    optional={
        "gen_ai.operation.name": st.sampled_from(["chat", "embeddings", "invoke_agent"]),
        "gen_ai.provider.name": st.sampled_from(["openai", "anthropic"]),
        "gen_ai.request.model": st.sampled_from(["m1", "m2"]),
        "gen_ai.response.id": st.sampled_from(["r1", "r2", ""]),
        "gen_ai.request.id": st.sampled_from(["r1", "r3"]),
        "gen_ai.usage.input_tokens": st.sampled_from([0, 10, 20]),
        "gen_ai.usage.output_tokens": st.sampled_from([0, 1, 5]),
        "gen_ai.usage.cache_read.input_tokens": st.sampled_from([0, 4]),
        "gen_ai.usage.reasoning.output_tokens": st.sampled_from([0, 1]),
        "gen_ai.response.time_to_first_chunk": st.sampled_from([0.0, 0.25, 1]),
        "openai.response.service_tier": st.sampled_from(["default", "flex", "千"]),
        "tenant.id": st.sampled_from(["acme", "千"]),
        "tallystick.event.id": st.sampled_from(["e1", "e2"]),
        "tallystick.duration_ns": st.sampled_from([0, 10**9]),
    },
).map(lambda said: list(said.items()))
latencies = st.sampled_from([0.25, 0.0, 1, 2500, 1e-10, -1.0, 0, 1e6, 1e15, 2.5])
said = st.one_of(
    st.tuples(st.sampled_from(_COUNTS), st.sampled_from([0, 0, 1, 2, 10, 20, 2**40 - 1])),
    st.tuples(st.sampled_from(_LATENCIES), latencies),
    st.tuples(names, words),
    st.tuples(names, texts),
    st.tuples(names, st.one_of(counts, odd, values)),
)
"""An attribute: half of the time one that may well be sent."""
attributes = st.tuples(likely, st.just([]) | st.lists(said, max_size=4)).map(
    lambda both: both[0] + both[1]
)
changes = st.just([]) | st.just([]) | st.lists(said, max_size=2)
resources = st.lists(
    st.tuples(st.sampled_from(["service.name", "tenant.id", "k8s.pod.name"]), words)
    | st.tuples(names, values),
    max_size=2,
)
scopes = st.sampled_from([d.scope for d in dialects.DIALECTS] + ["", "other", "litellm", "vllm.x"])
TRACE_IDS = (b"t" * 16, b"t" * 16, b"u" * 16, bytes(16), b"", b"short", b"t" * 17)
SPAN_IDS = (*(bytes([c]) * 8 for c in b"abcdef"), bytes(8), b"", b"long" * 3)
trace_ids = st.one_of(*[st.just(TRACE_IDS[0])] * 5, st.sampled_from(TRACE_IDS))
span_ids = st.one_of(*[st.sampled_from(SPAN_IDS[:6])] * 5, st.sampled_from(SPAN_IDS))
instants = st.one_of(
    st.sampled_from([T0, T0 + 1]),
    st.sampled_from([T0, T0 + 1]),
    st.sampled_from([T0, T0 - 10**9, T0 + 10**9, T0 + 86_400 * 10**9, 0, 1]),
    st.sampled_from(
        [T0, 1_420_070_400_000_000_000, 1_420_070_399_999_999_999,
         4_102_444_800_000_000_000, 4_102_444_799_999_999_999, 2**63 - 1]
    ),
)  # fmt: skip
"""Mostly now; also before 2015 and after 2100, where events are refused."""
record_names = st.sampled_from(
    ["chat", "tallystick.usage", "gen_ai.client.inference.operation.details", "",
     "raw_gen_ai_request", "agent run", "千"]
)  # fmt: skip
Said = Sequence[tuple[str, Any]]


@st.composite
def spans(draw: st.DrawFn, templates: Sequence[Said]) -> Mapping[str, Any]:
    """Draw one span, mostly like others."""
    said = list(draw(st.sampled_from(templates))) + draw(changes)
    span = {
        "trace_id": draw(trace_ids),
        "span_id": draw(span_ids),
        "parent_span_id": draw(span_ids),
        "start_time_unix_nano": draw(instants),
        "end_time_unix_nano": draw(instants),
        "attributes": pairs(said),
    }
    if draw(st.integers(0, 3)) == 0:
        span |= {
            "name": draw(record_names),
            "trace_state": draw(st.sampled_from(["", "ot=th:8", "a=b"])),
            "flags": draw(st.sampled_from([0, 1, 2**32 - 1])),
            "status": {
                "code": draw(st.integers(0, 3)),
                "message": draw(st.sampled_from(["", "rate_limit", "Error code: 429"])),
            },
            "events": [{"name": "e", "attributes": pairs(said)}] * draw(st.integers(0, 2)),
            "links": [{"trace_id": b"x", "attributes": pairs(said)}] * draw(st.integers(0, 1)),
        }
    return span


@st.composite
def logs(draw: st.DrawFn, templates: Sequence[Said]) -> Mapping[str, Any]:
    """Draw one log record, mostly like others."""
    said = list(draw(st.sampled_from(templates))) + draw(changes)
    if draw(st.integers(0, 3)) == 0:
        said.append(("event.name", draw(record_names)))
    log = {
        "event_name": draw(st.one_of(st.just("tallystick.usage"), record_names)),
        "time_unix_nano": draw(instants),
        "attributes": pairs(said),
    }
    if draw(st.booleans()):
        log |= {"trace_id": draw(trace_ids), "span_id": draw(span_ids)}
    if draw(st.integers(0, 3)) == 0:
        log |= {
            "observed_time_unix_nano": draw(instants),
            "severity_number": draw(st.integers(0, 24)),
            "severity_text": draw(st.sampled_from(["", "INFO"])),
            "body": any_value(draw(values)),
            "flags": draw(st.sampled_from([0, 1])),
            "dropped_attributes_count": draw(st.integers(0, 1)),
        }
    return log


@st.composite
def requests(draw: st.DrawFn, signal: Signal) -> Any:
    """Draw a whole request: up to two resources of up to two scopes of a few records each."""
    templates = draw(st.lists(attributes, min_size=1, max_size=2))
    one = spans(templates) if signal is Signal.TRACES else logs(templates)
    message = ExportTraceServiceRequest() if signal is Signal.TRACES else ExportLogsServiceRequest()
    for _ in range(draw(st.integers(1, 2))):
        of_resource = (
            message.resource_spans if signal is Signal.TRACES else message.resource_logs
        ).add()
        of_resource.resource.attributes.extend(pairs(draw(resources)))
        for _ in range(draw(st.integers(1, 2))):
            of_scope = (
                of_resource.scope_spans if signal is Signal.TRACES else of_resource.scope_logs
            ).add()
            of_scope.scope.name = draw(scopes)
            found = of_scope.spans if signal is Signal.TRACES else of_scope.log_records
            for record in draw(st.lists(one, min_size=1, max_size=5)):
                found.add(**record)
    return message
