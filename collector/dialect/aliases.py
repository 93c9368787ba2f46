"""The names under which clients report the same thing: one row per meaning, best name first.

Every attribute that can influence a usage event is named here; usage objects inside attributes have
their own table in ``usage_shape``, and who wrote a record in ``dialects``.

Sources: OpenTelemetry semantic conventions 1.26 to 1.41 and semantic-conventions-genai;
OpenInference semantic conventions; OpenLLMetry; vLLM 0.33 ``vllm.tracing``; SGLang 0.5.23;
Vercel AI SDK 3 to 7 (``ai.*``); Langfuse, LangSmith, MLflow, Logfire, Pydantic AI, Strands, Google
ADK 1 (``gcp.vertex.agent.*``), Codex, Sentry's ``consts`` and Langtrace.
"""

INPUT = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.usage.prompt_tokens",
    "llm.usage.input_tokens",
    "llm.token_count.prompt",
    "ai.usage.inputTokens",
    "ai.usage.promptTokens",
    "ai.usage.tokens",
    "gen_ai.response.prompt_tokens",
    "llm.token.counts.prompt",
)
OUTPUT = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.usage.completion_tokens",
    "llm.usage.output_tokens",
    "llm.token_count.completion",
    "ai.usage.outputTokens",
    "ai.usage.completionTokens",
    "gen_ai.response.completion_tokens",
    "llm.token.counts.completion",
)
TOTAL = (
    "gen_ai.usage.total_tokens",
    "llm.usage.total_tokens",
    "llm.token_count.total",
    "ai.usage.totalTokens",
    "gen_ai.client.token.usage",
    "llm.token.counts.total",
    "codex.usage.total_tokens",
)
"""Input and output together: it tells whether details are inside the other two or beside them."""
CACHED = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "gen_ai.usage.cached_input_tokens",
    "gen_ai.usage.cached_tokens",
    "gen_ai.usage.cache_read_tokens",
    "gen_ai.usage.details.cache_read_tokens",
    "gen_ai.usage.details.cache_read_input_tokens",
    "gen_ai.usage.details.cached_tokens",
    "gen_ai.usage.input_tokens.cached",
    "llm.usage.cache_read_input_tokens",
    "llm.token_count.prompt_details.cache_read",
    "ai.usage.cachedInputTokens",
    "ai.usage.inputTokenDetails.cacheReadTokens",
)
WRITTEN = (
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "gen_ai.usage.cache_write_tokens",
    "gen_ai.usage.cache_creation_tokens",
    "gen_ai.usage.cache_write_input_tokens",
    "gen_ai.usage.input_tokens.cache_write",
    "gen_ai.usage.details.cache_write_tokens",
    "gen_ai.usage.details.cache_creation_input_tokens",
    "llm.usage.cache_creation_input_tokens",
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
    "gen_ai.usage.thoughts_tokens",
    "gen_ai.usage.details.reasoning_tokens",
    "gen_ai.usage.details.thoughts_tokens",
    "gen_ai.usage.output_tokens.reasoning",
    "gen_ai.usage.experimental.reasoning_tokens",
    "codex.usage.reasoning_output_tokens",
    "llm.usage.reasoning_tokens",
    "ai.usage.reasoningTokens",
    "ai.usage.outputTokenDetails.reasoningTokens",
    "llm.token_count.completion_details.reasoning",
)
INCLUSIVE_MARKS = (
    "ai.usage.inputTokenDetails.noCacheTokens",
    "ai.usage.inputTokenDetails.cacheReadTokens",
    "ai.usage.inputTokenDetails.cacheWriteTokens",
)
"""Attributes that only a version writes whose input includes its details, whoever the provider.

Source: https://github.com/getsentry/sentry-javascript/pull/21488 (Vercel AI SDK 6)."""
OUTPUT_INCLUSIVE_MARKS = (
    "gen_ai.usage.reasoning.output_tokens",
    "ai.usage.outputTokenDetails.textTokens",
    "ai.usage.outputTokenDetails.reasoningTokens",
)
"""The same for the output: names that came with the rule that reasoning is in it.

Source: OpenTelemetry semantic conventions 1.41; ``@ai-sdk/otel`` 1.0 and ``ai`` 6."""

USAGE_OBJECTS = (
    "gen_ai.usage.raw",
    "langfuse.observation.usage_details",
    "langsmith.usage_metadata",
    "langsmith.metadata.usage_metadata",
    "mlflow.chat.tokenUsage",
    "metadata.usage_object",
    "llm.openai.usage",
    "llm.None.usage",
    "llm.anthropic.usage",
    "ai.response.providerMetadata",
    "ai_log",
)
"""Attributes that hold usage as one object: a map, JSON, or a dictionary as Python prints it."""
WHOLE_OBJECTS = ("mlflow.chat.tokenUsage",)
"""Those of them whose input includes its details, though they are named as Anthropic does.

Source: ``mlflow.anthropic.autolog`` and ``mlflow.bedrock.utils`` of MLflow 3."""

OPERATION = ("gen_ai.operation.name", "llm.request.type", "ai.operationId")
PROVIDER = (
    "gen_ai.provider.name",
    "gen_ai.system",
    "llm.provider",
    "llm.system",
    "llm.vendor",
    "ai.model.provider",
    "mlflow.llm.provider",
)
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
    "mlflow.llm.model",
    "gen_ai.model_name",
)
RESPONSE_MODEL = (
    "gen_ai.response.model",
    "llm.response.model_name",
    "llm.response.model",
    "ai.response.model",
)
TIER = (
    "tallystick.service_tier",
    "openai.response.service_tier",
    "gen_ai.openai.response.service_tier",
    "gen_ai.response.service_tier",
    "anthropic.response.service_tier",
    "llm.openai.service_tier",
    "llm.anthropic.service_tier",
    "llm.None.service_tier",
)
"""The service tier that served, such as ``batch`` or ``priority``."""
REQUESTED_TIER = (
    "openai.request.service_tier",
    "gen_ai.openai.request.service_tier",
    "gen_ai.request.service_tier",
)
RESPONSE_ID = ("gen_ai.response.id", "ai.response.id", "llm.openai.id", "llm.anthropic.id")
ANSWER = ("output.value", "gcp.vertex.agent.llm_response")
"""Attributes that hold a whole answer in JSON, of which its id and the details of its usage are
read, and nothing is kept."""
ENGINE_REQUEST_ID = ("gen_ai.request.id",)
REQUEST_ID = ("tallystick.request.id", "http.request.header.x-request-id")
ATTEMPT = ("tallystick.attempt", "http.request.resend_count")
STREAM = (
    "gen_ai.request.stream",
    "gen_ai.is_streaming",
    "gen_ai.request.is_stream",
    "llm.is_streaming",
)
STATUS_CODE = ("http.response.status_code", "http.status_code")
ERROR_TYPE = ("error.type", "exception.type")
FINISH_REASONS = (
    "gen_ai.response.finish_reasons",
    "llm.finish_reason",
    "ai.response.finishReason",
    "gen_ai.response.finish_reason",
    "anthropic.message.stop_reason",
)
CHOICES = ("gen_ai.request.n", "gen_ai.request.choice.count")

TTFT_SECONDS = (
    "gen_ai.response.time_to_first_chunk",
    "gen_ai.latency.time_to_first_token",
    "gen_ai.server.time_to_first_token",
    "gen_ai.client.operation.time_to_first_chunk",
)
TTFT_MILLISECONDS = ("ai.response.msToFirstChunk", "ai.stream.msToFirstChunk")
TTFT_NANOSECONDS = ("gen_ai.response.time_to_first_token",)
"""Where it is a whole number (LoongSuite); a fraction under this name is of seconds."""
QUEUE_SECONDS = ("gen_ai.latency.time_in_queue",)

KEPT_RATES = (
    "sampling.rate",
    "sampling.ratio",
    "sampling.probability",
    "sample_rate",
    "SampleRate",
    "logfire.sample_rate",
    "sentry.sample_rate",
    "_sample_rate",
    "_dd.agent_psr",
    "_dd.rule_psr",
    "_dd.limit_psr",
)
"""What share of the traces is kept, or of how many one: 1 means all of them under either reading.

Looked up on the record, then on its resource, as are the next three."""
KEPT_PERCENT = ("_MS.sampleRate", "microsoft.sample_rate", "sampling.percentage")
REJECTION_THRESHOLD = ("sampling.threshold",)
"""The hexadecimal threshold below which traces are dropped: zero means none is."""
SAMPLER = ("sampler.type",)
SAMPLER_PARAM = ("sampler.param",)

PRODUCER = ("tallystick.producer.id",)
"""Who numbers its records without gaps."""
SEQUENCE = ("tallystick.producer.sequence",)
DURATION_NANOSECONDS = ("tallystick.duration_ns",)
"""From the request to the end of the answer, told by a log record, which has only its end."""

SOURCE: dict[str, tuple[str, ...]] = {
    "tenant": ("tenant.id", "metadata.user_api_key_team_id"),
    "project": ("project.id", "metadata.user_api_key_project_id"),
    "api_key": ("api_key.id", "metadata.user_api_key_hash"),
    "end_user": (
        "enduser.id",
        "user.id",
        "gen_ai.user",
        "metadata.user_api_key_end_user_id",
        "gen_ai.request.user",
        "llm.user",
    ),
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

KIND = (
    "openinference.span.kind",
    "traceloop.span.kind",
    "gen_ai.span.kind",
    "langfuse.observation.type",
    "langsmith.span.kind",
    "mlflow.spanType",
)
"""Attributes that tell a model call from an agent or a chain where there is no operation."""

RECORD_TYPE = ("logfire.span_type",)
"""Tells a span from the record that ends a stream, where a client writes both."""

AGGREGATE_MARKS = (
    "gen_ai.aggregated_usage.input_tokens",
    "gen_ai.aggregated_usage.output_tokens",
    "pydantic_ai.all_messages",
    "all_messages_events",
)
"""Attributes that only the span of a whole run has, which sums up the calls under it."""

LOG_EVENTS = frozenset({"gen_ai.client.inference.operation.details", "tallystick.usage"})
"""Names of log records that report one model call."""
