"""Clients of which no capture is kept: spans as they write them, against what the server counted.

Each row was made by running the client's released package against a server with known counts.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest
from builders import span, traces
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.batch.fast import FastDecoder
from collector.dialect.normalise import usage_events
from collector.otlp import Encoding, Signal, decode
from metering.event import Quality, Role, UsageEvent
from metering.rollup import bill_records
from metering.schema import batch_of

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.response.finish_reasons": ["stop"]}
CLAUDE = {"gen_ai.request.model": "claude-sonnet-4-5"}
GEMINI = {"gen_ai.request.model": "gemini-2.5-flash"}
BEDROCK = {**CHAT, "gen_ai.system": "aws.bedrock", "gen_ai.request.model": "anthropic.claude-3"}
VERCEL = {"ai.operationId": "ai.generateText.doGenerate", "ai.response.finishReason": "stop"}


def usage(given: object, made: object, **more: object) -> dict[str, object]:
    """Write the two totals as the conventions name them, and more names with ``__`` for a dot."""
    told = {f"gen_ai.usage.{k.replace('__', '.')}": v for k, v in more.items()}
    return {"gen_ai.usage.input_tokens": given, "gen_ai.usage.output_tokens": made, **told}


def metadata(**said: object) -> dict[str, str]:
    return {"ai.response.providerMetadata": json.dumps(said)}


class Seen(NamedTuple):
    """What a client writes of one call."""

    client: str
    scope: str
    said: Mapping[str, Any]
    counted: tuple[int, int, int, int, int]
    """Input, output, cached, written and reasoning tokens: totals with their details inside."""


GEMINI_METADATA = {
    "promptTokenCount": 2000, "candidatesTokenCount": 230, "thoughtsTokenCount": 60,
    "cachedContentTokenCount": 1500, "totalTokenCount": 2290,
}  # fmt: skip
ADK_ANSWER = {
    "content": {"parts": [{"text": "hello"}], "role": "model"},
    "usage_metadata": {
        "prompt_token_count": 2000, "candidates_token_count": 30, "thoughts_token_count": 60,
        "cached_content_token_count": 1500, "total_token_count": 2090,
        "prompt_tokens_details": [{"modality": "TEXT", "token_count": 2000}],
    },
}  # fmt: skip
ANTHROPIC_V5 = {
    "usage": {
        "input_tokens": 512, "output_tokens": 20, "cache_creation_input_tokens": 512,
        "cache_read_input_tokens": 1024,
    },
    "cacheCreationInputTokens": 512,
}  # fmt: skip
LANGSMITH = {
    "input_tokens": 2048, "output_tokens": 120, "total_tokens": 2168,
    "input_token_details": {"audio": 0, "cache_read": 1536},
    "output_token_details": {"audio": 0, "reasoning": 7},
}  # fmt: skip
MLFLOW = {
    "input_tokens": 2048, "output_tokens": 20, "total_tokens": 2068,
    "cache_read_input_tokens": 1024, "cache_creation_input_tokens": 512,
}  # fmt: skip

MEASURED = [
    Seen(
        "AWS SDK for Python, OpenTelemetry", "opentelemetry.instrumentation.botocore.bedrock",
        {**BEDROCK, **usage(
            2560, 20, cache_read__input_tokens=1024, cache_creation__input_tokens=512
        )},
        (4096, 20, 1024, 512, 0),
    ),
    Seen(
        "AWS SDK for Python, OpenLLMetry", "opentelemetry.instrumentation.bedrock",
        {**BEDROCK, **usage(2560, 20, total_tokens=2580, cache_read__input_tokens=1024)},
        (3584, 20, 1024, 0, 0),
    ),
    Seen(
        "Anthropic for JavaScript, OpenLLMetry", "@traceloop/instrumentation-anthropic",
        {**CHAT, **CLAUDE, "gen_ai.provider.name": "anthropic", **usage(
            2048, 20, total_tokens=2068, cache_read__input_tokens=1024,
            cache_creation__input_tokens=0,
        )},
        (3072, 20, 1024, 0, 0),
    ),
    Seen(
        "Google Gen AI, OpenLIT", "openlit.instrumentation.google_ai_studio",
        {**CHAT, **GEMINI, "gen_ai.provider.name": "gcp.gemini", "gen_ai.client.token.usage": 2230,
         **usage(2000, 230, reasoning_tokens=60, cache_read__input_tokens=1500)},
        (2000, 290, 1500, 0, 60),
    ),
    Seen(
        "Google Gen AI, OpenTelemetry", "opentelemetry.instrumentation.google_genai",
        {"gen_ai.operation.name": "generate_content", **GEMINI, "gen_ai.system": "gemini", **usage(
            2000, 290, cache_read__input_tokens=1500, reasoning__output_tokens=60
        )},
        (2000, 290, 1500, 0, 60),
    ),
    Seen(
        "Google ADK 1", "gcp.vertex.agent",
        {**GEMINI, "gen_ai.system": "gcp.vertex.agent", **usage(2000, 30),
         "gcp.vertex.agent.llm_response": json.dumps(ADK_ANSWER)},
        (2000, 90, 1500, 0, 60),
    ),
    Seen(
        "Google ADK 2", "gcp.vertex.agent",
        {**CHAT, **GEMINI, "gen_ai.system": "gcp.vertex.agent", **usage(
            2000, 90, cache_read__input_tokens=1500, reasoning__output_tokens=60
        )},
        (2000, 90, 1500, 0, 60),
    ),
    Seen(
        "Vercel AI SDK 4, OpenAI", "ai",
        {**VERCEL, "ai.model.provider": "openai.chat", **usage(2048, 120), **metadata(
            openai={"reasoningTokens": 7, "acceptedPredictionTokens": 0, "cachedPromptTokens": 64}
        )},
        (2048, 120, 64, 0, 7),
    ),
    Seen(
        "Vercel AI SDK 4, Anthropic", "ai",
        {**VERCEL, "ai.model.provider": "anthropic.messages", **usage(512, 20), **metadata(
            anthropic={"cacheCreationInputTokens": 512, "cacheReadInputTokens": 1024}
        )},
        (2048, 20, 1024, 512, 0),
    ),
    Seen(
        "Vercel AI SDK 5, Anthropic", "ai",
        {**VERCEL, "ai.model.provider": "anthropic.messages", **usage(512, 20),
         **metadata(anthropic=ANTHROPIC_V5)},
        (2048, 20, 1024, 512, 0),
    ),
    Seen(
        "Vercel AI SDK 5, Bedrock", "ai",
        {**VERCEL, "ai.model.provider": "amazon-bedrock", **usage(2560, 30),
         "ai.usage.cachedInputTokens": 1024,
         **metadata(bedrock={"usage": {"cacheWriteInputTokens": 512}})},
        (4096, 30, 1024, 512, 0),
    ),
    Seen(
        "Vercel AI SDK 5, Gemini", "ai",
        {**VERCEL, "ai.model.provider": "google.generative-ai", **usage(2000, 230),
         **metadata(google={"usageMetadata": GEMINI_METADATA, "safetyRatings": None})},
        (2000, 290, 1500, 0, 60),
    ),
    Seen(
        "Vercel AI SDK 6, Gemini", "ai",
        {**VERCEL, "ai.model.provider": "google.generative-ai", **usage(2000, 290),
         "ai.usage.cachedInputTokens": 1500, "ai.usage.outputTokenDetails.reasoningTokens": 60},
        (2000, 290, 1500, 0, 60),
    ),
    Seen(
        "Vercel AI SDK 7, Bedrock", "gen_ai",
        {**BEDROCK, **usage(
            4096, 30, cache_read__input_tokens=1024, cache_creation__input_tokens=512
        )},
        (4096, 30, 1024, 512, 0),
    ),
    Seen(
        "LangSmith", "langsmith",
        {**CHAT, "langsmith.span.kind": "llm", "gen_ai.system": "openai", **usage(
            2048, 120, total_tokens=2168
        ), "langsmith.metadata.usage_metadata": json.dumps(LANGSMITH)},
        (2048, 120, 1536, 0, 7),
    ),
    Seen(
        "MLflow, Anthropic", "mlflow.anthropic.autolog",
        {"mlflow.spanType": '"CHAT_MODEL"', "mlflow.llm.provider": '"anthropic"',
         "mlflow.chat.tokenUsage": json.dumps(MLFLOW)},
        (2048, 20, 1024, 512, 0),
    ),
    Seen(
        "Strands Agents, Bedrock", "strands.telemetry.tracer",
        {**CHAT, "gen_ai.system": "strands-agents", "gen_ai.request.model": "us.amazon.nova-pro",
         **usage(2560, 20, prompt_tokens=2560, completion_tokens=20, total_tokens=4116,
                 cache_read_input_tokens=1024, cache_write_input_tokens=512)},
        (4096, 20, 1024, 512, 0),
    ),
    Seen(
        "Microsoft Agent Framework", "agent_framework",
        {**CHAT, "gen_ai.provider.name": "openai", **usage(
            2048, 700, cache_read__input_tokens=1536, cache_creation__input_tokens=0,
            reasoning__output_tokens=640,
        )},
        (2048, 700, 1536, 0, 640),
    ),
    Seen(
        "Spring AI", "org.springframework.boot",
        {**CHAT, "gen_ai.system": "openai", **usage("19", "7", total_tokens="26")},
        (19, 7, 0, 0, 0),
    ),
    Seen(
        "Sentry", "sentry",
        {**CHAT, "gen_ai.system": "openai", "gen_ai.usage.input_tokens.cached": 1536,
         "gen_ai.usage.input_tokens.cache_write": 12, "gen_ai.usage.output_tokens.reasoning": 640,
         **usage(2048, 700, total_tokens=2748)},
        (2048, 700, 1536, 12, 640),
    ),
    Seen(
        "Langtrace", "langtrace",
        {"llm.request.type": "chat", "llm.token.counts.prompt": 19,
         "llm.token.counts.completion": 7, "llm.token.counts.total": 26},
        (19, 7, 0, 0, 0),
    ),
    Seen(
        "Codex", "codex_cli_rs",
        {"codex.usage.reasoning_output_tokens": 500, "codex.usage.total_tokens": 5321,
         **usage(4821, 500 + 0, cache_read__input_tokens=3640, cache_write__input_tokens=0)},
        (4821, 500, 3640, 0, 500),
    ),
]  # fmt: skip
UNTOLD = [
    Seen(
        "OpenLLMetry, Claude of Bedrock by InvokeModel", "opentelemetry.instrumentation.bedrock",
        {**BEDROCK, **usage(512, 20, total_tokens=532)},
        (512, 20, 0, 0, 0),
    ),
    Seen(
        "AWS SDK for JavaScript", "@opentelemetry/instrumentation-aws-sdk",
        {**BEDROCK, **usage(512, 20)},
        (512, 20, 0, 0, 0),
    ),
    Seen(
        "Vercel AI SDK 3, Anthropic", "ai",
        {**VERCEL, "ai.model.provider": "anthropic.messages", **usage(512, 20)},
        (512, 20, 0, 0, 0),
    ),
    Seen(
        "Vercel AI SDK 5, Bedrock without a stream", "ai",
        {**VERCEL, "ai.model.provider": "amazon-bedrock", **usage(2560, 20),
         **metadata(bedrock={"usage": {"cacheWriteInputTokens": 512}})},
        (3072, 20, 0, 512, 0),
    ),
    Seen(
        "Vercel AI SDK 4, Gemini", "ai",
        {**VERCEL, "ai.model.provider": "google.generative-ai", **usage(2000, 230)},
        (2000, 230, 0, 0, 0),
    ),
    Seen(
        "Strands Agents, Anthropic", "strands.telemetry.tracer",
        {**CHAT, **CLAUDE, "gen_ai.system": "strands-agents", **usage(512, 20, total_tokens=532)},
        (512, 20, 0, 0, 0),
    ),
    Seen(
        "Google ADK 1 without contents", "gcp.vertex.agent",
        {**GEMINI, "gen_ai.system": "gcp.vertex.agent", **usage(2000, 30)},
        (2000, 30, 0, 0, 0),
    ),
    Seen(
        "Google ADK 1.30 without contents", "gcp.vertex.agent",
        {**GEMINI, "gen_ai.system": "gcp.vertex.agent", **usage(
            2000, 90, experimental__reasoning_tokens=60
        )},
        (2000, 90, 0, 0, 60),
    ),
    Seen(
        "any other client, cached tokens in or beside", "some.sdk",
        {**CHAT, **CLAUDE, "gen_ai.system": "anthropic", **usage(
            2048, 20, cache_read__input_tokens=1024
        )},
        (2048, 20, 1024, 0, 0),
    ),
    Seen(
        "any other client, no cached tokens told", "some.sdk",
        {**CHAT, **CLAUDE, "gen_ai.system": "anthropic", **usage(2048, 20)},
        (2048, 20, 0, 0, 0),
    ),
]  # fmt: skip


def body_of(seen: Seen) -> bytes:
    return written(span(1, 1, **seen.said), seen.scope)


def written(one: Span, scope: str) -> bytes:
    body: bytes = traces([one], scope=scope).SerializeToString()
    return body


def events_of(body: bytes) -> list[UsageEvent]:
    """Decode a body, and make sure that the fast decoder does so alike."""
    events, rejected = usage_events(decode(body, Signal.TRACES, Encoding.PROTOBUF))
    fast = FastDecoder(seed=7)
    for _ in range(2):
        found = fast.decode(body, Signal.TRACES, Encoding.PROTOBUF)
        assert rows_of(found.batch.table) == rows_of(batch_of(events).table)
    assert not rejected
    return events


def rows_of(table: Any) -> list[dict[str, Any]]:
    return sorted(table.to_pylist(), key=lambda row: row["event_id"])


def counted(event: UsageEvent) -> tuple[int, int, int, int, int]:
    t = event.tokens
    return t.total_input, t.total_output, t.cached, t.written_5m + t.written_1h, t.reasoning


@pytest.mark.parametrize("seen", MEASURED, ids=lambda seen: seen.client)
def test_a_client_that_tells_all_is_read_to_the_last_token(seen: Seen) -> None:
    [event] = events_of(body_of(seen))

    assert counted(event) == seen.counted
    assert (event.quality, event.caveat, event.role) == (Quality.MEASURED, "", Role.BILL)


@pytest.mark.parametrize("seen", UNTOLD, ids=lambda seen: seen.client)
def test_counts_that_may_leave_out_details_are_estimates(seen: Seen) -> None:
    [event] = events_of(body_of(seen))

    assert counted(event) == seen.counted
    assert (event.quality, event.caveat) == (Quality.ESTIMATED, "details untold")


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        ("some.sdk", {"gen_ai.system": "openai", **usage(19, 7)}),
        ("some.sdk", {"gen_ai.system": "anthropic", **usage(19, 7, cache_read__input_tokens=0)}),
        ("some.sdk", {"gen_ai.system": "gemini", **usage(19, 7, total_tokens=26)}),
        (
            "some.sdk",
            {
                "gen_ai.system": "gemini",
                **usage(19, 7, total_tokens=30),
                "gen_ai.usage.reasoning_tokens": 4,
            },
        ),
        ("opentelemetry.util.genai.handler", {"gen_ai.system": "anthropic", **usage(19, 7)}),
    ],
)
def test_nothing_is_doubted_where_a_client_or_its_counts_leave_no_doubt(
    scope: str, said: dict[str, Any]
) -> None:
    [event] = events_of(body_of(Seen("", scope, {**CHAT, **said}, (0, 0, 0, 0, 0))))

    assert event.quality is Quality.MEASURED


def test_embeddings_have_no_details_to_tell() -> None:
    said = {"gen_ai.operation.name": "embeddings", "gen_ai.system": "aws.bedrock"}
    [event] = events_of(
        body_of(Seen("", "some.sdk", {**said, "gen_ai.usage.input_tokens": 9}, (0, 0, 0, 0, 0)))
    )

    assert event.quality is Quality.MEASURED


def test_zeros_of_a_stream_that_openlit_writes_itself_prove_nothing() -> None:
    said = {**CHAT, **CLAUDE, "gen_ai.provider.name": "anthropic", "gen_ai.request.stream": True}
    zeros = usage(512, 30, cache_read__input_tokens=0, cache_creation__input_tokens=0)
    some = usage(512, 30, cache_read__input_tokens=9, cache_creation__input_tokens=0)

    found = [
        events_of(
            body_of(Seen("", "openlit.instrumentation.anthropic", {**said, **told}, (0,) * 5))
        )
        for told in (zeros, some)
    ]
    assert [event.caveat for [event] in found] == ["guessed", ""]


FRAMEWORKS = [
    ("openinference.instrumentation.langchain", "openinference.instrumentation.openai"),
    ("openinference.instrumentation.openai_agents", "openinference.instrumentation.openai"),
    ("openinference.instrumentation.litellm", "openinference.instrumentation.anthropic"),
    ("opentelemetry.instrumentation.genai.langchain", "opentelemetry.instrumentation.genai.openai"),
    ("opentelemetry.instrumentation.langchain", "opentelemetry.instrumentation.openai.v1"),
]
ONE_CALL = {**CHAT, "gen_ai.request.model": "m", **usage(19, 7)}


@pytest.mark.parametrize(("framework", "sdk"), FRAMEWORKS)
def test_a_framework_and_the_sdk_under_it_are_one_call_though_in_two_traces(
    framework: str, sdk: str
) -> None:
    """LangChain's callbacks start a trace of their own for each call."""
    named = {**ONE_CALL, "gen_ai.response.id": "chatcmpl-1"}
    events = [
        event
        for trace, scope in enumerate((framework, sdk), 1)
        for event in events_of(written(span(trace, 1, **named), scope))
    ]

    [bill] = bill_records(events)
    assert bill == events[1]


def test_without_ids_only_clients_of_different_names_are_paired() -> None:
    scopes = ("openinference.instrumentation.langchain", "openinference.instrumentation.openai")
    events = [
        event
        for trace, scope in enumerate(scopes, 1)
        for event in events_of(written(span(trace, 1, **ONE_CALL), scope))
    ]

    assert bill_records(events) == [events[1]]


@pytest.mark.parametrize(
    "operation",
    [
        "agent_call",  # Gemini CLI, which calls a model's call an llm_call
        "agent_step",  # Vercel AI SDK 7
        "chain",
        "create_agent",
        "invoke_agent",
        "invoke_graph",  # Strands Agents, as the next
        "invoke_swarm",
        "invoke_workflow",
    ],
)
def test_what_sums_up_calls_never_bills(operation: str) -> None:
    [event] = events_of(
        body_of(Seen("", "some.sdk", {"gen_ai.operation.name": operation, **usage(9, 9)}, (0,) * 5))
    )

    assert event.role is Role.WITNESS
