"""Why a count is not plainly measured: sampling, guesses, broken streams, the counts themselves."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import pytest
from builders import T0
from hypothesis import given
from hypothesis import strategies as st

from collector.dialect.caveat import Caveat, foremost, is_sampled, weakened
from collector.dialect.normalise import usage_event
from collector.otlp import Record
from metering.event import Outcome, Qualities, Quality, Tokens, UsageEvent
from metering.rollup import bill_records

CHAT = {"gen_ai.operation.name": "chat"}
USAGE = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 2}
DONE = {"gen_ai.response.finish_reasons": ["stop"]}
LOG_EVENT = "gen_ai.client.inference.operation.details"


def record(said: Mapping[str, Any], **fields_: Any) -> Record:
    ids = {"trace_id": b"t" * 16, "span_id": b"s" * 8, "started_at": T0 - 10**9, "ended_at": T0}
    return Record(said, **{**ids, **fields_})


def event_of(said: Mapping[str, Any], **fields_: Any) -> UsageEvent:
    return usage_event(record(said, **fields_))


@pytest.mark.parametrize(
    ("trace_state", "sampled"),
    [
        ("", False),
        ("vendor=value", False),
        ("ot=th:0", False),
        ("ot=th:000", False),
        ("ot=th:8", True),
        ("ot=th:fd70a4;rv:abcdef01234567", True),
        ("vendor=x, ot=rv:abcdef01234567;th:c", True),
        ("ot=p:0;r:62", False),
        ("ot=p:3;r:10", True),
        ("ot=rv:abcdef01234567", False),
        ("ot=", False),
        ("ot=th", False),
        ("dd=s:1;t.dm:-1", False),
    ],
)
def test_a_tracestate_tells_whether_other_traces_were_dropped(
    trace_state: str, *, sampled: bool
) -> None:
    assert is_sampled(record(CHAT, trace_state=trace_state)) is sampled


@pytest.mark.parametrize(
    ("said", "sampled"),
    [
        ({"sampler.type": "const", "sampler.param": True}, False),
        ({"sampler.type": "probabilistic", "sampler.param": 0.1}, True),
        ({"sampler.type": "probabilistic", "sampler.param": 1.0}, False),
        ({"sampler.type": "probabilistic", "sampler.param": "0.001"}, True),
        ({"sampler.type": "probabilistic"}, True),
        ({"sampler.type": "ratelimiting", "sampler.param": 1}, True),
        ({"SampleRate": 1}, False),
        ({"SampleRate": 20}, True),
        ({"SampleRate": "many"}, False),
        ({"logfire.sample_rate": 0.5}, True),
        ({"logfire.sample_rate": 1.0}, False),
        ({"_dd.agent_psr": 1.0}, False),
        ({"_dd.rule_psr": 0.25}, True),
        ({"sentry.sample_rate": "0.2"}, True),
        ({"_MS.sampleRate": 100}, False),
        ({"_MS.sampleRate": 75}, True),
        ({"sampling.threshold": "0"}, False),
        ({"sampling.threshold": "c"}, True),
        ({"sampling.rate": True}, False),
        ({"sampling.rate": float("nan")}, False),
        ({"sampling.rate": 10**400}, False),
    ],
)
def test_a_hint_on_the_record_or_its_resource_tells_of_sampling(
    said: dict[str, Any], *, sampled: bool
) -> None:
    assert is_sampled(record({**CHAT, **said})) is sampled
    assert is_sampled(record(CHAT, resource=said)) is sampled


def test_a_sampled_record_keeps_its_counts_but_can_never_bill_before_a_gateways() -> None:
    same = {**CHAT, **USAGE, "gen_ai.response.id": "r1"}
    sampled = event_of(same, trace_state="ot=th:8", scope="opentelemetry.util.genai.handler")
    gateway = event_of(same, scope="some.gateway", span_id=b"g" * 8)

    assert sampled.tokens == Tokens(10, output=2)
    assert sampled.caveat == "sampled"
    assert set(qualities_of(sampled)) == {Quality.UNKNOWN}
    assert bill_records([sampled, gateway]) == [gateway]


STREAM = {**CHAT, **USAGE, **DONE, "gen_ai.request.stream": True}
CACHE = {"gen_ai.usage.cache_read.input_tokens": 0}
WRAPPED = "{'prompt_tokens': 10, 'prompt_tokens_details': {'audio_tokens': None}}"
BARE = "{'prompt_tokens': 10, 'prompt_tokens_details': {'cached_tokens': 0}}"


@pytest.mark.parametrize(
    ("scope", "said", "guessed"),
    [
        ("openlit.instrumentation.openai", STREAM, True),
        ("openlit.instrumentation.openai", {**STREAM, **CACHE}, False),
        ("openlit.instrumentation.openai", {**STREAM, "gen_ai.request.stream": False}, False),
        ("openlit.otel.tracing", {**CHAT, **USAGE, "gen_ai.request.is_stream": False}, False),
        (
            "openlit.otel.tracing",
            {"gen_ai.operation.name": "embedding", "gen_ai.usage.input_tokens": 9},
            False,
        ),
        ("litellm", STREAM, True),
        ("litellm", {**STREAM, "metadata.usage_object": BARE}, True),
        ("litellm", {**STREAM, "metadata.usage_object": WRAPPED}, False),
        ("litellm", {**CHAT, **USAGE, "llm.is_streaming": "False"}, False),
        ("opentelemetry.instrumentation.anthropic", {**CHAT, **USAGE, **CACHE}, True),
        ("opentelemetry.instrumentation.anthropic.x", {**STREAM, **CACHE}, True),
        ("opentelemetry.instrumentation.openai.v1", STREAM, False),
        ("opentelemetry.util.genai.handler", STREAM, False),
    ],
)
def test_a_stream_is_guessed_by_some_clients_unless_something_only_the_provider_knows_is_told(
    scope: str, said: dict[str, Any], *, guessed: bool
) -> None:
    event = event_of(said, scope=scope)

    assert event.caveat == ("guessed" if guessed else "")
    assert event.quality is (Quality.ESTIMATED if guessed else Quality.MEASURED)


def test_the_log_record_of_a_stream_has_no_span_and_may_be_guessed() -> None:
    log = {"name": LOG_EVENT, "is_log": True, "scope": "openlit.instrumentation.openai"}
    alone = {**log, "trace_id": b"", "span_id": b""}

    assert event_of({**CHAT, **USAGE, **CACHE}, **alone).caveat == "guessed"
    assert event_of({**CHAT, **USAGE, **CACHE}, **log).caveat == ""


@pytest.mark.parametrize(
    ("scope", "said", "cut"),
    [
        ("any.sdk", {**STREAM, "gen_ai.response.finish_reasons": []}, True),
        ("any.sdk", STREAM, False),
        ("any.sdk", {**STREAM, "error.type": "CancelledError"}, True),
        ("any.sdk", {**CHAT, **USAGE, "error.type": "TimeoutError"}, True),
        ("any.sdk", {**CHAT, **USAGE}, False),
        ("any.sdk", {**CHAT, **USAGE, "output.value": '{"stop_reason": null}'}, True),
        ("any.sdk", {**CHAT, **USAGE, "output.value": '{"stop_reason": "end_turn"}'}, False),
        ("tallystick", {**STREAM, "error.type": "CancelledError"}, False),
        ("sglang server", {**USAGE, "gen_ai.response.finish_reasons": '["abort"]'}, False),
    ],
)
def test_a_client_that_left_early_may_have_seen_less_than_was_made(
    scope: str, said: dict[str, Any], *, cut: bool
) -> None:
    event = event_of(said, scope=scope)

    assert (event.caveat == "cut short") is cut
    assert event.quality is (Quality.ESTIMATED if cut else Quality.MEASURED)


@pytest.mark.parametrize(
    ("counts", "caveat", "quality"),
    [
        ({}, "no counts", Quality.UNKNOWN),
        ({"gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 0}, "no counts",
         Quality.UNKNOWN),
        ({"gen_ai.usage.output_tokens": 5}, "no input count", Quality.UNKNOWN),
        ({"gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 5}, "no input count",
         Quality.UNKNOWN),
        ({"gen_ai.usage.input_tokens": 5}, "no output count", Quality.UNKNOWN),
        ({"gen_ai.usage.input_tokens": 5, "gen_ai.usage.output_tokens": 0}, "", Quality.MEASURED),
        ({**USAGE, "gen_ai.usage.total_tokens": 12}, "", Quality.MEASURED),
        ({**USAGE, "gen_ai.usage.total_tokens": 13}, "totals disagree", Quality.ESTIMATED),
        ({**USAGE, "gen_ai.usage.reasoning_tokens": 3}, "detail exceeds total", Quality.ESTIMATED),
        ({**USAGE, "gen_ai.usage.cached_tokens": 11}, "detail exceeds total", Quality.ESTIMATED),
    ],
)  # fmt: skip
def test_counts_tell_their_own_caveat(
    counts: dict[str, int], caveat: str, quality: Quality
) -> None:
    event = event_of({**CHAT, **counts})

    assert (event.caveat, event.quality) == (caveat, quality)


def test_a_failed_call_without_counts_is_unknown_and_free() -> None:
    event = event_of({**CHAT, "error.type": "RateLimitError"})

    assert (event.caveat, event.quality) == ("no counts", Quality.UNKNOWN)
    assert event.call.outcome is Outcome.THROTTLED


@given(st.lists(st.sampled_from(Caveat)))
def test_the_foremost_caveat_is_told_whatever_their_order(found: list[Caveat]) -> None:
    assert foremost(found) == foremost(found[::-1])
    assert foremost([]) is foremost([Caveat.NONE]) is Caveat.NONE
    assert foremost([*found, Caveat.SAMPLED]) is Caveat.SAMPLED


WORSE = {Quality.MEASURED: 0, Quality.ESTIMATED: 1, Quality.UNKNOWN: 2}
"""What telemetry can be; counts are accepted by people, later."""
qualities = st.builds(
    Qualities, **{f.name: st.sampled_from(sorted(WORSE)) for f in fields(Qualities)}
)


@given(qualities, st.lists(st.sampled_from(Caveat), max_size=3))
def test_a_caveat_never_makes_a_quality_better_and_their_order_does_not_matter(
    known: Qualities, caveats: list[Caveat]
) -> None:
    forth = back = known
    for one, other in zip(caveats, caveats[::-1], strict=True):
        forth, back = weakened(forth, one), weakened(back, other)

    assert forth == back
    for field in fields(Qualities):
        assert WORSE[getattr(forth, field.name)] >= WORSE[getattr(known, field.name)]


def qualities_of(event: UsageEvent) -> list[Quality]:
    return [getattr(event.qualities, field.name) for field in fields(Qualities)]
