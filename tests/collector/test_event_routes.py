"""POST /v1/events and /v1/access-logs, against the real service."""

import gzip
import json
import resource
import uuid
from collections.abc import Iterator
from typing import Any

import calls
import httpx2
import pytest
from conftest import Service, start_service, stop_service

from collector.event_routes import MAX_REASONS

EVENT = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
JSON = "application/json"
LINES = "application/x-ndjson"
EVENTS, LOGS = "/v1/events", "/v1/access-logs"
LIMIT = 100_000


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with an ingest key that takes small bodies only."""
    environment = {"TALLYSTICK_MAX_BODY_BYTES": str(LIMIT), "TALLYSTICK_INGEST_KEY": "right"}
    running = start_service(tmp_path_factory.mktemp("guarded"), **environment)
    yield running
    stop_service(running)


@pytest.fixture
def model() -> str:
    """A model that only this test's calls name."""
    return f"model-{uuid.uuid4().hex}"


def post(service: Service, path: str, kind: str, content: bytes, **headers: str) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {"Content-Type": kind, "Authorization": "Bearer right", **named}
    return calls.post(service.address + path, content=content, headers=sent, timeout=30)


def cloud_event(model: str, number: int = 1, **changed: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "type": "model.call",
        "source": "gateway",
        "id": f"{model}-{number}",
        "time": "2026-10-01T00:00:00Z",
        "subject": "acme",
        "data": {"model": model, "input_tokens": 900, "output_tokens": 50},
        **changed,
    }


def line_of(model: str, number: int = 1, **changed: Any) -> bytes:
    line = {
        "start_time": "2026-10-01T00:00:00Z",
        "duration": 5,
        "x-request-id": f"{model}-{number}",
        "response_code": 200,
        "genai_model_name": model,
        "genai_tokens_input": 7,
        "genai_tokens_output": 1,
        **changed,
    }
    return json.dumps(line).encode() + b"\n"


def counted(service: Service, model: str) -> tuple[int, int]:
    """Return requests and input tokens of a model."""
    params = {"by": "model"}
    rows = calls.get(f"{service.address}/v1/usage", params=params, timeout=30).json()["rows"]
    found = [row for row in rows if row["model"] == model]
    return sum(r["requests"] for r in found), sum(r["input_tokens"] for r in found)


def test_an_event_is_counted_once_however_often_and_in_whichever_mode_it_comes(
    guarded: Service, model: str
) -> None:
    whole = cloud_event(model)
    headers = {f"ce_{name}": value for name, value in whole.items() if name != "data"}
    answers = [
        post(guarded, EVENTS, EVENT, json.dumps(whole).encode()),
        post(guarded, EVENTS, BATCH, json.dumps([whole, whole]).encode()),
        post(guarded, EVENTS, JSON, json.dumps(whole["data"]).encode(), **headers),
        post(
            guarded, EVENTS, EVENT, gzip.compress(json.dumps(whole).encode()),
            Content_Encoding="gzip",
        ),
    ]  # fmt: skip

    assert [(a.status_code, a.content) for a in answers] == [(204, b"")] * 4
    assert counted(guarded, model) == (1, 900)


def test_a_batch_is_counted_to_the_last(guarded: Service, model: str) -> None:
    batch = [cloud_event(model, number) for number in range(50)]

    assert post(guarded, EVENTS, BATCH, json.dumps(batch).encode()).status_code == 204
    assert post(guarded, EVENTS, BATCH, b"[]").status_code == 204
    assert counted(guarded, model) == (50, 45_000)


def test_a_refused_batch_stores_nothing_and_names_the_field(guarded: Service, model: str) -> None:
    batch = [cloud_event(model), cloud_event(model, 2, data={"input_tokens": -1})]
    answer = post(guarded, EVENTS, BATCH, json.dumps(batch).encode())

    assert answer.status_code == 400
    assert answer.json() == {
        "error": "[1].data.input_tokens must be a whole number from 0 to 2^40 - 1, found -1"
    }
    assert counted(guarded, model) == (0, 0)


def test_lines_of_an_access_log_are_counted_and_the_others_told(
    guarded: Service, model: str
) -> None:
    health = b'{"path": "/healthz", "response_code": 200}\n'
    body = line_of(model) + health + b'{"genai_model_name": "cut' + b"\n\n" + line_of(model, 2)
    answers = [post(guarded, LOGS, kind, body).json() for kind in (LINES, JSON)]

    assert answers[0] == answers[1]
    assert {name: answers[0][name] for name in ("calls", "skipped", "rejected")} == {
        "calls": 2, "skipped": 1, "rejected": 1,
    }  # fmt: skip
    assert answers[0]["reasons"][0]["line"] == 3
    assert answers[0]["reasons"][0]["reason"].startswith("a line must be a JSON object, found")
    assert counted(guarded, model) == (2, 14)


def test_of_many_broken_lines_the_first_are_told(guarded: Service) -> None:
    told = post(guarded, LOGS, LINES, b"{\n" * 1000).json()

    assert (told["calls"], told["rejected"], len(told["reasons"])) == (0, 1000, MAX_REASONS)


def test_an_empty_log_is_taken(guarded: Service) -> None:
    told = post(guarded, LOGS, LINES, b"").json()

    assert told == {"calls": 0, "skipped": 0, "rejected": 0, "reasons": []}


@pytest.mark.parametrize(
    ("path", "kind", "said"),
    [
        (EVENTS, "text/plain", "application/cloudevents+json or application/cloudevents-batch"),
        (EVENTS, "application/cloudevents+avro", "application/cloudevents+json or"),
        (EVENTS, "", "application/cloudevents+json or"),
        (LOGS, "text/plain", "application/x-ndjson or application/jsonl or application/json, fou"),
        (LOGS, "application/x-www-form-urlencoded", "application/x-ndjson or"),
    ],
)
def test_another_content_type_is_refused(guarded: Service, path: str, kind: str, said: str) -> None:
    """Those that a web page may send anywhere are among them."""
    answer = post(guarded, path, kind, b"{}")

    assert answer.status_code == 415
    assert answer.json()["error"].startswith(f"the Content-Type must be {said}")


@pytest.mark.parametrize(("path", "kind"), [(EVENTS, EVENT), (LOGS, LINES)])
def test_both_paths_refuse_as_the_otlp_paths_do(guarded: Service, path: str, kind: str) -> None:
    bomb = gzip.compress(bytes(LIMIT * 10))
    answers = [
        post(guarded, path, kind, b"{}", Authorization="Bearer wrong"),
        post(guarded, path, kind, bytes(LIMIT + 1)),
        post(guarded, path, kind, bomb, Content_Encoding="gzip"),
        post(guarded, path, kind, b"{}", Content_Encoding="br"),
        post(guarded, path, kind, b"{}", Content_Encoding="gzip"),
        post(guarded, path, kind, b"\n" * LIMIT, Content_Encoding="identity"),
        calls.get(guarded.address + path, timeout=60),
    ]

    statuses = [answer.status_code for answer in answers]
    assert statuses[:5] == [401, 413, 413, 415, 400]
    assert statuses[5] == (413 if path == LOGS else 400)
    assert statuses[6] == 405
    assert all(set(answer.json()) == {"error"} for answer in answers[:6])
    assert answers[6].headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", [EVENTS, LOGS])
def test_a_full_disk_is_a_503_and_the_resend_is_counted(
    guarded: Service, model: str, path: str
) -> None:
    """The kernel refuses every write of the service (RLIMIT_FSIZE 0), as on a full disk."""
    kind = EVENT if path == EVENTS else LINES
    body = json.dumps(cloud_event(model)).encode() if path == EVENTS else line_of(model)
    pid, unlimited = guarded.process.pid, resource.RLIM_INFINITY
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, unlimited))
    refused = post(guarded, path, kind, body)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (unlimited, unlimited))
    resent = post(guarded, path, kind, body)

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert "send it again" in refused.json()["error"]
    assert resent.is_success
    assert counted(guarded, model)[0] == 1
