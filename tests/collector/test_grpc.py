"""OTLP over gRPC, against the real service."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import calls
import grpc
import pytest
from builders import as_otlp_json, span, traces
from conftest import Service, start_service, stop_service
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
LIMIT = 100_000


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    keys = {"TALLYSTICK_INGEST_KEY": "ingest-1", "TALLYSTICK_MAX_BODY_BYTES": str(LIMIT)}
    service = start_service(tmp_path_factory.mktemp("grpc"), **keys)
    yield service
    stop_service(service)


def export(
    service: Service,
    body: bytes,
    method: str = TRACES,
    key: str = "ingest-1",
    compression: grpc.Compression = grpc.Compression.NoCompression,
) -> bytes:
    metadata = (("authorization", f"Bearer {key}"),)
    with grpc.insecure_channel(service.grpc_address) as channel:
        call = channel.unary_unary(method)
        answer: bytes = call(body, metadata=metadata, compression=compression, timeout=60)
    return answer


def refused(service: Service, body: bytes, **how: str) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as refusal:
        export(service, body, **how)  # type: ignore[arg-type]
    return refusal.value


def body_of(model: str, count: int = 3) -> bytes:
    spans = [
        span(
            uuid.uuid4().int,
            uuid.uuid4().int >> 64,
            gen_ai__operation__name="chat",
            gen_ai__request__model=model,
            gen_ai__usage__input_tokens=7,
            gen_ai__usage__output_tokens=1,
        )
        for _ in range(count)
    ]
    return traces(spans).SerializeToString()


def input_of(service: Service, model: str) -> int:
    rows = calls.get(f"{service.address}/v1/usage?by=model", timeout=30).json()["rows"]
    return sum(row["input_tokens"] for row in rows if row["model"] == model)


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_spans_are_taken_plain_and_compressed(
    guarded: Service, compression: grpc.Compression
) -> None:
    model = uuid.uuid4().hex
    body = body_of(model)

    answers = [export(guarded, body, compression=compression) for _ in range(2)]

    assert [ExportTraceServiceResponse.FromString(a) for a in answers] == [
        ExportTraceServiceResponse()
    ] * 2
    assert input_of(guarded, model) == 21


def test_an_empty_request_succeeds(guarded: Service) -> None:
    assert export(guarded, b"") == b""
    assert export(guarded, ExportLogsServiceRequest().SerializeToString(), LOGS) == b""


def test_grpc_and_http_tell_of_the_same_calls(guarded: Service) -> None:
    model = uuid.uuid4().hex
    body = body_of(model)
    message = traces([])
    message.ParseFromString(body)
    headers = {"Content-Type": "application/json", "Authorization": "Bearer ingest-1"}

    export(guarded, body)
    calls.post(
        f"{guarded.address}/v1/traces", content=as_otlp_json(message), headers=headers, timeout=60
    )

    assert input_of(guarded, model) == 21


def test_malformed_bytes_are_an_invalid_argument(guarded: Service) -> None:
    error = refused(guarded, b"\xff\xff\xff")

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "must be an OTLP traces request" in error.details()


def test_without_the_key_nothing_is_taken(guarded: Service) -> None:
    model = uuid.uuid4().hex
    error = refused(guarded, body_of(model), key="nonsense")

    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert input_of(guarded, model) == 0


def test_a_message_over_the_limit_is_refused_also_once_inflated(guarded: Service) -> None:
    for compression in (grpc.Compression.NoCompression, grpc.Compression.Gzip):
        with pytest.raises(grpc.RpcError) as refusal:
            export(guarded, body_of("x" * 50_000, 5), compression=compression)
        assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_an_unknown_method_is_unimplemented(guarded: Service) -> None:
    error = refused(guarded, b"", method="/opentelemetry.proto.collector.x.v1.Nothing/Export")

    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


def test_grpc_can_be_switched_off(tmp_path: Path) -> None:
    service = start_service(tmp_path / "data", TALLYSTICK_GRPC_PORT="0")
    with pytest.raises(grpc.FutureTimeoutError):
        grpc.channel_ready_future(grpc.insecure_channel(service.grpc_address)).result(timeout=0.5)
    stop_service(service)
