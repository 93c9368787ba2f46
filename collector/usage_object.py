"""Usage objects that clients put into one attribute, as JSON or as Python prints a dictionary."""

import ast
import json
from collections.abc import Mapping
from dataclasses import replace

from collector.dissect import Reported, count_of

MAX_LENGTH = 20_000
"""A longer text is no usage object."""

_INPUT = ("prompt_tokens", "input_tokens", "input")
_OUTPUT = ("completion_tokens", "output_tokens", "output")
_CACHED = (
    "cache_read_input_tokens",
    "prompt_tokens_details.cached_tokens",
    "input_tokens_details.cached_tokens",
    "input_cached_tokens",
)
_WRITTEN = (
    "cache_creation_input_tokens",
    "prompt_tokens_details.cache_creation_tokens",
    "prompt_tokens_details.created_cache_tokens",
)
_WRITTEN_5M = ("cache_creation.ephemeral_5m_input_tokens",)
_WRITTEN_1H = ("cache_creation.ephemeral_1h_input_tokens",)
_REASONING = (
    "completion_tokens_details.reasoning_tokens",
    "output_tokens_details.reasoning_tokens",
    "output_reasoning_tokens",
)


def usage_object(text: object, *, is_native: bool = False) -> Reported:
    """Return what a usage object reports; nothing where the text is none.

    ``is_native``: cached and written tokens are counted beside the input (Anthropic's API) and
    are added to it here, so that all objects come out alike.

    >>> usage_object("{'prompt_tokens': 9, 'prompt_tokens_details': {'cached_tokens': 4}}").cached
    4
    """
    found = _parsed(text)
    reported = Reported(
        input=_count(found, _INPUT),
        output=_count(found, _OUTPUT),
        cached=_count(found, _CACHED),
        written=_count(found, _WRITTEN),
        written_5m=_count(found, _WRITTEN_5M),
        written_1h=_count(found, _WRITTEN_1H),
        reasoning=_count(found, _REASONING),
    )
    if is_native and reported.input is not None:
        beside = (reported.cached or 0) + (reported.written or 0)
        return replace(reported, input=reported.input + beside)
    return reported


def _parsed(text: object) -> Mapping[str, object]:
    if not isinstance(text, str) or len(text) > MAX_LENGTH or not text.lstrip().startswith("{"):
        return {}
    for read in (json.loads, ast.literal_eval):
        try:
            found = read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
        return found if isinstance(found, dict) else {}
    return {}


def _count(found: Mapping[str, object], paths: tuple[str, ...]) -> int | None:
    for path in paths:
        value: object = found
        for name in path.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        count = count_of(value)
        if count is not None:
            return count
    return None
