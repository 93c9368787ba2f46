"""The OTLP receiver over HTTP: the specification's table, against the real service.

Source: https://github.com/open-telemetry/opentelemetry-proto/blob/main/docs/specification.md
"""

import asyncio
import gzip
import json
import uuid
from collections.abc import Iterator
from typing import Any

import calls
import httpx2
import pytest
from builders import T0, as_otlp_json, chat_span, span, traces
from conftest import Service
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

PROTOBUF = "application/x-protobuf"
JSON = "application/json"


@pytest.fixture
def model() -> str:
    """A model that only this test's calls name, so that they can be told apart."""
    return f"model-{uuid.uuid4().hex}"


def call(model: str, tokens: int = 10, at: int = T0) -> Span:
    """Build a call of a model, with ids of its own."""
    named = {"gen_ai__operation__name": "chat", "gen_ai__request__model": model}
    usage = {"gen_ai__usage__input_tokens": tokens, "gen_ai__usage__output_tokens": 1}
    return span(uuid.uuid4().int, uuid.uuid4().int >> 64, at, **named, **usage)


def post(
    service: Service, body: bytes, kind: str = PROTOBUF, path: str = "/v1/traces", **headers: str
) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return calls.post(
        service.address + path, content=body, headers={"Content-Type": kind, **named}, timeout=30
    )


def requests_and_input(service: Service, model: str) -> tuple[int, int]:
    """Return what GET /v1/usage tells of a model."""
    answer = calls.get(f"{service.address}/v1/usage", params={"by": "model"}, timeout=30)
    rows = [row for row in answer.json()["rows"] if row["model"] == model]
    return sum(r["requests"] for r in rows), sum(r["input_tokens"] for r in rows)


def status_of(answer: httpx2.Response) -> tuple[int, str]:
    """Read a google.rpc.Status in the encoding that the answer names."""
    if answer.headers["content-type"] == JSON:
        assert set(answer.json()) == {"code", "message"}
        return answer.json()["code"], answer.json()["message"]
    assert answer.headers["content-type"] == PROTOBUF
    status = Status.FromString(answer.content)
    return status.code, status.message


def assert_refused(
    answer: httpx2.Response, status: int, code: int, said: str, kind: str = PROTOBUF
) -> None:
    assert answer.status_code == status
    assert answer.headers["content-type"] == kind
    assert "retry-after" not in answer.headers
    found_code, found_said = status_of(answer)
    assert found_code == code
    assert said in found_said


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/logs"])
@pytest.mark.parametrize(("kind", "body"), [(PROTOBUF, b""), (JSON, b"{}")])
def test_an_empty_request_succeeds_in_its_own_encoding(
    shared_service: Service, path: str, kind: str, body: bytes
) -> None:
    answer = post(shared_service, body, kind, path)

    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    assert answer.content == body


@pytest.mark.parametrize(
    "kind", [PROTOBUF, "Application/X-Protobuf", JSON, f"{JSON}; charset=utf-8"]
)
@pytest.mark.parametrize("compression", ["identity", "gzip", ""])
def test_spans_are_taken_in_both_encodings_plain_and_compressed(
    shared_service: Service, model: str, kind: str, compression: str
) -> None:
    message = traces([call(model, 12)])
    is_json = kind.startswith(JSON)
    body = as_otlp_json(message) if is_json else message.SerializeToString()
    encoding = {"Content_Encoding": compression} if compression else {}
    answer = post(
        shared_service, gzip.compress(body) if compression == "gzip" else body, kind, **encoding
    )

    assert answer.status_code == 200
    assert answer.headers["content-type"] == (JSON if is_json else PROTOBUF)
    assert answer.content == (b"{}" if is_json else b"")
    assert requests_and_input(shared_service, model) == (1, 12)


def test_a_body_in_chunks_is_taken(shared_service: Service, model: str) -> None:
    body = traces([call(model, 12), call(model, 30)]).SerializeToString()

    def chunks() -> Iterator[bytes]:
        for at in range(0, len(body), 50):
            yield body[at : at + 50]

    answer = calls.post(
        f"{shared_service.address}/v1/traces",
        content=chunks(),
        headers={"Content-Type": PROTOBUF},
        timeout=60,
    )

    assert "content-length" not in answer.request.headers
    assert answer.status_code == 200
    assert requests_and_input(shared_service, model) == (2, 42)


def test_a_log_record_of_a_call_is_counted(shared_service: Service, model: str) -> None:
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": model}
    pairs = [{"key": k, "value": {"stringValue": v}} for k, v in attributes.items()]
    counts = {"gen_ai.usage.input_tokens": 7, "gen_ai.usage.output_tokens": "1"}
    pairs += [{"key": k, "value": {"intValue": v}} for k, v in counts.items()]
    log = {"eventName": "gen_ai.client.inference.operation.details", "attributes": pairs}
    scopes = [{"logRecords": [{**log, "timeUnixNano": str(T0)}]}]
    body = json.dumps({"resourceLogs": [{"scopeLogs": scopes}]}).encode()

    assert post(shared_service, body, JSON, "/v1/logs").status_code == 200
    assert requests_and_input(shared_service, model) == (1, 7)


def test_json_may_hold_unknown_fields_ids_of_either_case_and_both_kinds_of_int64(
    shared_service: Service, model: str
) -> None:
    document: Any = json.loads(as_otlp_json(traces([call(model, 8)])))
    [found] = document["resourceSpans"][0]["scopeSpans"][0]["spans"]
    again = {**found, "traceId": found["traceId"].upper(), "spanId": found["spanId"].upper()}
    again |= {name: int(again[name]) for name in ("startTimeUnixNano", "endTimeUnixNano")}
    other = {**again, "spanId": "0123456789abcdef", "unknown": [{"deep": {"traceId": "00"}}]}
    document["resourceSpans"][0]["scopeSpans"][0]["spans"] = [found, again, other]
    document["fromTheFuture"] = None

    assert post(shared_service, json.dumps(document).encode(), JSON).status_code == 200
    assert requests_and_input(shared_service, model) == (2, 16)


@pytest.mark.parametrize("kind", [PROTOBUF, "Application/X-Protobuf"])
@pytest.mark.parametrize("path", ["/v1/traces", "/v1/logs"])
@pytest.mark.parametrize("body", [b"\xff", b"\x0a\x05abc", b'{"resourceSpans": []}'])
def test_malformed_protobuf_is_refused_with_a_status_in_protobuf(
    shared_service: Service, path: str, body: bytes, kind: str
) -> None:
    answer = post(shared_service, body, kind, path)

    assert_refused(answer, 400, 3, f"must be an OTLP {path[4:]} request in {PROTOBUF}, found")


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/logs"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"resourceSpans"',
        b"\x0a\x00",
        b'{"name": "\xff\xfe"}',
        b'{"resourceSpans": 1, "resourceLogs": 1}',
        b'{"resourceSpans": "\\udc00", "resourceLogs": "\\udc00"}',
    ],
)
def test_malformed_json_is_refused_with_a_status_in_json(
    shared_service: Service, path: str, body: bytes
) -> None:
    answer = post(shared_service, body, JSON, path)

    assert_refused(answer, 400, 3, f"must be an OTLP {path[4:]} request in {JSON}, found", JSON)


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "application/protobuf", ""])
def test_another_content_type_is_refused_by_name(shared_service: Service, kind: str) -> None:
    answer = post(shared_service, b"", kind)

    assert_refused(answer, 415, 3, f"must be {PROTOBUF} or {JSON}, found", JSON)
    assert (kind or "none") in status_of(answer)[1]


@pytest.mark.parametrize(("kind", "body"), [(PROTOBUF, b""), (JSON, b"{}")])
def test_another_content_encoding_is_refused_by_name(
    shared_service: Service, kind: str, body: bytes
) -> None:
    answer = post(shared_service, body, kind, Content_Encoding="br")

    assert_refused(answer, 415, 3, "must be gzip, zstd, deflate or identity, found 'br'", kind)


@pytest.mark.parametrize(
    "body",
    [b"plain", gzip.compress(b"spans", mtime=0)[:-1], gzip.compress(b"s", mtime=0) + b"!"],
    ids=["plain", "cut short", "with more behind"],
)
def test_bad_gzip_is_refused(shared_service: Service, body: bytes) -> None:
    answer = post(shared_service, body, Content_Encoding="gzip")

    assert_refused(answer, 400, 3, "the body must be valid gzip, found")


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/logs"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_only_post_is_allowed(shared_service: Service, method: str, path: str) -> None:
    answer = calls.request(method, shared_service.address + path, timeout=60)

    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


def test_a_body_sent_again_changes_nothing(shared_service: Service, model: str) -> None:
    message = traces([call(model, 12), call(model, 30, at=T0 + 3600 * 10**9)])
    bodies = [message.SerializeToString()] * 3
    answers = [post(shared_service, body).status_code for body in bodies]
    counted = requests_and_input(shared_service, model)
    answers += [post(shared_service, as_otlp_json(message), JSON).status_code]

    assert answers == [200] * 4
    assert counted == requests_and_input(shared_service, model) == (2, 42)


def test_a_refused_body_stores_nothing_of_what_is_good_in_it(
    shared_service: Service, model: str
) -> None:
    good = traces([call(model)]).SerializeToString()
    document = as_otlp_json(traces([call(model), call(model)]))
    answers = [
        post(shared_service, good + b"\xff"),
        post(shared_service, document[:-1], JSON),
        post(shared_service, gzip.compress(good)[:-1], Content_Encoding="gzip"),
        post(shared_service, good, Content_Encoding="br"),
        post(shared_service, good, "text/plain"),
    ]

    assert [answer.status_code for answer in answers] == [400, 400, 400, 415, 415]
    assert requests_and_input(shared_service, model) == (0, 0)


@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai.operation.name": ["chat", 7]},
        {"llm.usage.prompt_tokens": "9" * 5000},
        {"gen_ai.usage.input_tokens": -(2**63)},
        {"tenant.id": "nul \0 quote ' back \\ slash", "gen_ai.operation.name": "chat"},
    ],
)
def test_an_odd_span_does_not_keep_the_good_ones_out(
    shared_service: Service, model: str, attributes: dict[str, Any]
) -> None:
    odd = span(uuid.uuid4().int, 1, **{k.replace(".", "__"): v for k, v in attributes.items()})

    answer = post(shared_service, traces([odd, call(model, 9)]).SerializeToString())

    assert answer.status_code == 200
    assert requests_and_input(shared_service, model) == (1, 9)


@pytest.mark.parametrize(
    ("started_at", "ended_at"), [(0, 0), (2**64 - 1, T0), (T0, 2**64 - 1), (T0, 0), (1, 1)]
)
def test_a_broken_clock_does_not_keep_the_good_spans_out(
    shared_service: Service, model: str, started_at: int, ended_at: int
) -> None:
    odd = call("odd clock")
    odd.start_time_unix_nano, odd.end_time_unix_nano = started_at, ended_at

    answer = post(shared_service, traces([odd, call(model, 9)]).SerializeToString())

    assert answer.status_code == 200
    assert requests_and_input(shared_service, model) == (1, 9)


def test_a_hundred_requests_at_once_are_all_taken_and_counted(
    shared_service: Service, model: str
) -> None:
    bodies = [traces([call(model, tokens)]).SerializeToString() for tokens in range(100)]

    async def post_all() -> list[int]:
        unbounded = httpx2.Limits(max_connections=None)
        async with httpx2.AsyncClient(limits=unbounded, timeout=30) as client:
            url, headers = f"{shared_service.address}/v1/traces", {"Content-Type": PROTOBUF}
            sent = (client.post(url, content=body, headers=headers) for body in bodies)
            return [answer.status_code for answer in await asyncio.gather(*sent)]

    assert asyncio.run(post_all()) == [200] * 100
    assert requests_and_input(shared_service, model) == (100, sum(range(100)))


def test_the_sdk_exporter_of_opentelemetry_reaches_the_usage_report(
    shared_service: Service, model: str
) -> None:
    exporter = OTLPSpanExporter(endpoint=f"{shared_service.address}/v1/traces", timeout=60)
    provider = TracerProvider(resource=Resource.create({"service.name": "an application"}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("an.sdk").start_as_current_span("chat") as sent:
        sent.set_attribute("gen_ai.operation.name", "chat")
        sent.set_attribute("gen_ai.request.model", model)
        sent.set_attribute("gen_ai.usage.input_tokens", 2048)
        sent.set_attribute("gen_ai.usage.output_tokens", 120)
    provider.shutdown()

    assert requests_and_input(shared_service, model) == (1, 2048)


def test_a_message_of_many_spans_is_counted_to_the_last(
    shared_service: Service, model: str
) -> None:
    message = ExportTraceServiceRequest()
    for _ in range(20):
        message.MergeFrom(traces([call(model, 3) for _ in range(50)]))
    message.MergeFrom(traces([chat_span(1)]))

    assert post(shared_service, message.SerializeToString()).status_code == 200
    assert requests_and_input(shared_service, model) == (1000, 3000)


def test_a_body_of_events_from_too_many_days_is_refused_whole(
    shared_service: Service, model: str
) -> None:
    day = 86_400_000_000_000
    spans = [call(model, at=T0 - n * day) for n in range(101)]

    refused = post(shared_service, traces(spans).SerializeToString())
    in_parts = post(shared_service, traces(spans[:100]).SerializeToString())

    assert refused.status_code == 400
    assert "at most 100 days, found 101" in status_of(refused)[1]
    assert in_parts.status_code == 200
    assert requests_and_input(shared_service, model) == (100, 1000)
