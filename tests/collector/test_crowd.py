"""Bodies of very many small parts: counted before they are made, and refused with 413."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from any_request import requests
from builders import any_value, as_otlp_json, chat_span, traces
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.batch.crowd import MAX_MESSAGES, count_messages, count_values, layout_of
from collector.batch.fast import FastDecoder
from collector.batch.request import field
from collector.otlp import Encoding, Signal, TooManyPartsError, parse

TRACES = ExportTraceServiceRequest.DESCRIPTOR
UNHURRIED = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


def messages_in(message: Any) -> int:
    """Count the messages inside a message, one by one, and texts in lists."""
    count = 0
    for described, value in message.ListFields():
        values = value if described.is_repeated else [value]
        if described.message_type:
            count += sum(1 + messages_in(one) for one in values)
        elif described.type == described.TYPE_STRING and described.is_repeated:
            count += len(values)
    return count


@UNHURRIED
@given(data=st.data())
@pytest.mark.parametrize("signal", [Signal.TRACES, Signal.LOGS])
def test_every_message_of_a_request_is_counted(signal: Signal, data: st.DataObject) -> None:
    message = data.draw(requests(signal))

    assert count_messages(message.SerializeToString(), message.DESCRIPTOR) == messages_in(message)


def test_metrics_are_counted_down_to_their_buckets() -> None:
    """Packed numbers of one byte each become eight: so many count as one message."""
    message = ExportMetricsServiceRequest()
    of_scope = message.resource_metrics.add().scope_metrics.add()
    points = of_scope.metrics.add().exponential_histogram.data_points
    points.add().positive.bucket_counts.extend([1] * 800)

    assert count_messages(message.SerializeToString(), message.DESCRIPTOR) == 6 + 100


def test_texts_in_lists_count_as_messages() -> None:
    message = ExportLogsServiceRequest()
    entity = message.resource_logs.add().resource.entity_refs.add()
    entity.id_keys.extend(["", "a"])

    assert count_messages(message.SerializeToString(), message.DESCRIPTOR) == 5


@pytest.mark.parametrize(
    "around",
    [
        b"\x08\x01",
        b"\x09" + bytes(8),
        b"\x0d" + bytes(4),
        b"\x9b\x06\x9c\x06",
        b"\x98\x80\x80\x80\x08\x01",
        field(99, b"unknown"),
    ],
)
def test_what_stands_before_does_not_hide_what_follows(around: bytes) -> None:
    """Unknown fields of each wire type, groups, and tags longer than they need to be."""
    raw = field(1, around + field(2, around + field(2, around + b"\x4a\x00" * 5)))

    assert count_messages(around + raw, TRACES) == 3 + 5


@pytest.mark.parametrize("cut", [b"", b"\xff", b"\x0a\x05", b"\x08", b"\x09\x00", b"\x0d\x00"])
def test_counting_ends_where_nothing_can_be_read(cut: bytes) -> None:
    assert count_messages(b"\x0a\x00" * 3 + cut, TRACES) == 3


def test_counting_ends_as_deep_as_protobuf_reads() -> None:
    value = any_value("x").SerializeToString()
    for _ in range(10_000):
        value = field(5, field(1, value))
    raw = field(1, field(2, field(2, field(9, field(2, value)))))

    assert 95 <= count_messages(raw, TRACES) <= 105


def test_a_layout_is_made_once() -> None:
    assert layout_of(TRACES) is layout_of(TRACES)


def test_values_of_json_are_counted_by_their_marks() -> None:
    assert count_values(b'{"a": [1, 2, {"b": "c,"}]}') == 3 + 3
    assert count_values(as_otlp_json(traces([chat_span(1)]))) < 100


_ODD = b"\x78\x01"
"""An unknown field, at which the walker leaves a body to protobuf."""


def repeated(part: bytes) -> Callable[[int], bytes]:
    return lambda size: _ODD + part * (size // len(part))


def in_span(part: bytes) -> Callable[[int], bytes]:
    def body(size: int) -> bytes:
        record = part * (size // len(part))
        return _ODD + field(1, field(2, field(2, record)))

    return body


def in_list(part: bytes) -> Callable[[int], bytes]:
    def body(size: int) -> bytes:
        values = field(5, part * (size // len(part)))
        return _ODD + field(1, field(2, field(2, field(9, field(2, values)))))

    return body


def in_json(before: bytes, part: bytes, after: bytes) -> Callable[[int], bytes]:
    return lambda size: before + part * ((size - 99) // len(part)) + after


def all_different(size: int) -> bytes:
    """Attributes with names and values of their own, which take most room as Python's."""
    start, rest = b"\x4a\x0f\x0a\x06", b"\x12\x05\x18\xff\xff\xff\x7f"
    pairs = (start + b"%06x" % n + rest for n in range(size // 17))
    return _ODD + field(1, field(2, field(2, b"".join(pairs))))


_SPAN = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":['
_ENDS = b"]}]}]}]}"
CROWDS: dict[str, tuple[Callable[[int], bytes], Encoding]] = {
    "empty attributes": (in_span(b"\x4a\x00"), Encoding.PROTOBUF),
    "empty values in a list": (in_list(b"\x0a\x00"), Encoding.PROTOBUF),
    "empty resources": (repeated(b"\x0a\x00"), Encoding.PROTOBUF),
    "empty events": (in_span(b"\x5a\x00"), Encoding.PROTOBUF),
    "attributes that all differ": (all_different, Encoding.PROTOBUF),
    "empty attributes in JSON": (in_json(_SPAN, b"{},", b"{}" + _ENDS), Encoding.JSON),
    "empty lists in JSON": (in_json(b'{"a":[', b"[],", b"[]]}"), Encoding.JSON),
    "numbers in JSON": (in_json(b'{"a":[', b"1e9,", b"1]}"), Encoding.JSON),
    "objects in JSON": (in_json(b'{"a":[', b'{"":1},', b"1]}"), Encoding.JSON),
}
EACH_CROWD = pytest.mark.parametrize(("body", "encoding"), CROWDS.values(), ids=CROWDS)
MIB = 1024 * 1024


@EACH_CROWD
def test_a_crowd_is_refused(body: Callable[[int], bytes], encoding: Encoding) -> None:
    with pytest.raises(TooManyPartsError, match="must be made of at most"):
        parse(body(36 * MIB), Signal.TRACES, encoding)


def test_a_full_body_of_ordinary_spans_is_no_crowd() -> None:
    """Fifteen attributes to a span, in as many spans as one body may have bytes for."""
    said = {f"an.attribute.of.some.length.{n}": f"value {n}" for n in range(15)}
    raw = traces([chat_span(1, **said)]).SerializeToString()

    assert count_messages(raw, TRACES) * (64 * MIB // len(raw)) < MAX_MESSAGES


_MEASURE = """
import re, sys
from test_crowd import CROWDS, MIB
from collector.batch.fast import FastDecoder
from collector.otlp import Signal
decoder = FastDecoder(1)
for size in sys.argv[2].split():
    for crowd in sys.argv[1].split(","):
        build, encoding = CROWDS[crowd]
        try:
            decoder.decode(build(int(size) * MIB), Signal.TRACES, encoding)
            print("read")
        except ValueError as error:
            print(type(error).__name__)
status = open("/proc/self/status").read()
print(int(re.search("VmHWM:[^0-9]*([0-9]+) kB", status)[1]) // 1024)
"""
"""What getrusage says would not do: a process inherits the peak of the one that started it."""


def peak_mib(crowds: Iterable[str], sizes: Iterable[int]) -> tuple[list[str], int]:
    """Return what becomes of bodies in a process of its own, and the most memory it took."""
    here = Path(__file__).parent
    path = ":".join(map(str, (here, here.parent, here.parents[1])))
    run = subprocess.run(
        [sys.executable, "-c", _MEASURE, ",".join(crowds), " ".join(map(str, sizes))],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        check=True,
        text=True,
    )
    *said, peak = run.stdout.split()
    return said, int(peak)


def test_no_body_of_64_mib_takes_a_gib() -> None:
    said, peak = peak_mib(
        ["empty attributes", "empty values in a list", "empty lists in JSON"], [64]
    )

    assert set(said) == {"TooManyPartsError"}
    assert peak < 1024


def test_what_protobuf_never_sees_may_be_as_many_as_it_likes() -> None:
    body = in_span(b"\x4a\x00")(64 * MIB).removeprefix(_ODD)

    assert len(FastDecoder(1).decode(body, Signal.TRACES, Encoding.PROTOBUF).batch) == 0


@pytest.mark.slow
@pytest.mark.parametrize("crowd", CROWDS)
def test_the_largest_crowd_that_is_taken_does_not_take_a_gib(crowd: str) -> None:
    said, peak = peak_mib([crowd], (6, 7, 8, 12, 15, 18, 23, 28, 33))

    assert "read" in said
    assert peak < 1024
