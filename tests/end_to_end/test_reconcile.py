"""Gateways against engines in a real service: bypass traffic is seen, blocks, and is accepted."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import calls
import pytest
from builders import chat_span, traces
from conftest import Service, start_service, stop_service
from forking import run_command

TARGETS = """
- targets: ["{address}"]
  labels: {{pool: shared}}
"""
PROMPT, ANSWER = 100, 1


@dataclass
class Engine:
    """A worker of two models whose counters a test moves."""

    born: float = field(default_factory=time.time)
    requests: dict[str, int] = field(default_factory=lambda: {"qwen3": 0, "untold": 0})
    server: ThreadingHTTPServer | None = None

    def page(self) -> bytes:
        """Return its page, in the words of vLLM."""
        counters = {
            "prompt_tokens": (PROMPT, ""),
            "generation_tokens": (ANSWER, ""),
            "request_success": (1, ',finished_reason="stop"'),
        }
        lines = [
            line
            for name, (each, label) in counters.items()
            for model, count in self.requests.items()
            for line in (
                f'vllm:{name}_total{{model_name="{model}"{label}}} {count * each}',
                f'vllm:{name}_created{{model_name="{model}"{label}}} {self.born}',
            )
        ]
        types = [f"# TYPE vllm:{name} counter" for name in counters]
        return "\n".join([*types, *lines, ""]).encode()


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """A worker that answers on loopback."""
    worker = Engine()

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = worker.page()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    worker.server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=worker.server.serve_forever, args=(0.01,))
    thread.start()
    yield worker
    worker.server.shutdown()
    worker.server.server_close()
    thread.join()


_TEST_SECONDS = 90
"""The tests of this file take no longer, even on a busy machine."""


@pytest.fixture(scope="module")
def metered(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that scrapes the worker five times a second, in an hour that does not turn."""
    left = 3600 - time.time() % 3600
    if left < _TEST_SECONDS:
        time.sleep(left)
    assert engine.server
    folder = tmp_path_factory.mktemp("reconcile")
    targets = folder / "targets.yaml"
    targets.write_text(TARGETS.format(address=f"127.0.0.1:{engine.server.server_port}"))
    running = start_service(
        folder / "data", TALLYSTICK_TARGETS=str(targets), TALLYSTICK_SCRAPE_SECONDS="0.2"
    )
    yield running
    stop_service(running)


def test_bypass_traffic_is_reported_and_accepted(engine: Engine, metered: Service) -> None:
    send_calls(metered, 40)
    engine.requests["qwen3"] = 40
    assert (
        until(metered, "qwen3", lambda row: row["input"]["engine"] == 40 * PROMPT)["status"]
        == "within"
    )

    engine.requests["qwen3"] = 100
    row = until(metered, "qwen3", lambda row: row["input"]["engine"] == 100 * PROMPT)
    assert row["input"]["gateway"] == 40 * PROMPT
    assert row["input"]["classes"] == [
        {"class": "unmetered_path", "tokens": 60 * PROMPT, "known": "bounded"}
    ]
    assert row["status"] == "explained"

    said = command(metered, "reconcile")
    assert "60 requests reached model qwen3 in pool shared that no gateway told of" in said
    assert "unmetered_path +6,000" in said
    assert command(metered, "reconcile", "--format", "csv").startswith("from,pool,model")


def test_engines_that_no_gateway_told_of_are_accepted_with_a_reason(
    engine: Engine, metered: Service
) -> None:
    engine.requests["untold"] = 30
    row = until(metered, "untold", lambda row: row["input"]["engine"] == 30 * PROMPT)
    assert row["status"] == "no_gateway"

    where = ("--pool", "shared", "--model", "untold", "--from", row["from"], "--to", row["to"])
    assert "must have a reason" in command(metered, "reconcile", "accept", *where, "--reason", " ")
    told = command(metered, "reconcile", "accept", *where, "--reason", "load test")
    assert told.startswith("accepted by operator: +3,000 input and +30 output tokens")
    [row] = rows(metered, "untold")
    assert (row["status"], row["acceptance"]["reason"]) == ("accepted", "load test")

    engine.requests["untold"] = 50
    assert (
        until(metered, "untold", lambda row: row["input"]["engine"] == 50 * PROMPT)["status"]
        != "accepted"
    )


def send_calls(service: Service, count: int) -> None:
    now = time.time_ns()
    spans = [chat_span(n, PROMPT, at=now) for n in range(1, count + 1)]
    body = traces(spans, tallystick__pool="shared", service__name="gw").SerializeToString()
    headers = {"Content-Type": "application/x-protobuf"}
    answer = calls.post(f"{service.address}/v1/traces", content=body, headers=headers, timeout=60)
    assert answer.status_code == 200


def rows(service: Service, model: str) -> Any:
    answer = calls.get(f"{service.address}/v1/reconciliation?model={model}", timeout=60)
    assert answer.is_success, answer.text
    return answer.json()["rows"]


def until(service: Service, model: str, is_so: Any) -> Any:
    give_up = time.monotonic() + 30
    found: Any = []
    while time.monotonic() < give_up:
        found = rows(service, model)
        if found and is_so(found[-1]):
            return found[-1]
        time.sleep(0.1)
    raise AssertionError(json.dumps(found, indent=1))


def command(service: Service, *words: str) -> str:
    done = run_command(*words, "--url", service.address)
    return done.stdout + done.stderr
