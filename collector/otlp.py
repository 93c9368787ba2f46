"""Decode OTLP request bodies into records; the reference that faster decoders must agree with.

bytes -> Export*ServiceRequest -> Record (attributes as Python values, resource and scope joined)
"""

import json
from binascii import b2a_base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

Value = Any
"""An attribute value: text, bool, int, float, bytes, list, dict or None."""


MAX_RECORDS = 100_000
"""Spans or log records in one body; exporters send hundreds, a Collector some thousands."""


class Signal(StrEnum):
    """What a body carries; the value is the last part of its path, /v1/traces."""

    TRACES = "traces"
    LOGS = "logs"


class Encoding(StrEnum):
    """How a body is written; the value is its Content-Type."""

    PROTOBUF = "application/x-protobuf"
    JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Record:
    """One span or log record with what it inherits from its resource and scope."""

    attributes: Mapping[str, Value]
    resource: Mapping[str, Value] = field(default_factory=dict)
    scope: str = ""
    name: str = ""
    """The span's name, or the log record's event name."""
    trace_id: bytes = b""
    span_id: bytes = b""
    parent_span_id: bytes = b""
    started_at: int = 0
    ended_at: int = 0
    is_error: bool = False
    status_message: str = ""
    is_log: bool = False


def decode(body: bytes, signal: Signal, encoding: Encoding) -> list[Record]:
    """Return the records of one request body, in order.

    Raises:
        MalformedBodyError: the body is not what its type says. Nothing of it was taken.
        TooManyRecordsError: it holds more than ``MAX_RECORDS``.
    """
    message = _REQUESTS[signal]()
    if encoding is Encoding.JSON:
        _parse_json(body, message)
    else:
        try:
            message.ParseFromString(body)
        except DecodeError as error:
            raise MalformedBodyError(signal, encoding, str(error)) from error
    _check_count(message, signal)
    return list(_spans(message) if signal is Signal.TRACES else _logs(message))


def _check_count(message: Any, signal: Signal) -> None:
    """Count records before any is made into Python objects, which take far more room."""
    count = 0
    if signal is Signal.TRACES:
        for of_resource in message.resource_spans:
            count += sum(len(s.spans) for s in of_resource.scope_spans)
    else:
        for of_resource in message.resource_logs:
            count += sum(len(s.log_records) for s in of_resource.scope_logs)
    if count > MAX_RECORDS:
        raise TooManyRecordsError(count)


def _parse_json(body: bytes, message: Message) -> None:
    signal = Signal.TRACES if isinstance(message, ExportTraceServiceRequest) else Signal.LOGS
    try:
        document = json.loads(body)
        if not isinstance(document, dict):
            raise TypeError(f"a JSON {type(document).__name__}, not an object")
        ParseDict(_with_base64_ids(document), message, ignore_unknown_fields=True)
    except _UNREADABLE as error:
        raise MalformedBodyError(signal, Encoding.JSON, str(error)) from error


def _with_base64_ids(node: Any) -> Any:
    """Rewrite hex ids, which are OTLP's own deviation, as the base64 of protobuf's JSON.

    Drops nulls, which say nothing, and snake_case keys, which OTLP does not know but protobuf does.
    """
    if isinstance(node, list):
        return [_with_base64_ids(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: _base64_of_hex(value) if key in _HEX_FIELDS else _with_base64_ids(value)
        for key, value in node.items()
        if value is not None and "_" not in key
    }


def _base64_of_hex(text: Any) -> str:
    if not isinstance(text, str):
        raise TypeError(f"an id must be a hex string, found {text!r}")
    return b2a_base64(bytes.fromhex(text), newline=False).decode()


def _spans(message: Any) -> Iterator[Record]:
    for of_resource in message.resource_spans:
        resource = _attributes(of_resource.resource.attributes)
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                yield Record(
                    attributes=_attributes(span.attributes),
                    resource=resource,
                    scope=of_scope.scope.name,
                    name=span.name,
                    trace_id=span.trace_id,
                    span_id=span.span_id,
                    parent_span_id=span.parent_span_id,
                    started_at=span.start_time_unix_nano,
                    ended_at=span.end_time_unix_nano,
                    is_error=span.status.code == span.status.STATUS_CODE_ERROR,
                    status_message=span.status.message,
                )


def _logs(message: Any) -> Iterator[Record]:
    for of_resource in message.resource_logs:
        resource = _attributes(of_resource.resource.attributes)
        for of_scope in of_resource.scope_logs:
            for log in of_scope.log_records:
                attributes = _attributes(log.attributes)
                at = log.time_unix_nano or log.observed_time_unix_nano
                yield Record(
                    attributes=attributes,
                    resource=resource,
                    scope=of_scope.scope.name,
                    name=log.event_name or str(attributes.get("event.name", "")),
                    trace_id=log.trace_id,
                    span_id=log.span_id,
                    started_at=at,
                    ended_at=at,
                    is_log=True,
                )


def _attributes(pairs: Iterable[Any]) -> dict[str, Value]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> Value:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    return getattr(value, kind) if kind else None


_REQUESTS: dict[Signal, type[Any]] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
}
_UNREADABLE = (ValueError, ParseError, RecursionError, TypeError, AttributeError, SystemError)
"""What json and protobuf raise on odd documents: SystemError, where a key is a lone surrogate."""
_HEX_FIELDS = frozenset({"traceId", "spanId", "parentSpanId"})


class MalformedBodyError(ValueError):
    """A request body that cannot be read."""

    def __init__(self, signal: Signal, encoding: Encoding, reason: str) -> None:
        super().__init__(
            f"the body must be an OTLP {signal} request in {encoding}, found: "
            + reason.encode(errors="backslashreplace").decode()
        )


class TooManyRecordsError(ValueError):
    """A body of more records than one body may hold."""

    def __init__(self, count: int) -> None:
        super().__init__(
            f"a body must hold at most {MAX_RECORDS} records, found {count}: send it in parts"
        )
