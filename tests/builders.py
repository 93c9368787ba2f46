"""The little notation for events, OTLP bodies and contracts that tests are written in."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from metering.arrival import Arrival
from metering.event import (
    Call,
    Outcome,
    Qualities,
    Quality,
    Role,
    Source,
    Tokens,
    UsageEvent,
    source_identity,
)
from metering.period import parse_instant

_TOKEN_NAMES = {f.name for f in fields(Tokens)}
_SOURCE_NAMES = {f.name for f in fields(Source)}
T0 = 1_790_000_000_000_000_000
"""An instant in September 2026, in nanoseconds, for stamps and spans."""


def event(name: str, at: str = "2026-10-01T00:00Z", **said: Any) -> UsageEvent:
    """Build an event: ``event("e1", tenant="acme", model="m", fresh=900, call="r1")``."""
    trace, span = _padded(said.get("trace", ""), 16), _padded(said.get("span", ""), 8)
    identity = trace + span if trace and span else source_identity("test", name)
    ended_at = int(parse_instant(at.replace("Z", "+00:00")).timestamp()) * 1_000_000_000
    tokens = {k: int(v) for k, v in said.items() if k in _TOKEN_NAMES}
    source = {k: v for k, v in said.items() if k in _SOURCE_NAMES}
    quality = Quality(said.get("quality", "measured"))
    return UsageEvent(
        event_id=identity,
        started_at=ended_at - int(said.get("seconds", 0)) * 1_000_000_000,
        ended_at=ended_at,
        source=Source(**source),
        call=Call(
            requested_model=said.get("model", "qwen3"),
            model=said.get("model", "qwen3"),
            operation=said.get("operation", "chat"),
            response_id=said.get("call", ""),
            outcome=Outcome(said.get("outcome", "ok")),
            provider=said.get("provider", ""),
            tier=said.get("tier", ""),
        ),
        tokens=Tokens(**tokens),
        qualities=Qualities(fresh=quality, output=quality),
        role=Role(said.get("role", "bill")),
        rank=int(said.get("rank", 0)),
        trace_id=trace,
        span_id=span,
        parent_span_id=_padded(said.get("parent", ""), 8),
        dialect=said.get("dialect", ""),
        caveat=said.get("caveat", ""),
        producer=said.get("producer", ""),
        sequence=int(said.get("sequence", 0)),
        is_choice=bool(int(said.get("choice", 0))),
    )


def _padded(name: str, width: int) -> bytes:
    """Make an id of a short name."""
    return name.encode().ljust(width, b".") if name else b""


def arrivals_of(text: str) -> list[Arrival]:
    """Read arrivals, one a line: ``e1 2026-10-01T16:00Z tenant=acme fresh=900 call=r1``."""
    out = []
    for number, line in enumerate(line.split() for line in text.splitlines() if "=" in line):
        name, at, *pairs = line
        said = dict(pair.split("=", 1) for pair in pairs)
        out.append(Arrival(event(name, at, **said), T0 + number))
    return out


def hour(text: str) -> datetime:
    """Read an hour: ``hour("2026-10-01T16")``."""
    return datetime.fromisoformat(f"{text}:00:00+00:00").astimezone(UTC)


def span(trace: int = 1, number: int = 1, at: int = T0, **attributes: Any) -> Span:
    """Build a model-call span; attribute names take ``__`` for a dot."""
    named = {k.replace("__", "."): v for k, v in attributes.items()}
    return Span(
        trace_id=trace.to_bytes(16),
        span_id=number.to_bytes(8),
        name="chat",
        start_time_unix_nano=at - 10**9,
        end_time_unix_nano=at,
        attributes=[KeyValue(key=k, value=any_value(v)) for k, v in named.items()],
    )


def chat_span(number: int, tokens: int = 10, at: int = T0, **attributes: Any) -> Span:
    """Build a chat with input tokens, its own trace and span id."""
    usage = {
        "gen_ai__operation__name": "chat",
        "gen_ai__request__model": "qwen3",
        "gen_ai__usage__input_tokens": tokens,
        "gen_ai__usage__output_tokens": 1,
    }
    return span(number, number, at, **usage, **attributes)


def any_value(value: Any) -> AnyValue:
    """Wrap a Python value as OTLP does."""
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case list():
            return AnyValue(array_value=ArrayValue(values=[any_value(v) for v in value]))
        case _:
            return AnyValue(string_value=value)


def traces(
    spans: Sequence[Span], scope: str = "opentelemetry.util.genai.handler", **resource: str
) -> ExportTraceServiceRequest:
    """Put spans into one request; resource attribute names take ``__`` for a dot."""
    message = ExportTraceServiceRequest()
    of_resource = message.resource_spans.add()
    for name, value in resource.items():
        pair = KeyValue(key=name.replace("__", "."), value=any_value(value))
        of_resource.resource.attributes.append(pair)
    of_scope = of_resource.scope_spans.add()
    of_scope.scope.name = scope
    of_scope.spans.extend(spans)
    return message


def as_otlp_json(message: ExportTraceServiceRequest) -> bytes:
    """Write a request as OTLP/JSON by hand: hex ids, enums as integers, int64 as strings."""
    return json.dumps(
        {
            "resourceSpans": [
                {
                    "resource": {"attributes": _pairs(rs.resource.attributes)},
                    "scopeSpans": [
                        {"scope": {"name": ss.scope.name}, "spans": [_span(s) for s in ss.spans]}
                        for ss in rs.scope_spans
                    ],
                }
                for rs in message.resource_spans
            ]
        }
    ).encode()


def _span(item: Span) -> Mapping[str, Any]:
    return {
        "traceId": item.trace_id.hex(),
        "spanId": item.span_id.hex(),
        "parentSpanId": item.parent_span_id.hex(),
        "name": item.name,
        "kind": int(item.kind),
        "startTimeUnixNano": str(item.start_time_unix_nano),
        "endTimeUnixNano": str(item.end_time_unix_nano),
        "status": {"code": int(item.status.code), "message": item.status.message},
        "attributes": _pairs(item.attributes),
        "aFieldFromTheFuture": {"ignored": True},
    }


def _pairs(pairs: Any) -> list[Mapping[str, Any]]:
    return [{"key": p.key, "value": _json_value(p.value)} for p in pairs]


def _json_value(value: AnyValue) -> Mapping[str, Any]:
    kind = value.WhichOneof("value")
    match kind:
        case "string_value":
            return {"stringValue": value.string_value}
        case "bool_value":
            return {"boolValue": value.bool_value}
        case "int_value":
            return {"intValue": str(value.int_value)}
        case "double_value":
            return {"doubleValue": value.double_value}
        case "array_value":
            values = [_json_value(v) for v in value.array_value.values]
            return {"arrayValue": {"values": values}}
        case _:
            return {}


_small = st.integers(0, 5)
usage_events = st.builds(
    event,
    name=st.sampled_from([f"e{i}" for i in range(8)]),
    at=st.sampled_from([f"2026-10-01T{h:02}:{m}Z" for h in (1, 2, 23) for m in ("00", "59:59")]),
    call=st.sampled_from(["", "", *(f"r{i}" for i in range(5))]),
    tenant=st.sampled_from(["acme", "borealis", ""]),
    pool=st.sampled_from(["dedicated", "shared"]),
    provider=st.sampled_from(["", "", "openai"]),
    tier=st.sampled_from(["", "", "batch"]),
    spill_reason=st.sampled_from(["", "", "queue full"]),
    outcome=st.sampled_from(list(Outcome)),
    quality=st.sampled_from(list(Quality)),
    role=st.sampled_from([Role.BILL, Role.BILL, Role.WITNESS]),
    rank=st.sampled_from([0, 1, 20, 40]),
    trace=st.sampled_from(["", "t1", "t2"]),
    span=st.sampled_from(["", "s1", "s2", "s3"]),
    parent=st.sampled_from(["", "s1", "s2", "s3"]),
    dialect=st.sampled_from(["", "one", "other"]),
    seconds=st.sampled_from([0, 1, 3]),
    choice=st.integers(0, 1),
    fresh=_small,
    cached=_small,
    written_5m=_small,
    written_1h=_small,
    output=_small,
    reasoning=_small,
)
"""Events that collide on purpose: few identities, calls and spans, three hours on one day."""
