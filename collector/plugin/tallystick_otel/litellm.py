"""LiteLLM callback: one event per attempt, with the identity that the proxy has verified.

    litellm.callbacks = [UsageLogger(install(...))]

Source: LiteLLM 1.109, ``litellm/integrations/custom_logger.py`` and ``litellm/types/utils.py``
(``StandardLoggingPayload``).
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Optional

from tallystick_otel.answer import Answer
from tallystick_otel.attempt import Attempt
from tallystick_otel.conventions import API_KEY, END_USER, PROJECT, TENANT
from tallystick_otel.meter import Meter

try:
    from litellm.integrations.custom_logger import CustomLogger
except ImportError:  # outside LiteLLM the class can still be imported, and tested
    CustomLogger = object

WHO = {
    TENANT: "user_api_key_team_id",
    PROJECT: "user_api_key_project_id",
    API_KEY: "user_api_key_hash",
    END_USER: "user_api_key_end_user_id",
}
"""Attribute -> field of LiteLLM's metadata."""

OPERATIONS = {
    "embedding": "embeddings",
    "rerank": "rerank",
    "text_completion": "text_completion",
}
"""How LiteLLM calls what it did, without its ``a`` for asynchronous; all else is a chat."""

TELLS_UNASKED = frozenset({"anthropic", "bedrock", "cohere", "cohere_chat", "gemini", "vertex_ai"})
"""Providers whose streams tell their usage unasked. For the others LiteLLM guesses where nobody
asked, and does not say so; a guess is no count."""

REMEMBERED = 4096
"""Attempts that are remembered, since LiteLLM may tell of one by both of its interfaces."""


class UsageLogger(CustomLogger):  # type: ignore[misc]  # a class of the host, or object
    """Records each attempt that LiteLLM tells of. Never raises."""

    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self._meter = meter
        self._lock = threading.Lock()
        self._seen: OrderedDict[tuple[str, ...], None] = OrderedDict()

    def log_success_event(
        self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Record an attempt that was answered."""
        self._record(kwargs, response_obj, (start_time, end_time), is_failure=False)

    def log_failure_event(
        self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Record an attempt that failed."""
        self._record(kwargs, response_obj, (start_time, end_time), is_failure=True)

    async def async_log_success_event(
        self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Record an attempt that was answered."""
        self._record(kwargs, response_obj, (start_time, end_time), is_failure=False)

    async def async_log_failure_event(
        self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Record an attempt that failed."""
        self._record(kwargs, response_obj, (start_time, end_time), is_failure=True)

    def _record(
        self, kwargs: Any, response: Any, times: tuple[Any, Any], *, is_failure: bool
    ) -> None:
        try:
            if kwargs.get("cache_hit") is True or not self._is_new(kwargs, times):
                return  # answered from the gateway's own cache: no model was asked
            attempt = attempt_of(kwargs, times)
            if is_failure:
                _tell_failure(kwargs, attempt)
            else:
                _tell_answer(kwargs, response, attempt)
        except Exception:  # a host's edge
            self._meter.failed("reading a LiteLLM event")
            attempt = Attempt()
        self._meter.record(attempt)

    def _is_new(self, kwargs: Mapping[str, Any], times: tuple[Any, Any]) -> bool:
        key = (str(kwargs.get("litellm_call_id")), *map(str, times))
        with self._lock:
            if key in self._seen:
                return False
            self._seen[key] = None
            if len(self._seen) > REMEMBERED:
                self._seen.popitem(last=False)
        return True


def attempt_of(kwargs: Mapping[str, Any], times: tuple[Any, Any]) -> Attempt:
    """Return what LiteLLM's arguments say of an attempt, whatever became of it."""
    payload = _mapping(kwargs.get("standard_logging_object"))
    params = _mapping(kwargs.get("litellm_params"))
    metadata = {**_mapping(params.get("metadata")), **_mapping(payload.get("metadata"))}
    called = str(payload.get("call_type") or kwargs.get("call_type") or "")
    before = metadata.get("previous_models")
    began, ended = times
    attempt = Attempt(
        operation=OPERATIONS.get(called.removeprefix("a"), "chat"),
        provider=_text(kwargs.get("custom_llm_provider") or payload.get("custom_llm_provider")),
        requested_model=_text(payload.get("model_group") or kwargs.get("model")),
        model=_text(kwargs.get("model")),
        request_id=_text(kwargs.get("litellm_call_id")),
        resends=len(before) if isinstance(before, list) else None,
        stream=bool(kwargs.get("stream") or payload.get("stream")),
        ended_ns=round(ended.timestamp() * 1e9) if isinstance(ended, datetime) else None,
        duration_ns=_nanoseconds(began, ended),
        about={name: str(metadata[field]) for name, field in WHO.items() if metadata.get(field)},
    )
    first = _nanoseconds(began, kwargs.get("completion_start_time"))
    attempt.ttft_seconds = first / 1e9 if attempt.stream and first is not None else None
    return attempt


def _tell_answer(kwargs: Mapping[str, Any], response: Any, attempt: Attempt) -> None:
    choices = _field(response, "choices")
    usage = _mapping(_field(response, "usage"))
    answer = Answer()
    answer.read(
        {
            **{name: _field(response, name) for name in ("id", "model", "type", "stop_reason")},
            "usage": usage if _is_told(kwargs, usage, attempt) else None,
            "choices": [
                {"finish_reason": _field(choice, "finish_reason")}
                for choice in (choices if isinstance(choices, list) else [])
            ],
        }
    )
    answer.tell(attempt)
    attempt.status_code = 200


def _is_told(kwargs: Mapping[str, Any], usage: Mapping[str, Any], attempt: Attempt) -> bool:
    """Whether a server told the usage: LiteLLM writes zeros or a guess where none did."""
    totals = ("prompt_tokens", "completion_tokens", "input_tokens", "output_tokens")
    if not any(usage.get(name) for name in totals):
        return False
    options = _mapping(_mapping(kwargs.get("optional_params")).get("stream_options"))
    is_asked = options.get("include_usage") is True
    return not attempt.stream or is_asked or attempt.provider in TELLS_UNASKED


def _tell_failure(kwargs: Mapping[str, Any], attempt: Attempt) -> None:
    error = kwargs.get("exception")
    code = getattr(error, "status_code", None)
    attempt.status_code = code if isinstance(code, int) else None
    attempt.error_type = type(error).__name__ if error is not None else "error"


def _field(thing: Any, name: str) -> Any:
    return thing.get(name) if isinstance(thing, Mapping) else getattr(thing, name, None)


def _mapping(thing: Any) -> Mapping[str, Any]:
    """Return a mapping, or what a pydantic model holds, or nothing."""
    if hasattr(thing, "model_dump"):
        thing = thing.model_dump()
    return thing if isinstance(thing, Mapping) else {}


def _text(value: Any) -> Optional[str]:
    return value if isinstance(value, str) and value else None


def _nanoseconds(start: Any, end: Any) -> Optional[int]:
    if not isinstance(start, datetime) or not isinstance(end, datetime):
        return None
    return max(round((end - start).total_seconds() * 1e9), 0)
