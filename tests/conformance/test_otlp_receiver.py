"""What any OTLP receiver must do, as a client sees it. Each docstring names its requirement.

MUST and SHOULD are the words of the OTLP specification 1.11; RFC 9110 speaks for HTTP; MAY is what
receivers in the field do beyond both. ``conftest.py`` says how to point this at another receiver.
Source: https://github.com/open-telemetry/opentelemetry-proto/blob/main/docs/specification.md
"""

import gzip
import json
import random
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import calls
import grpc
import httpx2
import pytest
from conformance.wire import (
    AT,
    EACH_ENCODING,
    EACH_SIGNAL,
    JSON,
    LIMIT,
    PACKED,
    PROTOBUF,
    SIGNALS,
    TRACES,
    Signal,
    assert_refused,
    assert_success,
    body_of,
    document,
    gzip_of_zeros,
    traces_of,
)

Post = Callable[..., httpx2.Response]

MALFORMED = {
    PROTOBUF: [b"\xff", b"\x0a\x05abc", b'{"resourceSpans": []}'],
    JSON: [b"", b"{", b"[]", b"null", b"\x0a\x00", b'{"resourceSpans": "\xff"}'],
}


@EACH_SIGNAL
@EACH_ENCODING
@pytest.mark.parametrize("compression", [None, *PACKED])
def test_both_encodings_are_taken_in_every_compression(
    post: Post, signal: Signal, kind: str, compression: str | None
) -> None:
    """MUST: none and gzip, answered in the Content-Type of the request. MAY: deflate and zstd."""
    body = body_of(signal, kind)
    if compression is None:
        answer = post(signal.path, kind, body)
    else:
        answer = post(signal.path, kind, PACKED[compression](body), Content_Encoding=compression)

    assert_success(answer, signal, kind)


@EACH_SIGNAL
@EACH_ENCODING
@pytest.mark.parametrize("compression", ["identity", "gzip"])
def test_a_body_may_come_in_chunks(post: Post, signal: Signal, kind: str, compression: str) -> None:
    """MUST (HTTP/1.1): chunked transfer, of which no length is known before its end."""
    packed = PACKED[compression](body_of(signal, kind))

    def chunks() -> Iterator[bytes]:
        yield from (packed[at : at + 7] for at in range(0, len(packed), 7))

    answer = post(signal.path, kind, chunks(), Content_Encoding=compression)

    assert "content-length" not in answer.request.headers
    assert_success(answer, signal, kind)


def test_a_list_of_compressions_is_undone_from_its_end(post: Post) -> None:
    """SHOULD (RFC 9110 8.4): Content-Encoding is a list; identity in it changes nothing."""
    packed = gzip.compress(body_of(TRACES, PROTOBUF))

    for body, said in [(packed, "gzip, identity"), (gzip.compress(packed), "gzip, gzip")]:
        assert_success(post(TRACES.path, PROTOBUF, body, Content_Encoding=said), TRACES, PROTOBUF)


@EACH_SIGNAL
@pytest.mark.parametrize(("kind", "body"), [(PROTOBUF, b""), (JSON, b"{}")])
def test_an_empty_request_succeeds(post: Post, signal: Signal, kind: str, body: bytes) -> None:
    """SHOULD: a request without records is a success."""
    assert_success(post(signal.path, kind, body), signal, kind)


@EACH_SIGNAL
@pytest.mark.parametrize(
    "said", [f"{JSON}; charset=utf-8", f"{JSON};charset=UTF-8", "Application/JSON"]
)
def test_a_content_type_may_have_parameters_and_capitals(
    post: Post, signal: Signal, said: str
) -> None:
    """MUST (RFC 9110 8.3.1): types are compared without their case and parameters."""
    assert_success(post(signal.path, said, body_of(signal, JSON)), signal, JSON)


@EACH_SIGNAL
def test_unknown_json_fields_are_ignored(post: Post, signal: Signal) -> None:
    """MUST: fields that a later version adds are no error, at any depth, nor is null."""
    found = document(signal, fromTheFuture={"deep": [1, {"er": None}]}, unset=None)
    found["alsoNew"] = "x"

    body = json.dumps(found, default=bytes.hex).encode()

    assert_success(post(signal.path, JSON, body), signal, JSON)


@pytest.mark.parametrize("signal", SIGNALS[:2], ids=lambda s: s.name)
@pytest.mark.parametrize("write", [str.lower, str.upper])
def test_ids_in_json_are_hex_of_either_case(
    post: Post, signal: Signal, write: Callable[[str], str]
) -> None:
    """MUST: trace and span ids are hex strings, without regard to case; base64 is none.

    A receiver may refuse the body for it, or leave out the record alone.
    """
    ids = {"traceId": write("ab" * 16), "spanId": write("cd" * 8)}
    good, bad = (
        json.dumps(document(signal, **named)).encode() for named in (ids, {**ids, "spanId": "q80="})
    )

    assert_success(post(signal.path, JSON, good), signal, JSON)
    assert post(signal.path, JSON, bad).status_code in {200, 400}


@EACH_SIGNAL
@pytest.mark.parametrize("write", [int, str])
def test_64_bit_numbers_in_json_are_numbers_or_strings(
    post: Post, signal: Signal, write: Callable[[int], Any]
) -> None:
    """MUST: protobuf's JSON writes them as strings; numbers are accepted as well."""
    numbers = {"timeUnixNano": write(AT), "startTimeUnixNano": write(AT), "asInt": write(2**53 + 1)}
    fields: dict[str, dict[str, Any]] = {
        "traces": {"startTimeUnixNano": write(AT), "endTimeUnixNano": write(AT)},
        "logs": {"timeUnixNano": write(AT), "observedTimeUnixNano": write(AT)},
        "metrics": {"gauge": {"dataPoints": [numbers]}, "sum": None},
    }

    body = json.dumps(document(signal, **fields[signal.name]), default=bytes.hex).encode()

    assert_success(post(signal.path, JSON, body), signal, JSON)


@EACH_SIGNAL
@EACH_ENCODING
def test_a_body_that_cannot_be_read_is_refused(post: Post, signal: Signal, kind: str) -> None:
    """MUST: 400 with a google.rpc.Status in the encoding of the request."""
    for body in MALFORMED[kind]:
        assert_refused(post(signal.path, kind, body), 400, kind)


@EACH_SIGNAL
@pytest.mark.parametrize("compression", ["gzip", "deflate", "zstd"])
def test_a_body_that_is_not_compressed_as_it_says_is_refused(
    post: Post, signal: Signal, compression: str
) -> None:
    """MUST: 400, for what is something else and for what was cut."""
    whole = PACKED[compression](body_of(signal, PROTOBUF))
    for body in (b"plain", whole[:-3]):
        assert_refused(
            post(signal.path, PROTOBUF, body, Content_Encoding=compression), 400, PROTOBUF
        )


@pytest.mark.parametrize(
    ("signal", "kind"),
    list(zip(SIGNALS, [PROTOBUF, JSON, PROTOBUF], strict=True)),
    ids=[signal.name for signal in SIGNALS],
)
def test_a_body_that_inflates_beyond_the_limit_is_refused(
    post: Post, signal: Signal, kind: str
) -> None:
    """MUST: the limit holds for what comes out of the compression; 413, not to be sent again."""
    bomb = gzip_of_zeros(LIMIT + 1)

    assert len(bomb) < LIMIT // 100
    assert_refused(post(signal.path, kind, bomb, Content_Encoding="gzip"), 413, kind)


def test_a_body_beyond_the_limit_is_refused_plain_as_well(post: Post) -> None:
    """MUST: 413, whether a length was announced or not."""
    chunks = (bytes(1024 * 1024) for _ in range(LIMIT // 1024 // 1024 + 1))

    assert_refused(post(TRACES.path, PROTOBUF, chunks), 413, PROTOBUF)


def test_a_body_just_under_the_limit_is_taken(post: Post) -> None:
    """SHOULD: the recommended limit is 64 MiB."""
    body = traces_of(LIMIT - 1000)

    assert_success(
        post(TRACES.path, PROTOBUF, gzip.compress(body, 1), Content_Encoding="gzip"),
        TRACES,
        PROTOBUF,
    )


@EACH_SIGNAL
@pytest.mark.parametrize("said", ["text/plain", "application/xml", "multipart/form-data", ""])
def test_another_content_type_is_unsupported(post: Post, signal: Signal, said: str) -> None:
    """MUST (RFC 9110 15.5.16): 415 for a type that is neither of the two."""
    answer = post(signal.path, said, body_of(signal, JSON))

    assert answer.status_code == 415


@EACH_SIGNAL
@EACH_ENCODING
def test_another_compression_is_unsupported(post: Post, signal: Signal, kind: str) -> None:
    """SHOULD (RFC 9110 8.4): 415 for a Content-Encoding that is not known."""
    assert_refused(post(signal.path, kind, b"x", Content_Encoding="br"), 415, kind)


@EACH_SIGNAL
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_only_post_is_allowed(address: str, signal: Signal, method: str) -> None:
    """MUST (RFC 9110 15.5.6): 405, with the methods that are allowed."""
    answer = calls.request(method, address + signal.path, timeout=60)

    assert answer.status_code == 405
    assert "POST" in answer.headers["allow"]


@EACH_SIGNAL
@EACH_ENCODING
def test_the_same_request_may_come_again(post: Post, signal: Signal, kind: str) -> None:
    """MUST: clients send again what was not acknowledged to them, so a replay is a success."""
    for _ in range(3):
        assert_success(post(signal.path, kind, body_of(signal, kind)), signal, kind)


def test_a_replay_is_counted_once(
    post: Post, our_process: int, address: str, token: dict[str, str]
) -> None:
    """Ours: whatever the encoding and transport, a span is one call."""
    assert our_process
    model = uuid4().hex
    told = {"gen_ai.operation.name": "chat", "gen_ai.request.model": model}
    pairs: list[Any] = [{"key": k, "value": {"stringValue": v}} for k, v in told.items()]
    pairs.append({"key": "gen_ai.usage.input_tokens", "value": {"intValue": "9"}})
    named = {"attributes": pairs, "traceId": uuid4().bytes, "spanId": uuid4().bytes[:8]}
    for kind in (PROTOBUF, JSON, PROTOBUF):
        assert_success(post(TRACES.path, kind, body_of(TRACES, kind, **named)), TRACES, kind)

    answer = calls.get(f"{address}/v1/usage?by=model", headers=token, timeout=30)
    [row] = [row for row in answer.json()["rows"] if row["model"] == model]

    assert (row["requests"], row["input_tokens"]) == (1, 9)


def test_no_body_makes_the_receiver_fail(post: Post) -> None:
    """MUST: clients drop what is answered 500, so no body of theirs may cause it."""
    chance = random.Random(20261123)
    statuses = set()
    for _ in range(300):
        signal, kind = chance.choice(SIGNALS), chance.choice([PROTOBUF, JSON])
        body = bytearray(body_of(signal, kind))
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(body))
            body[at : at + chance.randint(0, 3)] = chance.randbytes(chance.randint(0, 3))
            body = body or bytearray(b"\0")
        statuses.add(post(signal.path, kind, bytes(body)).status_code)

    assert statuses <= {200, 400}


@contextmanager
def full_disk(process: int) -> Iterator[None]:
    """Let the kernel refuse every write of the process to a file, as on a full disk."""
    unlimited = resource.RLIM_INFINITY
    resource.prlimit(process, resource.RLIMIT_FSIZE, (0, unlimited))
    try:
        yield
    finally:
        resource.prlimit(process, resource.RLIMIT_FSIZE, (unlimited, unlimited))


def call_body(kind: str) -> bytes:
    """Write a span that our receiver must store."""
    usage = [{"key": "gen_ai.usage.input_tokens", "value": {"intValue": "1"}}]
    ids = {"traceId": uuid4().bytes, "spanId": uuid4().bytes[:8]}
    return body_of(TRACES, kind, attributes=usage, **ids)


@EACH_ENCODING
def test_a_store_that_fails_is_a_503_and_the_resend_succeeds(
    post: Post, our_process: int, kind: str
) -> None:
    """MUST: what can be sent again is 503 (or 429, 502, 504) and never 500.

    Exporters give up at once on a Retry-After beyond their deadline, so it is at most 1 s.
    """
    body = call_body(kind)
    with full_disk(our_process):
        refused = post(TRACES.path, kind, body)
    resent = post(TRACES.path, kind, body)

    assert refused.status_code == 503
    assert refused.headers["content-type"].partition(";")[0] == kind
    assert 0 <= int(refused.headers.get("retry-after", "0")) <= 1
    assert_success(resent, TRACES, kind)


Call = Callable[..., Any]


@pytest.fixture(scope="module")
def call(grpc_address: str, token: dict[str, str]) -> Iterator[Call]:
    """Export over gRPC: ``call(signal, body, compression)``."""
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(grpc_address, options=options) as channel:

        def export(signal: Signal, body: bytes, packed: grpc.Compression | None = None) -> Any:
            method = channel.unary_unary(f"/{signal.service}/Export")
            return method(body, metadata=tuple(token.items()), compression=packed, timeout=60)

        yield export


def refused(call: Call, signal: Signal, body: bytes, **packed: Any) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as refusal:
        call(signal, body, **packed)
    return refusal.value


@EACH_SIGNAL
@pytest.mark.parametrize("packed", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_grpc_takes_requests_plain_and_as_gzip(
    call: Call, signal: Signal, packed: grpc.Compression
) -> None:
    """MUST: none and gzip, answered by a message whose partial_success is unset."""
    answer = call(signal, body_of(signal, PROTOBUF), packed)

    assert not signal.response.FromString(answer).HasField("partial_success")


@EACH_SIGNAL
def test_grpc_implements_every_service(call: Call, signal: Signal) -> None:
    """MUST: UNIMPLEMENTED for none of the three; an empty request SHOULD succeed."""
    assert signal.response.FromString(call(signal, b"")) == signal.response()


@EACH_SIGNAL
def test_grpc_refuses_what_cannot_be_read(call: Call, signal: Signal) -> None:
    """SHOULD: INVALID_ARGUMENT, which no client sends again."""
    assert refused(call, signal, b"\xff\xff").code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("packed", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_grpc_refuses_a_message_beyond_the_limit(call: Call, packed: grpc.Compression) -> None:
    """MUST: RESOURCE_EXHAUSTED without RetryInfo, also where gzip hides the size."""
    error = refused(call, TRACES, traces_of(LIMIT), packed=packed)

    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "grpc-status-details-bin" not in dict(error.trailing_metadata() or ())


def test_grpc_answers_unavailable_when_the_store_fails(call: Call, our_process: int) -> None:
    """MUST: a code that clients send again after."""
    body = call_body(PROTOBUF)
    with full_disk(our_process):
        error = refused(call, TRACES, body)

    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert call(TRACES, body) == b""
