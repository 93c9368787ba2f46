"""What real clients sent, read back: the folded totals are what the server truly counted.

tests/payloads/CLIENT/NNN.SIGNAL.pb is one request body as captured; expected.json says what was
called, the server's own counts (``true``), and what of them the spans carry (``span_usage``).
"""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from builders import T0, as_otlp_json
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.normalise import usage_events
from collector.otlp import Encoding, Record, Signal, decode
from metering.event import Outcome, Quality, UsageEvent
from metering.rollup import Arrival, RawKey, Sums, fold

PAYLOADS = Path(__file__).parents[1] / "payloads"
CLIENTS = sorted(path.name for path in PAYLOADS.iterdir() if (path / "expected.json").exists())
BODIES = sorted(PAYLOADS.glob("*/*.pb"))


class Totals(NamedTuple):
    """What a bill would be made from."""

    input: int
    cached: int
    written: int
    output: int
    reasoning: int


@cache
def expected(client: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads((PAYLOADS / client / "expected.json").read_text())
    return found


def told_of(path: Path) -> dict[str, Any]:
    return expected(path.parent.name)[path.name]


def bodies_of(client: str, signal: str = "traces") -> list[Path]:
    return [p for p in BODIES if p.parent.name == client and f".{signal}." in p.name]


def records_of(path: Path) -> list[Record]:
    signal = Signal.LOGS if ".logs." in path.name else Signal.TRACES
    return decode(path.read_bytes(), signal, Encoding.PROTOBUF)


def events_of(paths: list[Path]) -> list[UsageEvent]:
    """Return the usage events of request bodies; captures hold nothing to reject."""
    events, rejected = usage_events(record for path in paths for record in records_of(path))
    assert rejected == []
    return events


def folded(events: list[UsageEvent]) -> dict[RawKey, Sums]:
    return fold(Arrival(event, T0 + i) for i, event in enumerate(events))


def totals(events: list[UsageEvent]) -> Totals:
    sums = Sums()
    for part in folded(events).values():
        sums = sums.plus(part)
    return Totals(
        input=sums.fresh + sums.cached + sums.written_5m + sums.written_1h,
        cached=sums.cached,
        written=sums.written_5m + sums.written_1h,
        output=sums.output + sums.reasoning,
        reasoning=sums.reasoning,
    )


def truth(told: dict[str, Any]) -> Totals:
    """Return the server's totals, with those of their details that the spans carry."""
    if not told["usage_spans"]:
        return Totals(0, 0, 0, 0, 0)
    true, said = told["true"], told["span_usage"]
    return Totals(
        true["prompt"], said["cached"], said["cache_write"], true["completion"], said["reasoning"]
    )


def calls(told: dict[str, Any]) -> int:
    """Return how many calls there were: a call that failed to the end is one too."""
    return max(told["requests_ok"], 1)


def test_all_captures_are_found() -> None:
    assert len(CLIENTS) == 8
    assert {p.parent.name for p in BODIES} == set(CLIENTS)
    assert all({p.name for p in BODIES if p.parent.name == c} == set(expected(c)) for c in CLIENTS)


@pytest.mark.parametrize("client", CLIENTS)
def test_the_totals_of_a_client_are_what_the_server_counted(client: str) -> None:
    paths = bodies_of(client)
    true = [truth(told_of(path)) for path in paths]

    assert totals(events_of(paths)) == Totals(*map(sum, zip(*true, strict=True)))


@pytest.mark.parametrize("path", [p for c in CLIENTS for p in bodies_of(c)], ids=str)
def test_every_body_tells_its_own_calls_and_their_counts(path: Path) -> None:
    events = events_of([path])

    assert totals(events) == truth(told_of(path))
    assert sum(sums.requests for sums in folded(events).values()) == calls(told_of(path))


@pytest.mark.parametrize("client", CLIENTS)
def test_calls_without_usage_are_unknown_and_never_a_measured_zero(client: str) -> None:
    silent = [p for p in bodies_of(client) if not told_of(p)["usage_spans"]]
    telling = [p for p in bodies_of(client) if told_of(p)["usage_spans"]]

    assert {e.quality for e in events_of(silent)} <= {Quality.UNKNOWN}
    assert len(events_of(silent)) >= len(silent)
    assert {key.quality for key in folded(events_of(telling))} == {Quality.MEASURED}


@pytest.mark.parametrize("client", CLIENTS)
def test_only_failed_requests_are_free(client: str) -> None:
    for path in bodies_of(client):
        outcomes = {event.call.outcome for event in events_of([path])}

        assert outcomes
        if told_of(path)["requests_ok"]:
            is_broken_stream = told_of(path)["label"] in BROKEN_STREAMS
            assert is_broken_stream or all(outcome.is_billable for outcome in outcomes)
        else:
            assert not any(outcome.is_billable for outcome in outcomes)


BROKEN_STREAMS = {"chat_stream_server_cut", "chat_stream_error_event"}
"""Answered 200 and broken later by the server, which some clients notice."""


@pytest.mark.parametrize(
    ("label", "outcome"),
    [
        ("err_400", Outcome.CLIENT_ERROR),
        ("err_401", Outcome.CLIENT_ERROR),
        ("err_429", Outcome.THROTTLED),
        ("err_embeddings_429", Outcome.THROTTLED),
        ("err_500", Outcome.SERVER_ERROR),
        ("retries_500x2", Outcome.SERVER_ERROR),
        ("retry_then_ok", Outcome.OK),
    ],
)
def test_the_outcome_of_a_failed_call_is_told_from_its_span(label: str, outcome: Outcome) -> None:
    paths = [p for p in BODIES if ".traces." in p.name and told_of(p)["label"] == label]

    assert len(paths) >= 3
    assert {p.parent.name: e.call.outcome for p in paths for e in events_of([p])} == {
        p.parent.name: outcome for p in paths
    }


def test_a_stream_that_the_client_abandoned_pays_for_what_was_made() -> None:
    [path] = [
        p for p in bodies_of("otel-genai-openai") if told_of(p)["label"] == "chat_stream_abandoned"
    ]

    assert [event.call.outcome for event in events_of([path])] == [Outcome.ABORTED]


def test_two_choices_of_vllm_add_up_and_their_prompt_counts_once() -> None:
    [path] = [p for p in bodies_of("vllm-0.33.0") if told_of(p)["label"] == "vllm_n2_two_spans"]
    events = events_of([path])

    assert [event.is_choice for event in events] == [True, True]
    assert totals(events)[0::3] == (25, 20)
    assert sum(sums.requests for sums in folded(events).values()) == 1


def test_traces_and_logs_of_the_same_calls_count_every_call_once() -> None:
    spans = events_of(bodies_of("otel-genai-openai"))
    logs = events_of(bodies_of("otel-genai-openai", "logs"))

    assert len(logs) > 30
    for together in (spans + logs, logs + spans):
        assert folded(together) == folded(spans)


def test_the_logs_of_a_call_tell_what_its_span_tells() -> None:
    logs = events_of(bodies_of("otel-genai-openai", "logs"))
    true = [truth(told_of(path)) for path in bodies_of("otel-genai-openai", "logs")]

    assert totals(logs) == Totals(*map(sum, zip(*true, strict=True)))


@pytest.mark.parametrize("client", CLIENTS)
def test_everything_sent_twice_in_any_order_counts_once(client: str) -> None:
    once = events_of(bodies_of(client))

    assert folded(once + once[::-1]) == folded(once)
    assert folded(once[::-1]) == folded(once)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_capture_written_as_json_gives_the_same_events(client: str) -> None:
    for path in bodies_of(client):
        message = ExportTraceServiceRequest.FromString(path.read_bytes())
        records = decode(as_otlp_json(message), Signal.TRACES, Encoding.JSON)
        events, rejected = usage_events(records)

        assert events == events_of([path])
        assert rejected == []


@pytest.mark.parametrize(
    ("client", "dialect", "provider"),
    [
        ("legacy-openinference-0.1.6", "openinference", "openai"),
        ("legacy-openllmetry-0.33.0", "openllmetry", "openai"),
        ("legacy-otel-openai-v2-2.0b0", "otel", "openai"),
        ("openinference-openai", "openinference", "openai"),
        ("openllmetry-openai", "openllmetry", "openai"),
        ("otel-genai-openai", "otel", "openai"),
        ("sglang-0.5.23", "sglang", "sglang"),
        ("vllm-0.33.0", "vllm", "vllm"),
    ],
)
def test_a_client_is_known_by_its_scope(client: str, dialect: str, provider: str) -> None:
    events = events_of(bodies_of(client))

    assert {event.dialect for event in events} == {dialect}
    assert {event.call.provider for event in events} <= {provider, ""}
    assert all(event.call.model for event in events if event.quality is Quality.MEASURED)


@pytest.mark.parametrize("client", ["otel-genai-openai", "openinference-openai", "vllm-0.33.0"])
def test_no_prompt_or_answer_is_kept(client: str) -> None:
    contents = ("gen_ai.input.messages", "gen_ai.output.messages", "input.value", "output.value")
    for path in bodies_of(client):
        for record in records_of(path):
            loud = {**record.attributes, **dict.fromkeys(contents, "a secret")}
            events, _ = usage_events([replace(record, attributes=loud)])

            assert "secret" not in repr(events)
