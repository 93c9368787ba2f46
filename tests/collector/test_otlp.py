"""OTLP bodies -> records: both encodings say the same, and nothing else gets through."""

import json
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

import pytest
from builders import as_otlp_json, chat_span, traces
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from collector.otlp import Encoding, MalformedBodyError, Record, Signal, decode

UNHURRIED = settings(deadline=None, max_examples=60)

EXAMPLE: dict[str, Any] = {
    "resourceSpans": [
        {
            "resource": {
                "attributes": [{"key": "service.name", "value": {"stringValue": "gateway"}}]
            },
            "scopeSpans": [
                {
                    "scope": {"name": "a.library", "version": "1.0.0"},
                    "spans": [
                        {
                            "traceId": "5B8EFFF798038103D269B633813FC60C",
                            "spanId": "eee19b7ec3c1b174",
                            "parentSpanId": "EEE19B7EC3C1B173",
                            "name": "chat",
                            "startTimeUnixNano": "1544712660000000000",
                            "endTimeUnixNano": 1544712661000000000,
                            "kind": 3,
                            "status": {"code": 2, "message": "it broke"},
                            "attributes": [{"key": "n", "value": {"intValue": "12"}}],
                        }
                    ],
                }
            ],
        }
    ]
}
"""A span as the specification writes one: ids in hex of either case, int64 as string or number."""


def as_any(value: Any) -> AnyValue:
    """Wrap a value of any type that an attribute may have."""
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[as_any(v) for v in value]))
    if isinstance(value, dict):
        return AnyValue(kvlist_value=KeyValueList(values=pairs(value)))
    field = _FIELDS[type(value)]
    return AnyValue(**{field: value}) if field else AnyValue()


_FIELDS: dict[type, str] = {
    type(None): "",
    bool: "bool_value",
    int: "int_value",
    float: "double_value",
    bytes: "bytes_value",
    str: "string_value",
}


def pairs(attributes: Mapping[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=k, value=as_any(v)) for k, v in attributes.items()]


def hexed(node: Any) -> Any:
    """Turn protobuf's own JSON into OTLP's: ids in hex instead of base64."""
    if isinstance(node, list):
        return [hexed(item) for item in node]
    if not isinstance(node, dict):
        return node
    ids = {"traceId", "spanId", "parentSpanId"}
    return {k: b64decode(v).hex() if k in ids else hexed(v) for k, v in node.items()}


def otlp_json(message: Message) -> bytes:
    return json.dumps(hexed(MessageToDict(message, use_integers_for_enums=True))).encode()


def decode_json(document: Any, signal: Signal = Signal.TRACES) -> list[Record]:
    return decode(json.dumps(document).encode(), signal, Encoding.JSON)


def changed(path: str, value: Any) -> Any:
    """Return the example with one field of its span replaced."""
    document = json.loads(json.dumps(EXAMPLE))
    document["resourceSpans"][0]["scopeSpans"][0]["spans"][0][path] = value
    return document


values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(),
        st.text(max_size=8),
        st.binary(max_size=8),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
attribute_sets = st.dictionaries(st.text(max_size=8), values, max_size=5)
instants = st.integers(0, 2**64 - 1)
ids = st.binary(max_size=16)


@UNHURRIED
@given(attribute_sets, attribute_sets, instants, ids, st.text(max_size=5))
def test_json_and_protobuf_carry_the_same_spans(
    attributes: dict[str, Any], resource: dict[str, Any], at: int, some_id: bytes, text: str
) -> None:
    span = Span(
        trace_id=some_id,
        span_id=some_id[:8],
        parent_span_id=some_id[8:],
        name=text,
        start_time_unix_nano=at // 2,
        end_time_unix_nano=at,
        attributes=pairs(attributes),
    )
    span.status.code = at % 3
    span.status.message = text
    of_scope = ScopeSpans(spans=[span, span])
    of_scope.scope.name = text
    of_resource = ResourceSpans(scope_spans=[of_scope])
    of_resource.resource.attributes.extend(pairs(resource))
    message = ExportTraceServiceRequest(resource_spans=[of_resource])

    records = decode(message.SerializeToString(), Signal.TRACES, Encoding.PROTOBUF)

    expected = Record(
        attributes=attributes,
        resource=resource,
        scope=text,
        name=text,
        trace_id=some_id,
        span_id=some_id[:8],
        parent_span_id=some_id[8:],
        started_at=at // 2,
        ended_at=at,
        is_error=at % 3 == 2,
        status_message=text,
    )
    # repr tells 1 from 1.0 and True, and lets NaN equal itself.
    assert repr(records) == repr([expected, expected])
    assert repr(decode(otlp_json(message), Signal.TRACES, Encoding.JSON)) == repr(records)


@UNHURRIED
@given(attribute_sets, instants, instants, ids, st.text(max_size=5))
def test_json_and_protobuf_carry_the_same_log_records(
    attributes: dict[str, Any], at: int, observed: int, some_id: bytes, text: str
) -> None:
    log = LogRecord(
        trace_id=some_id,
        span_id=some_id[:8],
        event_name="an event",
        time_unix_nano=at,
        observed_time_unix_nano=observed,
        body=as_any({"prompt": text}),
        attributes=pairs(attributes),
    )
    of_scope = ScopeLogs(log_records=[log])
    of_scope.scope.name = text
    message = ExportLogsServiceRequest(resource_logs=[ResourceLogs(scope_logs=[of_scope])])

    records = decode(message.SerializeToString(), Signal.LOGS, Encoding.PROTOBUF)

    expected = Record(
        attributes=attributes,
        scope=text,
        name="an event",
        trace_id=some_id,
        span_id=some_id[:8],
        started_at=at or observed,
        ended_at=at or observed,
        is_log=True,
    )
    assert repr(records) == repr([expected])
    assert repr(decode(otlp_json(message), Signal.LOGS, Encoding.JSON)) == repr(records)


def test_ids_are_hex_of_either_case_and_int64_is_a_string_or_a_number() -> None:
    [record] = decode_json(EXAMPLE)

    assert record.trace_id == bytes.fromhex("5b8efff798038103d269b633813fc60c")
    assert record.span_id == bytes.fromhex("eee19b7ec3c1b174")
    assert record.parent_span_id == bytes.fromhex("eee19b7ec3c1b173")
    assert record.started_at == 1_544_712_660_000_000_000
    assert record.ended_at == 1_544_712_661_000_000_000
    assert (record.is_error, record.status_message) == (True, "it broke")
    assert record.attributes == {"n": 12}
    assert (record.resource, record.scope) == ({"service.name": "gateway"}, "a.library")


@pytest.mark.parametrize("n", ["12", 12, 12.0])
def test_an_int_value_may_be_written_in_three_ways(n: object) -> None:
    [record] = decode_json(changed("attributes", [{"key": "n", "value": {"intValue": n}}]))

    assert repr(record.attributes) == "{'n': 12}"


def test_a_null_field_is_an_absent_field() -> None:
    [record] = decode_json(changed("parentSpanId", None))

    assert record.parent_span_id == b""
    assert decode_json(changed("name", None))[0].name == ""


@pytest.mark.parametrize("value", [1, "x", None, [], [{"a": []}], {"traceId": "00"}])
def test_unknown_fields_are_ignored(value: Any) -> None:
    document = changed("aFieldFromTheFuture", value)
    document["anotherOne"] = value

    assert decode_json(document) == decode_json(EXAMPLE)


def test_original_field_names_are_no_keys_of_otlp_json() -> None:
    assert decode_json(changed("trace_id", "00" * 16)) == decode_json(EXAMPLE)
    assert decode_json({"resource_spans": EXAMPLE["resourceSpans"]}) == []


def test_a_log_record_without_an_event_name_is_named_by_its_attribute() -> None:
    log = LogRecord(attributes=pairs({"event.name": "gen_ai.choice"}))
    message = ExportLogsServiceRequest(
        resource_logs=[ResourceLogs(scope_logs=[ScopeLogs(log_records=[log])])]
    )

    [record] = decode(message.SerializeToString(), Signal.LOGS, Encoding.PROTOBUF)

    assert record.name == "gen_ai.choice"


@pytest.mark.parametrize("signal", list(Signal))
@pytest.mark.parametrize(("encoding", "body"), [(Encoding.PROTOBUF, b""), (Encoding.JSON, b"{}")])
def test_an_empty_request_has_no_records(signal: Signal, encoding: Encoding, body: bytes) -> None:
    assert decode(body, signal, encoding) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'""',
        b'"traces"',
        b"42",
        b"null",
        b"true",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"resourceSpans": "\xff"}',
        b'{"resourceSpans": 5}',
        b'{"resourceSpans": [5]}',
        json.dumps(changed("traceId", "0g")).encode(),
        json.dumps(changed("traceId", "012")).encode(),
        json.dumps(changed("traceId", 12)).encode(),
        json.dumps(changed("name", 12)).encode(),
        json.dumps(changed("name", "\ud800")).encode(),
        json.dumps(changed("startTimeUnixNano", "soon")).encode(),
        json.dumps(changed("startTimeUnixNano", "\ud800")).encode(),
        json.dumps(changed("startTimeUnixNano", -1)).encode(),
        json.dumps(changed("startTimeUnixNano", 2**64)).encode(),
        json.dumps(changed("attributes", [{"key": "n", "value": {"intValue": 2**63}}])).encode(),
    ],
)
def test_malformed_json_is_refused_with_a_reason(body: bytes) -> None:
    with pytest.raises(MalformedBodyError) as refusal:
        decode(body, Signal.TRACES, Encoding.JSON)

    assert str(refusal.value).startswith("the body must be an OTLP traces request in application/")
    assert str(refusal.value).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"\xff",
        b"\x0a\x05",
        traces([chat_span(1)]).SerializeToString()[:-1],
        traces([chat_span(1)], scope="a" * 9).SerializeToString().replace(b"a" * 9, b"\xff" * 9),
        as_otlp_json(traces([chat_span(1)])),
    ],
)
def test_malformed_protobuf_is_refused_with_a_reason(body: bytes) -> None:
    with pytest.raises(MalformedBodyError, match=r"logs request in application/x-protobuf, found"):
        decode(body, Signal.LOGS, Encoding.PROTOBUF)
    with pytest.raises(MalformedBodyError, match=r"traces request in application/x-protobuf"):
        decode(body, Signal.TRACES, Encoding.PROTOBUF)


def assert_decoded_or_refused(body: bytes, signal: Signal, encoding: Encoding) -> None:
    """Hold that a body yields records, or the one error that becomes a 400 with its reason."""
    try:
        records = decode(body, signal, encoding)
    except MalformedBodyError as refusal:
        reason: str | None = str(refusal)
        records = []
    else:
        reason = None

    assert all(isinstance(record, Record) for record in records)
    assert reason is None or reason.encode().startswith(b"the body must be an OTLP")


@UNHURRIED
@given(st.binary(max_size=60), st.sampled_from(Signal), st.sampled_from(Encoding))
def test_any_bytes_are_decoded_or_refused(body: bytes, signal: Signal, encoding: Encoding) -> None:
    assert_decoded_or_refused(body, signal, encoding)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.just("\udc00"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=4,
)


@UNHURRIED
@given(st.data())
def test_json_with_any_part_replaced_is_decoded_or_refused(data: st.DataObject) -> None:
    document = {"top": json.loads(json.dumps(EXAMPLE))}
    places: list[tuple[Any, Any]] = [(document, "top")]
    for parent, key in places:
        node = parent[key]
        keys = node if isinstance(node, dict) else range(len(node) if isinstance(node, list) else 0)
        places.extend((node, k) for k in keys)
    parent, key = data.draw(st.sampled_from(places))
    parent[key] = data.draw(json_values)

    assert_decoded_or_refused(json.dumps(document["top"]).encode(), Signal.TRACES, Encoding.JSON)


@UNHURRIED
@given(st.data())
def test_damaged_protobuf_is_decoded_or_refused(data: st.DataObject) -> None:
    body = bytearray(traces([chat_span(1)], service__name="gateway").SerializeToString())
    at = data.draw(st.integers(0, len(body) - 1))
    body[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=3))

    assert_decoded_or_refused(bytes(body), Signal.TRACES, Encoding.PROTOBUF)
