"""What real clients sent, read back: outcomes, identities and dialects; counts in test_verdicts."""

from dataclasses import replace

import pytest
from builders import T0, as_otlp_json
from captures import (
    BODIES,
    CLIENTS,
    EARLY,
    bodies_of,
    events_of,
    expected,
    records_of,
    told_of,
    totals,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.dialect.normalise import usage_events
from collector.otlp import Encoding, Signal, decode
from metering.arrival import Arrival
from metering.event import Outcome, Quality, Role, UsageEvent
from metering.rollup import RawKey, Sums, bill_records, fold


def folded(events: list[UsageEvent]) -> dict[RawKey, Sums]:
    return fold(Arrival(event, T0 + i) for i, event in enumerate(events))


def test_all_captures_are_found() -> None:
    assert len(CLIENTS) == 23
    assert {p.parent.name for p in BODIES} == set(CLIENTS)
    assert all({p.name for p in BODIES if p.parent.name == c} == set(expected(c)) for c in CLIENTS)


@pytest.mark.parametrize("client", CLIENTS)
def test_calls_without_counts_are_unknown_and_never_a_measured_zero(client: str) -> None:
    silent = [e for e in events_of(bodies_of(client)) if not e.tokens.total_input]

    assert {e.quality for e in silent} <= {Quality.UNKNOWN}
    assert all(e.caveat for e in silent)


@pytest.mark.parametrize("client", CLIENTS)
def test_whatever_is_not_measured_says_why(client: str) -> None:
    for event in events_of(bodies_of(client)):
        assert bool(event.caveat) == (event.quality is not Quality.MEASURED)


@pytest.mark.parametrize("client", CLIENTS)
def test_only_failed_requests_are_free(client: str) -> None:
    for path in bodies_of(client):
        told = told_of(path)
        outcomes = {event.call.outcome for event in events_of([path])}
        if told.get("requests_ok"):
            is_broken = any(word in told["label"] for word in EARLY) or told["label"] in CRASHED
            assert is_broken or all(outcome.is_billable for outcome in outcomes)
        elif "true" in told and told["label"] not in UNTOLD_FAILURES:
            assert not any(outcome.is_billable for outcome in outcomes)


CRASHED = {"chat_nousage"}
"""Answered, but the instrumentation (OpenLIT) itself failed on an answer without usage."""
UNTOLD_FAILURES = {"ds_err"}
"""LoongSuite writes a failed call down like one that went well, without counts."""


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
        ("anthropic_err_429", Outcome.THROTTLED),
        ("anthropic_err_529", Outcome.SERVER_ERROR),
        ("proxy_err_429", Outcome.THROTTLED),
    ],
)
def test_the_outcome_of_a_failed_call_is_told_from_its_span(label: str, outcome: Outcome) -> None:
    paths = [p for p in BODIES if ".traces." in p.name and told_of(p)["label"] == label]
    found = {e.call.outcome for p in paths for e in bill_records(events_of([p]))}

    assert found == {outcome}


def test_a_stream_that_the_client_abandoned_pays_for_what_was_made() -> None:
    events = events_of(bodies_of("otel-genai-openai", scenario="chat_stream_abandoned"))

    assert [event.call.outcome for event in events] == [Outcome.ABORTED]


def test_two_choices_of_vllm_add_up_and_their_prompt_counts_once() -> None:
    events = events_of(bodies_of("vllm-0.33.0", scenario="vllm_n2_two_spans"))

    assert [event.is_choice for event in events] == [True, True]
    assert totals(events)[:2] == (25, 20)
    assert sum(sums.requests for sums in folded(events).values()) == 1


@pytest.mark.parametrize("client", ["otel-genai-openai", "openlit"])
def test_traces_and_logs_of_the_same_calls_count_every_call_once(client: str) -> None:
    spans = events_of(bodies_of(client))
    logs = events_of(bodies_of(client, "logs"))

    assert len(logs) > 20
    for together in (spans + logs, logs + spans):
        assert folded(together) == folded(spans)


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
    ("client", "dialects", "providers"),
    [
        ("js-openinference-openai", {"openinference"}, {"openai"}),
        ("js-otel-openai", {"otel"}, {"openai"}),
        ("js-traceloop-openai", {"openllmetry"}, {"openai"}),
        ("legacy-openinference-0.1.6", {"openinference"}, {"openai"}),
        ("legacy-openlit-1.20.0", {"openlit"}, {"openai"}),
        ("legacy-openllmetry-0.33.0", {"openllmetry"}, {"openai"}),
        ("legacy-otel-openai-v2-2.0b0", {"otel"}, {"openai"}),
        ("litellm-proxy-reqspan", {"litellm"}, {"openai", "anthropic"}),
        ("litellm-sdk", {"litellm"}, {"openai", "anthropic"}),
        ("logfire", {"logfire"}, {"openai"}),
        ("loongsuite-dashscope", {"otel"}, {"dashscope"}),
        ("openinference-anthropic", {"openinference", "anthropic-sdk"}, {"anthropic"}),
        ("openinference-openai", {"openinference"}, {"openai"}),
        ("openlit", {"openlit"}, {"openai"}),
        ("openllmetry-langchain-double", {"openllmetry"}, {"openai", "langchain"}),
        ("openllmetry-openai", {"openllmetry"}, {"openai"}),
        ("otel-genai-anthropic", {"otel", "anthropic-sdk"}, {"anthropic"}),
        ("otel-genai-openai", {"otel"}, {"openai"}),
        ("otel-openai-v2", {"otel"}, {"openai"}),
        ("sglang-0.5.23", {"sglang"}, {"sglang"}),
        ("vllm-0.33.0", {"vllm"}, {"vllm"}),
    ],
)
def test_a_client_is_known_by_its_scope(
    client: str, dialects: set[str], providers: set[str]
) -> None:
    events = events_of(bodies_of(client))

    assert {event.dialect for event in events} == dialects
    assert {event.call.provider for event in events} <= providers | {""}
    assert all(event.call.model for event in events if event.quality is Quality.MEASURED)


def test_the_providers_own_span_bills_before_the_instrumentation_around_it() -> None:
    for client in ("otel-genai-anthropic", "openinference-anthropic"):
        events = events_of(bodies_of(client, scenario="anthropic_stream_cached"))

        assert len(bill_records(events)) == 1
        assert totals(events) == (2048, 30, 1024, 512, 0)


def test_litellms_cached_and_reasoning_tokens_are_read_from_what_python_prints() -> None:
    chat = events_of(bodies_of("litellm-proxy-reqspan", scenario="proxy_chat"))
    cached = events_of(bodies_of("litellm-proxy-reqspan", scenario="proxy_anthropic_cached"))

    assert totals(chat) == (100, 20, 64, 0, 5)
    assert totals(cached) == (2048, 50, 1024, 512, 0)
    assert {e.role for e in chat} == {Role.BILL, Role.WITNESS}


def test_loongsuites_nanoseconds_to_the_first_token_are_read_as_such() -> None:
    [stream] = events_of(bodies_of("loongsuite-dashscope", scenario="ds_stream"))

    assert stream.call.ttft_ns == 2_839_957


def test_the_end_of_a_logfire_stream_bills_and_its_opening_is_a_witness() -> None:
    events = events_of(bodies_of("logfire", scenario="chat_stream_usage"))

    assert [(e.role, e.tokens.total_input) for e in events] == [
        (Role.WITNESS, 0),
        (Role.BILL, 512),
    ]


def test_a_gateways_verified_identity_is_on_its_event() -> None:
    [event] = bill_records(events_of(bodies_of("litellm-proxy-reqspan", scenario="proxy_chat")))

    assert (event.source.tenant, event.source.end_user) == ("team-a", "end-user-1")
    assert event.source.api_key


@pytest.mark.parametrize("client", CLIENTS)
def test_no_prompt_or_answer_is_kept(client: str) -> None:
    contents = ("gen_ai.input.messages", "gen_ai.output.messages", "input.value", "output.value")
    for path in bodies_of(client):
        for record in records_of(path):
            loud = {**record.attributes, **dict.fromkeys(contents, "a secret")}
            events, _ = usage_events([replace(record, attributes=loud)])

            assert "secret" not in repr(events)
