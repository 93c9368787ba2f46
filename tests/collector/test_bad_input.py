"""What no client should send, against the real service: never a crash, never a lost neighbour.

A record that cannot be read is set aside with its reason, and costs no other. Only a body whose
records cannot be told from each other is refused whole, as the OTLP specification asks, and whoever
sends next is served.
"""

import json
import random
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import calls
import httpx2
import pytest
from builders import T0, any_value, as_otlp_json, span, traces
from conftest import Service
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

PROTOBUF, JSON = "application/x-protobuf", "application/json"
TRACES, LOGS = "/v1/traces", "/v1/logs"
YEAR = 366 * 86_400 * 10**9

Post = Callable[..., httpx2.Response]


@pytest.fixture
def model() -> str:
    """A model that only this test's calls name."""
    return f"model-{uuid.uuid4().hex}"


@pytest.fixture(scope="module")
def post(shared_service: Service) -> Iterator[Post]:
    with httpx2.Client(timeout=60) as client:

        def send(body: bytes, kind: str = PROTOBUF, path: str = TRACES) -> httpx2.Response:
            url = shared_service.address + path
            return client.post(url, content=body, headers={"Content-Type": kind})

        yield send


def call(model: str, **attributes: Any) -> Span:
    usage = {"gen_ai__usage__input_tokens": 9, "gen_ai__usage__output_tokens": 1}
    named = {"gen_ai__operation__name": "chat", "gen_ai__request__model": model}
    return span(uuid.uuid4().int, uuid.uuid4().int >> 64, **{**named, **usage, **attributes})


def counted(service: Service, *models: str) -> list[tuple[int, int]]:
    """Return requests and input tokens of each model."""
    answer = calls.get(f"{service.address}/v1/usage", params={"by": "model"}, timeout=60)
    rows = {row["model"]: (row["requests"], row["input_tokens"]) for row in answer.json()["rows"]}
    return [rows.get(model, (0, 0)) for model in models]


def field(number: int, payload: bytes) -> bytes:
    """Write a length-delimited protobuf field."""
    length, prefix = len(payload), bytearray([number << 3 | 2])
    while length > 0x7F:
        prefix.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes([*prefix, length]) + payload


def request_of(*spans: bytes) -> bytes:
    """Write a request around spans that are bytes already."""
    return field(1, field(2, b"".join(field(2, one) for one in spans)))


def nested(depth: int) -> bytes:
    """Write an AnyValue of lists in lists."""
    value = AnyValue(string_value="x").SerializeToString()
    for _ in range(depth):
        value = field(5, field(1, value))
    return bytes(value)


def timed(started_at: int, ended_at: int) -> Callable[[Span], None]:
    def change(odd: Span) -> None:
        odd.start_time_unix_nano, odd.end_time_unix_nano = started_at, ended_at

    return change


def identified(trace_id: bytes, span_id: bytes) -> Callable[[Span], None]:
    def change(odd: Span) -> None:
        odd.trace_id, odd.span_id = trace_id, span_id

    return change


def counting(*values: object) -> Callable[[Span], None]:
    """Say the count of input tokens again, once for each value."""

    def change(odd: Span) -> None:
        name = "gen_ai.usage.input_tokens"
        odd.attributes.extend(KeyValue(key=name, value=any_value(v)) for v in values)

    return change


def crowded(odd: Span) -> None:
    odd.attributes.extend(KeyValue(key=f"k{n}", value=any_value(n)) for n in range(100_000))


def empty_values(odd: Span) -> None:
    odd.attributes.extend([KeyValue(), KeyValue(key="tenant.id"), KeyValue(value=any_value(1))])


ODDITIES: dict[str, Callable[[Span], None]] = {
    "no time": timed(0, 0),
    "no end": timed(T0, 0),
    "an end before its start": timed(T0, T0 - 10**9),
    "the last instant there is": timed(T0, 2**64 - 1),
    "a second after 1970": timed(1, 10**9),
    "a year ahead": timed(T0 + YEAR, T0 + YEAR),
    "a negative count": counting(-1),
    "the least count there is": counting(-(2**63)),
    "a count above 2^53": counting(2**53 + 1),
    "the greatest count there is": counting(2**63 - 1),
    "a count that is no number": counting(float("nan"), float("inf"), "many", True),
    "a count said twice": counting(5, 77),
    "short ids": identified(b"abc", b"d"),
    "long ids": identified(b"a" * 40, b"d" * 20),
    "no ids": identified(b"", b""),
    "ids of zeros": identified(bytes(16), bytes(8)),
    "100,000 attributes": crowded,
    "empty attributes": empty_values,
}


@pytest.mark.parametrize("change", ODDITIES.values(), ids=ODDITIES)
def test_an_odd_span_costs_no_neighbour(
    shared_service: Service, post: Post, model: str, change: Callable[[Span], None]
) -> None:
    odd = call(f"odd-{model}")
    change(odd)

    answer = post(traces([call(model), odd, call(model)]).SerializeToString())

    assert (answer.status_code, answer.content) == (200, b"")
    neighbours, (odd_requests, _) = counted(shared_service, model, f"odd-{model}")
    assert neighbours == (2, 18)
    assert odd_requests <= 1


@pytest.mark.parametrize("name", ["no time", "short ids", "no ids", "a negative count"])
def test_an_odd_log_record_costs_no_neighbour(
    shared_service: Service, post: Post, model: str, name: str
) -> None:
    odd = call(f"odd-{model}")
    ODDITIES[name](odd)
    body = ExportLogsServiceRequest()
    records = body.resource_logs.add().scope_logs.add().log_records
    for one in (call(model), odd, call(model)):
        records.add(
            time_unix_nano=one.end_time_unix_nano,
            trace_id=one.trace_id,
            span_id=one.span_id,
            event_name="tallystick.usage",
            attributes=one.attributes,
        )

    assert post(body.SerializeToString(), path=LOGS).status_code == 200
    assert counted(shared_service, model) == [(2, 18)]


@pytest.mark.parametrize("depth", [1, 40])
def test_a_nested_attribute_costs_nothing(
    shared_service: Service, post: Post, model: str, depth: int
) -> None:
    attribute = field(9, field(1, b"nested") + field(2, nested(depth)))
    good = call(model).SerializeToString()

    assert post(request_of(good, call(model).SerializeToString() + attribute)).status_code == 200
    assert counted(shared_service, model) == [(2, 18)]


def with_bad_text(place: str) -> Callable[[Span], bytes]:
    """Write a span with a text that is no UTF-8: its tenant, its model or its name."""

    def change(odd: Span) -> bytes:
        names = {"model": "gen_ai.request.model", "tenant": "tenant.id"}
        if place == "name":
            odd.name = "BADTEXT"
        else:
            odd.attributes.append(KeyValue(key=names[place], value=any_value("BADTEXT")))
        return bytes(odd.SerializeToString().replace(b"BADTEXT", b"BAD\xff\xfe\xfd\xfc"))

    return change


def with_more(more: bytes) -> Callable[[Span], bytes]:
    return lambda odd: bytes(odd.SerializeToString() + more)


BROKEN_RECORDS: dict[str, Callable[[Span], bytes]] = {
    "lists 100 deep": with_more(field(9, field(1, b"k") + field(2, nested(100)))),
    "lists 10,000 deep": with_more(field(9, field(1, b"k") + field(2, nested(10_000)))),
    "a tenant that is not UTF-8": with_bad_text("tenant"),
    "a model that is not UTF-8": with_bad_text("model"),
    "a name that is not UTF-8": with_bad_text("name"),
    "an attribute that is cut": with_more(b"\x4a\x7f"),
    "noise": with_more(b"\xff\xfe"),
}


@pytest.mark.parametrize("written", BROKEN_RECORDS.values(), ids=BROKEN_RECORDS)
def test_a_broken_span_costs_no_neighbour_and_is_set_aside_with_its_reason(
    shared_service: Service, post: Post, model: str, written: Callable[[Span], bytes]
) -> None:
    odd = call(f"odd-{model}")
    neighbours = [call(model).SerializeToString() for _ in range(2)]

    answer = post(request_of(neighbours[0], written(odd), neighbours[1]))
    [aside] = set_aside(shared_service, odd.span_id)

    assert (answer.status_code, answer.content) == (200, b"")
    assert counted(shared_service, model, f"odd-{model}") == [(2, 18), (0, 0)]
    assert aside["trace_id"] == odd.trace_id.hex()
    assert aside["reason"].startswith("the record must be what OTLP says it is, found: ")


def set_aside(service: Service, span_id: bytes) -> list[dict[str, Any]]:
    """Return what was set aside of a span."""
    answer = calls.get(f"{service.address}/v1/quarantine", timeout=60)
    return [row for row in answer.json()["rows"] if row["span_id"] == span_id.hex()]


UNREADABLE: dict[str, bytes] = {
    "noise": b"\xff\x00\xfe",
    "a text": b"prompt=hello",
    "a group that does not end": b"\x0b",
    "a length beyond the end": b"\x0a\xff\xff\xff\x7f",
    "a length of ten bytes": b"\x0a" + b"\xff" * 10,
    "a scope that is cut": field(1, b"\x12\x09\x12"),
    "a span that is cut": field(1, field(2, b"\x12\x09\x0a")),
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_protobuf_that_cannot_be_read_is_refused_with_the_reason(post: Post, body: bytes) -> None:
    refused = post(body)
    after = post(traces([call("after")]).SerializeToString())

    assert refused.status_code == 400
    assert Status.FromString(refused.content).code == 3
    assert "must be an OTLP traces request" in Status.FromString(refused.content).message
    assert after.status_code == 200


def test_a_body_cut_anywhere_is_refused_or_is_a_shorter_one(post: Post) -> None:
    """Protobuf has no end mark: cut between two fields, a body is whole again."""
    body = traces([call("cut"), call("cut")]).SerializeToString() + bytes(
        traces([call("cut")]).SerializeToString()
    )
    statuses = [post(body[:at]).status_code for at in range(0, len(body), 7)]

    assert set(statuses) == {200, 400}


def first_span(document: Any) -> Any:
    return document["resourceSpans"][0]["scopeSpans"][0]["spans"][0]


def lists(depth: int) -> Any:
    value: Any = {"stringValue": "x"}
    for _ in range(depth):
        value = {"arrayValue": {"values": [value]}}
    return value


BROKEN_IN_JSON: dict[str, dict[str, Any]] = {
    "a negative time": {"startTimeUnixNano": "-1"},
    "a time beyond 64 bits": {"startTimeUnixNano": str(2**64)},
    "a time in words": {"startTimeUnixNano": "today"},
    "an id of half a byte": {"traceId": "abc"},
    "an id in base64": {"traceId": "q6urq6urq6urq6urq6urqw=="},
    "an id that is a number": {"parentSpanId": 5},
    "a count beyond 64 bits": {
        "attributes": [{"key": "llm.usage.prompt_tokens", "value": {"intValue": str(2**64)}}]
    },
    "a text that is a number": {"name": 5},
    "a text that is no Unicode": {"name": "\ud800"},
    "lists 300 deep": {"attributes": [{"key": "k", "value": lists(300)}]},
}


@pytest.mark.parametrize("changed", BROKEN_IN_JSON.values(), ids=BROKEN_IN_JSON)
def test_a_broken_span_in_json_costs_no_neighbour_and_is_set_aside_with_its_reason(
    shared_service: Service, post: Post, model: str, changed: dict[str, Any]
) -> None:
    odd = call(f"odd-{model}")
    document = json.loads(as_otlp_json(traces([odd, call(model)])))
    first_span(document).update(changed)

    answer = post(json.dumps(document).encode(), JSON)
    [aside] = set_aside(shared_service, odd.span_id)

    assert (answer.status_code, answer.json()) == (200, {})
    assert counted(shared_service, model, f"odd-{model}") == [(1, 9), (0, 0)]
    assert aside["reason"].startswith("the record must be what OTLP says it is, found: ")


@pytest.mark.parametrize(
    "document",
    [{"resourceSpans": 5}, {"resourceSpans": [{"scopeSpans": {}}]}, [], "spans", None],
)
def test_json_that_cannot_be_read_is_refused_with_the_reason(post: Post, document: Any) -> None:
    refused = post(json.dumps(document).encode(), JSON)
    after = post(as_otlp_json(traces([call("after")])), JSON)

    assert refused.status_code == 400
    assert "must be an OTLP traces request" in refused.json()["message"]
    assert after.status_code == 200


def test_json_deeper_than_any_parser_is_refused(post: Post) -> None:
    for body in (b"[" * 1_000_000, b'{"resourceSpans":' * 100_000, b'{"a":' * 100_000 + b"1"):
        assert post(body, JSON).status_code == 400


def test_an_attribute_said_twice_in_json_is_one_attribute(
    shared_service: Service, post: Post, model: str
) -> None:
    document = json.loads(as_otlp_json(traces([call(model)])))
    first_span(document)["attributes"] *= 2

    assert post(json.dumps(document).encode(), JSON).status_code == 200
    assert counted(shared_service, model) == [(1, 9)]


def test_hundreds_of_damaged_bodies_are_each_answered_200_or_400(post: Post) -> None:
    chance = random.Random(3)
    whole = traces([call("damaged") for _ in range(3)])
    bodies = {PROTOBUF: whole.SerializeToString(), JSON: as_otlp_json(whole)}
    statuses = set()
    for _ in range(400):
        kind, path = chance.choice([PROTOBUF, JSON]), chance.choice([TRACES, LOGS])
        body = bytearray(bodies[kind])
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(body))
            body[at : at + chance.randint(0, 4)] = chance.randbytes(chance.randint(0, 4))
        statuses.add(post(bytes(body), kind, path).status_code)

    assert statuses == {200, 400}
