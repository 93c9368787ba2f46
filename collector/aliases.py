"""The names under which clients report the same thing: one row per meaning, best name first.

Sources: OpenTelemetry semantic conventions 1.26 to 1.41 and semantic-conventions-genai;
OpenInference semantic conventions; OpenLLMetry; vLLM 0.33 ``vllm.tracing``; SGLang 0.5.23.
"""

from dataclasses import dataclass

INPUT = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.usage.prompt_tokens",
    "llm.token_count.prompt",
    "ai.usage.inputTokens",
    "ai.usage.promptTokens",
    "ai.usage.tokens",
)
OUTPUT = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.usage.completion_tokens",
    "llm.token_count.completion",
    "ai.usage.outputTokens",
    "ai.usage.completionTokens",
)
CACHED = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "gen_ai.usage.cached_tokens",
    "gen_ai.usage.details.cache_read_tokens",
    "llm.token_count.prompt_details.cache_read",
    "ai.usage.cachedInputTokens",
    "ai.usage.inputTokenDetails.cacheReadTokens",
)
WRITTEN = (
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "gen_ai.usage.details.cache_write_tokens",
    "llm.token_count.prompt_details.cache_write",
    "ai.usage.inputTokenDetails.cacheWriteTokens",
)
WRITTEN_5M = (
    "tallystick.usage.cache_write_5m.input_tokens",
    "anthropic.usage.cache_creation.ephemeral_5m_input_tokens",
)
WRITTEN_1H = (
    "tallystick.usage.cache_write_1h.input_tokens",
    "anthropic.usage.cache_creation.ephemeral_1h_input_tokens",
)
REASONING = (
    "gen_ai.usage.reasoning.output_tokens",
    "gen_ai.usage.reasoning_tokens",
    "gen_ai.usage.details.reasoning_tokens",
    "ai.usage.reasoningTokens",
    "ai.usage.outputTokenDetails.reasoningTokens",
    "llm.token_count.completion_details.reasoning",
)

USAGE_OBJECTS = (
    "gen_ai.usage.raw",
    "langfuse.observation.usage_details",
    "metadata.usage_object",
    "llm.openai.usage",
)
"""Attributes that hold a whole usage object as text, in JSON or as Python prints it; its cached
tokens are inside its input tokens."""

NATIVE_USAGE_OBJECTS = ("llm.anthropic.usage",)
"""The same, as Anthropic's own API counts: cached and written tokens stand beside the input."""

OPERATION = ("gen_ai.operation.name", "llm.request.type")
PROVIDER = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "llm.vendor")
REQUESTED_MODEL = (
    "gen_ai.request.model",
    "llm.request.model_name",
    "llm.request.model",
    "llm.model_name",
    "embedding.model_name",
    "langfuse.observation.model.name",
    "litellm.provider.model",
    "ai.model.id",
    "llm.openai.model",
)
RESPONSE_MODEL = ("gen_ai.response.model", "llm.response.model_name", "llm.response.model")
RESPONSE_ID = ("gen_ai.response.id", "ai.response.id", "llm.openai.id", "llm.anthropic.id")
ENGINE_REQUEST_ID = ("gen_ai.request.id",)
REQUEST_ID = ("tallystick.request.id", "http.request.header.x-request-id")
ATTEMPT = ("tallystick.attempt", "http.request.resend_count")
STREAM = ("gen_ai.request.stream", "gen_ai.is_streaming", "llm.is_streaming")
STATUS_CODE = ("http.response.status_code", "http.status_code")
ERROR_TYPE = ("error.type", "exception.type")
FINISH_REASONS = ("gen_ai.response.finish_reasons", "llm.finish_reason")
CHOICES = ("gen_ai.request.n", "gen_ai.request.choice.count")

TTFT_SECONDS = (
    "gen_ai.response.time_to_first_chunk",
    "gen_ai.latency.time_to_first_token",
    "gen_ai.server.time_to_first_token",
)
QUEUE_SECONDS = ("gen_ai.latency.time_in_queue",)

SOURCE: dict[str, tuple[str, ...]] = {
    "tenant": ("tenant.id", "metadata.user_api_key_team_id"),
    "project": ("project.id", "metadata.user_api_key_project_id"),
    "api_key": ("api_key.id", "metadata.user_api_key_hash"),
    "end_user": ("enduser.id", "user.id", "gen_ai.user", "metadata.user_api_key_end_user_id"),
    "cluster": ("tallystick.cluster.id", "k8s.cluster.name"),
    "database": ("db.namespace",),
    "gateway": ("tallystick.gateway.id", "service.name"),
    "route": ("tallystick.route", "http.route"),
    "pool": ("tallystick.pool",),
    "spill_reason": ("tallystick.spill.reason",),
    "residency": ("tallystick.residency",),
    "resource": ("tallystick.resource.id",),
    "instance": ("service.instance.id",),
    "region": ("cloud.region",),
    "network": ("tallystick.network.kind",),
    "call_path": ("tallystick.call_path",),
    "caller": ("tallystick.caller",),
}
"""Field of ``Source`` -> attribute names, looked up on the span first, then on its resource."""

EVENT_ID = ("tallystick.event.id", "event.id")
"""The id that a producer gives to a log record, stable over its resends."""

OPERATIONS: dict[str, str] = {
    "chat": "chat",
    "acompletion": "chat",
    "llm": "chat",
    "completion": "text_completion",
    "text_completion": "text_completion",
    "atext_completion": "text_completion",
    "generate_content": "generate_content",
    "embedding": "embeddings",
    "embeddings": "embeddings",
    "aembedding": "embeddings",
    "rerank": "rerank",
    "arerank": "rerank",
    "reranker": "rerank",
}
"""What is a model call, in lower case under each dialect's name for it."""

AGGREGATES = frozenset(
    {
        "agent",
        "chain",
        "create_agent",
        "entry",
        "evaluator",
        "execute_tool",
        "guardrail",
        "invoke_agent",
        "invoke_workflow",
        "plan",
        "prompt",
        "react_step",
        "retrieval",
        "retriever",
        "step",
        "task",
        "tool",
        "workflow",
    }
)
"""What repeats the usage of the calls under it, and so never bills. Any other operation that
carries usage bills under its own name: usage nobody knows the name of is still usage."""

REPEATING_SPANS = frozenset({"raw_gen_ai_request"})
"""Names of spans that tell their parent's call once more (LiteLLM), sometimes under another id."""

KIND = ("openinference.span.kind", "traceloop.span.kind", "gen_ai.span.kind")
"""Attributes that tell a model call from an agent or a chain where there is no operation."""

NO_OUTPUT = frozenset({"embeddings", "rerank"})
"""Operations that make no output tokens, so that an absent count is zero and known."""

LOG_EVENTS = frozenset({"gen_ai.client.inference.operation.details", "tallystick.usage"})
"""Names of log records that report one model call."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """Who wrote a record, told by its instrumentation scope."""

    name: str
    scope: str
    """The scope's name, or how it begins."""
    rank: int
    """Among records of one call the lowest rank bills: the gateway, then SDKs, then engines,
    which know neither the tenant nor, mostly, the cached tokens."""
    is_engine: bool = False
    is_whole: bool = False
    """Whether ``scope`` is the whole name."""


DIALECTS: tuple[Dialect, ...] = (
    Dialect("tallystick", "tallystick", 0),
    Dialect("otel", "opentelemetry.instrumentation.genai.", 10),
    Dialect("otel", "opentelemetry.util.genai", 10),
    Dialect("otel", "opentelemetry.instrumentation.openai_v2", 11),
    Dialect("openinference", "openinference.instrumentation.", 20),
    Dialect("openinference", "@arizeai/openinference-", 20),
    Dialect("anthropic-sdk", "com.anthropic.sdk.", 12),
    Dialect("litellm", "litellm", 5),
    Dialect("langfuse", "langfuse-sdk", 22),
    Dialect("logfire", "logfire.", 22),
    Dialect("openlit", "openlit.", 23),
    Dialect("pydantic-ai", "pydantic-ai", 24),
    Dialect("vercel-ai", "ai", 25, is_whole=True),
    Dialect("sglang", "sglang server", 40, is_engine=True),
    Dialect("vllm", "vllm.", 41, is_engine=True),
    Dialect("openllmetry", "opentelemetry.instrumentation.", 21),
    Dialect("openllmetry", "@traceloop/", 21),
)
OTHER_DIALECT = Dialect("otel", "", 30)
"""Any other SDK that speaks the OpenTelemetry conventions."""

LOG_RANK = 1
"""Added to the rank of a log record: it repeats its span, which has the duration."""
