"""Keys, errors and health of the API, over the real service."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import calls
import pytest
from builders import chat_span, traces
from conftest import Service, start_service, stop_service

KEYS = {"TALLYSTICK_INGEST_KEY": "ingest-1", "TALLYSTICK_ADMIN_KEY": "admin-1"}
PATHS = ("/v1/usage", "/v1/conflicts", "/v1/bills/a/2026-10", "/v1/exports/focus?month=2026-10")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = start_service(tmp_path_factory.mktemp("guarded"), **KEYS)
    yield service
    stop_service(service)


def status(service: Service, path: str, key: str = "") -> int:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return calls.get(service.address + path, headers=headers, timeout=60).status_code


@pytest.mark.parametrize("path", PATHS)
def test_reading_needs_the_admin_key(guarded: Service, path: str) -> None:
    assert status(guarded, path) == 401
    assert status(guarded, path, "ingest-1") == 401
    assert status(guarded, path, "admin-1") in {200, 404}


def test_a_browser_may_give_the_admin_key_as_its_password(guarded: Service) -> None:
    asked = calls.get(f"{guarded.address}/", timeout=60)
    given = calls.get(f"{guarded.address}/", auth=("anyone", "admin-1"), timeout=60)
    wrong = calls.get(f"{guarded.address}/", auth=("admin-1", "x"), timeout=60)

    assert asked.headers["www-authenticate"].startswith("Basic")
    assert [asked.status_code, given.status_code, wrong.status_code] == [401, 200, 401]


def test_writing_telemetry_needs_the_ingest_key(guarded: Service) -> None:
    body = traces([chat_span(1)]).SerializeToString()

    def send(key: str) -> int:
        headers = {"Content-Type": "application/x-protobuf", "Authorization": f"Bearer {key}"}
        return calls.post(
            f"{guarded.address}/v1/traces", content=body, headers=headers, timeout=60
        ).status_code

    assert [send("admin-1"), send("nonsense"), send("ingest-1")] == [
        401,
        401,
        200,
    ]


def test_health_is_open_and_counts_events(guarded: Service) -> None:
    assert calls.get(f"{guarded.address}/healthz", timeout=60).json()["status"] == "ok"


@pytest.mark.parametrize(
    ("path", "code", "sentence"),
    [
        ("/v1/usage?by=colour", 422, "usage must be grouped by some of"),
        ("/v1/usage?from=2026-10-01T00:00:00", 422, "must carry its zone"),
        ("/v1/usage?month=2026-13", 422, "a month must be YYYY-MM"),
        ("/v1/usage?account=nobody", 404, "found 'nobody'"),
        ("/v1/bills/nobody/2026-10", 404, "the account must be known"),
        ("/v1/exports/focus?month=2026-10&version=9", 422, "must be one of 1.2, 1.4, found '9'"),
        ("/v1/conflicts?limit=many", 422, "limit"),
        ("/v1/exports/focus?month=2026-10&format=xml", 422, "found 'xml'"),
        ("/v1/nonsense", 404, "Not Found"),
    ],
)
def test_a_wrong_question_gets_one_sentence(
    shared_service: Service, path: str, code: int, sentence: str
) -> None:
    answer = calls.get(shared_service.address + path, timeout=60)

    assert answer.status_code == code
    assert sentence in answer.json()["error"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"accounts": 5}', b'{"nonsense": 1}'])
def test_a_broken_declaration_is_refused(shared_service: Service, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = calls.post(
        f"{shared_service.address}/v1/setup", content=body, headers=headers, timeout=60
    )

    assert answer.status_code == 422
    assert answer.json()["error"]


def test_a_conflict_is_reported_and_not_counted(service: Service) -> None:
    headers = {"Content-Type": "application/x-protobuf"}
    for tokens in (10, 11):
        body = traces([chat_span(5, tokens)]).SerializeToString()
        calls.post(f"{service.address}/v1/traces", content=body, headers=headers, timeout=60)

    found = calls.get(f"{service.address}/v1/conflicts", timeout=60).json()["rows"]
    usage = calls.get(f"{service.address}/v1/usage", timeout=60).json()

    [conflict] = found
    assert conflict["first_stored_at"] < conflict["stored_at"]
    assert usage["totals"]["input_tokens"] == 10


def test_usage_outlives_a_kill_and_a_restart(tmp_path: Path) -> None:
    first = start_service(tmp_path / "data")
    headers = {"Content-Type": "application/x-protobuf"}
    body = traces([chat_span(n) for n in range(1, 9)]).SerializeToString()
    calls.post(f"{first.address}/v1/traces", content=body, headers=headers, timeout=60)
    before = calls.get(f"{first.address}/v1/usage", timeout=60).json()["totals"]
    first.kill()

    second = start_service(tmp_path / "data")
    after = calls.get(f"{second.address}/v1/usage", timeout=60).json()["totals"]
    stop_service(second)

    assert before == after
    assert after["requests"] == 8


def test_logs_are_one_json_object_a_line(service: Service) -> None:
    calls.get(f"{service.address}/v1/usage", timeout=60)
    stop_service(service)

    lines = service.log.read_text().splitlines()

    assert lines
    assert all({"event", "level", "timestamp"} <= json.loads(line).keys() for line in lines)


def test_a_ledger_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tallystick", "serve", "--port", "0", "--data", str(tmp_path)]
    nobody = "postgresql://user:hunter2@127.0.0.1:1/none"
    done = subprocess.run(
        command,
        env={**os.environ, "TALLYSTICK_LEDGER_URL": nobody, "TALLYSTICK_GRPC_PORT": "0"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: the ledger postgresql")
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr
