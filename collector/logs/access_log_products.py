"""How each AI gateway names things in its access log: one table a product, best name first.

A name with dots is a field of that whole name, or else a path into objects. Operators choose the
format of these logs, so the names are those of each product's own documentation.
Sources: Envoy AI Gateway c217da8, site/docs/capabilities/observability/accesslogs.md;
Higress 4e0d691, plugins/wasm-go/extensions/ai-statistics; APISIX f519a0f, ai-proxy and its loggers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from collector.dialect import aliases
from collector.otlp import Value

Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Product:
    """One gateway's access log."""

    name: str
    signs: Names
    """A line is a model call where one of these says something."""
    fields: Mapping[str, Names]
    """Attribute that the normaliser knows -> fields of the line."""
    started_at: Names = ()
    """RFC 3339, or milliseconds since 1970."""
    ended_at: Names = ()
    duration_ms: Names = ()
    embedded: Names = ()
    """Fields that hold a JSON object as text."""


_REQUEST_ID = aliases.REQUEST_ID[0]
_MODEL = aliases.REQUESTED_MODEL[0]
_SERVED = aliases.RESPONSE_MODEL[0]
_STATUS = aliases.STATUS_CODE[0]
_TENANT = aliases.SOURCE["tenant"][0]
_END_USER = aliases.SOURCE["end_user"][0]
_ROUTE = aliases.SOURCE["route"][0]
_TTFT = aliases.TTFT_SECONDS[0]
_INPUT, _OUTPUT = aliases.INPUT[0], aliases.OUTPUT[0]
_CACHED, _WRITTEN, _REASONING = aliases.CACHED[0], aliases.WRITTEN[0], aliases.REASONING[0]

_NAMED = ("tenant.id", "tenant_id")
_SENT = ("x-tenant-id", "x_tenant_id")
"""A header comes last: where the gateway does not set it, its client may."""

ENVOY = Product(
    name="envoy-ai-gateway",
    signs=(
        "gen_ai.request.model",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens",
        "genai_model_name",
        "genai_tokens_input",
        "genai_tokens_output",
    ),
    fields={
        _REQUEST_ID: ("x-request-id", "request_id"),
        _MODEL: ("gen_ai.request.model", "genai_model_name"),
        _SERVED: (
            "gen_ai.response.model",
            "gen_ai.request.model_override",
            "genai_model_name_override",
        ),
        aliases.PROVIDER[0]: ("gen_ai.provider.name", "genai_backend_name"),
        aliases.OPERATION[0]: ("x-envoy-origin-path", "request.path", "path"),
        _INPUT: ("gen_ai.usage.input_tokens", "genai_tokens_input"),
        _OUTPUT: ("gen_ai.usage.output_tokens", "genai_tokens_output"),
        _CACHED: ("gen_ai.usage.cache_read.input_tokens", "genai_tokens_cached_input"),
        _WRITTEN: (
            "gen_ai.usage.cache_creation.input_tokens",
            "genai_tokens_cache_creation_input",
        ),
        _REASONING: ("gen_ai.usage.reasoning.output_tokens", "genai_tokens_reasoning"),
        _STATUS: ("response_code",),
        aliases.ERROR_TYPE[0]: ("response_flags",),
        _TENANT: (*_NAMED, *_SENT),
        _ROUTE: ("route_name",),
    },
    started_at=("start_time",),
    duration_ms=("duration",),
)
"""The dynamic metadata of ``llmRequestCosts``, under the names of two generations of its docs."""

HIGRESS = Product(
    name="higress",
    signs=(
        "ai_log.model",
        "ai_log.input_token",
        "ai_log.output_token",
        "input_token",
        "output_token",
    ),
    fields={
        _REQUEST_ID: ("request_id", "x-request-id"),
        aliases.RESPONSE_ID[0]: ("ai_log.chat_id",),
        _MODEL: ("ai_log.model", "model"),
        aliases.OPERATION[0]: ("path",),
        _INPUT: ("ai_log.input_token", "input_token"),
        _OUTPUT: ("ai_log.output_token", "output_token"),
        _CACHED: ("ai_log.cached_tokens",),
        _REASONING: ("ai_log.reasoning_tokens",),
        _TTFT: ("ai_log.llm_first_token_duration",),
        aliases.STREAM[0]: ("ai_log.response_type",),
        _STATUS: ("response_code",),
        aliases.ERROR_TYPE[0]: ("response_flags",),
        _TENANT: (
            *_NAMED,
            "ai_log.consumer",
            "consumer",
            "x-mse-consumer",
            "x_mse_consumer",
            *_SENT,
        ),
        _ROUTE: ("route_name",),
    },
    started_at=("start_time",),
    duration_ms=("duration", "ai_log.llm_service_duration"),
    embedded=("ai_log",),
)
"""The plugin ai-statistics writes ``ai_log``, with its numbers as text; before that, two fields."""

APISIX = Product(
    name="apisix",
    signs=(
        "llm_model",
        "request_llm_model",
        "llm_prompt_tokens",
        "llm_completion_tokens",
        "llm_summary.model",
        "llm_summary.request_model",
        "llm_summary.prompt_tokens",
    ),
    fields={
        _REQUEST_ID: (
            "apisix_request_id",
            "request_id",
            "x-request-id",
            "http_x_request_id",
            "request.headers.x-request-id",
            "response.headers.x-request-id",
        ),
        _MODEL: ("request_llm_model", "llm_summary.request_model", "llm_model"),
        _SERVED: ("llm_model", "llm_summary.model"),
        aliases.OPERATION[0]: ("uri", "request_uri", "request.uri"),
        _INPUT: ("llm_prompt_tokens", "llm_summary.prompt_tokens"),
        _OUTPUT: ("llm_completion_tokens", "llm_summary.completion_tokens"),
        _CACHED: ("llm_cache_read_input_tokens", "llm_summary.cache_read_input_tokens"),
        _WRITTEN: ("llm_cache_creation_input_tokens", "llm_summary.cache_creation_input_tokens"),
        _REASONING: ("llm_reasoning_tokens", "llm_summary.reasoning_tokens"),
        _TTFT: ("llm_time_to_first_token", "llm_summary.duration"),
        aliases.STREAM[0]: ("llm_stream", "llm_summary.stream", "request_type"),
        _STATUS: ("status", "response.status"),
        _TENANT: (*_NAMED, "consumer_name", "consumer.username", "consumer", *_SENT),
        _END_USER: ("llm_end_user_id", "llm_summary.end_user_id"),
        _ROUTE: ("route_id",),
    },
    started_at=("start_time",),
    ended_at=("time_iso8601", "@timestamp", "timestamp"),
    duration_ms=("latency",),
)
"""The variables ``$llm_*`` under their own names, or the ``llm_summary`` of a logger plugin."""

PRODUCTS = (ENVOY, HIGRESS, APISIX)

_STREAMED = ("true", "stream", "ai_stream", "1")

_ENDINGS: Mapping[str, str] = {
    "DC": "client_disconnected",
    "DI": "client_cancelled",
    "UT": "upstream_timeout",
    "SI": "stream_idle_timeout",
    "DT": "duration_timeout",
    "RL": "rate_limited",
    "UF": "upstream_connection_failed",
    "UC": "upstream_connection_ended",
    "UR": "upstream_reset",
    "UPE": "upstream_protocol_error",
}
"""Envoy's response flags that say how a request failed -> a word that tells the outcome.

Source: https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage
"""

_OPERATIONS: tuple[tuple[str, str], ...] = (
    ("/embeddings", "embeddings"),
    ("/rerank", "rerank"),
    ("/chat/completions", "chat"),
    ("/completions", "text_completion"),
    (":generateContent", "generate_content"),
    (":streamGenerateContent", "generate_content"),
)
"""How a path ends -> the operation; any other is a chat."""


def _seconds(milliseconds: Value) -> Value:
    try:
        return float(milliseconds) / 1000
    except (TypeError, ValueError, OverflowError):
        return None


def _is_streamed(said: Value) -> Value:
    return str(said).lower() in _STREAMED


def _failure(flags: Value) -> Value:
    return next((_ENDINGS[flag] for flag in str(flags).split(",") if flag in _ENDINGS), None)


def _operation(path: Value) -> Value:
    plain = str(path).partition("?")[0]
    return next((name for ending, name in _OPERATIONS if plain.endswith(ending)), "chat")


CONVERSIONS: Mapping[str, Callable[[Value], Value]] = {
    _TTFT: _seconds,
    aliases.STREAM[0]: _is_streamed,
    aliases.ERROR_TYPE[0]: _failure,
    aliases.OPERATION[0]: _operation,
}
"""Attributes whose fields in access logs mean the same in another form."""
