"""What a model server's answer says of usage, in the shapes of OpenAI and of Anthropic.

JSON document, or one event of a stream -> ``Answer.read`` -> ``Answer.tell`` -> Attempt
"""

from collections.abc import Mapping
from typing import Any, Optional

from tallystick_otel.attempt import Attempt

Document = Mapping[str, Any]

MAX_COUNT = 2**40
"""A larger count is none."""
MAX_TEXT = 500
"""Characters that are kept of an id or a name."""
MAX_REASONS = 16
MAX_CHOICES = 1024
"""Choices of one stream whose counts are kept apart."""

PATHS: dict[str, tuple[tuple[str, ...], ...]] = {
    "input_tokens": (("prompt_tokens",), ("input_tokens",)),
    "output_tokens": (("completion_tokens",), ("output_tokens",)),
    "cached_tokens": (
        ("prompt_tokens_details", "cached_tokens"),
        ("input_tokens_details", "cached_tokens"),
        ("cache_read_input_tokens",),
        ("prompt_cache_hit_tokens",),
    ),
    "written_tokens": (
        ("prompt_tokens_details", "cache_write_tokens"),
        ("prompt_tokens_details", "cache_creation_tokens"),
        ("prompt_tokens_details", "created_cache_tokens"),
        ("input_tokens_details", "cache_write_tokens"),
        ("cache_creation_input_tokens",),
    ),
    "written_5m_tokens": (("cache_creation", "ephemeral_5m_input_tokens"),),
    "written_1h_tokens": (("cache_creation", "ephemeral_1h_input_tokens"),),
    "reasoning_tokens": (
        ("completion_tokens_details", "reasoning_tokens"),
        ("output_tokens_details", "reasoning_tokens"),
    ),
}
"""Field of ``Attempt`` -> where usage objects have it, best first.

Source: the API references of OpenAI (chat, responses, embeddings), Anthropic (messages) and
DeepSeek; the answers of vLLM 0.33 and LiteLLM 1.109.
"""

_NATIVE_TYPES = frozenset({"message", "message_start", "message_delta"})
_LAST_TYPES = frozenset(
    {"message_stop", "response.completed", "response.incomplete", "response.failed"}
)
_NATIVE_COUNTS = ("cache_read_input_tokens", "cache_creation_input_tokens")
_WITHOUT_OUTPUT = frozenset({"embeddings", "rerank"})


class Answer:
    """What is known of an answer so far. Usage that is told again replaces what was told before."""

    def __init__(self) -> None:
        self.has_content = False
        self.is_finished = False
        """Whether a stream has said that it ends here."""
        self.error_type: Optional[str] = None
        self._usage: dict[str, Any] = {}
        self._output_by_choice: dict[int, int] = {}
        self._is_native = False
        self._names: dict[str, str] = {}
        self._reasons: list[str] = []

    def read(self, document: object) -> None:
        """Take in a whole answer, or one event of a stream. What is no mapping says nothing."""
        if not isinstance(document, Mapping):
            return
        said = document.get("type")
        kind = said if isinstance(said, str) else ""
        inner = document.get("message" if kind == "message_start" else "response")
        body = inner if isinstance(inner, Mapping) else document
        self._read_names(body)
        usage = _usage_of(body)
        self._read_usage(usage, kind)
        self._read_choice(usage, _choices(document))
        self._read_end(document, body, kind)
        self.has_content = self.has_content or _has_content(document)
        self.is_finished = self.is_finished or kind in _LAST_TYPES

    def tell(self, attempt: Attempt) -> None:
        """Fill an attempt in with what the answer said."""
        found = counts(self._usage, attempt.operation, is_native=self._is_native)
        if len(self._output_by_choice) > 1:
            found["output_tokens"] = sum(self._output_by_choice.values())
        for name, value in found.items():
            setattr(attempt, name, value)
        attempt.model = self._names.get("model", attempt.model)
        attempt.response_id = self._names.get("id", attempt.response_id)
        attempt.finish_reasons = self._reasons or attempt.finish_reasons
        attempt.error_type = self.error_type or attempt.error_type

    def _read_names(self, body: Document) -> None:
        for name in ("id", "model"):
            text = body.get(name)
            if isinstance(text, str) and text:
                self._names[name] = text[:MAX_TEXT]

    def _read_usage(self, usage: Document, kind: str) -> None:
        told = {name: value for name, value in usage.items() if value is not None}
        if kind == "message_start":
            told.pop("output_tokens", None)  # a placeholder; message_delta has the count
        self._usage.update(told)
        is_ours = any(name in told for name in _NATIVE_COUNTS) or kind in _NATIVE_TYPES
        self._is_native = (self._is_native or is_ours) and "prompt_tokens" not in self._usage

    def _read_choice(self, usage: Document, choices: list[Document]) -> None:
        """Keep the output of each choice while an event tells of one; then it counts that one.

        An event without choices tells of all of them.
        """
        if not usage:
            return
        index = choices[0].get("index") if len(choices) == 1 else None
        output = _count(usage, PATHS["output_tokens"])
        if not isinstance(index, int):
            self._output_by_choice.clear()
        elif output is not None and 0 <= index < MAX_CHOICES:
            self._output_by_choice[index] = output

    def _read_end(self, document: Document, body: Document, kind: str) -> None:
        error = body.get("error") or document.get("error")
        if kind == "error" and not error:
            error = {"code": document.get("code")}  # an event of OpenAI's responses
        if error:
            self.error_type = _error_type(error)
        delta = document.get("delta")
        said = [choice.get("finish_reason") for choice in _choices(document)]
        said.append(body.get("stop_reason"))
        said.append(delta.get("stop_reason") if isinstance(delta, Mapping) else None)
        for reason in said:
            if isinstance(reason, str) and len(self._reasons) < MAX_REASONS:
                self._reasons.append(reason[:MAX_TEXT])


def counts(usage: Document, operation: str, *, is_native: bool) -> dict[str, int]:
    """Return the counts of a usage object, cached and written tokens inside the input.

    ``is_native``: Anthropic counts them beside the input; they are added to it here.

    >>> native = {"input_tokens": 5, "cache_read_input_tokens": 90, "output_tokens": 7}
    >>> counts(native, "chat", is_native=True)
    {'input_tokens': 95, 'output_tokens': 7, 'cached_tokens': 90}
    """
    found = {
        name: count for name, paths in PATHS.items() if (count := _count(usage, paths)) is not None
    }
    if operation in _WITHOUT_OUTPUT and "input_tokens" not in found:
        total = _count(usage, (("total_tokens",),))
        found.update({} if total is None else {"input_tokens": total})
    if is_native and "input_tokens" in found:
        found["input_tokens"] += found.get("cached_tokens", 0) + found.get("written_tokens", 0)
    return found


def _count(usage: Document, paths: tuple[tuple[str, ...], ...]) -> Optional[int]:
    for path in paths:
        value: Any = usage
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MAX_COUNT:
            return value
    return None


def _usage_of(body: Document) -> Document:
    """Return the usage object of a document: its own, Groq's, or that of a choice (Moonshot)."""
    for holder in (body, body.get("x_groq"), *_choices(body)):
        usage = holder.get("usage") if isinstance(holder, Mapping) else None
        if isinstance(usage, Mapping):
            return usage
    return {}


def _choices(document: Document) -> list[Document]:
    choices = document.get("choices")
    found = choices if isinstance(choices, list) else []
    return [choice for choice in found if isinstance(choice, Mapping)]


def _error_type(error: object) -> str:
    said = [error.get(n) for n in ("type", "code")] if isinstance(error, Mapping) else []
    return next((s[:MAX_TEXT] for s in said if isinstance(s, str) and s), "server_error")


def _has_content(document: Document) -> bool:
    """Whether an event of a stream brings the first of what the caller waits for."""
    kind = document.get("type")
    if isinstance(kind, str):
        return kind == "content_block_delta" or kind.endswith(".delta")
    return any(choice.get("text") or _is_said(choice.get("delta")) for choice in _choices(document))


def _is_said(delta: object) -> bool:
    return isinstance(delta, Mapping) and any(delta.get(name) for name in _CONTENTS)


_CONTENTS = ("content", "reasoning_content", "reasoning", "tool_calls", "function_call", "refusal")
