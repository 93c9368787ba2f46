"""OTLP requests written by hand, and what their answers must look like.

Only OTLP's own message classes are used, and no code of any receiver.
"""

import gzip
import json
import zlib
from base64 import b64encode
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

import httpx2
import pytest
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace_pb2

PROTOBUF, JSON = "application/x-protobuf", "application/json"
MIB = 1024 * 1024
LIMIT = 64 * MIB
"""Bytes of a body once inflated, as the specification recommends."""
AT = 1_790_000_000_000_000_000
EACH_ENCODING = pytest.mark.parametrize("kind", [PROTOBUF, JSON], ids=["protobuf", "json"])


class Signal(NamedTuple):
    name: str
    request: Any
    response: Any
    service: str
    lists: tuple[str, str, str]
    record: Mapping[str, Any]

    @property
    def path(self) -> str:
        return f"/v1/{self.name}"


SPAN = {
    "name": "call", "kind": 3, "startTimeUnixNano": str(AT), "endTimeUnixNano": str(AT + 10**9),
    "traceId": b"\xab" * 16, "spanId": b"\xcd" * 8, "status": {"code": 1},
    "attributes": [{"key": "count", "value": {"intValue": "7"}}],
}  # fmt: skip
LOG = {
    "timeUnixNano": str(AT), "severityNumber": 9, "body": {"stringValue": "hello"},
    "traceId": b"\xab" * 16, "spanId": b"\xcd" * 8,
    "attributes": [{"key": "count", "value": {"intValue": "7"}}],
}  # fmt: skip
POINT = {"startTimeUnixNano": str(AT), "timeUnixNano": str(AT + 10**9), "asInt": "7"}
METRIC = {
    "name": "calls",
    "sum": {"aggregationTemporality": 2, "isMonotonic": True, "dataPoints": [POINT]},
}
SIGNALS = [
    Signal(
        "traces", trace_pb2.ExportTraceServiceRequest, trace_pb2.ExportTraceServiceResponse,
        "opentelemetry.proto.collector.trace.v1.TraceService",
        ("resourceSpans", "scopeSpans", "spans"), SPAN,
    ),
    Signal(
        "logs", logs_pb2.ExportLogsServiceRequest, logs_pb2.ExportLogsServiceResponse,
        "opentelemetry.proto.collector.logs.v1.LogsService",
        ("resourceLogs", "scopeLogs", "logRecords"), LOG,
    ),
    Signal(
        "metrics", metrics_pb2.ExportMetricsServiceRequest,
        metrics_pb2.ExportMetricsServiceResponse,
        "opentelemetry.proto.collector.metrics.v1.MetricsService",
        ("resourceMetrics", "scopeMetrics", "metrics"), METRIC,
    ),
]  # fmt: skip
TRACES = SIGNALS[0]
EACH_SIGNAL = pytest.mark.parametrize("signal", SIGNALS, ids=lambda s: s.name)


def document(signal: Signal, **changed: Any) -> dict[str, Any]:
    """Build a request of one record as OTLP/JSON lays it out; ids are still bytes."""
    outer, inner, leaf = signal.lists
    return {outer: [{"resource": {}, inner: [{leaf: [{**signal.record, **changed}]}]}]}


def body_of(signal: Signal, kind: str, **changed: Any) -> bytes:
    """Write such a request in one of the two encodings: OTLP/JSON writes ids in hex."""
    found = document(signal, **changed)
    if kind == JSON:
        return json.dumps(found, default=bytes.hex).encode()
    plain = json.loads(json.dumps(found, default=lambda raw: b64encode(raw).decode()))
    written: bytes = ParseDict(plain, signal.request()).SerializeToString()
    return written


@cache
def traces_of(length: int) -> bytes:
    """Write a request for traces of about so many bytes, in protobuf."""
    filler = trace_pb2.ExportTraceServiceRequest()
    filler.resource_spans.add().schema_url = "x" * length
    return body_of(TRACES, PROTOBUF) + bytes(filler.SerializeToString())


@cache
def gzip_of_zeros(length: int) -> bytes:
    """Gzip so many zeros: about a thousandth of them is left."""
    return gzip.compress(bytes(length), 1)


def zstd(body: bytes) -> bytes:
    """Write one zstd frame with one raw block (RFC 8878): no compressor is needed for that."""
    block = (len(body) << 3 | 1).to_bytes(3, "little") + body
    return b"\x28\xb5\x2f\xfd\xa0" + len(body).to_bytes(4, "little") + block


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstd,
}


def assert_success(answer: httpx2.Response, signal: Signal, kind: str) -> None:
    """Full success: 200, the request's Content-Type, and an answer that says nothing."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].partition(";")[0] == kind
    if kind == JSON:
        assert not answer.json().get("partialSuccess")
    else:
        assert not signal.response.FromString(answer.content).HasField("partial_success")


def assert_refused(answer: httpx2.Response, status: int, kind: str) -> None:
    """A refusal that no client sends again, as a google.rpc.Status in the request's encoding.

    Status{1: code, 2: message} has the layout of a partial success, which reads it here.
    """
    assert answer.status_code == status
    assert "retry-after" not in answer.headers
    assert answer.headers["content-type"].partition(";")[0] == kind
    if kind == JSON:
        assert isinstance(answer.json()["message"], str)
    else:
        said = trace_pb2.ExportTracePartialSuccess.FromString(answer.content)
        assert said.error_message
