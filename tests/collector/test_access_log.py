"""Access logs of Envoy AI Gateway, Higress and APISIX, through the normaliser."""

import json
import re
from typing import Any

import pytest
import yaml
from conftest import ROOT
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from collector.dialect.normalise import usage_events
from collector.logs.access_log import read_log, translated
from collector.logs.access_log_products import PRODUCTS
from collector.otlp import MAX_RECORDS, Record, TooManyRecordsError
from metering.event import Outcome, Quality, Tokens, UsageEvent, source_identity

START = 1_756_572_697_894_000_000
"""2025-08-30T16:51:37.894Z, in which the lines below begin."""

ENVOY = {
    ":authority": "models.example",
    "duration": 1526,
    "genai_backend_name": "default/qwen",
    "genai_model_name": "qwen3",
    "genai_model_name_override": None,
    "genai_tokens_input": 15,
    "genai_tokens_output": 7,
    "genai_tokens_total": 22,
    "response_code": 200,
    "response_flags": "-",
    "route_name": "httproute/default/models",
    "start_time": "2025-08-30T16:51:37.894Z",
    "x-envoy-origin-path": "/v1/chat/completions",
    "x-request-id": "83b63da3",
    "x-tenant-id": "acme",
}
"""The fields that the guide of Envoy AI Gateway shows, and a tenant from a header."""

ENVOY_NOW = {
    "duration": "1526",
    "gen_ai.request.model": "qwen3",
    "gen_ai.response.model": "qwen3-32b",
    "gen_ai.provider.name": "vllm",
    "gen_ai.usage.input_tokens": "15",
    "gen_ai.usage.output_tokens": "7",
    "gen_ai.usage.cache_read.input_tokens": "5",
    "response_code": "200",
    "request.path": "/v1/embeddings?x=1",
    "start_time": "2025-08-30T16:51:37.894Z",
    "tallystick.pool": "shared",
    "tenant.id": "acme",
    "x-request-id": "83b63da3",
}
"""The format that the gateway sets up by itself, with numbers as text, and names of our own."""

AI_LOG = {
    "model": "qwen-turbo",
    "input_token": "10",
    "output_token": "69",
    "cached_tokens": "4",
    "reasoning_tokens": "9",
    "llm_first_token_duration": "309",
    "llm_service_duration": "1955",
    "response_type": "stream",
    "chat_id": "chatcmpl-9",
    "consumer": "acme",
}
HIGRESS = {
    "ai_log": json.dumps(AI_LOG),
    "duration": "1990",
    "path": "/v1/chat/completions",
    "request_id": "5895f5a9",
    "response_code": "200",
    "response_flags": "-",
    "route_name": "openai",
    "start_time": "2025-08-30T16:51:37.894Z",
    "trace_id": "-",
}

APISIX = {
    "apisix_request_id": "a1",
    "consumer_name": "acme",
    "llm_cache_read_input_tokens": "3",
    "llm_completion_tokens": "8",
    "llm_end_user_id": "u7",
    "llm_model": "gpt-4-0613",
    "llm_prompt_tokens": "23",
    "llm_reasoning_tokens": "2",
    "llm_time_to_first_token": "2858",
    "request_llm_model": "gpt-4",
    "request_type": "ai_stream",
    "status": "200",
    "time_iso8601": "2025-08-31T00:51:41+08:00",
    "uri": "/anything",
}
APISIX_LOGGER = {
    "client_ip": "127.0.0.1",
    "consumer": {"username": "acme"},
    "latency": 3000.5,
    "llm_summary": {"model": "gpt-4", "prompt_tokens": 23, "completion_tokens": 8, "duration": 20},
    "request": {"uri": "/v1/completions", "headers": {"x-request-id": "r1"}},
    "response": {"status": 200},
    "route_id": "ai",
    "start_time": 1_756_572_697_894,
}
"""What the logger plugins write by themselves, with ``logging.summaries`` on."""

LINES = (ENVOY, ENVOY_NOW, HIGRESS, APISIX, APISIX_LOGGER)

UNHURRIED = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


def ndjson(*lines: Any) -> bytes:
    texts = (x if isinstance(x, bytes) else json.dumps(x).encode() for x in lines)
    return b"\n".join(texts) + b"\n"


def event_of(line: Any) -> UsageEvent:
    log = read_log(ndjson(line))
    assert (log.skipped, log.rejected) == (0, [])
    [event], rejected = usage_events(log.records)
    assert rejected == []
    return event


def test_a_line_of_envoy_ai_gateway_is_a_call() -> None:
    event = event_of(ENVOY)

    assert event.event_id == source_identity("envoy-ai-gateway", f"{START} 83b63da3")
    assert (event.started_at, event.ended_at) == (START, START + 1_526_000_000)
    assert (event.source.tenant, event.source.route) == ("acme", "httproute/default/models")
    assert (event.call.model, event.call.provider, event.call.operation) == (
        "qwen3", "default/qwen", "chat",
    )  # fmt: skip
    assert (event.call.request_id, event.call.status_code) == ("83b63da3", 200)
    assert event.tokens == Tokens(fresh=15, output=7)
    assert (event.dialect, event.quality) == ("access-log", Quality.MEASURED)


def test_fields_of_envoy_may_be_named_as_attributes_are() -> None:
    event = event_of(ENVOY_NOW)

    assert event.tokens == Tokens(fresh=10, cached=5, output=7)
    assert (event.call.requested_model, event.call.model) == ("qwen3", "qwen3-32b")
    assert (event.call.operation, event.source.pool) == ("embeddings", "shared")


def test_a_line_of_higress_is_a_call_with_its_numbers_as_text() -> None:
    event = event_of(HIGRESS)

    assert event.tokens == Tokens(fresh=6, cached=4, output=60, reasoning=9)
    assert (event.source.tenant, event.call.response_id) == ("acme", "chatcmpl-9")
    assert (event.call.ttft_ns, event.call.stream) == (309_000_000, True)
    assert event.ended_at - event.started_at == 1_990_000_000


def test_higress_may_write_its_log_as_an_object_or_as_two_fields() -> None:
    as_object = event_of({**HIGRESS, "ai_log": AI_LOG})
    before = event_of(
        {**HIGRESS, "ai_log": "-", "model": "m", "input_token": "10", "output_token": "69"}
    )

    assert as_object == event_of(HIGRESS)
    assert before.tokens == Tokens(fresh=10, output=69)


def test_a_line_of_apisix_is_a_call() -> None:
    event = event_of(APISIX)

    assert event.tokens == Tokens(fresh=20, cached=3, output=6, reasoning=2)
    assert (event.source.tenant, event.source.end_user) == ("acme", "u7")
    assert (event.call.requested_model, event.call.model) == ("gpt-4", "gpt-4-0613")
    assert (event.call.ttft_ns, event.call.stream) == (2_858_000_000, True)
    assert event.ended_at == event.started_at == START + 3_106_000_000


def test_a_summary_of_an_apisix_logger_is_a_call() -> None:
    event = event_of(APISIX_LOGGER)

    assert event.tokens == Tokens(fresh=23, output=8)
    assert (event.started_at, event.ended_at) == (START, START + 3_000_500_000)
    assert (event.source.tenant, event.source.route) == ("acme", "ai")
    assert (event.call.operation, event.call.request_id) == ("text_completion", "r1")


def test_an_end_and_a_duration_lead_to_the_start() -> None:
    event = event_of({**APISIX, "latency": 106})

    assert event.started_at == START + 3_000_000_000


@pytest.mark.parametrize(
    ("changed", "outcome"),
    [
        ({"response_code": 429}, Outcome.THROTTLED),
        ({"response_code": 503, "response_flags": "UF,URX"}, Outcome.SERVER_ERROR),
        ({"response_code": 0, "response_flags": "DC"}, Outcome.ABORTED),
        ({"response_flags": "DC"}, Outcome.ABORTED),
        ({"response_flags": "SI"}, Outcome.TIMEOUT),
        ({"response_flags": "URX,UC"}, Outcome.SERVER_ERROR),
        ({"response_flags": "NR"}, Outcome.OK),
    ],
)
def test_how_a_call_ended_is_read_from_status_and_flags(
    changed: dict[str, Any], outcome: Outcome
) -> None:
    assert event_of({**ENVOY, **changed}).call.outcome is outcome


def test_a_call_without_counts_is_unknown_and_not_zero() -> None:
    silent = {**ENVOY, "genai_tokens_input": None, "genai_tokens_output": None}
    odd = {**ENVOY, "genai_tokens_input": -5, "genai_tokens_output": "many"}

    assert event_of(silent).quality is Quality.UNKNOWN
    assert event_of(odd).quality is Quality.UNKNOWN


@pytest.mark.parametrize(
    "line",
    [
        {"start_time": "2025-08-30T16:51:37.894Z", "x-request-id": "r", "path": "/health"},
        {**ENVOY, **dict.fromkeys(("genai_model_name", "genai_tokens_input",
                                   "genai_tokens_output"))},
        {**HIGRESS, "ai_log": "-"},
        {**HIGRESS, "ai_log": "{}"},
        {"llm_model": "", "llm_prompt_tokens": "0", "request_type": "traditional_http"},
        {},
    ],
)  # fmt: skip
def test_a_line_that_is_no_model_call_is_skipped(line: dict[str, Any]) -> None:
    log = read_log(ndjson(line, ENVOY))

    assert (log.skipped, len(log.records), log.rejected) == (1, 1, [])


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (b'{"genai_model_name": "qw', "a line must be a JSON object, found Unterminated string"),
        (b"[2025-08-30 16:51:37.894][info] ready", "a line must be a JSON object, found Expecting"),
        (b"[1]", "a line must be a JSON object, found [1]"),
        (b"\xff\xfe", "a line must be a JSON object, found "),
        (b"[" * 100_000, "a line must be a JSON object, found maximum recursion depth"),
        ({**HIGRESS, "ai_log": '{"model":'}, "ai_log must be a JSON object, found Expecting"),
        (
            {**ENVOY, "x-request-id": "-"},
            "a model call of envoy-ai-gateway must have x-request-id or request_id, found no such",
        ),
        (
            {**ENVOY, "start_time": "yesterday"},
            "a model call of envoy-ai-gateway must have start_time, found no such field",
        ),
        ({**ENVOY, "start_time": 1e99}, "a model call of envoy-ai-gateway must have start_time"),
        ({**ENVOY, "start_time": 10**400}, "a model call of envoy-ai-gateway must have start_tim"),
    ],
)
def test_a_broken_line_is_rejected_and_its_neighbours_are_kept(broken: Any, reason: str) -> None:
    log = read_log(ndjson(ENVOY, broken, b"", HIGRESS))

    assert [one.line for one in log.rejected] == [2]
    assert log.rejected[0].reason.startswith(reason)
    assert len(usage_events(log.records)[0]) == 2


def test_a_line_read_again_is_the_same_call() -> None:
    for line in LINES:
        assert event_of(line) == event_of(line)


def test_a_client_that_chooses_its_request_id_does_not_hide_a_call() -> None:
    first, second = event_of(ENVOY), event_of({**ENVOY, "start_time": "2025-08-30T16:51:38Z"})

    assert first.call.request_id == second.call.request_id
    assert first.event_id != second.event_id


def test_a_request_id_of_any_length_leaves_calls_apart() -> None:
    long = {**ENVOY, "x-request-id": "x" * 5000}

    assert event_of(long).event_id != event_of({**long, "start_time": 1_756_572_697_999}).event_id


def test_a_body_of_too_many_lines_is_refused_before_they_are_read() -> None:
    with pytest.raises(TooManyRecordsError):
        read_log(b"\n" * MAX_RECORDS)


def test_time_to_the_first_token_that_is_no_number_is_not_told() -> None:
    assert event_of({**APISIX, "llm_time_to_first_token": "soon"}).call.ttft_ns == 0


def test_no_two_products_read_one_line() -> None:
    for line in LINES:
        scopes = {record.scope for record in read_log(ndjson(line)).records}
        assert len(scopes) == 1
    assert {p.name for p in PRODUCTS} == {"envoy-ai-gateway", "higress", "apisix"}


def test_a_log_record_of_envoys_otlp_sink_is_translated() -> None:
    """The sink puts the fields of the log into attributes and names no event."""
    sent = Record(
        attributes={k: v for k, v in ENVOY_NOW.items() if k != "start_time"},
        resource={"service.name": "edge"},
        trace_id=b"t" * 16,
        span_id=b"s" * 8,
        started_at=START,
        ended_at=START,
        is_log=True,
    )
    [event], _ = usage_events([translated(sent)])

    assert event.tokens == Tokens(fresh=10, cached=5, output=7)
    assert (event.source.gateway, event.trace_id) == ("edge", b"t" * 16)
    assert event.ended_at == START + 1_526_000_000
    assert usage_events([sent])[0] == []


@pytest.mark.parametrize(
    "record",
    [
        Record({"gen_ai.usage.input_tokens": 5, "x-request-id": "r"}, started_at=START),
        Record(ENVOY_NOW, name="tallystick.usage", is_log=True),
        Record({"message": "hello"}, started_at=START, is_log=True),
        Record({**ENVOY_NOW, "x-request-id": None}, is_log=True),
    ],
)
def test_any_other_record_stays_as_it_is(record: Record) -> None:
    assert translated(record) is record


def test_every_field_of_a_product_is_in_the_reference() -> None:
    reference = (ROOT / "docs" / "reference.md").read_text("utf-8")
    names = {
        name
        for product in PRODUCTS
        for row in (
            *product.fields.values(),
            product.started_at,
            product.ended_at,
            product.duration_ms,
            product.embedded,
        )
        for name in row
    }

    assert len(names) > 70
    assert {name for name in names if f"`{name}`" not in reference} == set()


def test_the_format_that_the_guide_shows_is_read() -> None:
    guide = (ROOT / "docs" / "guide.md").read_text("utf-8")
    [block] = re.findall(r"```yaml\njson:\n(.*?)```", guide, re.DOTALL)
    shown = yaml.safe_load(block)
    values = {
        "%START_TIME%": "2025-08-30T16:51:37.894Z",
        "%DURATION%": "1526",
        "%RESPONSE_CODE%": "200",
        "%RESPONSE_FLAGS%": "-",
        "%DYNAMIC_METADATA(io.envoy.ai_gateway:llm_input_token)%": "15",
        "%DYNAMIC_METADATA(io.envoy.ai_gateway:llm_cached_input_token)%": "5",
        "%DYNAMIC_METADATA(io.envoy.ai_gateway:llm_output_token)%": "7",
    }
    event = event_of({name: values.get(said, said) for name, said in shown.items()})

    assert event.tokens == Tokens(fresh=10, cached=5, output=7)
    assert (event.source.pool, event.source.tenant) == ("shared", "%REQ(X-TENANT-ID)%")
    assert event.ended_at == START + 1_526_000_000


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("-"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=3,
)
names = st.sampled_from(sorted({n for line in LINES for n in line} | set(AI_LOG)))


@UNHURRIED
@given(st.sampled_from(LINES), st.dictionaries(names, values, max_size=4))
@example(LINES[0], {"start_time": True})
@example(LINES[0], {"start_time": 5})
def test_any_line_is_a_call_or_skipped_or_rejected_and_never_costs_another(
    line: dict[str, Any], changed: dict[str, Any]
) -> None:
    log = read_log(ndjson(ENVOY, {**line, **changed}, HIGRESS))
    events, rejected = usage_events(log.records)

    assert len(log.records) + log.skipped + len(log.rejected) == 3
    assert len(events) + len(rejected) == len(log.records) >= 2
    assert all("must end" in one.reason for one in rejected)  # its time cannot be


@UNHURRIED
@given(st.binary(max_size=60))
def test_any_bytes_are_lines(body: bytes) -> None:
    log = read_log(body)

    assert all(one.reason for one in log.rejected)
