"""What clients mean by their words: operations, providers, and who wrote a record.

New clients are new rows here and in ``aliases``; no rule elsewhere names one.
"""

from dataclasses import dataclass
from enum import Enum, auto

from collector.dialect import aliases

OPERATIONS: dict[str, str] = {
    "chat": "chat",
    "acompletion": "chat",
    "responses": "chat",
    "aresponses": "chat",
    "llm": "chat",
    "llm_call": "chat",
    "chat_model": "chat",
    "generation": "chat",
    "ai.generatetext.dogenerate": "chat",
    "ai.streamtext.dostream": "chat",
    "ai.generateobject.dogenerate": "chat",
    "ai.streamobject.dostream": "chat",
    "completion": "text_completion",
    "text_completion": "text_completion",
    "atext_completion": "text_completion",
    "generate_content": "generate_content",
    "embedding": "embeddings",
    "embeddings": "embeddings",
    "aembedding": "embeddings",
    "ai.embed.doembed": "embeddings",
    "ai.embedmany.doembed": "embeddings",
    "rerank": "rerank",
    "arerank": "rerank",
    "reranker": "rerank",
    "ai.rerank.dorerank": "rerank",
}
"""What is a model call, in lower case under each dialect's name for it."""

AGGREGATES = frozenset(
    {
        "agent",
        "agent_call",
        "agent_step",
        "ai.embed",
        "ai.embedmany",
        "ai.generateobject",
        "ai.generatetext",
        "ai.rerank",
        "ai.streamobject",
        "ai.streamtext",
        "ai.toolcall",
        "chain",
        "create_agent",
        "entry",
        "evaluator",
        "execute_task",
        "execute_tool",
        "framework",
        "guardrail",
        "invoke_agent",
        "invoke_graph",
        "invoke_swarm",
        "invoke_workflow",
        "parser",
        "plan",
        "prompt",
        "react_step",
        "retrieval",
        "retriever",
        "schedule_tool_calls",
        "step",
        "system_prompt",
        "task",
        "tool",
        "tool_call",
        "user_prompt",
        "workflow",
    }
)
"""What repeats the usage of the calls under it, and so never bills. Any other operation that
carries usage bills under its own name: usage nobody knows the name of is still usage."""

REPEATING_SPANS = frozenset({"raw_gen_ai_request", "agent run"})
"""Names of spans that tell another's call once more (LiteLLM), or the sum of several (Pydantic AI
before it named operations)."""

NO_OUTPUT = frozenset({"embeddings", "rerank"})
"""Operations that make no output tokens, so that an absent count is zero and known."""

PROVIDER_SPELLINGS: dict[str, tuple[str, ...]] = {
    "openai": (),
    "anthropic": ("claude", "vertex.anthropic", "google.vertex.anthropic"),
    "azure.ai.openai": ("az.ai.openai", "azure", "azure-openai", "azure_openai", "azureopenai"),
    "azure.ai.inference": ("az.ai.inference", "azure_ai"),
    "aws.bedrock": ("aws", "aws_bedrock", "amazon-bedrock", "amazon_bedrock", "bedrock"),
    "gcp.gemini": ("gemini", "google.generative-ai"),
    "gcp.vertex_ai": ("vertex_ai", "vertexai", "google.vertex"),
    "gcp.gen_ai": ("google", "google_genai", "google-genai"),
    "cohere": (),
    "dashscope": ("alibaba", "bailian", "qwen", "tongyi"),
    "deepseek": (),
    "groq": (),
    "ibm.watsonx.ai": ("watsonx", "watsonx.ai", "ibm"),
    "mistral_ai": ("mistral", "mistralai"),
    "moonshot_ai": ("moonshot", "moonshotai"),
    "perplexity": (),
    "x_ai": ("xai",),
    "vllm": ("hosted_vllm",),
    "sglang": (),
    "ollama": (),
}
"""Well-known value of ``gen_ai.provider.name`` -> how else clients spell it, in lower case."""

_PROVIDERS = {
    spelling: name for name, others in PROVIDER_SPELLINGS.items() for spelling in (name, *others)
}


@dataclass(frozen=True, slots=True)
class Habit:
    """Whose own APIs count a detail beside its total, not in it."""

    providers: frozenset[str]
    models: tuple[str, ...]
    """Parts of the models' names in lower case, where the provider named is none that is known:
    agent frameworks name themselves."""

    def is_of(self, provider: str, model: str) -> bool:
        """Whether a call of a provider and a model falls under it."""
        if provider in PROVIDER_SPELLINGS:
            return provider in self.providers
        return any(part in model.lower() for part in self.models)


CACHE_BESIDE = Habit(frozenset({"anthropic", "aws.bedrock"}), ("claude", "anthropic", "nova"))
"""Cached and written tokens are beside the input.

Source: https://platform.claude.com/docs/en/build-with-claude/prompt-caching and Amazon Bedrock's
``TokenUsage``."""
REASONING_BESIDE = Habit(frozenset({"gcp.gemini", "gcp.gen_ai", "gcp.vertex_ai"}), ("gemini",))
"""Thoughts are beside the candidates.

Source: https://ai.google.dev/api/generate-content#UsageMetadata"""


class Counting(Enum):
    """What a client makes of counts that the provider's API has beside a total."""

    WHOLE = auto()
    """It puts them into the total, as the conventions want it since 1.40."""
    NATIVE = auto()
    """It leaves them beside, so that a total without its detail may be too small."""
    UNTOLD = auto()
    """Nobody knows: some do, some do not."""


def provider_named(text: str) -> str:
    """Return the well-known name of a provider; any other as it is, in lower case.

    >>> provider_named("OpenAI"), provider_named("vllm.chat"), provider_named("aws.bedrock")
    ('openai', 'vllm', 'aws.bedrock')
    """
    name = text.strip().lower()
    head = name
    while head:
        if head in _PROVIDERS:
            return _PROVIDERS[head]
        head = head.rpartition(".")[0]
    return name


@dataclass(frozen=True, slots=True)
class Proof:
    """What shows that the counts of a stream are the provider's; nothing does where all is empty.

    Some clients count streams with a tokenizer of their own where no usage arrived, and do not say
    so; but then they cannot tell what only the provider knows.
    """

    attributes: tuple[str, ...] = ()
    object_paths: tuple[str, ...] = ()
    """Paths inside a usage object."""
    is_count: bool = False
    """Whether a zero proves nothing, for the client writes it where it saw none."""


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
    is_gateway: bool = False
    input: Counting = Counting.WHOLE
    """Whether its input has the cached and written tokens in it."""
    output: Counting = Counting.WHOLE
    """Whether its output has the reasoning tokens in it."""
    is_per_choice: bool = False
    """Whether it tells of each choice of a call alone, each with the whole prompt."""
    opening_type: str = ""
    """The type of a record that may only open a stream, of which another tells the end."""
    stream_proof: Proof | None = None
    """What proves the counts of a stream; None where the client never puts its own."""


_CACHE_TOLD = Proof(attributes=(*aliases.CACHED, *aliases.WRITTEN))
_CACHE_COUNTED = Proof(attributes=(*aliases.CACHED, *aliases.WRITTEN), is_count=True)
"""OpenLIT writes zeros where the last event of an Anthropic stream tells no cache."""
_DETAILS_PARSED = Proof(object_paths=("prompt_tokens_details.audio_tokens",))
_NOTHING = Proof()
"""OpenLLMetry adds the first event's one output token to the last event's sum (Anthropic)."""
_NATIVE, _UNTOLD = Counting.NATIVE, Counting.UNTOLD


DIALECTS: tuple[Dialect, ...] = (
    Dialect("cloudevents", "tallystick.cloudevents", 0, is_gateway=True),
    Dialect("access-log", "tallystick.access_log.", 1, is_gateway=True),
    Dialect("tallystick", "tallystick", 0, is_gateway=True),
    Dialect("envoy-ai-gateway", "envoyproxy/ai-gateway", 4, is_gateway=True),
    Dialect("litellm", "litellm", 5, is_gateway=True, stream_proof=_DETAILS_PARSED),
    Dialect("otel-framework", "opentelemetry.instrumentation.genai.langchain", 26),
    Dialect("otel", "opentelemetry.instrumentation.genai.", 10),
    Dialect("otel", "opentelemetry.util.genai", 10),
    Dialect("otel", "@opentelemetry/instrumentation-aws-sdk", 10, input=_NATIVE),
    Dialect("otel", "@opentelemetry/instrumentation-", 10),
    Dialect("otel", "opentelemetry.instrumentation.openai_v2", 11),
    Dialect("otel", "opentelemetry.instrumentation.google_genai", 11),
    Dialect("otel", "opentelemetry.instrumentation.botocore", 11, input=_NATIVE),
    Dialect("anthropic-sdk", "com.anthropic.sdk.", 12),
    Dialect("openinference-framework", "openinference.instrumentation.openai_agents", 27),
    Dialect("openinference", "openinference.instrumentation.openai", 20),
    Dialect("openinference", "openinference.instrumentation.anthropic", 20),
    Dialect("openinference", "openinference.instrumentation.bedrock", 20),
    Dialect("openinference", "openinference.instrumentation.google_genai", 20),
    Dialect("openinference", "openinference.instrumentation.groq", 20),
    Dialect("openinference", "openinference.instrumentation.mistralai", 20),
    Dialect("openinference", "openinference.instrumentation.vertexai", 20, output=_UNTOLD),
    Dialect("openinference-litellm", "openinference.instrumentation.litellm", 26),
    Dialect("openinference-framework", "openinference.instrumentation.langchain", 27),
    Dialect(
        "openinference-framework", "openinference.instrumentation.", 27,
        input=_UNTOLD, output=_UNTOLD,
    ),
    Dialect("openinference-framework", "@arizeai/openinference-instrumentation-langchain", 27),
    Dialect("openinference", "@arizeai/openinference-", 20, input=_UNTOLD, output=_UNTOLD),
    Dialect("openllmetry", "opentelemetry.instrumentation.anthropic", 21, stream_proof=_NOTHING),
    Dialect("openllmetry", "opentelemetry.instrumentation.bedrock", 21, input=_NATIVE),
    Dialect(
        "openllmetry", "opentelemetry.instrumentation.google_generativeai", 21, output=_NATIVE
    ),
    Dialect("openllmetry", "opentelemetry.instrumentation.langchain", 28),
    Dialect(
        "openllmetry", "opentelemetry.instrumentation.", 21, input=_UNTOLD, output=_UNTOLD
    ),
    Dialect("openllmetry", "@traceloop/instrumentation-anthropic", 21, input=_NATIVE),
    Dialect("openllmetry", "@traceloop/", 21, input=_UNTOLD, output=_UNTOLD),
    Dialect("langfuse", "langfuse-sdk", 22, input=_UNTOLD, output=_UNTOLD),
    Dialect("logfire", "logfire.", 22, opening_type="span"),
    Dialect(
        "openlit", "openlit.instrumentation.anthropic", 23,
        input=_NATIVE, stream_proof=_CACHE_COUNTED,
    ),
    Dialect(
        "openlit", "openlit.instrumentation.bedrock", 23,
        input=_NATIVE, stream_proof=_CACHE_TOLD,
    ),
    Dialect(
        "openlit", "openlit.instrumentation.google_ai_studio", 23,
        output=_NATIVE, stream_proof=_CACHE_TOLD,
    ),
    Dialect(
        "openlit", "openlit.", 23, input=_UNTOLD, output=_UNTOLD, stream_proof=_CACHE_TOLD
    ),
    Dialect("pydantic-ai", "pydantic-ai", 24),
    Dialect("vercel-ai", "ai", 25, is_whole=True, input=_NATIVE, output=_NATIVE),
    Dialect("vercel-ai", "gen_ai", 25, is_whole=True),
    Dialect("strands", "strands.telemetry", 29, input=_NATIVE, output=_UNTOLD),
    Dialect("sglang", "sglang server", 40, is_engine=True),
    Dialect("vllm", "vllm.", 41, is_engine=True, is_per_choice=True),
)  # fmt: skip
"""Frameworks rank behind the SDKs that they call, within one suite too: both may tell of a call,
each in a trace of its own.

Sources: the released packages, run against a server with known counts: OpenTelemetry contrib 0.66b2
and genai 1.3b0, OpenInference of November 2026, OpenLLMetry 0.62.4, OpenLIT 1.45, Langfuse 5.0.4,
Logfire 5.2, Pydantic AI 1 and 2, Vercel AI SDK 3 to 7, Strands Agents, Google ADK 1.14.
"""
OTHER_DIALECT = Dialect("otel", "", 30, input=_UNTOLD, output=_UNTOLD)
"""Any other SDK that speaks the OpenTelemetry conventions."""

LOG_RANK = 1
"""Added to the rank of a log record: it repeats its span, which has the duration."""


def dialect_of(scope: str) -> Dialect:
    """Return who writes under an instrumentation scope: the first row that fits."""
    for dialect in DIALECTS:
        if scope == dialect.scope or (not dialect.is_whole and scope.startswith(dialect.scope)):
            return dialect
    return OTHER_DIALECT
