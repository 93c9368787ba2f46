"""Compile the hot path before it is needed, by letting it decode a few records of every kind.

What is compiled is kept on disk, so that only the first start after an installation takes long.
"""

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.batch.fast import FastDecoder
from collector.dialect import aliases
from collector.otlp import Encoding, Signal

_AT = 1_700_000_000_000_000_000
"""An instant that any decoder takes."""

_SAID: dict[str, str | int] = {
    aliases.OPERATION[0]: "chat",
    aliases.REQUESTED_MODEL[0]: "model",
    aliases.RESPONSE_ID[0]: "response",
    aliases.SOURCE["tenant"][0]: "tenant",
    aliases.INPUT[0]: 2,
    aliases.OUTPUT[0]: 1,
}


def warm(decoder: FastDecoder) -> None:
    """Compile all that decoding needs, or take it from disk."""
    for body, signal in ((_spans(), Signal.TRACES), (_logs(), Signal.LOGS)):
        decoder.decode(body, signal, Encoding.PROTOBUF)
        decoder.decode(body.replace(b"tenant", b"\xff\xff\xff\xff\xff\xff"), signal,
                       Encoding.PROTOBUF)  # fmt: skip


def _spans() -> bytes:
    request = ExportTraceServiceRequest()
    of_scope = request.resource_spans.add().scope_spans.add()
    for number in (1, 2):
        of_scope.spans.append(
            Span(
                trace_id=b"t" * 16,
                span_id=bytes([number]) * 8,
                parent_span_id=b"\1" * 8 if number > 1 else b"",
                start_time_unix_nano=_AT,
                end_time_unix_nano=_AT,
                attributes=_attributes(_SAID),
            )
        )
    return bytes(request.SerializeToString())


def _logs() -> bytes:
    request = ExportLogsServiceRequest()
    of_scope = request.resource_logs.add().scope_logs.add()
    of_scope.log_records.append(
        LogRecord(
            time_unix_nano=_AT,
            event_name="tallystick.usage",
            trace_id=b"t" * 16,
            attributes=_attributes({**_SAID, aliases.EVENT_ID[0]: "1"}),
        )
    )
    return bytes(request.SerializeToString())


def _attributes(said: dict[str, str | int]) -> list[KeyValue]:
    return [
        KeyValue(
            key=name,
            value=AnyValue(int_value=value)
            if isinstance(value, int)
            else AnyValue(string_value=value),
        )
        for name, value in said.items()
    ]
