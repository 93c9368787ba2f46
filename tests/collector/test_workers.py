"""Workers and pushed metrics, through the real service."""

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import calls
import grpc
import pytest
from conftest import Service, start_service, stop_service
from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

PAYLOADS = Path(__file__).parents[1] / "payloads"
PAGE = (PAYLOADS / "prometheus/sglang-0.5.23.prom").read_bytes()
BODY = (PAYLOADS / "metrics/otel-genai-grpc-exphist-sampled/003.metrics.pb").read_bytes()
EXPORT = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
MAPPING = "[{name: ours, rows: [{metric: our_slots, signal: requests_running}]}]"
PROTOBUF = {"Content-Type": "application/x-protobuf"}
ALL_TIME = {"from": "1971-01-01T00:00:00Z", "to": "2200-01-01T00:00:00Z"}


class Worker(BaseHTTPRequestHandler):
    """A worker that shows SGLang's page and a metric of its own."""

    def do_GET(self) -> None:
        """Show the page."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(PAGE + b"\nour_slots 5\n")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def worker() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Worker)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def fleet(worker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that scrapes one worker that is there and one that is not."""
    home = tmp_path_factory.mktemp("fleet")
    targets, mapping = home / "targets.json", home / "map.yaml"
    targets.write_text(f'[{{"targets": ["{worker}", "127.0.0.1:1"], "labels": {{"slots": "6"}}}}]')
    mapping.write_text(MAPPING)
    service = start_service(
        home / "data",
        TALLYSTICK_TARGETS=str(targets),
        TALLYSTICK_SCRAPE_SECONDS="1",
        TALLYSTICK_METRICS_MAP=str(mapping),
    )
    yield service
    stop_service(service)


def get(service: Service, path: str, **query: str) -> Any:
    answer = calls.get(f"{service.address}{path}", params=query, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()


def latest(service: Service, signal: str, **query: str) -> list[dict[str, Any]]:
    rows = get(service, "/v1/readings", signal=signal, latest="true", **query)["rows"]
    found: list[dict[str, Any]] = rows
    return found


def soon(condition: Callable[[], Any]) -> Any:
    """Return what a condition gives once it gives anything."""
    give_up = time.monotonic() + 30
    while time.monotonic() < give_up:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not come true")


def test_scraped_workers_show_their_states_and_readings(fleet: Service, worker: str) -> None:
    def ups() -> dict[str, float]:
        return {row["target"]: row["value"] for row in latest(fleet, "up")}

    soon(lambda: ups() == {worker: 1.0, "127.0.0.1:1": 0.0})
    states = {t["address"]: t for t in get(fleet, "/v1/targets")["targets"]}
    [load] = latest(fleet, "load", target=worker, system="sglang")
    mapped = latest(fleet, "requests_running", system="ours")

    assert (states[worker]["up"], states[worker]["error"]) == (True, "")
    assert states[worker]["systems"] == ["ours", "sglang"]
    assert states["127.0.0.1:1"]["up"] is False
    assert states["127.0.0.1:1"]["ok_at"] is None
    assert states["127.0.0.1:1"]["error"]
    assert (load["value"], load["pool"], load["model"]) == (1.0, "dedicated", "qwen3-14b")
    assert [row["value"] for row in mapped] == [5.0]


def test_a_pool_has_a_load(fleet: Service) -> None:
    [row] = soon(lambda: latest(fleet, "pool_load", pool="dedicated"))

    assert row["value"] == 1.0


def test_pushed_metrics_are_readings_once_in_both_encodings_and_over_grpc(fleet: Service) -> None:
    url = f"{fleet.address}/v1/metrics"
    told = MessageToJson(
        ExportMetricsServiceRequest.FromString(BODY), use_integers_for_enums=True
    ).encode()
    answers = [
        calls.post(url, content=BODY, headers=PROTOBUF, timeout=30),
        calls.post(url, content=told, headers={"Content-Type": "application/json"}, timeout=30),
    ]
    with grpc.insecure_channel(fleet.grpc_address) as channel:
        over_grpc = channel.unary_unary(EXPORT)(BODY, timeout=60)
    found = latest(fleet, "client_input_tokens", **ALL_TIME)

    assert [(a.status_code, a.content) for a in answers] == [(200, b""), (200, b"{}")]
    assert ExportMetricsServiceResponse.FromString(over_grpc) == ExportMetricsServiceResponse()
    assert [(row["value"], row["model"]) for row in found] == [(404_217.0, "qwen3-14b")]
    samples = get(fleet, "/v1/readings", signal="client_e2e_seconds", **ALL_TIME)["rows"]
    assert [sum(row["counts"]) for row in samples] == [200]


def test_metrics_that_nobody_knows_are_accepted_and_counted(fleet: Service) -> None:
    message = ExportMetricsServiceRequest()
    metric = message.resource_metrics.add().scope_metrics.add().metrics.add(name="my.gauge")
    metric.gauge.data_points.add(time_unix_nano=1, as_int=1)
    url = f"{fleet.address}/v1/metrics"
    answer = calls.post(url, content=message.SerializeToString(), headers=PROTOBUF, timeout=30)

    assert answer.status_code == 200
    assert get(fleet, "/v1/targets")["left_out"]["my.gauge"] >= 1


def test_malformed_metrics_are_refused(fleet: Service) -> None:
    url = f"{fleet.address}/v1/metrics"
    answer = calls.post(url, content=b"\xff\xff", headers=PROTOBUF, timeout=30)

    assert answer.status_code == 400
    assert b"must be an OTLP metrics request" in answer.content


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ({"signal": "vibes"}, "a signal must be one of"),
        ({"signal": "up", "color": "red"}, "readings are told apart by"),
        ({"signal": "up", "from": "noon"}, "noon"),
        ({}, "signal"),
    ],
)
def test_a_question_that_cannot_be_answered_says_why(
    fleet: Service, query: dict[str, str], why: str
) -> None:
    answer = calls.get(f"{fleet.address}/v1/readings", params=query, timeout=30)

    assert answer.status_code == 422
    assert why in answer.json()["error"]


def test_the_vocabulary_can_be_read(fleet: Service) -> None:
    rows = {row["name"]: row for row in get(fleet, "/v1/signals")["rows"]}

    assert rows["load"]["kind"] == "gauge"
    assert rows["prompt_tokens"] == {
        "name": "prompt_tokens",
        "unit": "tokens",
        "kind": "counter",
        "aggregate": "sum",
        "help": "Prompt tokens taken in, cached ones included.",
    }


def test_acknowledged_metrics_survive_a_power_cut(fleet: Service) -> None:
    body = BODY.replace(b"qwen3-14b", b"qwen3-15b")
    url = f"{fleet.address}/v1/metrics"
    answer = calls.post(url, content=body, headers=PROTOBUF, timeout=30)
    fleet.kill()
    again = start_service(fleet.data)
    found = latest(again, "client_output_tokens", model="qwen3-15b", **ALL_TIME)
    stop_service(again)

    assert answer.status_code == 200
    assert [row["value"] for row in found] == [25_000.0]
