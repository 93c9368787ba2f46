"""How providers and clients lay out a usage object: one row per shape.

A path is the names of nested maps with dots between them, best path first. The first shape of
which a mark is found counts.

Sources: the API references of OpenAI, Anthropic, Google (``usageMetadata``), Amazon Bedrock
(``TokenUsage``), Cohere (``billed_units``), Alibaba DashScope and Ollama; Langfuse
``usage_details``; LangChain ``usage_metadata``; MLflow; Vercel AI SDK 4 to 6, whose
``providerMetadata`` keeps each provider's under its name; Higress ``ai_log``.
"""

from dataclasses import dataclass

Paths = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """Where a usage object keeps its counts, and what its totals leave out."""

    marks: Paths
    """One of these tells the shape."""
    input: Paths = ()
    output: Paths = ()
    total: Paths = ()
    cached: Paths = ()
    written: Paths = ()
    written_5m: Paths = ()
    written_1h: Paths = ()
    reasoning: Paths = ()
    beside_input: Paths = ()
    """Other counts that the input leaves out and that belong to it."""
    is_cache_beside: bool = False
    """Whether cached and written tokens are counted beside the input, not in it."""
    is_reasoning_beside: bool = False
    is_total_whole: bool = True
    """Whether its total counts everything, so that it decides what is inside."""


NESTS: Paths = (
    "usage",
    "usageMetadata",
    "usage_metadata",
    "response.usage",
    "anthropic.usage",
    "anthropic",
    "bedrock.usage",
    "google.usageMetadata",
    "vertex.usageMetadata",
    "openai",
    "azure",
    "llm_output.token_usage",
    "meta",
)
"""Where an object with other things in it keeps its usage."""

SHAPES: tuple[Shape, ...] = (
    Shape(  # Cohere: what is billed goes before what was consumed
        marks=("billed_units.input_tokens", "billed_units.output_tokens"),
        input=("billed_units.input_tokens",),
        output=("billed_units.output_tokens",),
    ),
    Shape(  # Gemini, as its REST API and its Python client spell it
        marks=("promptTokenCount", "prompt_token_count"),
        input=("promptTokenCount", "prompt_token_count"),
        output=("candidatesTokenCount", "candidates_token_count"),
        total=("totalTokenCount", "total_token_count"),
        cached=("cachedContentTokenCount", "cached_content_token_count"),
        reasoning=("thoughtsTokenCount", "thoughts_token_count"),
        beside_input=("toolUsePromptTokenCount", "tool_use_prompt_token_count"),
        is_reasoning_beside=True,
    ),
    Shape(  # OpenAI, and all who speak its chat API; LiteLLM's own objects
        marks=("prompt_tokens", "completion_tokens"),
        input=("prompt_tokens",),
        output=("completion_tokens",),
        total=("total_tokens",),
        cached=(
            "prompt_tokens_details.cached_tokens",
            "prompt_token_details.cached_tokens",
            "prompt_cache_hit_tokens",
            "cache_read_input_tokens",
            "prompt_cached_tokens",
        ),
        written=(
            "prompt_tokens_details.cache_creation_tokens",
            "prompt_tokens_details.cache_write_tokens",
            "prompt_tokens_details.created_cache_tokens",
            "cache_creation_input_tokens",
        ),
        written_5m=(
            "prompt_tokens_details.cache_creation_token_details.ephemeral_5m_input_tokens",
        ),
        written_1h=(
            "prompt_tokens_details.cache_creation_token_details.ephemeral_1h_input_tokens",
        ),
        reasoning=("completion_tokens_details.reasoning_tokens", "reasoning_tokens"),
    ),
    Shape(  # OpenAI's Responses, DashScope, LangChain, LangSmith, Pydantic AI
        marks=(
            "input_tokens_details",
            "output_tokens_details",
            "input_token_details",
            "output_token_details",
            "prompt_tokens_details",
            "cache_read_tokens",
        ),
        input=("input_tokens",),
        output=("output_tokens",),
        total=("total_tokens",),
        cached=(
            "input_tokens_details.cached_tokens",
            "input_token_details.cache_read",
            "input_token_details.cached_tokens",
            "prompt_tokens_details.cached_tokens",
            "cache_read_tokens",
        ),
        written=(
            "input_tokens_details.cache_write_tokens",
            "input_tokens_details.cache_creation_tokens",
            "input_token_details.cache_creation",
            "prompt_tokens_details.cache_creation_input_tokens",
            "cache_write_tokens",
        ),
        reasoning=(
            "output_tokens_details.reasoning_tokens",
            "output_token_details.reasoning",
            "output_token_details.reasoning_tokens",
            "details.reasoning_tokens",
        ),
    ),
    Shape(  # Anthropic
        marks=("cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation"),
        input=("input_tokens",),
        output=("output_tokens",),
        total=("total_tokens",),
        cached=("cache_read_input_tokens",),
        written=("cache_creation_input_tokens",),
        written_5m=("cache_creation.ephemeral_5m_input_tokens",),
        written_1h=("cache_creation.ephemeral_1h_input_tokens",),
        is_cache_beside=True,
        is_total_whole=False,  # Anthropic tells none: it was added by a client, who knows how
    ),
    Shape(  # the same without details: Anthropic of old, DashScope, MLflow
        marks=("input_tokens", "output_tokens"),
        input=("input_tokens",),
        output=("output_tokens",),
        total=("total_tokens",),
    ),
    Shape(  # Vercel AI SDK 6
        marks=("inputTokens.total", "outputTokens.total"),
        input=("inputTokens.total",),
        output=("outputTokens.total",),
        cached=("inputTokens.cacheRead",),
        written=("inputTokens.cacheWrite",),
        reasoning=("outputTokens.reasoning",),
    ),
    Shape(  # Vercel AI SDK 4: what OpenAI counts in its totals, without them
        marks=("cachedPromptTokens",),
        cached=("cachedPromptTokens",),
        reasoning=("reasoningTokens",),
    ),
    Shape(  # Vercel AI SDK 5
        marks=("cachedInputTokens", "inputTokenDetails", "outputTokenDetails", "reasoningTokens"),
        input=("inputTokens",),
        output=("outputTokens",),
        total=("totalTokens",),
        cached=("cachedInputTokens", "inputTokenDetails.cacheReadTokens"),
        written=("inputTokenDetails.cacheWriteTokens",),
        reasoning=("reasoningTokens", "outputTokenDetails.reasoningTokens"),
    ),
    Shape(  # Amazon Bedrock
        marks=("inputTokens", "outputTokens"),
        input=("inputTokens",),
        output=("outputTokens",),
        total=("totalTokens",),
        cached=("cacheReadInputTokens", "cacheReadInputTokenCount"),
        written=("cacheWriteInputTokens", "cacheWriteInputTokenCount"),
        is_cache_beside=True,
    ),
    Shape(  # Langfuse's own names, of which every one counts other tokens
        marks=("input", "output"),
        input=("input",),
        output=("output",),
        total=("total",),
        cached=("input_cached_tokens", "input_cache_read", "cache_read_input_tokens"),
        written=("input_cache_creation", "cache_creation_input_tokens"),
        reasoning=("output_reasoning_tokens", "output_reasoning"),
        is_cache_beside=True,
        is_reasoning_beside=True,
    ),
    Shape(  # Higress
        marks=("input_token", "output_token"),
        input=("input_token",),
        output=("output_token",),
        total=("total_token",),
        cached=("cached_tokens",),
        reasoning=("reasoning_tokens",),
    ),
    Shape(  # Ollama
        marks=("prompt_eval_count", "eval_count"),
        input=("prompt_eval_count",),
        output=("eval_count",),
    ),
    Shape(  # Vercel AI SDK 4 and 5: what Anthropic and Bedrock count beside the input, without it
        marks=("cacheReadInputTokens", "cacheCreationInputTokens", "cacheWriteInputTokens"),
        cached=("cacheReadInputTokens",),
        written=("cacheCreationInputTokens", "cacheWriteInputTokens"),
    ),
)
