"""What benchmarks send: what a gateway says of a call, nineteen attributes each, as span or log."""

import random
from collections.abc import Iterator

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

START_NS = 1_790_000_000_000_000_000
"""An instant in September 2026: all that is made here ends within the hour after it."""

_RESOURCE = ("service.name", "service.instance.id", "cloud.region", "host.name")
_SCOPE = "opentelemetry.util.genai.handler"

Said = dict[str, str | int | float | list[str]]


def bodies(spans_per_body: int, seed: int = 1) -> Iterator[bytes]:
    """Yield different bodies of spans without end."""
    rng = random.Random(seed)  # noqa: S311 - made-up data, not secrets
    number = 0
    while True:
        message = ExportTraceServiceRequest()
        of_resource = message.resource_spans.add()
        of_resource.resource.CopyFrom(_resource())
        of_scope = of_resource.scope_spans.add()
        of_scope.scope.name = _SCOPE
        of_scope.spans.extend(span(rng, number + i) for i in range(spans_per_body))
        number += spans_per_body
        yield message.SerializeToString()


def log_bodies(logs_per_body: int, seed: int = 1) -> Iterator[bytes]:
    """Yield different bodies of log records without end."""
    rng = random.Random(seed)  # noqa: S311 - made-up data, not secrets
    number = 0
    while True:
        message = ExportLogsServiceRequest()
        of_resource = message.resource_logs.add()
        of_resource.resource.CopyFrom(_resource())
        of_scope = of_resource.scope_logs.add()
        of_scope.scope.name = "tallystick"
        of_scope.log_records.extend(_log(rng, number + i) for i in range(logs_per_body))
        number += logs_per_body
        yield message.SerializeToString()


def span(rng: random.Random, number: int) -> Span:
    """Return the span of one call."""
    said = _said(rng)
    ended = _ended(number)
    return Span(
        trace_id=rng.randbytes(16),
        span_id=rng.randbytes(8),
        name=f"chat {said['gen_ai.request.model']}",
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=ended - rng.randrange(10**8, 3 * 10**9),
        end_time_unix_nano=ended,
        attributes=[_pair(name, value) for name, value in said.items()],
        flags=256,
    )


def resource() -> bytes:
    """Return what all spans share, encoded."""
    return bytes(_resource().SerializeToString())


def _log(rng: random.Random, number: int) -> LogRecord:
    """Return the record that the plugin writes of one call."""
    own: Said = {
        "tallystick.event.id": rng.randbytes(16).hex(),
        "tallystick.producer.id": "gateway-1",
        "tallystick.producer.sequence": number + 1,
        "tallystick.duration_ns": rng.randrange(10**8, 3 * 10**9),
    }
    return LogRecord(
        time_unix_nano=_ended(number),
        event_name="tallystick.usage",
        attributes=[_pair(name, value) for name, value in (_said(rng) | own).items()],
    )


def _ended(number: int) -> int:
    return START_NS + number * 300_000 % 3_000_000_000_000


def _said(rng: random.Random) -> Said:
    """Return what is said of a call; both counts take two bytes on the wire."""
    fresh, cached = rng.randrange(128, 4000), rng.choice((0, 0, 1024, 2048))
    model = rng.choice(("qwen3-32b", "qwen3-14b", "deepseek-v3"))
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": model,
        "gen_ai.response.model": model,
        "gen_ai.response.id": f"chatcmpl-{rng.randbytes(16).hex()}",
        "gen_ai.response.finish_reasons": [rng.choice(("stop", "stop", "length"))],
        "gen_ai.usage.input_tokens": fresh + cached,
        "gen_ai.usage.output_tokens": rng.randrange(128, 900),
        "gen_ai.usage.cache_read.input_tokens": cached,
        "gen_ai.request.max_tokens": 1024,
        "gen_ai.request.temperature": 0.7,
        "gen_ai.request.top_p": 0.95,
        "gen_ai.response.time_to_first_chunk": rng.random(),
        "server.address": "10.0.0.7",
        "server.port": 8000,
        "http.response.status_code": 200,
        "tenant.id": f"tenant-{rng.randrange(50)}",
        "api_key.id": f"key-{rng.randrange(200)}",
        "tallystick.pool": rng.choice(("dedicated", "shared")),
    }


def _resource() -> Resource:
    return Resource(attributes=[_pair(name, f"{name}-1") for name in _RESOURCE])


def _pair(name: str, value: str | float | list[str]) -> KeyValue:
    match value:
        case int():
            wrapped = AnyValue(int_value=value)
        case float():
            wrapped = AnyValue(double_value=value)
        case list():
            texts = [AnyValue(string_value=text) for text in value]
            wrapped = AnyValue(array_value=ArrayValue(values=texts))
        case _:
            wrapped = AnyValue(string_value=value)
    return KeyValue(key=name, value=wrapped)
