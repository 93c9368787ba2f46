"""A body with broken parts: its other records are read as if the broken ones were not there."""

import json
from typing import Any

import pytest
from alike import decoder, plainly
from any_request import requests
from builders import T0, any_value, as_otlp_json, chat_span, traces
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from collector.batch.fast import Decoded
from collector.batch.request import field
from collector.batch.salvage import salvaged
from collector.otlp import (
    MAX_RECORDS,
    Encoding,
    MalformedBodyError,
    Signal,
    TooManyRecordsError,
    decode,
)

UNHURRIED = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
BAD = b"\xff\xfe\xfd"
"""No UTF-8; tests write the text BAD, and then these bytes for it."""
CALLS = [chat_span(n).SerializeToString() for n in (1, 2, 3)]


def request_of(*records: bytes, scope: bytes = b"", resource: bytes = b"") -> bytes:
    of_scope = field(1, scope) + b"".join(field(2, one) for one in records)
    return field(1, field(1, resource) + field(2, of_scope))


def attribute(key: bytes, value: bytes) -> bytes:
    return field(1, key) + field(2, value)


def nested(depth: int) -> bytes:
    """Write an AnyValue of lists in lists."""
    value = bytes(any_value("x").SerializeToString())
    for _ in range(depth):
        value = field(5, field(1, value))
    return value


def text(value: bytes) -> bytes:
    return field(1, value)


def read(raw: bytes, signal: Signal = Signal.TRACES) -> Decoded:
    return decoder().decode(raw, signal, Encoding.PROTOBUF)


def read_json(raw: bytes, signal: Signal = Signal.TRACES) -> Decoded:
    return decoder().decode(raw, signal, Encoding.JSON)


BROKEN: dict[str, bytes] = {
    "an attribute that is no UTF-8": field(9, attribute(b"a", text(BAD))),
    "a name of an attribute that is no UTF-8": field(9, attribute(BAD, text(b"a"))),
    "a name that is no UTF-8": field(5, BAD),
    "lists 100 deep": field(9, attribute(b"a", nested(100))),
    "lists 10,000 deep": field(9, attribute(b"a", nested(10_000))),
    "an attribute without its end": field(9, b"\x0a\x09a"),
    "a length beyond the record": b"\x4a\x7f",
    "a field number of zero": b"\x00\x00",
    "a group without its end": b"\x9b\x06",
    "an event that is no UTF-8": field(11, field(2, BAD)),
    "a link with a broken tracestate": field(13, field(3, BAD)),
    "a status that is no UTF-8": field(15, field(2, BAD)),
    "noise": BAD * 9,
}


@pytest.mark.parametrize("more", BROKEN.values(), ids=BROKEN)
def test_a_broken_record_is_set_aside_with_its_reason_and_its_neighbours_are_kept(
    more: bytes,
) -> None:
    found = read(request_of(CALLS[0], CALLS[1] + more, CALLS[2]))
    [rejected] = found.rejected

    assert plainly(lambda: Decoded(found.batch)) == plainly(
        lambda: read(request_of(CALLS[0], CALLS[2]))
    )
    assert rejected.reason.startswith("the record must be what OTLP says it is, found: ")
    assert rejected.record.trace_id == (2).to_bytes(16)
    assert rejected.record.span_id == (2).to_bytes(8)
    assert (rejected.record.name, rejected.record.ended_at) == ("chat", T0)


def test_what_cannot_be_read_of_a_broken_record_is_left_out() -> None:
    broken = field(5, BAD) + field(1, b"t" * 16) + b"\x41" + b"\x01" * 4
    [rejected] = read(request_of(broken)).rejected

    assert (rejected.record.trace_id, rejected.record.name) == (b"t" * 16, "")
    assert rejected.record.ended_at == 0


@pytest.mark.parametrize("what", ["resource", "scope"])
def test_what_stands_under_a_broken_resource_or_scope_is_set_aside(what: str) -> None:
    broken = {what: field(1, BAD) if what == "scope" else field(1, attribute(b"a", text(BAD)))}
    gateway = field(1, attribute(b"service.name", text(b"gw")))
    other = {"resource": gateway} if what == "scope" else {"scope": field(1, b"litellm")}
    found = read(request_of(*CALLS[:2], **broken, **other) + request_of(CALLS[2]))

    assert len(found.batch) == 1
    assert [one.record.span_id for one in found.rejected] == [bytes(7) + b"\1", bytes(7) + b"\2"]
    for one in found.rejected:
        assert one.reason.startswith(f"the {what} must be what OTLP says it is")
        assert (one.service, one.record.scope) == (
            ("gw", "") if what == "scope" else ("", "litellm")
        )


def test_broken_log_records_are_set_aside_too() -> None:
    message = ExportLogsServiceRequest()
    records = message.resource_logs.add().scope_logs.add().log_records
    for n in (1, 2):
        records.add(
            event_name="tallystick.usage", time_unix_nano=T0 + n, attributes=chat_span(n).attributes
        )
    broken = records.add(event_name="BADNAME", observed_time_unix_nano=T0, span_id=b"s" * 8)
    broken.attributes.add(key="BAD")
    raw = message.SerializeToString().replace(b"BAD", BAD)
    found = read(raw, Signal.LOGS)
    [rejected] = found.rejected

    assert len(found.batch) == 2
    assert (rejected.record.span_id, rejected.record.ended_at) == (b"s" * 8, T0)
    assert rejected.record.name == ""


def test_fields_around_the_records_may_be_odd() -> None:
    """An unreadable schema url, and fields from the future of every wire type."""
    raw = request_of(CALLS[0], field(5, BAD))
    unknown = [b"\x48\x05", b"\x49" + bytes(8), b"\x4d" + bytes(4), field(9, BAD)]
    inner = field(1, raw[2:] + field(3, BAD) + b"".join(unknown)) if len(raw) < 130 else b""
    found = read(raw + b"".join(unknown) + field(1, field(3, BAD) + b"".join(unknown)) + inner)

    assert len(found.batch) == 1
    assert len(found.rejected) == 1


def test_a_resource_behind_its_records_is_theirs() -> None:
    resource = field(1, field(1, attribute(b"service.name", text(b"gw"))))
    of_scope = field(2, field(2, CALLS[0]) + field(2, CALLS[1] + field(5, BAD)) + field(1, b""))
    found = read(field(1, of_scope + resource))

    assert found.batch.table["gateway"].to_pylist() == ["gw"]
    assert [one.service for one in found.rejected] == ["gw"]


@pytest.mark.parametrize(
    ("raw", "encoding"),
    [
        (field(1, field(3, BAD)), Encoding.PROTOBUF),
        (b'{"resourceSpans": [], "x": "\xff"}', Encoding.JSON),
    ],
)
def test_a_broken_body_without_records_is_refused(raw: bytes, encoding: Encoding) -> None:
    with pytest.raises(MalformedBodyError, match="no records"):
        decoder().decode(raw, Signal.TRACES, encoding)


WITHOUT_AN_END: dict[str, bytes] = {
    "noise": BAD,
    "a length beyond the end": b"\x0a\x05abc",
    "a group": b"\x0b\x0c" + request_of(field(5, BAD)),
    "a resource that is cut": field(1, b"\x0a\x05"),
    "a scope that is cut": field(1, field(2, b"\x0a\x05")),
    "a record that is cut": field(1, field(2, b"\x12\x05")),
    "two resources": field(1, field(1, b"") * 2 + field(2, field(2, field(5, BAD)))),
    "two scopes": field(1, field(2, field(1, b"") * 2 + field(2, field(5, BAD)))),
    "a number that is cut": request_of(field(5, BAD)) + b"\x10\xff",
    "eight bytes that are cut": request_of(field(5, BAD)) + b"\x11\xff",
}


@pytest.mark.parametrize("raw", WITHOUT_AN_END.values(), ids=WITHOUT_AN_END)
def test_where_records_cannot_be_told_from_each_other_the_body_is_refused(raw: bytes) -> None:
    with pytest.raises(MalformedBodyError, match="traces request in application/x-protobuf"):
        read(raw + request_of(field(5, BAD)) if raw == BAD else raw)


def test_too_many_records_are_refused_though_one_is_broken() -> None:
    scope = b"\x12\x00" * MAX_RECORDS + field(2, field(5, BAD))

    with pytest.raises(TooManyRecordsError):
        salvaged(field(1, field(2, scope)), Signal.TRACES, Encoding.PROTOBUF)


@UNHURRIED
@given(data=st.data())
@pytest.mark.parametrize("signal", [Signal.TRACES, Signal.LOGS])
def test_any_records_with_broken_ones_between_them_are_read_as_without(
    signal: Signal, data: st.DataObject
) -> None:
    """Each scope of a request gets a broken record; the rest must come out as they were."""
    message = data.draw(requests(signal))
    raw = message.SerializeToString()
    is_log = signal is Signal.LOGS
    groups = message.resource_logs if is_log else message.resource_spans
    scopes = [
        one for group in groups for one in (group.scope_logs if is_log else group.scope_spans)
    ]
    for scope in scopes:
        records = scope.log_records if is_log else scope.spans
        broken = records.add(attributes=[{"key": "BADBADBAD"}])
        if data.draw(st.booleans()):
            rest = list(records)[:-1]
            del records[:]
            records.extend([broken, *rest])
    odd = message.SerializeToString().replace(b"BADBADBAD", BAD * 3)
    fast = decoder()
    found = fast.decode(odd, signal, Encoding.PROTOBUF)
    expected = fast.normalised(decode(raw, signal, Encoding.PROTOBUF))

    assert plainly(lambda: Decoded(found.batch)) == plainly(lambda: Decoded(expected.batch))
    assert len(found.rejected) - len(expected.rejected) == len(scopes)


def document(*changes: Any) -> dict[str, Any]:
    """Write spans as OTLP/JSON, each with its own change."""
    found: dict[str, Any] = json.loads(
        as_otlp_json(traces([chat_span(n) for n in range(1, len(changes) + 1)], service__name="gw"))
    )
    spans = spans_of(found)
    for span, change in zip(spans, changes, strict=True):
        span.update(change)
    return found


def spans_of(found: dict[str, Any]) -> list[dict[str, Any]]:
    spans: list[dict[str, Any]] = found["resourceSpans"][0]["scopeSpans"][0]["spans"]
    return spans


def lists(depth: int) -> Any:
    value: Any = {"stringValue": "x"}
    for _ in range(depth):
        value = {"arrayValue": {"values": [value]}}
    return value


BROKEN_JSON: dict[str, Any] = {
    "a negative time": {"startTimeUnixNano": "-1"},
    "a time in words": {"startTimeUnixNano": "today"},
    "an id of half a byte": {"traceId": "abc"},
    "an id that is a number": {"parentSpanId": 5},
    "a count beyond 64 bits": {"attributes": [{"key": "a", "value": {"intValue": str(2**64)}}]},
    "a name that is a number": {"name": 5},
    "a name that is no Unicode": {"name": "\ud800"},
    "lists 300 deep": {"attributes": [{"key": "k", "value": lists(300)}]},
    "a null attribute": {"attributes": [None]},
    "two values at once": {"attributes": [{"value": {"intValue": 1, "boolValue": True}}]},
}


@pytest.mark.parametrize("change", BROKEN_JSON.values(), ids=BROKEN_JSON)
def test_a_broken_record_in_json_costs_no_neighbour(change: Any) -> None:
    found = read_json(json.dumps(document({}, change, {})).encode())
    [rejected] = found.rejected

    assert len(found.batch) == 2
    assert rejected.reason.startswith("the record must be what OTLP says it is, found: ")
    assert (rejected.record.span_id, rejected.service) == (bytes(7) + b"\2", "gw")
    assert ("traceId" in change) == (rejected.record.trace_id == b"")
    assert rejected.reason.encode()


@pytest.mark.parametrize("odd", [5, None, "span", [], True])
def test_a_record_in_json_that_is_no_object_is_set_aside(odd: Any) -> None:
    body = document({}, {})
    spans_of(body).insert(1, odd)
    found = read_json(json.dumps(body).encode())

    assert len(found.batch) == 2
    assert len(found.rejected) == 1


def test_a_text_in_json_that_is_no_utf8_costs_only_its_record() -> None:
    body = document({}, {"name": "BAD"}, {"unknown": "BAD"})
    found = read_json(json.dumps(body).encode().replace(b"BAD", BAD))

    assert len(found.batch) == 2
    assert len(found.rejected) == 1
    assert found.rejected[0].reason.encode()


@pytest.mark.parametrize("what", ["resource", "scope"])
def test_what_stands_under_a_broken_resource_or_scope_in_json_is_set_aside(what: str) -> None:
    body = document({}, {})
    group = body["resourceSpans"][0]
    (group if what == "resource" else group["scopeSpans"][0])[what] = {"attributes": 5}
    body["resourceSpans"] += document({})["resourceSpans"]
    found = read_json(json.dumps(body).encode())

    assert len(found.batch) == 1
    assert [one.reason.split()[1] for one in found.rejected] == [what, what]


def test_json_logs_are_salvaged_as_spans_are() -> None:
    records = [{"timeUnixNano": "1", "eventName": "a"}, {"timeUnixNano": "x", "eventName": "b"}]
    body = {"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}, {}]}
    [rejected] = read_json(json.dumps(body).encode(), Signal.LOGS).rejected

    assert rejected.record.name == "b"


UNWALKABLE: list[Any] = [
    {"resourceSpans": 5},
    {"resourceSpans": {}},
    {"resourceSpans": [5]},
    {"resourceSpans": [{"scopeSpans": "x"}]},
    {"resourceSpans": [{"scopeSpans": [None]}]},
    {"resourceSpans": [{"scopeSpans": [{"spans": {"name": 5}}]}]},
    [],
    None,
]


@pytest.mark.parametrize("body", UNWALKABLE)
def test_json_whose_records_cannot_be_told_from_each_other_is_refused(body: Any) -> None:
    with pytest.raises(MalformedBodyError, match="traces request in application/json, found: "):
        read_json(json.dumps(body).encode())


def test_too_many_records_in_json_are_refused_though_one_is_broken() -> None:
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [{}] * MAX_RECORDS + [5]}]}]}

    with pytest.raises(TooManyRecordsError):
        read_json(json.dumps(body).encode())


@pytest.mark.parametrize(
    "unknown", [{"traceId": "no hex"}, {"a": [{"spanId": 5}]}, [{"parentSpanId": None}], "\ud800"]
)
def test_what_is_broken_inside_an_unknown_field_is_ignored(unknown: Any) -> None:
    found = read_json(json.dumps(document({"fromTheFuture": unknown}, {})).encode())

    assert len(found.batch) == 2
    assert not found.rejected


def test_ids_of_links_are_hex_as_well() -> None:
    good = {"links": [{"traceId": "AB" * 16, "spanId": "cd" * 8}]}
    found = read_json(json.dumps(document(good, {"links": [{"traceId": "x"}]})).encode())

    assert (len(found.batch), len(found.rejected)) == (1, 1)
