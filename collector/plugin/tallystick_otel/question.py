"""What a request to a model server asks for, and how it is made to tell its usage."""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Optional

from tallystick_otel.answer import MAX_TEXT
from tallystick_otel.attempt import Attempt

Headers = Iterable[tuple[bytes, bytes]]

OPERATIONS = {
    "/chat/completions": "chat",
    "/completions": "text_completion",
    "/embeddings": "embeddings",
    "/responses": "chat",
    "/messages": "chat",
    "/rerank": "rerank",
}
"""How the path of a model call ends -> its operation."""

ASKING = ("/chat/completions", "/completions")
"""Paths whose streams tell their usage only where the request asks for it."""


@dataclass(frozen=True)
class Question:
    """A request body, as far as it can be read."""

    said: Mapping[str, Any]
    body: bytes

    @property
    def tells_usage(self) -> bool:
        """Whether a stream in answer ends with its usage."""
        options = self.said.get("stream_options")
        return isinstance(options, Mapping) and options.get("include_usage") is True

    def asking_for_usage(self) -> bytes:
        """Return the body of a stream's request, with ``stream_options.include_usage`` set.

        Where there are no stream options yet, all that was sent stays as it was, byte by byte.
        """
        options = self.said.get("stream_options")
        if "stream_options" not in self.said:
            before, _, after = self.body.partition(b"{")
            return before + b'{"stream_options":{"include_usage":true},' + after
        kept = options if isinstance(options, Mapping) else {}
        asked = {**self.said, "stream_options": {**kept, "include_usage": True}}
        return json.dumps(asked).encode()

    def tell(self, attempt: Attempt) -> None:
        """Fill an attempt in with what was asked."""
        model, choices = self.said.get("model"), self.said.get("n")
        attempt.requested_model = model[:MAX_TEXT] if isinstance(model, str) else None
        attempt.stream = self.said.get("stream") is True
        if isinstance(choices, int) and choices > 1:
            attempt.choices = choices


def question_of(body: bytes) -> Question:
    """Read a request; one that is no JSON object in UTF-8 says nothing."""
    with suppress(ValueError, RecursionError):
        said = json.loads(body.decode())
        if isinstance(said, dict):
            return Question(said, body)
    return Question({}, body)


def operation_of(path: str, operations: Mapping[str, str]) -> Optional[str]:
    """Return the operation of a path, or None where it is no model call.

    >>> operation_of("/v1/chat/completions", OPERATIONS), operation_of("/v1/models", OPERATIONS)
    ('chat', None)
    """
    endings = (ending for ending in operations if path.rstrip("/").endswith(ending))
    longest = max(endings, key=len, default=None)
    return None if longest is None else operations[longest]


def header(headers: Headers, *names: bytes) -> Optional[str]:
    """Return the first of these headers that is there, by lower-case name."""
    for wanted in names:
        for name, value in headers:
            if name.lower() == wanted:
                return value.decode("latin-1")[:MAX_TEXT]
    return None
