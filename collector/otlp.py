"""Decode OTLP request bodies into records; the reference that faster decoders must agree with.

bytes -> Export*ServiceRequest -> Record (attributes as Python values, resource and scope joined)
"""

import json
from binascii import b2a_base64
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any

from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.batch.crowd import MAX_MESSAGES, MAX_VALUES, count_messages, count_values

Value = Any
"""An attribute value: text, bool, int, float, bytes, list, dict or None."""


MAX_RECORDS = 100_000
"""Spans, log records or points in one body; exporters send hundreds, a Collector thousands."""


class Signal(StrEnum):
    """What a body carries; the value is the last part of its path, /v1/traces."""

    TRACES = "traces"
    LOGS = "logs"
    METRICS = "metrics"


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
    trace_state: str = ""
    """The W3C tracestate, as it was sent."""
    flags: int = 0
    """W3C trace flags, and in bits 8 and 9 whether the parent is remote."""


def decode(body: bytes, signal: Signal, encoding: Encoding) -> list[Record]:
    """Return the records of one request body, in order; metrics hold none, but data points.

    Raises:
        MalformedBodyError: the body is not what its type says. Nothing of it was taken.
        TooManyPartsError: it would take too much memory.
        TooManyRecordsError: it holds more than ``MAX_RECORDS``.
    """
    return records_of(parse(body, signal, encoding), signal)


def records_of(message: Any, signal: Signal) -> list[Record]:
    """Return the records of a request message, in order."""
    return list(_RECORDS[signal](message))


def parse(body: bytes, signal: Signal, encoding: Encoding) -> Any:
    """Return the request message of a body.

    Raises:
        MalformedBodyError: the body is not what its type says.
        TooManyPartsError: it would take too much memory.
        TooManyRecordsError: it holds more than ``MAX_RECORDS``.
    """
    _check_parts(body, signal, encoding)
    if encoding is Encoding.JSON:
        message = message_of(document_of(body, signal), signal)
    else:
        message = _REQUESTS[signal]()
        try:
            message.ParseFromString(body)
        except DecodeError as error:
            raise MalformedBodyError(signal, encoding, str(error)) from error
    _check_count(message, signal)
    return message


def document_of(body: bytes | str, signal: Signal) -> dict[str, Any]:
    """Return the object that a JSON body is.

    Raises:
        MalformedBodyError: it is none.
    """
    try:
        document = json.loads(body)
        if not isinstance(document, dict):
            raise TypeError(f"a JSON {type(document).__name__}, not an object")
    except _UNREADABLE as error:
        raise MalformedBodyError(signal, Encoding.JSON, str(error)) from error
    return document


def message_of(document: Mapping[str, Any], signal: Signal) -> Any:
    """Return the request message of a JSON object.

    Raises:
        MalformedBodyError: what it says is not what OTLP has under that name.
    """
    message = _REQUESTS[signal]()
    try:
        found = _as_protobuf_json(document, message.DESCRIPTOR)
        ParseDict(found, message, ignore_unknown_fields=True)
    except _UNREADABLE as error:
        raise MalformedBodyError(signal, Encoding.JSON, str(error)) from error
    return message


def _check_parts(body: bytes, signal: Signal, encoding: Encoding) -> None:
    """Count what a body is made of before any of it is made, which takes far more room."""
    if encoding is Encoding.JSON:
        count, limit = count_values(body), MAX_VALUES
    else:
        count, limit = count_messages(body, _REQUESTS[signal].DESCRIPTOR), MAX_MESSAGES
    if count > limit:
        raise TooManyPartsError(count, limit)


def _check_count(message: Any, signal: Signal) -> None:
    """Count records before any is made into Python objects, which take far more room."""
    count = sum(_COUNTS[signal](message))
    if count > MAX_RECORDS:
        raise TooManyRecordsError(count)


def _as_protobuf_json(node: Any, descriptor: Any) -> Any:
    """Return what OTLP knows of a JSON object, as protobuf's own JSON has it.

    Ids are hex in OTLP and base64 in protobuf. Names that OTLP does not know say nothing, among
    them protobuf's own spellings with underscores; nor does null.
    """
    if not isinstance(node, dict):
        raise TypeError(f"{descriptor.name} must be an object, found {str(node)[:80]!r}")
    fields = _fields_of(descriptor)
    return {
        name: _protobuf_value(value, fields[name])
        for name, value in node.items()
        if value is not None and name in fields
    }


def _protobuf_value(value: Any, described: Any) -> Any:
    if described.name in _HEX_FIELDS:
        return _base64_of_hex(value)
    if described.message_type is None:
        return value
    if not described.is_repeated:
        return _as_protobuf_json(value, described.message_type)
    if not isinstance(value, list):
        raise TypeError(f"{described.json_name} must be a list, found {str(value)[:80]!r}")
    return [_as_protobuf_json(item, described.message_type) for item in value]


@cache
def _fields_of(descriptor: Any) -> Mapping[str, Any]:
    return {described.json_name: described for described in descriptor.fields}


def _base64_of_hex(text: Any) -> str:
    if not isinstance(text, str):
        raise TypeError(f"an id must be a hex string, found {text!r}")
    return b2a_base64(bytes.fromhex(text), newline=False).decode()


def _spans(message: Any) -> Iterator[Record]:
    for of_resource in message.resource_spans:
        resource = attributes_of(of_resource.resource.attributes)
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                yield Record(
                    attributes=attributes_of(span.attributes),
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
                    trace_state=span.trace_state,
                    flags=span.flags,
                )


def _logs(message: Any) -> Iterator[Record]:
    for of_resource in message.resource_logs:
        resource = attributes_of(of_resource.resource.attributes)
        for of_scope in of_resource.scope_logs:
            for log in of_scope.log_records:
                attributes = attributes_of(log.attributes)
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
                    flags=log.flags,
                )


def attributes_of(pairs: Iterable[Any]) -> dict[str, Value]:
    """Return attributes as Python values; of a name told twice the last counts."""
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> Value:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return attributes_of(value.kvlist_value.values)
    return getattr(value, kind) if kind else None


def _points(message: Any) -> Iterator[int]:
    for of_resource in message.resource_metrics:
        for of_scope in of_resource.scope_metrics:
            for metric in of_scope.metrics:
                kind = metric.WhichOneof("data")
                yield len(getattr(metric, kind).data_points) if kind else 0


_REQUESTS: dict[Signal, type[Any]] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
    Signal.METRICS: ExportMetricsServiceRequest,
}
_RECORDS: dict[Signal, Callable[[Any], Iterable[Record]]] = {
    Signal.TRACES: _spans,
    Signal.LOGS: _logs,
    Signal.METRICS: lambda _: (),
}
_COUNTS: dict[Signal, Callable[[Any], Iterable[int]]] = {
    Signal.TRACES: lambda m: (len(s.spans) for r in m.resource_spans for s in r.scope_spans),
    Signal.LOGS: lambda m: (len(s.log_records) for r in m.resource_logs for s in r.scope_logs),
    Signal.METRICS: _points,
}
_UNREADABLE = (ValueError, ParseError, RecursionError, TypeError, AttributeError, SystemError)
"""What json and protobuf raise on odd documents: SystemError, where a key is a lone surrogate."""
_HEX_FIELDS = frozenset({"trace_id", "span_id", "parent_span_id"})


class MalformedBodyError(ValueError):
    """A request body that cannot be read."""

    def __init__(self, signal: Signal, encoding: Encoding, reason: str) -> None:
        self.reason = reason.encode(errors="backslashreplace").decode()
        super().__init__(
            f"the body must be an OTLP {signal} request in {encoding}, found: {self.reason}"
        )


class TooManyRecordsError(ValueError):
    """A body of more records than one body may hold."""

    def __init__(self, count: int) -> None:
        super().__init__(
            f"a body must hold at most {MAX_RECORDS} records, found {count}: send it in parts"
        )


class TooManyPartsError(ValueError):
    """A body of more attributes, values and other parts than there is memory for."""

    def __init__(self, count: int, limit: int) -> None:
        super().__init__(
            f"a body must be made of at most {limit} parts, found {count}: send it in parts"
        )
