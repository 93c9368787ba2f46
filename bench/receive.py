"""How fast bodies become durable events, each figure beside protobuf's own parser as yardstick.

Run with `make bench`. Figures are medians of several runs; compare ratios, not machines.
"""

import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.normalise import usage_events
from collector.otlp import Encoding, Signal, decode
from metering.event_store import EventStore
from tallystick.demo.traffic import SPANS_PER_BODY, bodies

RUNS = 5
BODIES = 10


def main() -> None:
    """Print one JSON object with the machine and the figures."""
    month = list(bodies(1))[:BODIES]
    spans = BODIES * SPANS_PER_BODY
    events = [_events(body) for body in month]
    parse = _spans_per_second(spans, lambda: [_parse(body) for body in month])
    reference = _spans_per_second(spans, lambda: [_events(body) for body in month])
    with tempfile.TemporaryDirectory() as folder:
        store = EventStore.open(f"chdb://{folder}/events", time.time_ns)
        durable = _spans_per_second(spans, lambda: [store.record(batch) for batch in events])
        both = _spans_per_second(spans, lambda: [store.record(_events(body)) for body in month])
        stored, size = store.arrivals(), store.bytes_on_disk()
        store.close()
    report = {
        "machine": {"cpu": platform.processor() or platform.machine(), "python": sys.version},
        "spans_per_body": SPANS_PER_BODY,
        "spans_per_second": {
            "FromString": parse,
            "reference_decoder": reference,
            "durable_write": durable,
            "decode_and_durable_write": both,
        },
        "ratio_to_FromString": {
            "reference_decoder": round(reference / parse, 4),
            "decode_and_durable_write": round(both / parse, 4),
        },
        "bytes_per_arrival": round(size / stored, 1),
    }
    sys.stdout.write(json.dumps(report, indent=1) + "\n")


def _spans_per_second(spans: int, work: Callable[[], Any]) -> int:
    rates = []
    for _ in range(RUNS):
        began = time.perf_counter()
        work()
        rates.append(spans / (time.perf_counter() - began))
    return round(statistics.median(rates))


def _parse(body: bytes) -> Any:
    return ExportTraceServiceRequest.FromString(body)


def _events(body: bytes) -> Any:
    return usage_events(decode(body, Signal.TRACES, Encoding.PROTOBUF))[0]


if __name__ == "__main__":
    main()
