"""What benchmarks send must be what they say: other spans each time, and none of them odd."""

from itertools import islice

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench.figure import at_least, at_most, missed
from bench.payload import START_NS, log_bodies
from bench.traffic import GAP_NS, Traffic
from collector.batch.fast import FastDecoder
from collector.otlp import Encoding, Signal, decode
from metering.event import Quality


@pytest.fixture(scope="module")
def traffic() -> Traffic:
    return Traffic(seed=7)


@pytest.mark.parametrize("size", [1, 200, 1000])
def test_a_body_holds_as_many_spans_as_asked_for(traffic: Traffic, size: int) -> None:
    message = ExportTraceServiceRequest.FromString(traffic.body(size, START_NS))

    assert len(message.resource_spans[0].scope_spans[0].spans) == size


def test_no_two_spans_are_alike(traffic: Traffic) -> None:
    bodies = list(islice(traffic.bodies(200, lambda: START_NS), 10))
    events = [event for body in bodies for event in decode(body, Signal.TRACES, Encoding.PROTOBUF)]

    assert len({e.trace_id for e in events}) == len({e.span_id for e in events}) == 2000
    assert len({e.attributes["gen_ai.response.id"] for e in events}) == 2000


def test_spans_end_in_order_and_just_now(traffic: Traffic) -> None:
    records = decode(traffic.body(200, START_NS), Signal.TRACES, Encoding.PROTOBUF)

    ends = [r.ended_at for r in records]
    assert ends == sorted(ends)
    assert START_NS - GAP_NS <= ends[-1] <= START_NS
    assert all(10**8 <= r.ended_at - r.started_at < 3 * 10**9 for r in records)


@pytest.mark.slow
def test_both_decoders_measure_every_token_of_spans_and_logs(traffic: Traffic) -> None:
    decoder = FastDecoder(seed=1)
    sent = ((Signal.TRACES, traffic.body(100, START_NS)), (Signal.LOGS, next(log_bodies(100))))
    for signal, body in sent:
        fast = decoder.decode(body, signal, Encoding.PROTOBUF).batch
        reference = decoder.normalised(decode(body, signal, Encoding.PROTOBUF)).batch

        assert len(fast) == 100
        assert fast.table.equals(reference.table)
        assert set(fast.table["quality"].to_pylist()) == {Quality.MEASURED.value}


def test_the_report_lists_what_was_asked_for_and_not_reached() -> None:
    report = {"speed": {"plain": at_least(0.15, 0.2), "gzip": at_least(0.5, 0.4)}, "spans": 7}

    assert missed(report) == ["speed.gzip: asked at least 0.5, found 0.4"]
    assert missed({"wait": at_most(250, 250)}) == []
