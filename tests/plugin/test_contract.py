"""What the plugin says is what the service understands: from an answer to billed usage."""

import json
from pathlib import Path
from typing import Any

import calls
import pytest
from conftest import Service
from plugin.receiver import call, metering, request_of
from plugin.test_answer import CHAT, NATIVE, RESPONSES
from tallystick_otel import conventions
from tallystick_otel.answer import Answer
from tallystick_otel.attempt import Attempt
from tallystick_otel.backlog import Backlog
from tallystick_otel.conventions import CANCELLED, CLIENT_GONE, ENGINE_SCOPE, SCOPE
from tallystick_otel.otlp import Event, attempt_pairs, logs_request, pairs
from tallystick_otel.post import Endpoint, Verdict

from collector.dialect.normalise import usage_events
from collector.otlp import Encoding, Signal, decode
from metering.event import Outcome, Quality, Tokens, UsageEvent

REASONED = Tokens(fresh=28, cached=64, written_5m=8, output=15, reasoning=5)
WRITTEN = Tokens(fresh=28, cached=64, written_5m=6, written_1h=2, output=20)
ENDED = 1_790_000_000_000_000_000


def understood(attempt: Attempt, scope: str = SCOPE) -> UsageEvent:
    """Return the event that the service makes of an attempt."""
    request = request_of(Event(ENDED, attempt_pairs(attempt), scope))
    events, rejected = usage_events(decode(request, Signal.LOGS, Encoding.JSON))
    assert rejected == []
    (understood_event,) = events
    return understood_event


def answered(document: Any, **known: Any) -> Attempt:
    answer, attempt = Answer(), Attempt(status_code=200, **known)
    answer.read(document)
    answer.tell(attempt)
    return attempt


@pytest.mark.parametrize(
    ("document", "tokens"),
    [
        ({"usage": CHAT}, REASONED),
        ({"usage": RESPONSES}, REASONED),
        ({"type": "message", "usage": NATIVE}, WRITTEN),
    ],
    ids=["chat", "responses", "messages"],
)
@pytest.mark.parametrize("provider", [None, "openai", "anthropic"])
def test_counts_arrive_as_they_were_reported(
    document: Any, tokens: Tokens, provider: str | None
) -> None:
    event = understood(answered(document, provider=provider))

    assert event.tokens == tokens
    assert event.quality is Quality.MEASURED


def test_counts_that_nobody_told_are_unknown() -> None:
    assert understood(answered({"id": "c1"})).quality is Quality.UNKNOWN


def test_what_a_host_says_in_any_shape_is_said_in_json() -> None:
    about = {"北京": "é", "cut": "\ud800", "list": ["1", 2], "nan": float("nan"), "far": 2**63}

    said = pairs({**about, "odd": object(), "nothing": None})

    assert [json.loads(pair)["value"] for pair in said] == [
        {"stringValue": "é"},
        {"stringValue": "?"},
        {"arrayValue": {"values": [{"stringValue": "1"}, {"intValue": "2"}]}},
        *[{}] * 3,
    ]


@pytest.mark.parametrize(
    ("known", "outcome"),
    [
        ({"status_code": 200}, Outcome.OK),
        ({"status_code": 200, "error_type": CLIENT_GONE}, Outcome.ABORTED),
        ({"status_code": 200, "error_type": CANCELLED}, Outcome.ABORTED),
        ({"status_code": 200, "error_type": "server_error"}, Outcome.SERVER_ERROR),
        ({"status_code": 200, "error_type": "incomplete"}, Outcome.SERVER_ERROR),
        ({"status_code": 429, "error_type": "rate_limit_error"}, Outcome.THROTTLED),
        ({"status_code": 400, "error_type": "400"}, Outcome.CLIENT_ERROR),
        ({"error_type": "ReadTimeout"}, Outcome.TIMEOUT),
    ],
)
def test_outcomes_are_understood(known: dict[str, Any], outcome: Outcome) -> None:
    assert understood(Attempt(**known)).call.outcome is outcome


def test_the_rest_is_understood() -> None:
    event = understood(
        Attempt(
            operation="text_completion",
            provider="openai",
            requested_model="m1",
            model="m2",
            response_id="c1",
            request_id="q1",
            resends=2,
            stream=True,
            ttft_seconds=0.5,
            queue_seconds=0.25,
            duration_ns=3_000_000_000,
            about={"tenant.id": "acme", "tallystick.pool": "shared"},
        )
    )

    said = event.call
    assert (said.operation, said.provider, said.requested_model) == (
        "text_completion",
        "openai",
        "m1",
    )
    assert (said.model, said.response_id, said.request_id) == ("m2", "c1", "q1")
    assert (said.attempt, said.stream, said.ttft_ns, said.queue_ns) == (
        2,
        True,
        5 * 10**8,
        25 * 10**7,
    )
    assert (event.source.tenant, event.source.pool, event.source.gateway) == ("acme", "shared", "g")
    assert (event.started_at, event.ended_at) == (ENDED - 3 * 10**9, ENDED)
    assert (event.dialect, event.producer, event.sequence) == ("tallystick", "p", 1)


def test_the_gateway_bills_and_its_engine_bears_witness() -> None:
    gateway = understood(Attempt(response_id="c1"))
    engine = understood(Attempt(engine_request_id="c1", input_tokens=1), ENGINE_SCOPE)

    assert gateway.call_id == engine.call_id
    assert gateway.rank < engine.rank


def test_every_field_of_an_attempt_has_a_name_on_the_wire() -> None:
    fields = set(vars(Attempt())) - {"about", "ended_ns"}

    assert set(conventions.ATTRIBUTES) == fields


def test_the_service_counts_each_event_once(service: Service, folder: Path) -> None:
    with metering(service.address, folder) as meter:
        for number in range(1, 4):
            meter.record(call(number))
        assert meter.flush(30)
        assert meter._outbox is not None
        mine = Backlog(meter._outbox.folder, meter._outbox.producer)
        mine._move(0, 0)
        lines = mine.next_lines()
        endpoint = Endpoint(service.address, {})
        again = endpoint.post(logs_request(lines, mine.producer))
        endpoint.close()
    usage = calls.get(f"{service.address}/v1/usage", timeout=60).json()

    assert len(lines) == 3
    assert again.verdict is Verdict.ACCEPTED
    assert usage["totals"]["requests"] == 3
    assert usage["totals"]["input_tokens"] == 6
    assert usage["totals"]["output_tokens"] == 3
