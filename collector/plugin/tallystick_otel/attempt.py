"""One attempt at one model call, as far as it is known."""

from dataclasses import dataclass, field
from typing import Optional


@dataclass
class Attempt:
    """What is filled in while an attempt runs, and recorded once when it ends.

    A count is as the server reported it; None where nobody told: unknown is not zero.
    """

    operation: str = "chat"
    """``chat``, ``text_completion``, ``embeddings``, ``rerank``."""
    provider: Optional[str] = None
    requested_model: Optional[str] = None
    model: Optional[str] = None
    """The model that answered."""
    response_id: Optional[str] = None
    """By this id all records of one call are known as one."""
    engine_request_id: Optional[str] = None
    """What an engine calls the response id."""
    request_id: Optional[str] = None
    resends: Optional[int] = None
    """0 for the first attempt, 1 for its first repetition."""
    stream: Optional[bool] = None
    choices: Optional[int] = None
    input_tokens: Optional[int] = None
    """All input, cached and written tokens included."""
    output_tokens: Optional[int] = None
    """All output, reasoning included."""
    cached_tokens: Optional[int] = None
    written_tokens: Optional[int] = None
    written_5m_tokens: Optional[int] = None
    written_1h_tokens: Optional[int] = None
    reasoning_tokens: Optional[int] = None
    status_code: Optional[int] = None
    error_type: Optional[str] = None
    finish_reasons: Optional[list[str]] = None
    ttft_seconds: Optional[float] = None
    queue_seconds: Optional[float] = None
    duration_ns: Optional[int] = None
    ended_ns: Optional[int] = None
    """Nanoseconds since 1970 UTC; None for the moment of recording."""
    about: dict[str, str] = field(default_factory=dict)
    """Who and where, by attribute name: ``tenant.id``, ``tallystick.pool`` ..."""
