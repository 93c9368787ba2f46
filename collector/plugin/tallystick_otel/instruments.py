"""The meter's own counters as OpenTelemetry metrics, for hosts that export any."""

from collections.abc import Iterable
from typing import Any, Callable

from opentelemetry.metrics import CallbackOptions, Observation, get_meter

COUNTERS = {
    "tallystick.outbox.recorded": ("recorded", "Events recorded, dropped ones included"),
    "tallystick.outbox.dropped": ("dropped", "Events lost because the disk did not take them"),
    "tallystick.outbox.delivered": ("delivered", "Events that the receiver has acknowledged"),
    "tallystick.outbox.refused": ("refused", "Events that the receiver refused and were set aside"),
    "tallystick.outbox.failures": ("failures", "Requests that had to be sent again"),
    "tallystick.outbox.errors": ("errors", "Errors inside the plugin's own hooks"),
}
"""Metric -> property of ``Meter`` and its description."""


def observe(counts: Any) -> None:
    """Offer the counters of a meter to whatever metrics SDK the host has, or will have."""
    ours = get_meter("tallystick")
    for metric, (name, description) in COUNTERS.items():
        ours.create_observable_counter(
            metric, [_reader(counts, name)], unit="{event}", description=description
        )


def _reader(counts: Any, name: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
    return lambda _: [Observation(getattr(counts, name))]
