"""What the walker finds in bodies made by hand: positions, counts, shapes, and what it leaves."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from any_request import pairs
from builders import T0, chat_span, span, traces
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.batch.keys import (
    CACHED,
    COUNTS,
    DURATIONS,
    INPUT,
    OUTPUT,
    QUEUE,
    RESPONSE_ID,
    TEXTS,
    TTFT,
    registered,
)
from collector.batch.rows import ODD, PLAIN, UNSAID, Rows
from collector.batch.walk import Walker, count_records

WALKER = Walker(registered(7))


def walked(*spans: Span, **resource: str) -> tuple[bytes, Rows]:
    raw = traces(spans, **resource).SerializeToString()
    rows = WALKER.walk(raw, is_log=False)
    assert rows is not None
    return raw, rows


def row_of(said: Mapping[str, Any]) -> Rows:
    """Walk one span with some attributes."""
    return walked(Span(trace_id=b"t" * 16, span_id=b"s" * 8, attributes=pairs(said.items())))[1]


def test_ids_times_and_texts_are_found_where_they_lie() -> None:
    one = chat_span(5, tenant__id="acme", gen_ai__response__id="千")
    one.parent_span_id = b"p" * 8
    raw, rows = walked(one)
    [(trace, number, parent)] = rows.ids.tolist()
    texts = [raw[start:stop] for start, stop in zip(rows.starts[0], rows.stops[0], strict=True)]

    assert raw[trace : trace + 16] == one.trace_id
    assert raw[number : number + 8] == one.span_id
    assert raw[parent : parent + 8] == one.parent_span_id
    assert rows.times.tolist() == [[T0 - 10**9, T0, 0]]
    assert texts[[name for name, _ in TEXTS].index("tenant")] == b"acme"
    assert texts[RESPONSE_ID] == "千".encode()
    assert sum(text != b"" for text in texts) == 2


def test_places_are_those_of_the_record_its_resource_and_its_scope() -> None:
    one, other = chat_span(1), chat_span(2)
    raw, rows = walked(one, other, service__name="gw")

    assert rows.place[0, 2:].tolist() == rows.place[1, 2:].tolist()
    for place, expected in zip(rows.place.tolist(), (one, other), strict=True):
        assert Span.FromString(raw[place[0] : place[1]]) == expected
        assert b"service.name" in raw[place[2] : place[3]]
        assert b"opentelemetry.util.genai.handler" in raw[place[4] : place[5]]


def test_what_is_unsaid_is_told_from_zero() -> None:
    rows = row_of({"gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 3})

    assert rows.counts[0, [INPUT, OUTPUT, CACHED]].tolist() == [0, 3, -1]
    assert rows.nanos.tolist() == [[0] * len(DURATIONS)]
    assert rows.counts.shape == (1, len(COUNTS))


@pytest.mark.parametrize(
    ("said", "ttft", "queue"),
    [
        ({"gen_ai.response.time_to_first_chunk": 0.25}, 250_000_000, 0),
        ({"gen_ai.response.time_to_first_chunk": 2}, 2_000_000_000, 0),
        ({"ai.response.msToFirstChunk": 2.5}, 2_500_000, 0),
        ({"gen_ai.response.time_to_first_token": 1_234}, 1_234, 0),
        ({"gen_ai.response.time_to_first_token": 0.5}, 500_000_000, 0),
        ({"gen_ai.latency.time_in_queue": 0.0000000025}, 0, 2),
        ({"gen_ai.latency.time_in_queue": 0}, 0, 0),
    ],
)
def test_durations_of_any_unit_are_nanoseconds(
    said: Mapping[str, Any], ttft: int, queue: int
) -> None:
    rows = row_of(said)

    assert (rows.nanos[0, TTFT], rows.nanos[0, QUEUE], rows.kind[0]) == (ttft, queue, PLAIN)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ({}, UNSAID),
        ({"http.method": "GET"}, UNSAID),
        ({"tenant.id": "acme"}, PLAIN),
        ({"tenant.id": ""}, PLAIN),
        ({"tenant.id": None}, PLAIN),
        ({"tenant.id": 5}, ODD),
        ({"tenant.id": "a\tb"}, ODD),
        ({"tenant.id": "x" * 501}, ODD),
        ({"tenant.id": "x" * 500}, PLAIN),
        ({"gen_ai.usage.input_tokens": "5"}, ODD),
        ({"gen_ai.usage.input_tokens": -1}, ODD),
        ({"gen_ai.usage.input_tokens": 2**40}, ODD),
        ({"gen_ai.usage.input_tokens": 2**40 - 1}, PLAIN),
        ({"gen_ai.usage.input_tokens": 4, "gen_ai.usage.cache_read.input_tokens": 5}, ODD),
        ({"gen_ai.usage.cache_read.input_tokens": 5}, ODD),
        ({"gen_ai.usage.total_tokens": 5}, ODD),
        ({"gen_ai.usage.input_tokens": 5, "gen_ai.usage.total_tokens": 5}, PLAIN),
        ({"gen_ai.response.time_to_first_chunk": 0}, ODD),
        ({"gen_ai.response.time_to_first_chunk": "1"}, ODD),
        ({"gen_ai.response.time_to_first_chunk": float("nan")}, ODD),
        ({"llm.openai.usage": "{}"}, ODD),
        ({"output.value": '{"id": 1}'}, ODD),
        ({"output.value": "an answer"}, PLAIN),
        ({"error.type": ["any", {"value": 1}]}, PLAIN),
    ],
)
def test_a_record_is_unsaid_or_plain_or_left_to_the_reference(
    said: Mapping[str, Any], kind: int
) -> None:
    assert row_of(said).kind.tolist() == [kind]


def test_of_several_names_the_best_is_read_and_of_one_name_the_last() -> None:
    rows = row_of({"llm.usage.prompt_tokens": 9, "gen_ai.usage.input_tokens": 5})
    twice = Span(attributes=[*pairs([("gen_ai.usage.input_tokens", 5)]),
                             *pairs([("gen_ai.usage.input_tokens", 6)])])  # fmt: skip

    assert rows.counts[0, INPUT] == 5
    assert walked(twice)[1].counts[0, INPUT] == 6


def test_a_shape_is_of_all_but_a_records_own() -> None:
    def shape(scope: str = "s", resource: str = "r", name: str = "chat", **said: Any) -> int:
        one = chat_span(1, **said)
        one.name = name
        raw = traces([one], scope, service__name=resource).SerializeToString()
        rows = WALKER.walk(raw, is_log=False)
        assert rows is not None
        return int(rows.shape[0])

    assert shape() == shape(tokens=99) == shape(http__method="GET")
    assert shape(tenant__id="a") == shape(tenant__id="b")
    others = {
        shape(), shape("t"), shape(resource="t"), shape(name="t"), shape(tokens=0),
        shape(tenant__id="a"), shape(gen_ai__provider__name="x"), shape(gen_ai__provider__name=""),
    }  # fmt: skip
    assert len(others) == 8


def test_another_seed_makes_other_shapes() -> None:
    raw = traces([chat_span(1)]).SerializeToString()
    shapes = [Walker(registered(seed)).walk(raw, is_log=False) for seed in (1, 2)]

    assert len({int(rows.shape[0]) for rows in shapes if rows}) == 2


LOG = {"time_unix_nano": T0, "attributes": pairs([("gen_ai.usage.input_tokens", 5)])}


def test_log_records_have_their_own_fields() -> None:
    message = ExportLogsServiceRequest()
    records = message.resource_logs.add().scope_logs.add().log_records
    records.add(**LOG, trace_id=b"t" * 16, span_id=b"s" * 8, severity_text="INFO", flags=1)
    records.add(observed_time_unix_nano=T0 + 1, event_name="tallystick.usage")
    raw = message.SerializeToString()
    rows = WALKER.walk(raw, is_log=True)

    assert rows is not None
    assert rows.kind.tolist() == [PLAIN, UNSAID]
    assert rows.times.tolist() == [[T0, 0, 0], [0, 0, T0 + 1]]
    assert (rows.ids[0, :2] > 0).all()
    assert rows.ids[1].tolist() == [-1, -1, -1]


def test_no_record_knows_of_another() -> None:
    full = chat_span(1, tenant__id="acme", gen_ai__response__id="r")
    _, rows = walked(full, span(2, 2), full, Span(trace_id=b"t" * 16))

    assert rows.kind.tolist() == [PLAIN, UNSAID, PLAIN, UNSAID]
    assert (rows.counts[[1, 3]] == -1).all()
    assert (rows.stops[[1, 3]] == -1).all()
    assert rows.ids[3, 1:].tolist() == [-1, -1]
    assert np.array_equal(rows.counts[0], rows.counts[2])


GOOD = traces([chat_span(1)]).SerializeToString()


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff",
        b"\x08\x01",
        b"\x12\x00",
        GOOD[:-1],
        GOOD + b"\x0a\x05",
        GOOD.replace(b"qwen3", b"qwen\xff"),
        GOOD.replace(b"handler", b"handle\xff"),
        b"\x0a\x02\x1a\x00" + b"\x0a\x03\x1a\x01\xff",
        b"\x0a\x04\x12\x00\x0a\x00",
        b"\x0a\x04\x0a\x00\x0a\x00",
        b"\x0a\x06\x12\x04\x12\x00\x0a\x00",
        b"\x0a\x04\x0a\x02\x1a\x00",
        b"\x0a\x06\x12\x04\x12\x02\x98\x01",
        b"\x0a\x07\x12\x05\x12\x03\x30\x80\x80",
        b"\x0a\x08\x12\x06\x12\x04\x2a\x00\x2a\x00",
        b"\x0a\x0a\x12\x08\x12\x06\x4a\x04\x0a\x00\x0a\x00",
        b"\x0a\x0d\x12\x0b\x12\x09\x41" + b"\xff" * 8,
    ],
)
def test_an_unusual_body_is_left_to_the_reference_whole(raw: bytes) -> None:
    """Malformed, cut, no UTF-8; resource or scope behind records or twice; unknown fields; a name
    or key said twice; a time beyond 63 bits."""
    assert WALKER.walk(raw, is_log=False) is None


def test_records_are_counted_without_looking_into_them() -> None:
    message = traces([chat_span(n) for n in range(1, 8)])
    message.resource_spans.add().scope_spans.add().spans.add()

    assert count_records(message.SerializeToString()) == 8
    assert count_records(b"\x0a\x06\x12\x04\x12\x02\xff\xff") == 1
    assert count_records(b"\x0a\x06\x12\x04\x12\x03\xff\xff") < 0
    assert count_records(ExportTraceServiceRequest().SerializeToString()) == 0
