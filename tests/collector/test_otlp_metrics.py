"""OTLP metrics become readings: every shape of point, both encodings, and nothing unknown."""

import math
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToJson
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from collector.dialect.normalise import TooManyDaysError
from collector.otlp import Encoding, MalformedBodyError, Signal, decode
from collector.otlp_metrics import decode_metrics
from collector.workers.engine_tables import KNOWN
from collector.workers.engines import Heard
from metering.counter import Sample, increase
from metering.histogram import Buckets
from metering.signal import Reading

BODIES = sorted((Path(__file__).parents[1] / "payloads" / "metrics").glob("*/*.pb"))
NOW = 1_795_000_000_000_000_000
DELTA, CUMULATIVE = 1, 2


def request(name: str, **kind: Any) -> ExportMetricsServiceRequest:
    """Return a request of one metric: ``gauge=[point, ...]`` or ``sum=`` and so on."""
    [(shape, points)] = kind.items()
    message = ExportMetricsServiceRequest()
    of_resource = message.resource_metrics.add()
    of_resource.resource.attributes.add(key="service.instance.id").value.string_value = "w1:8000"
    metric = of_resource.scope_metrics.add().metrics.add(name=name)
    for point in points:
        told = dict(point)
        temporality = told.pop("temporality", None)
        labels = told.pop("labels", {})
        made = getattr(metric, shape).data_points.add(time_unix_nano=NOW, **told)
        for key, value in labels.items():
            made.attributes.add(key=key).value.string_value = value
        if temporality:
            getattr(metric, shape).aggregation_temporality = temporality
    return message


def heard(message: ExportMetricsServiceRequest) -> Heard:
    """Read a request in both encodings, which must agree."""
    binary = decode_metrics(message.SerializeToString(), Encoding.PROTOBUF, KNOWN)
    told = MessageToJson(message, use_integers_for_enums=True)  # metrics hold no ids in hex
    assert binary == decode_metrics(told.encode(), Encoding.JSON, KNOWN)
    return binary


def only(message: ExportMetricsServiceRequest) -> Reading:
    [reading] = heard(message).readings
    return reading


def test_an_engine_s_gauge_that_a_collector_passes_on_is_its_signal() -> None:
    labels = {"model_name": "m", "engine": "1"}
    reading = only(request("vllm:num_requests_running", gauge=[{"as_int": 3, "labels": labels}]))

    assert (reading.signal, reading.value, reading.at_ns) == ("requests_running", 3.0, NOW)
    assert (reading.origin.target, reading.origin.model, reading.origin.engine) == (
        "w1:8000",
        "m",
        "1",
    )


@pytest.mark.parametrize(
    "name", ["vllm:prompt_tokens_total", "vllm:prompt_tokens", "vllm_prompt_tokens_total"]
)
def test_names_may_lose_their_colons_and_endings_on_the_way(name: str) -> None:
    point = {"as_double": 7.0, "start_time_unix_nano": 5, "temporality": CUMULATIVE}
    reading = only(request(name, sum=[point]))

    assert (reading.signal, reading.value, reading.started_ns) == ("prompt_tokens", 7.0, 5)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=6))
def test_deltas_and_cumulative_sums_count_the_same(steps: list[int]) -> None:
    def samples(temporality: int) -> list[Sample]:
        found = []
        for i, step in enumerate(steps):
            value = step if temporality == DELTA else sum(steps[: i + 1])
            start = 100 + i * 10 if temporality == DELTA else 100
            message = request(
                "vllm:prompt_tokens_total",
                sum=[
                    {
                        "as_int": value,
                        "start_time_unix_nano": start,
                        "temporality": temporality,
                    }
                ],
            )
            reading = only(message)
            found.append(Sample(start + i + 10, reading.value, reading.started_ns))
        return found

    assert increase(samples(DELTA), since_ns=100) == sum(steps)
    assert increase(samples(CUMULATIVE), since_ns=100) == sum(steps)


def test_a_delta_without_a_start_is_all_new() -> None:
    point = {"as_int": 7, "temporality": DELTA}

    assert only(request("vllm:prompt_tokens_total", sum=[point])).started_ns == NOW


def test_histograms_keep_their_buckets() -> None:
    point = {
        "count": 4,
        "sum": 2.5,
        "bucket_counts": [1, 3],
        "explicit_bounds": [0.5],
        "temporality": CUMULATIVE,
    }
    reading = only(request("gen_ai.client.operation.duration", histogram=[point]))

    assert (reading.signal, reading.value) == ("client_e2e_seconds", 2.5)
    assert reading.buckets == Buckets((0.5,), (1, 3))


def test_a_histogram_without_buckets_keeps_its_count() -> None:
    point = {"count": 4, "sum": 2.5}
    reading = only(request("gen_ai.client.operation.duration", histogram=[point]))

    assert reading.buckets == Buckets((), (4,))


def test_an_exponential_histogram_has_the_same_observations_in_buckets() -> None:
    positive = {"offset": 1, "bucket_counts": [0, 2]}
    point = {"count": 3, "sum": 10.0, "scale": 0, "zero_count": 1, "positive": positive}
    reading = only(request("gen_ai.client.operation.duration", exponential_histogram=[point]))

    assert reading.buckets == Buckets((0.0, 4.0, 8.0), (1, 0, 2, 0))


def test_a_summary_keeps_its_count_and_sum() -> None:
    point = {"count": 3, "sum": 10.0}
    reading = only(request("gen_ai.client.operation.duration", summary=[point]))

    assert (reading.value, reading.buckets) == (10.0, Buckets((), (3,)))


@pytest.mark.parametrize(
    "kind",
    [
        {"gauge": [{"as_double": 5.0, "flags": 1}]},
        {"gauge": [{}]},
        {"gauge": [{"as_double": math.nan}]},
        {"exponential_histogram": [{"count": 1, "sum": 1.0, "scale": 21}]},
        {"histogram": [{"count": 1}]},
        {"histogram": [{"count": 1, "sum": 1.0, "bucket_counts": [1], "explicit_bounds": [1.0]}]},
        {"histogram": [{"sum": 1.0, "bucket_counts": [1, 0], "explicit_bounds": [math.nan]}]},
    ],
)  # fmt: skip
def test_a_point_without_a_value_is_left_out(kind: dict[str, Any]) -> None:
    name = "vllm:kv_cache_usage_perc" if "gauge" in kind else "gen_ai.client.operation.duration"
    message = request(name, **kind)
    good = (
        message.resource_metrics[0].scope_metrics[0].metrics.add(name="vllm:num_requests_waiting")
    )
    good.gauge.data_points.add(time_unix_nano=NOW, as_int=1)
    binary = decode_metrics(message.SerializeToString(), Encoding.PROTOBUF, KNOWN)

    assert {r.signal for r in binary.readings} == {"requests_waiting", "load"}


def test_parts_of_a_token_count_are_signals_of_their_own() -> None:
    kinds = {"input": 100, "output": 20, "cached_input": 60, "reasoning": 5, "other": 1}
    points = [
        {"count": 1, "sum": float(n), "labels": {"gen_ai.token.type": kind, "user.id": "u"}}
        for kind, n in kinds.items()
    ]
    found = heard(request("gen_ai.client.token.usage", histogram=points))

    assert {r.signal: r.value for r in found.readings} == {
        "client_input_tokens": 100.0,
        "client_output_tokens": 20.0,
        "client_cached_tokens": 60.0,
        "client_reasoning_tokens": 5.0,
    }
    assert found.unknown == {"gen_ai.client.token.usage": 1}


def test_series_that_differ_in_what_is_dropped_stay_apart_and_hold_nothing_of_it() -> None:
    labels = [{"hidden_params": f"secret {i}", "gen_ai.operation.name": "chat"} for i in range(5)]
    points = [{"count": 1, "sum": 1.0, "labels": told} for told in labels]
    found = heard(request("gen_ai.client.operation.duration", histogram=points)).readings

    assert len({r.series for r in found}) == 5
    assert {r.labels for r in found} == {(("operation", "chat"),)}


def test_a_resent_body_says_the_same() -> None:
    assert [decode_metrics(p.read_bytes(), Encoding.PROTOBUF, KNOWN).readings for p in BODIES] == [
        decode_metrics(p.read_bytes(), Encoding.PROTOBUF, KNOWN).readings for p in BODIES
    ]


def test_names_that_nobody_knows_are_counted_and_dropped() -> None:
    assert heard(request("my.gauge", gauge=[{"as_int": 1}, {"as_int": 2}])) == Heard(
        [],
        heard(request("my.gauge", gauge=[{"as_int": 1}] * 2)).unknown,
    )
    assert heard(request("my.gauge", gauge=[{"as_int": 1}] * 2)).unknown == {"my.gauge": 2}


def test_a_metric_without_points_says_nothing() -> None:
    message = ExportMetricsServiceRequest()
    message.resource_metrics.add().scope_metrics.add().metrics.add(name="vllm:kv_cache_usage_perc")

    assert heard(message) == Heard([], heard(ExportMetricsServiceRequest()).unknown)


def test_a_collector_s_batch_of_an_engine_has_its_load() -> None:
    message = request("vllm:num_requests_waiting", gauge=[{"as_int": 2}])
    metrics = message.resource_metrics[0].scope_metrics[0].metrics
    metrics.add(name="vllm:kv_cache_usage_perc").gauge.data_points.add(
        time_unix_nano=NOW, as_double=0.99
    )
    loads = [r.value for r in heard(message).readings if r.signal == "load"]

    assert loads == [pytest.approx(1.1)]


def test_a_resource_may_declare_how_many_requests_its_engines_run() -> None:
    message = request("vllm:num_requests_running", gauge=[{"as_int": 2}])
    for key, value in (("slots", 8), ("capacity", -1)):
        message.resource_metrics[0].resource.attributes.add(key=key).value.int_value = value

    assert {r.signal: r.value for r in heard(message).readings} == {
        "requests_running": 2.0,
        "slots": 8.0,
        "load": 0.25,
    }


@pytest.mark.parametrize(
    ("client", "tokens"),
    [
        ("otel-genai-grpc-exphist-sampled", (404_217, 25_000)),
        ("legacy-openlit-1.20.0", None),
        ("js-otel-openai", None),
        ("litellm-sdk", (19, 7)),
    ],
)
def test_what_real_clients_sent_is_understood(client: str, tokens: tuple[int, int] | None) -> None:
    [path] = [p for p in BODIES if p.parent.name == client]
    found = decode_metrics(path.read_bytes(), Encoding.PROTOBUF, KNOWN).readings
    sums = tuple(
        sum(r.value for r in found if r.signal == f"client_{kind}_tokens")
        for kind in ("input", "output")
    )

    assert all(sums)
    assert tokens is None or sums == tokens


def test_a_body_of_too_many_days_is_refused() -> None:
    message = ExportMetricsServiceRequest()
    metric = (
        message.resource_metrics.add().scope_metrics.add().metrics.add(name="vllm:prompt_tokens")
    )
    for day in range(101):
        metric.gauge.data_points.add(time_unix_nano=NOW + day * 86_400 * 10**9, as_int=1)

    with pytest.raises(TooManyDaysError, match="found 101"):
        decode_metrics(message.SerializeToString(), Encoding.PROTOBUF, KNOWN)


@pytest.mark.parametrize("between", [(NOW + 1, NOW + 9), (1, NOW - 1)])
def test_points_of_another_time_are_left_out_and_counted(between: tuple[int, int]) -> None:
    message = request("vllm:num_requests_running", gauge=[{"as_int": 1}])
    body = message.SerializeToString()

    found = decode_metrics(body, Encoding.PROTOBUF, KNOWN, between)

    assert (found.readings, found.unknown) == ([], {"vllm:num_requests_running": 1})
    assert decode_metrics(body, Encoding.PROTOBUF, KNOWN, (NOW, NOW)).readings


@given(st.binary(max_size=300))
def test_no_bytes_break_it(body: bytes) -> None:
    with suppress(MalformedBodyError):
        decode_metrics(body, Encoding.PROTOBUF, KNOWN)


@given(st.data())
def test_no_damaged_body_breaks_it(data: st.DataObject) -> None:
    body = bytearray(data.draw(st.sampled_from([p.read_bytes() for p in BODIES])))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = decode_metrics(bytes(body), Encoding.PROTOBUF, KNOWN)
    except (MalformedBodyError, TooManyDaysError):
        return
    assert all(math.isfinite(r.value) for r in found.readings)


def test_metrics_hold_no_records_to_bill() -> None:
    assert [
        r for p in BODIES for r in decode(p.read_bytes(), Signal.METRICS, Encoding.PROTOBUF)
    ] == []
