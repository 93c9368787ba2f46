"""Names on the wire: what an event says of one attempt, and who says it.

Source: OpenTelemetry semantic conventions, GenAI (1.41 and semantic-conventions-genai) and HTTP
(1.41); names that begin with ``tallystick.`` are our own.
"""

SCOPE = "tallystick"
"""The instrumentation scope of a gateway's events: theirs are the records that bill."""

ENGINE_SCOPE = "vllm.tallystick"
"""The scope of an engine's events: they bill only where no gateway tells of the call."""

EVENT_NAME = "tallystick.usage"
MODEL_CALL_EVENTS = frozenset({EVENT_NAME, "gen_ai.client.inference.operation.details"})
"""Names of log records that report one model call."""

EVENT_ID = "tallystick.event.id"
"""Stable over resends, so that the receiver counts an event once."""
PRODUCER = "tallystick.producer.id"
"""Who numbers: one process's stay in one outbox. A fork is another producer."""
SEQUENCE = "tallystick.producer.sequence"
"""The producer's number of the event, from 1, without gaps but for events that were lost."""
DROPPED = "tallystick.producer.dropped"
"""How many events the producer lost right before this one. Absent where none."""
DURATION_NS = "tallystick.duration_ns"
"""From the request to the end of the answer, which is the time of the log record."""

ATTRIBUTES = {
    "operation": "gen_ai.operation.name",
    "provider": "gen_ai.provider.name",
    "requested_model": "gen_ai.request.model",
    "model": "gen_ai.response.model",
    "response_id": "gen_ai.response.id",
    "engine_request_id": "gen_ai.request.id",
    "request_id": "tallystick.request.id",
    "resends": "tallystick.attempt",
    "stream": "gen_ai.request.stream",
    "choices": "gen_ai.request.choice.count",
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "cached_tokens": "gen_ai.usage.cache_read.input_tokens",
    "written_tokens": "gen_ai.usage.cache_write.input_tokens",
    "written_5m_tokens": "tallystick.usage.cache_write_5m.input_tokens",
    "written_1h_tokens": "tallystick.usage.cache_write_1h.input_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
    "status_code": "http.response.status_code",
    "error_type": "error.type",
    "finish_reasons": "gen_ai.response.finish_reasons",
    "ttft_seconds": "gen_ai.response.time_to_first_chunk",
    "queue_seconds": "gen_ai.latency.time_in_queue",
    "duration_ns": DURATION_NS,
}
"""Field of ``Attempt`` -> attribute."""

TENANT = "tenant.id"
PROJECT = "project.id"
API_KEY = "api_key.id"
"""The id of a key, never the key."""
END_USER = "enduser.id"
ROUTE = "http.route"
"""Who and where, for ``Attempt.about``: the usual ones; the receiver's reference lists them all."""

CLIENT_GONE = "client_disconnected"
"""The ``error.type`` of an answer whose reader left: the receiver books it as aborted."""
CANCELLED = "cancelled"
"""The ``error.type`` of an answer that the gateway itself stopped: aborted as well."""
