"""What stands beside a bill: why a record bills, what was set aside, held, or is missing."""

import json
import time
from collections.abc import Iterator
from typing import Any

import calls
import pytest
from builders import T0, chat_span, span, traces
from conftest import Service, start_service, stop_service
from forking import run_command
from opentelemetry.proto.trace.v1.trace_pb2 import Span

YEAR_NS = 365 * 86_400_000_000_000
CALL = {
    "gen_ai__operation__name": "chat",
    "gen_ai__request__model": "qwen3",
    "gen_ai__usage__output_tokens": 1,
}


@pytest.fixture(scope="module")
def gateway_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that is told its gateway of record."""
    running = start_service(
        tmp_path_factory.mktemp("gateways"), TALLYSTICK_GATEWAYS="service.name=llm-gateway"
    )
    yield running
    stop_service(running)


def send(service: Service, *spans: Span, scope: str = "my.sdk", name: str = "") -> None:
    body = traces(list(spans), scope, **({"service__name": name} if name else {}))
    headers = {"Content-Type": "application/x-protobuf"}
    content = body.SerializeToString()
    answer = calls.post(
        f"{service.address}/v1/traces", content=content, headers=headers, timeout=60
    )
    assert (answer.status_code, answer.content) == (200, b"")


def get(service: Service, path: str) -> Any:
    answer = calls.get(f"{service.address}{path}", timeout=60)
    assert answer.is_success, answer.text
    return answer.json()


def whys(service: Service, request: str) -> list[tuple[bool, str]]:
    records = get(service, f"/v1/requests/{request}")["records"]
    return [(one["bills"], one["why"].split(":")[0]) for one in records]


def child(parent: Span, number: int, **said: Any) -> Span:
    made = span(1, number, **CALL, **said)
    made.trace_id, made.parent_span_id = parent.trace_id, parent.span_id
    return made


def test_only_gateways_of_record_bill(gateway_service: Service) -> None:
    said = {"gen_ai__response__id": "r-gw"}
    send(gateway_service, chat_span(1, 100, **said), name="llm-gateway")
    send(gateway_service, chat_span(2, 100, **said), chat_span(3, 50), name="some-app")

    assert whys(gateway_service, "r-gw") == [
        (True, "it bills its call"),
        (False, "it repeats other records"),
    ]
    assert get(gateway_service, "/v1/usage")["totals"]["requests"] == 1


def test_a_tree_that_is_cut_between_bodies_is_still_a_tree(shared_service: Service) -> None:
    agent = span(71, 1, **CALL, gen_ai__usage__input_tokens=30, gen_ai__response__id="agent-71")
    first = child(agent, 2, gen_ai__usage__input_tokens=10, gen_ai__response__id="first-71")
    send(shared_service, first, name="tree")
    send(shared_service, agent, name="tree")

    assert [bills for bills, _ in whys(shared_service, "agent-71")] == [True, False]
    assert get(shared_service, "/v1/usage")["totals"]["input_tokens"] == 10


def test_what_cannot_be_is_set_aside_and_its_neighbours_bill(service: Service) -> None:
    late = chat_span(1, 5, at=T0 + 10 * YEAR_NS)
    short = chat_span(2, 5)
    short.trace_id = b"short"
    nowhen = chat_span(3, 5)
    nowhen.start_time_unix_nano = nowhen.end_time_unix_nano = 0
    send(service, late, chat_span(4, 7), short, nowhen)
    send(service, late)

    found = get(service, "/v1/quarantine")
    assert found["count"] == 3
    assert {row["reason"].split(":")[0] for row in found["rows"]} >= {"ends in the future"}
    assert get(service, "/v1/usage")["totals"]["input_tokens"] == 7


def test_sampled_traces_are_held_and_alarmed(tmp_path_factory: pytest.TempPathFactory) -> None:
    service = start_service(tmp_path_factory.mktemp("sampled"), TALLYSTICK_REFRESH_SECONDS="1")
    sampled = chat_span(1, 90)
    sampled.trace_state = "ot=th:e666666666666"
    send(service, sampled, chat_span(2, 7))

    try:
        [held] = get(service, "/v1/quarantine")["held"]
        rows = get(service, "/v1/usage?by=quality")["rows"]
        assert (held["caveat"], held["requests"]) == ("sampled", 1)
        assert {row["quality"]: row["requests"] for row in rows} == {"measured": 1, "unknown": 1}
        assert "held: sampled" in _logged(service, "usage_in_doubt")
    finally:
        stop_service(service)


def _logged(service: Service, event: str) -> str:
    give_up = time.monotonic() + 20
    while time.monotonic() < give_up:
        lines = [line for line in service.log.read_text().splitlines() if event in line]
        if lines:
            return lines[0]
        time.sleep(0.1)
    return ""


def test_gaps_and_explanations_are_commands_too(shared_service: Service) -> None:
    told = {"tallystick__producer__id": "gw-1", "gen_ai__response__id": "numbered"}
    send(shared_service, chat_span(81, 7, **told, tallystick__producer__sequence=3))

    [gap] = json.loads(command(shared_service, "gaps", "--format", "json"))["rows"]
    assert (gap["producer"], gap["first_missing"], gap["last_missing"]) == ("gw-1", 1, 2)
    told_of = command(shared_service, "explain", "request", "numbered")
    assert "it bills its call" in told_of
    assert "it belongs to no account: bind its identity" in told_of
    assert "records are set aside" in command(shared_service, "quarantine")
    assert command(shared_service, "quarantine", "--format", "csv").startswith("key,reason,service")
    assert "must be a response id" in command(shared_service, "explain", "request", "nobody")


def command(service: Service, *words: str) -> str:
    done = run_command(*words, "--url", service.address)
    return done.stdout + done.stderr
