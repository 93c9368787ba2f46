"""``OTEL_LOGS_EXPORTER=tallystick``: usage events of any instrumentation, by way of the outbox.

Only log records that report a model call are taken, and of them no content: prompts and answers
are neither written to disk nor sent. Loaded by the OpenTelemetry SDK, which it therefore imports.
"""

import logging
from collections.abc import Sequence
from typing import Any, Optional

from opentelemetry.sdk._logs import export as sdk

from tallystick_otel.conventions import EVENT_ID, MODEL_CALL_EVENTS
from tallystick_otel.environment import meter_of_environment
from tallystick_otel.meter import Meter
from tallystick_otel.otlp import Event, pairs

MAX_TEXT = 500
"""The receiver keeps no more of a text; longer ones are content."""
MAX_ITEMS = 64
SHUTDOWN_MILLIS = 2_000

CONTENT = (
    "gen_ai.input.",
    "gen_ai.output.",
    "gen_ai.system_instructions",
    "gen_ai.prompt",
    "gen_ai.completion",
    "gen_ai.tool.",
    "input.",
    "output.",
    "llm.input_messages",
    "llm.output_messages",
)
"""How the names of attributes begin that hold what was said."""

_log = logging.getLogger("tallystick_otel")
_Exporter = getattr(sdk, "LogRecordExporter", None) or sdk.LogExporter
_Result = getattr(sdk, "LogRecordExportResult", None) or sdk.LogExportResult


class UsageExporter(_Exporter):  # type: ignore[misc, valid-type]  # by its name in this SDK
    """Writes usage events to the outbox, where they are kept until they are delivered.

    Built by the SDK without arguments. Never raises.
    """

    def __init__(self) -> None:
        self._meter: Optional[Meter] = None
        try:
            self._meter = meter_of_environment()
        except Exception:  # a host's edge: a program must start without us, too
            _log.exception("this program is not metered")

    def export(self, batch: Sequence[Any]) -> Any:
        """Keep the usage events among these records; the rest is not ours."""
        if self._meter is None:
            return _Result.FAILURE
        kept = [_kept(record, self._meter) for record in batch]
        return _Result.SUCCESS if all(kept) else _Result.FAILURE

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Wait until the receiver has what was exported."""
        return self._meter is None or self._meter.flush(timeout_millis / 1000)

    def shutdown(self) -> None:
        """Deliver what is left, as far as there is time; what others record goes on."""
        self.force_flush(SHUTDOWN_MILLIS)


def _kept(exported: Any, meter: Meter) -> bool:
    try:
        record = getattr(exported, "log_record", exported)
        name = getattr(record, "event_name", None) or (record.attributes or {}).get("event.name")
    except Exception:  # a host's edge
        meter.failed("reading a log record")
        return False
    if name not in MODEL_CALL_EVENTS:
        return True
    return meter.keep(lambda: event_of(exported, record, name))


def event_of(exported: Any, record: Any, name: str) -> Event:
    """Return the event of an SDK's log record, with the resource attributes it does not have."""
    resource = getattr(exported, "resource", None) or getattr(record, "resource", None)
    scope = getattr(exported, "instrumentation_scope", None)
    said = {**(resource.attributes if resource else {}), **(record.attributes or {})}
    return Event(
        time_ns=record.timestamp or record.observed_timestamp,
        pairs=pairs({n: value for n, value in said.items() if is_usage(n, value)}),
        scope=scope.name if scope else "",
        name=name,
        trace_id=record.trace_id or 0,
        span_id=record.span_id or 0,
    )


def is_usage(name: str, value: object) -> bool:
    """Whether an attribute is one to keep: no content, no number of somebody else's."""
    if name.startswith(CONTENT) or name == EVENT_ID:
        return False
    if isinstance(value, str):
        return len(value) <= MAX_TEXT
    if isinstance(value, (list, tuple)):
        return len(value) <= MAX_ITEMS and all(is_usage("", item) for item in value)
    return isinstance(value, (bool, int, float))
