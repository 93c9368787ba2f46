"""The fields of a usage event written as plain JSON, and the attributes that they stand for.

Producers without OpenTelemetry name things in snake_case; this is the table of those names. Counts
come as totals that include their details, as most APIs count, or as parts that add up.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from collector.dialect import aliases
from collector.dialect.dissect import count_of


@dataclass(frozen=True, slots=True)
class Kind:
    """What a field may hold, and how to say so."""

    required: str
    holds: Callable[[object], bool]


def _is_seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e6


COUNT = Kind("a whole number from 0 to 2^40 - 1", lambda value: count_of(value) is not None)
TEXT = Kind("text", lambda value: isinstance(value, str))
SECONDS = Kind("a number of seconds", _is_seconds)
FLAG = Kind("true or false", lambda value: isinstance(value, bool))


@dataclass(frozen=True, slots=True)
class Field:
    """The attribute that a field stands for, and what it may hold."""

    attribute: str
    kind: Kind = TEXT


FIELDS: Mapping[str, Field] = {
    "operation": Field(aliases.OPERATION[0]),
    "provider": Field(aliases.PROVIDER[0]),
    "request_model": Field(aliases.REQUESTED_MODEL[0]),
    "response_model": Field(aliases.RESPONSE_MODEL[0]),
    "model": Field(aliases.REQUESTED_MODEL[0]),
    "request_id": Field(aliases.REQUEST_ID[0]),
    "response_id": Field(aliases.RESPONSE_ID[0]),
    "service_tier": Field(aliases.TIER[0]),
    "attempt": Field(aliases.ATTEMPT[0], COUNT),
    "stream": Field(aliases.STREAM[0], FLAG),
    "status_code": Field(aliases.STATUS_CODE[0], COUNT),
    "finish_reason": Field(aliases.FINISH_REASONS[0]),
    "ttft_s": Field(aliases.TTFT_SECONDS[0], SECONDS),
    "queue_s": Field(aliases.QUEUE_SECONDS[0], SECONDS),
    "tenant_id": Field(aliases.SOURCE["tenant"][0]),
    "project_id": Field(aliases.SOURCE["project"][0]),
    "api_key_id": Field(aliases.SOURCE["api_key"][0]),
    "end_user_id": Field(aliases.SOURCE["end_user"][0]),
    "cluster_id": Field(aliases.SOURCE["cluster"][0]),
    "gateway_id": Field(aliases.SOURCE["gateway"][0]),
    "route": Field(aliases.SOURCE["route"][0]),
    "pool": Field(aliases.SOURCE["pool"][0]),
    "spill_reason": Field(aliases.SOURCE["spill_reason"][0]),
    "resource_id": Field(aliases.SOURCE["resource"][0]),
    "instance_id": Field(aliases.SOURCE["instance"][0]),
    "region": Field(aliases.SOURCE["region"][0]),
    "input_tokens": Field(aliases.INPUT[0], COUNT),
    "output_tokens": Field(aliases.OUTPUT[0], COUNT),
    "prompt_tokens": Field(aliases.INPUT[0], COUNT),
    "completion_tokens": Field(aliases.OUTPUT[0], COUNT),
    "cached_tokens": Field(aliases.CACHED[0], COUNT),
    "reasoning_tokens": Field(aliases.REASONING[0], COUNT),
    "input_uncached": Field("", COUNT),
    "input_cache_read": Field(aliases.CACHED[0], COUNT),
    "input_cache_write_5m": Field(aliases.WRITTEN_5M[0], COUNT),
    "input_cache_write_1h": Field(aliases.WRITTEN_1H[0], COUNT),
    "output_visible": Field("", COUNT),
    "output_reasoning": Field(aliases.REASONING[0], COUNT),
}
"""Field -> attribute, the better name first where two stand for one. The two without an attribute
are what is left beside the details: they are told as part of their total."""

TOTALS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        aliases.INPUT[0],
        ("input_uncached", "input_cache_read", "input_cache_write_5m", "input_cache_write_1h"),
    ),
    (aliases.OUTPUT[0], ("output_visible", "output_reasoning")),
)
"""The attribute of each total, and the parts that add up to it, what is left first."""

STATUSES: Mapping[str, str] = {
    "ok": "",
    "client_error": "invalid_request",
    "limited": "rate_limit",
    "throttled": "rate_limit",
    "engine_error": "server_error",
    "server_error": "server_error",
    "cancelled": "cancelled",
    "aborted": "aborted",
    "timeout": "timeout",
}
"""How an attempt ended -> the word for ``error.type`` by which the normaliser knows the outcome."""

ATTRIBUTE_KINDS: Mapping[str, Kind] = {
    name: COUNT
    for row in (
        aliases.INPUT,
        aliases.OUTPUT,
        aliases.CACHED,
        aliases.WRITTEN,
        aliases.WRITTEN_5M,
        aliases.WRITTEN_1H,
        aliases.REASONING,
    )
    for name in row
}
"""Attributes that are checked as well where they are given under their own names."""
