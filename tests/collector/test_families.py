"""Families of clients, by their documented conventions: each tells of one call, and it is read.

A line of a case is an attribute; what is expected is fresh, cached, written, output and reasoning.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest
from builders import T0

from collector.dialect.normalise import usage_event
from collector.otlp import Record
from metering.event import Quality, Role, UsageEvent


class Counts(NamedTuple):
    fresh: int = 0
    cached: int = 0
    written: int = 0
    output: int = 0
    reasoning: int = 0


class Case(NamedTuple):
    name: str
    said: Mapping[str, Any]
    counts: Counts
    scope: str = "any.sdk"
    quality: Quality = Quality.MEASURED


def event_of(said: Mapping[str, Any], scope: str = "any.sdk") -> UsageEvent:
    ids = {"trace_id": b"t" * 16, "span_id": b"s" * 8}
    return usage_event(Record(said, scope=scope, started_at=T0 - 10**9, ended_at=T0, **ids))


ALL = Counts(36, 60, 4, 15, 5)
"""Input 100, of which 60 cached and 4 written; output 20, of which 5 reasoning."""

GENERATIONS = [
    Case("semconv 1.26", {"gen_ai.system": "openai", "gen_ai.operation.name": "chat",
         "gen_ai.usage.prompt_tokens": 100, "gen_ai.usage.completion_tokens": 20},
         Counts(100, output=20)),
    Case("semconv 1.27", {"gen_ai.system": "openai", "gen_ai.operation.name": "chat",
         "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 20},
         Counts(100, output=20)),
    Case("semconv 1.40", {"gen_ai.provider.name": "openai", "gen_ai.operation.name": "chat",
         "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 20,
         "gen_ai.usage.cache_read.input_tokens": 60,
         "gen_ai.usage.cache_creation.input_tokens": 4}, Counts(36, 60, 4, 20)),
    Case("semconv of the new repository", {"gen_ai.operation.name": "chat",
         "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 20,
         "gen_ai.usage.cache_read.input_tokens": 60, "gen_ai.usage.cache_write.input_tokens": 4,
         "gen_ai.usage.reasoning.output_tokens": 5, "gen_ai.usage.text.input_tokens": 70,
         "gen_ai.usage.audio.input_tokens": 30, "gen_ai.usage.audio.output_tokens": 20,
         "gen_ai.usage.text.cache_read.input_tokens": 60}, ALL),
    Case("OpenLLMetry of 2023", {"llm.vendor": "OpenAI", "llm.request.type": "chat",
         "llm.usage.prompt_tokens": 100, "llm.usage.completion_tokens": 20,
         "llm.usage.total_tokens": 120}, Counts(100, output=20)),
    Case("OpenLLMetry before the dots", {"gen_ai.system": "Anthropic", "llm.request.type": "chat",
         "gen_ai.usage.prompt_tokens": 100, "gen_ai.usage.completion_tokens": 20,
         "gen_ai.usage.cache_read_input_tokens": 60, "llm.usage.total_tokens": 120,
         "gen_ai.usage.cache_creation_input_tokens": 4, "llm.is_streaming": False},
         Counts(36, 60, 4, 20),
         "opentelemetry.instrumentation.anthropic"),
    Case("OpenInference", {"openinference.span.kind": "LLM", "llm.token_count.prompt": 100,
         "llm.token_count.completion": 20, "llm.token_count.total": 120,
         "llm.token_count.prompt_details.cache_read": 60,
         "llm.token_count.prompt_details.cache_write": 4,
         "llm.token_count.completion_details.reasoning": 5}, ALL),
    Case("Pydantic AI", {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 100,
         "gen_ai.usage.output_tokens": 20, "gen_ai.usage.details.cache_read_tokens": 60,
         "gen_ai.usage.details.cache_write_tokens": 4,
         "gen_ai.usage.details.reasoning_tokens": 5}, ALL, "pydantic-ai"),
    Case("Spring AI", {"gen_ai.operation.name": "chat", "gen_ai.system": "openai",
         "gen_ai.usage.input_tokens": "100", "gen_ai.usage.output_tokens": "20",
         "gen_ai.usage.total_tokens": "120"}, Counts(100, output=20), "org.springframework.boot"),
    Case("Semantic Kernel of old", {"gen_ai.operation.name": "chat.completions",
         "gen_ai.response.prompt_tokens": 100, "gen_ai.response.completion_tokens": 20},
         Counts(100, output=20), "Microsoft.SemanticKernel.Diagnostics"),
    Case("Envoy AI Gateway", {"openinference.span.kind": "LLM", "llm.token_count.prompt": 100,
         "llm.token_count.completion": 20, "llm.token_count.total": 120},
         Counts(100, output=20), "envoyproxy/ai-gateway"),
    Case("Higress", {"gen_ai.model_name": "qwen-max", "gen_ai.usage.input_tokens": 100,
         "gen_ai.usage.output_tokens": 20, "gen_ai.usage.total_tokens": 120},
         Counts(100, output=20), "envoy"),
    Case("xAI, which counts reasoning beside the output", {"gen_ai.operation.name": "chat",
         "gen_ai.usage.input_tokens": 2640, "gen_ai.usage.output_tokens": 182,
         "gen_ai.usage.total_tokens": 3494, "gen_ai.usage.reasoning_tokens": 672},
         Counts(2640, output=182, reasoning=672)),
]  # fmt: skip

VERCEL = [
    Case("3 and 4", {"ai.operationId": "ai.generateText.doGenerate",
         "ai.usage.promptTokens": 100, "ai.usage.completionTokens": 20},
         Counts(100, output=20), "ai"),
    Case("4, Anthropic", {"ai.operationId": "ai.generateText.doGenerate",
         "ai.model.provider": "anthropic.messages", "gen_ai.system": "anthropic.messages",
         "ai.usage.promptTokens": 36, "ai.usage.completionTokens": 20,
         "ai.response.providerMetadata": json.dumps({"anthropic": {
             "cacheReadInputTokens": 60, "cacheCreationInputTokens": 4}})},
         Counts(36, 60, 4, 20), "ai"),
    Case("5, OpenAI: cached inside", {"ai.operationId": "ai.streamText.doStream",
         "ai.model.provider": "openai.responses", "gen_ai.system": "openai.responses",
         "ai.usage.inputTokens": 2224, "ai.usage.outputTokens": 1469, "ai.usage.totalTokens": 3693,
         "ai.usage.reasoningTokens": 1152, "ai.usage.cachedInputTokens": 2048,
         "gen_ai.usage.input_tokens": 2224, "gen_ai.usage.output_tokens": 1469},
         Counts(176, 2048, 0, 317, 1152), "ai"),
    Case("5, Anthropic: cached beside", {"ai.operationId": "ai.generateText.doGenerate",
         "ai.model.provider": "anthropic.messages", "ai.usage.inputTokens": 4,
         "ai.usage.outputTokens": 104, "ai.usage.totalTokens": 108,
         "ai.usage.cachedInputTokens": 2183}, Counts(4, 2183, 0, 104), "ai"),
    Case("5, Anthropic: written tokens only in its metadata", {
         "ai.operationId": "ai.generateText.doGenerate", "ai.model.provider": "anthropic.messages",
         "ai.usage.inputTokens": 4, "ai.usage.outputTokens": 104, "ai.usage.totalTokens": 108,
         "ai.usage.cachedInputTokens": 1000, "ai.response.providerMetadata": json.dumps({
             "anthropic": {"usage": {"input_tokens": 4, "output_tokens": 1,
                 "cache_creation_input_tokens": 2183, "cache_read_input_tokens": 1000}}})},
         Counts(4, 1000, 2183, 104), "ai"),
    Case("5, Bedrock: cached beside", {"ai.operationId": "ai.generateText.doGenerate",
         "ai.model.provider": "amazon-bedrock", "ai.usage.inputTokens": 40,
         "ai.usage.outputTokens": 20, "ai.usage.cachedInputTokens": 60},
         Counts(40, 60, 0, 20), "ai"),
    Case("6, Anthropic: cached inside", {"ai.operationId": "ai.generateText.doGenerate",
         "ai.model.provider": "anthropic.messages", "ai.usage.inputTokens": 100,
         "ai.usage.outputTokens": 20, "ai.usage.totalTokens": 120,
         "ai.usage.cachedInputTokens": 60, "ai.usage.inputTokenDetails.noCacheTokens": 36,
         "ai.usage.inputTokenDetails.cacheReadTokens": 60,
         "ai.usage.inputTokenDetails.cacheWriteTokens": 4,
         "ai.usage.outputTokenDetails.reasoningTokens": 5}, ALL, "ai"),
    Case("embeddings", {"ai.operationId": "ai.embed.doEmbed", "ai.usage.tokens": 8},
         Counts(8), "ai"),
]  # fmt: skip

OPENAI = {
    "prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 4, "audio_tokens": None},
    "completion_tokens_details": {"reasoning_tokens": 5},
}  # fmt: skip
ANTHROPIC = {
    "input_tokens": 36, "output_tokens": 20,
    "cache_read_input_tokens": 60, "cache_creation_input_tokens": 4,
}  # fmt: skip

OBJECTS = [
    ("OpenAI", OPENAI, ALL),
    ("OpenAI's Responses", {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120,
        "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 4},
        "output_tokens_details": {"reasoning_tokens": 5}}, ALL),
    ("Anthropic", ANTHROPIC, Counts(36, 60, 4, 20)),
    ("Anthropic before caching", {"input_tokens": 100, "output_tokens": 20},
        Counts(100, output=20)),
    ("Gemini", {"promptTokenCount": 96, "toolUsePromptTokenCount": 4, "candidatesTokenCount": 15,
        "thoughtsTokenCount": 5, "cachedContentTokenCount": 60, "totalTokenCount": 120},
        Counts(40, 60, 0, 15, 5)),
    ("Gemini without a total", {"prompt_token_count": 100, "candidates_token_count": 15,
        "thoughts_token_count": 5, "cached_content_token_count": 60}, Counts(40, 60, 0, 15, 5)),
    ("Bedrock", {"inputTokens": 36, "outputTokens": 20, "totalTokens": 120,
        "cacheReadInputTokens": 60, "cacheWriteInputTokens": 4}, Counts(36, 60, 4, 20)),
    ("Cohere: billed before consumed", {"billed_units": {"input_tokens": 100, "output_tokens": 20},
        "tokens": {"input_tokens": 166, "output_tokens": 31}}, Counts(100, output=20)),
    ("DeepSeek", {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120,
        "prompt_cache_hit_tokens": 60, "prompt_cache_miss_tokens": 40,
        "completion_tokens_details": {"reasoning_tokens": 5}}, Counts(40, 60, 0, 15, 5)),
    ("DashScope", {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120,
        "prompt_tokens_details": {"cached_tokens": 60},
        "output_tokens_details": {"reasoning_tokens": 5}}, Counts(40, 60, 0, 15, 5)),
    ("LangChain", {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120,
        "input_token_details": {"cache_read": 60, "cache_creation": 4},
        "output_token_details": {"reasoning": 5}}, ALL),
    ("Pydantic AI", {"input_tokens": 100, "output_tokens": 20, "cache_read_tokens": 60,
        "cache_write_tokens": 4, "details": {"reasoning_tokens": 5}}, ALL),
    ("Langfuse: details beside", {"input": 36, "output": 15, "total": 120, "input_cache_read": 60,
        "input_cache_creation": 4, "output_reasoning": 5}, ALL),
    ("Langfuse: details inside, as its total tells", {"input": 100, "output": 20, "total": 120,
        "input_cached_tokens": 60, "output_reasoning_tokens": 5}, Counts(40, 60, 0, 15, 5)),
    ("xAI", {"prompt_tokens": 2640, "completion_tokens": 182, "total_tokens": 3494,
        "prompt_tokens_details": {"cached_tokens": 473},
        "completion_tokens_details": {"reasoning_tokens": 672}}, Counts(2167, 473, 0, 182, 672)),
    ("AI SDK 5", {"inputTokens": 100, "outputTokens": 20, "cachedInputTokens": 60,
        "reasoningTokens": 5}, Counts(40, 60, 0, 15, 5)),
    ("AI SDK 6", {"inputTokens": {"total": 100, "noCache": 36, "cacheRead": 60, "cacheWrite": 4},
        "outputTokens": {"total": 20, "text": 15, "reasoning": 5}}, ALL),
    ("Ollama", {"prompt_eval_count": 100, "eval_count": 20}, Counts(100, output=20)),
    ("Higress, in texts", {"input_token": "100", "output_token": "20", "cached_tokens": "60",
        "reasoning_tokens": "5"}, Counts(40, 60, 0, 15, 5)),
]  # fmt: skip

HOLDERS = (
    "gen_ai.usage.raw", "langfuse.observation.usage_details", "langsmith.usage_metadata",
    "metadata.usage_object", "llm.openai.usage", "ai_log",
)  # fmt: skip


def counts_of(event: UsageEvent) -> Counts:
    tokens = event.tokens
    written = tokens.written_5m + tokens.written_1h
    return Counts(tokens.fresh, tokens.cached, written, tokens.output, tokens.reasoning)


@pytest.mark.parametrize("case", [*GENERATIONS, *VERCEL], ids=lambda case: case.name)
def test_a_family_is_read_as_it_documents_itself(case: Case) -> None:
    event = event_of(case.said, case.scope)

    assert counts_of(event) == case.counts
    assert (event.quality, event.role) == (case.quality, Role.BILL)


@pytest.mark.parametrize("write", [json.dumps, repr, dict])
@pytest.mark.parametrize(("name", "usage", "counts"), OBJECTS, ids=[name for name, *_ in OBJECTS])
def test_a_providers_usage_object_is_read_wherever_it_stands(
    write: Any, name: str, usage: Mapping[str, Any], counts: Counts
) -> None:
    for holder in HOLDERS:
        event = event_of({"gen_ai.operation.name": "chat", holder: write(usage)})

        assert (counts_of(event), event.quality) == (counts, Quality.MEASURED), name


def test_an_attribute_that_repeats_a_native_input_leaves_out_its_cache() -> None:
    bare = {"gen_ai.usage.input_tokens": 36, "gen_ai.usage.output_tokens": 20}
    whole = {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 20}

    for said in (bare, whole, {}):
        event = event_of({**said, "gen_ai.usage.raw": json.dumps(ANTHROPIC)}, "logfire.anthropic")

        assert counts_of(event) == Counts(36, 60, 4, 20)


@pytest.mark.parametrize("nest", ["usage", "usageMetadata", "response.usage", "meta"])
def test_an_answer_tells_the_details_of_the_counts_beside_it(nest: str) -> None:
    told: object = OPENAI
    for name in reversed(nest.split(".")):
        told = {name: told}
    said = {"llm.token_count.prompt": 100, "llm.token_count.completion": 20}
    event = event_of({**said, "output.value": json.dumps(told)}, "openinference.instrumentation.x")

    assert counts_of(event) == ALL


def test_an_answer_never_tells_totals_for_its_text_is_a_models() -> None:
    written = {"usage": OPENAI, "input_tokens": 1, "output_tokens": 2}
    event = event_of({"openinference.span.kind": "LLM", "output.value": json.dumps(written)})

    assert (counts_of(event), event.caveat) == (Counts(), "no counts")


def test_a_cached_count_beside_the_input_is_an_estimate_where_no_rule_knows_it() -> None:
    said = {"gen_ai.usage.input_tokens": 36, "gen_ai.usage.output_tokens": 20}
    event = event_of({**said, "gen_ai.usage.cache_read.input_tokens": 60})

    assert counts_of(event) == Counts(36, 60, 0, 20)
    assert (event.quality, event.caveat) == (Quality.ESTIMATED, "detail exceeds total")


def test_a_total_that_nothing_adds_up_to_makes_an_estimate() -> None:
    said = {"gen_ai.usage.input_tokens": 36, "gen_ai.usage.output_tokens": 20}
    event = event_of({**said, "gen_ai.usage.total_tokens": 99})

    assert (event.quality, event.caveat) == (Quality.ESTIMATED, "totals disagree")


def test_mlflow_counts_the_cache_inside_under_anthropics_names() -> None:
    """It writes them for all providers, with a total of its own."""
    usage = {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120,
             "cache_read_input_tokens": 60}  # fmt: skip
    alone = event_of({"mlflow.spanType": '"CHAT_MODEL"', "mlflow.chat.tokenUsage": usage})
    said = {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 20}
    beside = event_of({**said, "mlflow.chat.tokenUsage": usage})

    assert (counts_of(alone), alone.quality) == (Counts(40, 60, 0, 20), Quality.MEASURED)
    assert (counts_of(beside), beside.quality) == (Counts(40, 60, 0, 20), Quality.MEASURED)


def test_an_object_whose_totals_disagree_is_an_estimate() -> None:
    usage = {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120,
             "cache_read_input_tokens": 60}  # fmt: skip
    event = event_of({"gen_ai.operation.name": "chat", "gen_ai.usage.raw": usage})

    assert (event.quality, event.caveat) == (Quality.ESTIMATED, "totals disagree")


def test_openlit_counts_as_anthropic_does() -> None:
    said = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic",
            "gen_ai.usage.input_tokens": 36, "gen_ai.usage.output_tokens": 20,
            "gen_ai.usage.cache_read.input_tokens": 30,
            "gen_ai.usage.cache_creation.input_tokens": 4}  # fmt: skip

    assert counts_of(event_of(said, "openlit.instrumentation.anthropic")) == Counts(36, 30, 4, 20)
    assert counts_of(event_of(said, "openlit.instrumentation.openai")) == Counts(2, 30, 4, 20)


@pytest.mark.parametrize(
    ("said", "scope"),
    [
        ({"gen_ai.operation.name": "invoke_agent"}, "pydantic-ai"),
        ({"pydantic_ai.all_messages": "[]"}, "pydantic-ai"),
        ({"all_messages_events": "[]"}, "pydantic-ai"),
        ({"ai.operationId": "ai.generateText"}, "ai"),
        ({"ai.operationId": "ai.streamText"}, "ai"),
        ({"ai.operationId": "ai.embed"}, "ai"),
        ({"traceloop.span.kind": "workflow"}, "opentelemetry.instrumentation.langchain"),
        ({"gen_ai.operation.name": "execute_task"}, "opentelemetry.instrumentation.langchain"),
        ({"openinference.span.kind": "AGENT"}, "openinference.instrumentation.langchain"),
        ({"langfuse.observation.type": "agent"}, "langfuse-sdk"),
        ({"langsmith.span.kind": "chain"}, "langsmith"),
        ({"mlflow.spanType": '"AGENT"'}, "mlflow"),
        ({"gen_ai.operation.name": "framework"}, "org.springframework.boot"),
    ],
)
def test_spans_that_sum_up_others_never_bill(said: Mapping[str, Any], scope: str) -> None:
    usage = {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 20}

    assert event_of({**usage, **said}, scope).role is Role.WITNESS


@pytest.mark.parametrize(
    ("said", "operation"),
    [
        ({"langfuse.observation.type": "generation"}, "chat"),
        ({"langfuse.observation.type": "embedding"}, "embeddings"),
        ({"langsmith.span.kind": "llm"}, "chat"),
        ({"mlflow.spanType": '"EMBEDDING"'}, "embeddings"),
        ({"gen_ai.operation.name": "aresponses"}, "chat"),
        ({"ai.operationId": "ai.streamObject.doStream"}, "chat"),
        ({"gen_ai.operation.name": "generate_content"}, "generate_content"),
    ],
)
def test_model_calls_are_known_by_each_familys_word(
    said: Mapping[str, Any], operation: str
) -> None:
    event = event_of(said)

    assert (event.call.operation, event.role) == (operation, Role.BILL)


@pytest.mark.parametrize(
    ("said", "provider"),
    [
        ("OpenAI", "openai"), ("openai.chat", "openai"), ("openai.responses", "openai"),
        ("Azure", "azure.ai.openai"), ("az.ai.inference", "azure.ai.inference"),
        ("AWS", "aws.bedrock"), ("amazon-bedrock", "aws.bedrock"), ("aws.bedrock", "aws.bedrock"),
        ("google.generative-ai", "gcp.gemini"), ("gemini", "gcp.gemini"),
        ("google.vertex.chat", "gcp.vertex_ai"), ("google", "gcp.gen_ai"),
        ("vertex.anthropic.messages", "anthropic"), ("anthropic.messages", "anthropic"),
        ("mistralai", "mistral_ai"), ("xai.chat", "x_ai"), ("vllm.chat", "vllm"),
        ("Qwen", "dashscope"), ("watsonx", "ibm.watsonx.ai"), ("a.new.one", "a.new.one"), ("", ""),
    ],
)  # fmt: skip
def test_a_provider_has_one_name(said: str, provider: str) -> None:
    assert event_of({"gen_ai.operation.name": "chat", "gen_ai.system": said}).call.provider == (
        provider
    )


@pytest.mark.parametrize(
    ("name", "value", "nanoseconds"),
    [
        ("gen_ai.response.time_to_first_chunk", 0.25, 250_000_000),
        ("gen_ai.client.operation.time_to_first_chunk", 0.25, 250_000_000),
        ("ai.response.msToFirstChunk", 250, 250_000_000),
        ("ai.stream.msToFirstChunk", 250.5, 250_500_000),
        ("gen_ai.response.time_to_first_token", 2_839_957, 2_839_957),
        ("gen_ai.response.time_to_first_token", 0.25, 250_000_000),
        ("gen_ai.response.time_to_first_token", True, 0),
        ("ai.response.msToFirstChunk", -1, 0),
        ("ai.response.msToFirstChunk", 1e12, 0),
    ],
)
def test_the_time_to_the_first_token_is_read_in_each_familys_unit(
    name: str, value: object, nanoseconds: int
) -> None:
    assert event_of({"gen_ai.operation.name": "chat", name: value}).call.ttft_ns == nanoseconds
