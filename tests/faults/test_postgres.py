"""PostgreSQL crashes and comes back under load: receiving needs no ledger, refreshing recovers."""

import json
import time
from pathlib import Path

import calls
import httpx2
from builders import chat_span, traces
from conftest import Service, start_service, stop_service
from postgres import postgres_server

HEADERS = {"Content-Type": "application/x-protobuf"}
SPANS = 10


def send(address: str, body: int) -> int:
    spans = [chat_span(n) for n in range(body * SPANS + 1, (body + 1) * SPANS + 1)]
    content = traces(spans).SerializeToString()
    answer = calls.post(f"{address}/v1/traces", content=content, headers=HEADERS, timeout=30)
    return answer.status_code


def health_when(address: str, status: str) -> httpx2.Response:
    """Return what the service says of its health as soon as it says so: a tick may come first."""
    give_up = time.monotonic() + 30
    while (health := calls.get(f"{address}/healthz", timeout=60)).json()["status"] != status:
        assert time.monotonic() < give_up, health.text
        time.sleep(0.1)
    return health


def wait_until_logged(service: Service, event: str) -> None:
    """Wait for a tick that nobody asked for: what is asked for is answered, not logged."""
    give_up = time.monotonic() + 30
    while event not in service.log.read_text():
        assert time.monotonic() < give_up, service.log.read_text()
        time.sleep(0.1)


def test_receiving_goes_on_while_postgresql_is_away_and_usage_catches_up(tmp_path: Path) -> None:
    with postgres_server(tmp_path) as server:
        service = start_service(
            tmp_path / "data", TALLYSTICK_LEDGER_URL=server.url, TALLYSTICK_REFRESH_SECONDS="1"
        )
        statuses = [send(service.address, body) for body in range(5)]
        server.stop()
        statuses += [send(service.address, body) for body in range(5, 15)]
        asked = calls.get(f"{service.address}/v1/usage", timeout=60)
        health = health_when(service.address, "degraded")
        wait_until_logged(service, "refresh_failed")
        server.start()
        statuses += [send(service.address, body) for body in range(15, 20)]
        usage = calls.get(f"{service.address}/v1/usage", timeout=60)
        health_when(service.address, "ok")
        wait_until_logged(service, "refreshing_again")
        stop_service(service)
        log = [json.loads(line) for line in service.log.read_text().splitlines()]

    assert set(statuses) == {200}
    assert (asked.status_code, asked.headers["Retry-After"]) == (503, "1")
    assert health.status_code == 200
    assert health.json()["wrong"] == [
        "usage must be brought up to date, found the last run failed (OperationalError)"
    ]
    assert usage.json()["totals"]["requests"] == 20 * SPANS
    assert len([line for line in log if line["event"] == "refresh_failed"]) == 1
    assert len([line for line in log if line["event"] == "refreshing_again"]) == 1
    assert "receive_failed" not in {line["event"] for line in log}
