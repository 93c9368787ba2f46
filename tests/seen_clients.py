"""What clients write of a call, of which no capture is kept, and what the server counted.

Each row was made by running the client's released package against a server with known counts.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

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
