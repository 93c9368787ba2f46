"""Records -> usage events: what is a model call, and what it tells."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from builders import T0

from collector.dialect.normalise import usage_event, usage_events
from collector.otlp import Record
from metering.event import Outcome, Quality, Role, Tokens, UsageEvent, response_identity
from metering.rollup import bill_records

CHAT = {"gen_ai.operation.name": "chat"}
USAGE = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 2}
LOG_EVENT = "gen_ai.client.inference.operation.details"


def record(attributes: Mapping[str, Any], **fields: Any) -> Record:
    """Build a span of a second, or a log record."""
    said = {"trace_id": b"t" * 16, "span_id": b"s" * 8, "started_at": T0 - 10**9, "ended_at": T0}
    return Record(attributes=attributes, **{**said, **fields})


def event(attributes: Mapping[str, Any], **fields: Any) -> UsageEvent:
    return usage_event(record(attributes, **fields))


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"http.request.method": "POST"},
        {"gen_ai.operation.name": "execute_tool"},
        {"gen_ai.usage.input_tokens": "many"},
        {"openinference.span.kind": "CHAIN"},
    ],
)
def test_spans_that_are_no_model_calls_are_neither_kept_nor_rejected(
    attributes: dict[str, Any],
) -> None:
    assert usage_events([record(attributes)]) == ([], [])


def test_log_records_that_report_no_call_are_neither_kept_nor_rejected() -> None:
    assert usage_events([record({**CHAT, **USAGE}, name="a log line", is_log=True)]) == ([], [])


@pytest.mark.parametrize("missing", ["trace_id", "span_id"])
def test_a_span_without_its_ids_is_rejected_with_the_reason(missing: str) -> None:
    nameless = record(CHAT, name="chat qwen3", **{missing: b""})
    events, rejected = usage_events([nameless, record(CHAT)])

    assert len(events) == 1
    assert [r.reason for r in rejected] == [
        "a span must have a trace id and a span id, found none on 'chat qwen3'"
    ]
    assert [r.record for r in rejected] == [nameless]


@pytest.mark.parametrize("ended_at", [0, 2**63, 2**64 - 1])
def test_a_span_that_ended_at_no_possible_time_is_rejected(ended_at: int) -> None:
    events, rejected = usage_events([record(CHAT, started_at=0, ended_at=ended_at)])

    assert events == []
    assert "the end of an event must be after 1970" in rejected[0].reason


def test_a_start_at_no_possible_time_does_not_lose_the_call() -> None:
    for started_at in (2**63, 2**64 - 1, T0 + 10**9):
        found = event(CHAT, started_at=started_at)

        assert found.started_at <= found.ended_at == T0


def test_an_end_beyond_the_hours_that_the_store_can_name_is_rejected() -> None:
    """ClickHouse's DateTime, in which hours are looked up, ends on 2106-02-07."""
    last = 2**32 * 1_000_000_000
    events, rejected = usage_events([record(CHAT, ended_at=last), record(CHAT, ended_at=T0)])

    assert [e.ended_at for e in events] == [T0]
    assert len(rejected) == 1


def test_one_known_time_stands_for_both() -> None:
    assert event(CHAT, started_at=0).started_at == T0
    assert event(CHAT, ended_at=0).ended_at == T0 - 10**9


@pytest.mark.parametrize(
    ("attributes", "operation", "role"),
    [
        (USAGE, "chat", Role.BILL),
        ({"gen_ai.operation.name": "text_completion"}, "text_completion", Role.BILL),
        ({"llm.request.type": "completion", **USAGE}, "text_completion", Role.BILL),
        ({"openinference.span.kind": "LLM"}, "chat", Role.BILL),
        ({"openinference.span.kind": "EMBEDDING"}, "embeddings", Role.BILL),
        ({"openinference.span.kind": "RERANKER"}, "rerank", Role.BILL),
        ({"openinference.span.kind": "CHAIN", **USAGE}, "aggregate", Role.WITNESS),
        ({"gen_ai.operation.name": "invoke_agent", **USAGE}, "aggregate", Role.WITNESS),
        ({"traceloop.span.kind": "workflow", **USAGE}, "aggregate", Role.WITNESS),
    ],
)
def test_only_model_calls_bill_and_their_sums_bear_witness(
    attributes: dict[str, Any], operation: str, role: Role
) -> None:
    found = event(attributes)

    assert (found.call.operation, found.role) == (operation, role)


SPELLINGS = {
    "input": """gen_ai.usage.input_tokens gen_ai.usage.prompt_tokens llm.usage.prompt_tokens
        llm.token_count.prompt""",
    "output": """gen_ai.usage.output_tokens gen_ai.usage.completion_tokens
        llm.usage.completion_tokens llm.token_count.completion""",
    "cached": """gen_ai.usage.cache_read.input_tokens gen_ai.usage.cache_read_input_tokens
        gen_ai.usage.cached_tokens llm.token_count.prompt_details.cache_read""",
    "written": """gen_ai.usage.cache_write.input_tokens gen_ai.usage.cache_creation.input_tokens
        gen_ai.usage.cache_creation_input_tokens llm.token_count.prompt_details.cache_write
        anthropic.usage.cache_creation.ephemeral_5m_input_tokens
        anthropic.usage.cache_creation.ephemeral_1h_input_tokens""",
    "reasoning": """gen_ai.usage.reasoning.output_tokens gen_ai.usage.reasoning_tokens
        llm.token_count.completion_details.reasoning""",
}
"""How generations of the conventions, and the other dialects, have spelt each count."""


@pytest.mark.parametrize(
    ("field", "name"), [(field, name) for field in SPELLINGS for name in SPELLINGS[field].split()]
)
def test_every_spelling_of_a_count_is_understood(field: str, name: str) -> None:
    totals = {"gen_ai.usage.input_tokens": 50, "gen_ai.usage.output_tokens": 50}
    tokens = event({**CHAT, **({} if field in {"input", "output"} else totals), name: 7}).tokens

    found = {
        "input": tokens.total_input,
        "output": tokens.total_output,
        "cached": tokens.cached,
        "written": tokens.written_5m + tokens.written_1h,
        "reasoning": tokens.reasoning,
    }
    assert found[field] == 7


def test_the_first_readable_alias_wins() -> None:
    said = {"gen_ai.usage.input_tokens": "-", "gen_ai.usage.prompt_tokens": 7}

    assert event({**said, "llm.usage.prompt_tokens": 9}).tokens.fresh == 7


@pytest.mark.parametrize("counts", [{}, dict.fromkeys(USAGE, 0), {"gen_ai.usage.input_tokens": 0}])
def test_no_counts_or_zeros_on_a_call_that_went_well_are_unknown(counts: dict[str, int]) -> None:
    found = event({**CHAT, **counts})

    assert found.tokens == Tokens()
    assert found.quality is Quality.UNKNOWN
    assert found.qualities.cached is Quality.UNKNOWN


def test_zeros_on_a_call_that_failed_are_zeros() -> None:
    found = event({**CHAT, **dict.fromkeys(USAGE, 0), "error.type": "RateLimitError"})

    assert (found.quality, found.call.outcome) == (Quality.MEASURED, Outcome.THROTTLED)


def test_an_embedding_without_output_tokens_is_measured() -> None:
    said = {"gen_ai.usage.input_tokens": 8, "gen_ai.usage.cache_read.input_tokens": 3}
    found = event({"gen_ai.operation.name": "embeddings", **said})

    assert found.tokens == Tokens(fresh=5, cached=3)
    assert found.quality is Quality.MEASURED


def test_a_chat_without_output_tokens_is_unknown() -> None:
    assert event({**CHAT, "gen_ai.usage.input_tokens": 8}).quality is Quality.UNKNOWN


@pytest.mark.parametrize(
    ("attributes", "message", "outcome"),
    [
        ({}, "", Outcome.SERVER_ERROR),
        ({}, "Error code: 429 - slow down", Outcome.THROTTLED),
        ({}, "error code: 400 - no", Outcome.CLIENT_ERROR),
        ({}, "Error code: 4290", Outcome.THROTTLED),
        ({}, "the request timed out", Outcome.TIMEOUT),
        ({"error.type": "APITimeoutError"}, "", Outcome.TIMEOUT),
        ({"error.type": "CancelledError"}, "", Outcome.ABORTED),
        ({"error.type": "GeneratorExit"}, "", Outcome.ABORTED),
        ({"error.type": "openai.BadRequestError"}, "", Outcome.CLIENT_ERROR),
        ({"exception.type": "AuthenticationError"}, "", Outcome.CLIENT_ERROR),
        ({"error.type": "_OTHER"}, "engine died", Outcome.SERVER_ERROR),
        ({"http.response.status_code": 200}, "", Outcome.SERVER_ERROR),
        ({"http.response.status_code": 408}, "", Outcome.TIMEOUT),
        ({"http.response.status_code": 422}, "", Outcome.CLIENT_ERROR),
        ({"http.response.status_code": "429"}, "", Outcome.THROTTLED),
        ({"http.status_code": 499}, "", Outcome.ABORTED),
        ({"http.status_code": 503}, "", Outcome.SERVER_ERROR),
        ({"http.status_code": 504}, "", Outcome.TIMEOUT),
    ],
)
def test_the_outcome_of_a_failed_call(
    attributes: dict[str, Any], message: str, outcome: Outcome
) -> None:
    found = event({**CHAT, **attributes}, is_error=True, status_message=message)

    assert found.call.outcome is outcome


@pytest.mark.parametrize(
    ("attributes", "outcome"),
    [
        ({}, Outcome.OK),
        ({"http.response.status_code": 200}, Outcome.OK),
        ({"gen_ai.response.finish_reasons": ["stop"]}, Outcome.OK),
        ({"gen_ai.response.finish_reasons": ["abort"]}, Outcome.ABORTED),
        ({"gen_ai.response.finish_reasons": '["abort"]'}, Outcome.ABORTED),
        ({"error.type": "RateLimitError"}, Outcome.THROTTLED),
        ({"http.response.status_code": 500}, Outcome.SERVER_ERROR),
        ({"http.response.status_code": 100_000}, Outcome.OK),
    ],
)
def test_the_outcome_of_a_call_whose_span_is_no_error(
    attributes: dict[str, Any], outcome: Outcome
) -> None:
    assert event({**CHAT, **attributes}).call.outcome is outcome


def test_a_status_code_is_read_from_the_attribute_or_the_error() -> None:
    assert event({**CHAT, "http.response.status_code": 429}).call.status_code == 429
    assert event({**CHAT, "http.response.status_code": 1000}).call.status_code == 0
    failed = record(CHAT, is_error=True, status_message="Error code: 401 - who?")
    assert usage_event(failed).call.status_code == 401
    assert usage_event(replace(failed, is_error=False)).call.status_code == 0
    assert usage_event(replace(failed, status_message="who?")).call.status_code == 0


def test_records_with_one_response_id_are_one_call() -> None:
    answer = {"output.value": '{"id": "chatcmpl-1", "choices": []}'}
    chain = {"output.value": '{"generations": [], "llm_output": {"id": "chatcmpl-1"}}'}
    found = [
        event({**CHAT, "gen_ai.response.id": "chatcmpl-1"}),
        event({**CHAT, **answer}, span_id=b"2" * 8),
        event({**CHAT, **chain}, span_id=b"4" * 8),
        event({"gen_ai.request.id": "chatcmpl-1", **USAGE}, scope="vllm.x", span_id=b"3" * 8),
    ]

    assert {e.call_id for e in found} == {response_identity("chatcmpl-1")}
    assert len({e.event_id for e in found}) == 4


@pytest.mark.parametrize(
    "answer",
    [
        "{",
        "[]",
        "text",
        '{"id": 5}',
        '{"id": null}',
        "{}",
        '{"id":' * 99_999,
        7,
        '{"id": "\\ud800"}',
    ],
)
def test_an_answer_without_an_id_leaves_the_span_a_call_of_its_own(answer: object) -> None:
    plain = event(CHAT)

    assert event({**CHAT, "output.value": answer}).call_id == plain.call_id == plain.event_id


def test_an_application_span_does_not_take_the_request_id_for_the_response_id() -> None:
    assert event({**CHAT, "gen_ai.request.id": "r1"}).call.response_id == ""


def test_a_log_record_is_the_same_call_as_its_span_and_ranks_behind_it() -> None:
    scope = "opentelemetry.util.genai.handler"
    log = event({**CHAT, **USAGE}, name=LOG_EVENT, is_log=True, scope=scope)
    span = event({**CHAT, **USAGE}, scope=scope)

    assert log.call_id == span.call_id
    assert log.event_id != span.event_id
    assert bill_records([log, span]) == [span]


def test_a_log_record_is_known_by_the_id_that_its_producer_gave() -> None:
    given_id = {**CHAT, "event.id": "e1"}
    of_a = {"name": LOG_EVENT, "is_log": True, "resource": {"service.name": "a"}}
    first = event(given_id, **of_a)

    assert event({**given_id, **USAGE}, **of_a, started_at=1).event_id == first.event_id
    assert event({**given_id, "event.id": "e2"}, **of_a).event_id != first.event_id
    of_b = {**of_a, "resource": {"service.name": "b"}}
    assert event(given_id, **of_b).event_id != first.event_id


def test_a_log_record_without_id_or_span_is_known_by_all_it_says() -> None:
    alone = {"name": LOG_EVENT, "is_log": True, "trace_id": b"", "span_id": b""}
    first = event({**CHAT, **USAGE}, **alone)

    assert first.call_id == first.event_id
    assert event({**USAGE, **CHAT}, **alone).event_id == first.event_id
    assert event(CHAT, **alone).event_id != first.event_id
    assert event({**CHAT, **USAGE}, **{**alone, "ended_at": T0 + 1}).event_id != first.event_id


def test_who_and_where_is_read_from_the_span_before_its_resource() -> None:
    resource = {"tenant.id": "resource", "service.name": "gateway", "cloud.region": "cn-beijing"}
    found = event({**CHAT, "tenant.id": "span", "enduser.id": 7}, resource=resource).source

    assert (found.tenant, found.gateway, found.region) == ("span", "gateway", "cn-beijing")
    assert (found.end_user, found.project) == ("7", "")


@pytest.mark.parametrize(
    ("scope", "model", "provider"), [("vllm.llm_engine", "qwen-node", "vllm"), ("my.sdk", "", "")]
)
def test_only_an_engine_serves_the_model_that_its_resource_names(
    scope: str, model: str, provider: str
) -> None:
    call = event(USAGE, scope=scope, resource={"service.name": "qwen-node"}).call

    assert (call.model, call.provider) == (model, provider)


def test_models_and_provider_are_told_apart() -> None:
    said = {"gen_ai.request.model": "auto", "gen_ai.response.model": "qwen3", "gen_ai.system": "Az"}
    call = event({**CHAT, **said}).call

    assert (call.requested_model, call.model, call.provider) == ("auto", "qwen3", "az")
    assert event({**CHAT, "llm.model_name": "qwen3"}).call.model == "qwen3"


@pytest.mark.parametrize(
    ("seconds", "nanoseconds"),
    [(0.25, 250_000_000), (1, 10**9), (0, 0), (-1, 0), (1e9, 0), ("1", 0), (float("nan"), 0)],
)
def test_latencies_are_seconds_within_reason(seconds: object, nanoseconds: int) -> None:
    said = {"gen_ai.response.time_to_first_chunk": seconds, "gen_ai.latency.time_in_queue": seconds}
    call = event({**CHAT, **said}).call

    assert (call.ttft_ns, call.queue_ns) == (nanoseconds, nanoseconds)


def test_stream_and_attempt_are_read_only_where_they_are_what_they_should_be() -> None:
    def told(stream: object, attempt: object) -> tuple[bool, int]:
        said = {"gen_ai.request.stream": stream, "tallystick.attempt": attempt}
        call = event({**CHAT, **said}).call
        return call.stream, call.attempt

    assert told(stream=True, attempt=2) == (True, 2)
    assert told(stream="yes", attempt="often") == (False, 0)
    assert told(stream=False, attempt=10**9) == (False, 65_535)


def test_only_several_choices_of_vllm_are_choices() -> None:
    two = {"gen_ai.request.n": 2, **USAGE}

    assert event(two, scope="vllm.llm_engine").is_choice
    assert not event({**two, "gen_ai.request.n": 1}, scope="vllm.llm_engine").is_choice
    assert not event(USAGE, scope="vllm.llm_engine").is_choice
    assert not event({**two, **CHAT}, scope="opentelemetry.util.genai.handler").is_choice


def test_the_gateway_bills_before_the_sdk_and_the_sdk_before_the_engine() -> None:
    same = {**CHAT, **USAGE, "gen_ai.response.id": "r1", "gen_ai.request.id": "r1"}
    scopes = ["tallystick", "opentelemetry.util.genai.handler", "some.sdk", "vllm.llm_engine"]
    told = [event(same, scope=s, span_id=bytes([i]) * 8) for i, s in enumerate(scopes, 1)]

    for left in range(len(told)):
        assert bill_records(told[left:]) == bill_records(told[left:][::-1]) == [told[left]]
