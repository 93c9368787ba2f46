"""How fast bodies are decoded on one core, each way in turn so that noise hits all alike."""

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench.figure import Entry, at_least, median
from bench.payload import bodies, log_bodies
from collector.batch.fast import FastDecoder
from collector.otlp import Encoding, Signal, decode

SIZE = 1000
FAST_BODIES = 20
SLOW_BODIES = 2
"""The reference decoder takes a hundred times as long, so it is given fewer."""

Way = Callable[[bytes], Any]

_MADE = {Signal.TRACES: bodies, Signal.LOGS: log_bodies}
_REQUEST: Mapping[Signal, Any] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
}


def decoding(runs: int) -> Entry:
    """Return records per second of each way to decode, for both signals."""
    return {signal.value: _figures(signal, runs) for signal in _MADE}


def yardstick(raw: Sequence[bytes]) -> float:
    """Return the spans per second at which protobuf's own parser reads bodies of ``SIZE``."""
    return _rate(ExportTraceServiceRequest.FromString, raw)


def _figures(signal: Signal, runs: int) -> Entry:
    made = list(islice(_MADE[signal](SIZE), FAST_BODIES))
    ways = _ways(signal)
    for way in ways.values():
        way(made[0])
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, way in ways.items():
            found[name].append(_rate(way, made[:SLOW_BODIES] if name in _SLOW else made))
    rates = {name: median(rates) for name, rates in found.items()}
    return {
        "bytes_per_record": round(len(made[0]) / SIZE),
        "per_second": rates,
        "walker_to_reference": at_least(6, round(rates["walker"] / rates["reference"], 1)),
        "fast_to_reference": at_least(6, round(rates["fast"] / rates["reference"], 1)),
        "walker_to_FromString": round(rates["walker"] / rates["FromString"], 2),
        "fast_to_FromString": round(rates["fast"] / rates["FromString"], 2),
        "runs": {name: [round(rate) for rate in rates] for name, rates in found.items()},
    }


def _ways(signal: Signal) -> dict[str, Way]:
    """Return what is compared: bytes to message, rows, records, and twice to a batch of events."""
    decoder = FastDecoder(seed=1)
    is_log = signal is Signal.LOGS
    return {
        "walker": lambda raw: decoder.walker.walk(raw, is_log=is_log),
        "FromString": _REQUEST[signal].FromString,
        "records": lambda raw: decode(raw, signal, Encoding.PROTOBUF),
        "fast": lambda raw: decoder.decode(raw, signal, Encoding.PROTOBUF),
        "reference": lambda raw: decoder.normalised(decode(raw, signal, Encoding.PROTOBUF)),
    }


_SLOW = {"records", "reference"}


def _rate(way: Way, raw: Sequence[bytes]) -> float:
    began = time.perf_counter()
    for one in raw:
        way(one)
    return len(raw) * SIZE / (time.perf_counter() - began)
