"""What can be observed of workers and clients, and one observation: the vocabulary of readings.

Every source (a scraped page, an OTLP metric, the local driver) is put into these words once, at
the edge; boards, rules and reconciliation know no engine's own names.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from types import MappingProxyType

from metering.histogram import Buckets


class Kind(StrEnum):
    """How readings of a signal relate in time."""

    GAUGE = "gauge"
    """A level that holds at its instant."""
    COUNTER = "counter"
    """A total since ``started_ns``; only differences mean something (see metering.counter)."""
    HISTOGRAM = "histogram"
    """A counter of observations by size; its value is their sum."""


class Aggregate(StrEnum):
    """How readings of one signal at one time in several places make one."""

    SUM = "sum"
    MAX = "max"
    MEAN = "mean"

    def of(self, values: Iterable[float]) -> float:
        """Return the values, at least one, as one; a sum does not depend on their order."""
        listed = list(values)
        if self is Aggregate.MAX:
            return max(listed)
        total = math.fsum(listed)
        return total if self is Aggregate.SUM else total / len(listed)


@dataclass(frozen=True, slots=True)
class Signal:
    """Something observable."""

    name: str
    unit: str
    """``1`` for ratios and counts of things; otherwise spelt out as in the name."""
    kind: Kind
    aggregate: Aggregate
    help: str


@dataclass(frozen=True, slots=True, order=True)
class Origin:
    """Where a reading was taken; a field that does not apply is empty."""

    system: str = ""
    """The kind of software that reports: vllm, sglang, dcgm, nvml, triton, tgi, litellm, client."""
    target: str = ""
    """The scraped address, or the instance that pushed."""
    engine: str = ""
    """The engine replica behind the address: its data-parallel rank."""
    role: str = ""
    """``prefill`` or ``decode`` where an engine does only that; else empty or ``unified``."""
    gpu: str = ""
    """The card's UUID, or its index where it tells no UUID."""
    node: str = ""
    """The host."""
    model: str = ""
    """The model served."""
    pool: str = ""
    """The resource pool, dedicated 专属 or shared 混池."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A signal's value at an instant."""

    signal: str
    at_ns: int
    """Nanoseconds since 1970 UTC."""
    value: float
    """The level, the total, or the sum of the observations. Always finite: no value, no reading."""
    origin: Origin = Origin()
    labels: tuple[tuple[str, str], ...] = ()
    """What else tells readings apart, sorted: reason, outcome, source, tenant."""
    started_ns: int = 0
    """Since when a counter counts; 0 where its source does not say."""
    series: int = 0
    """Tells apart series that differ only in what is not kept of them."""
    buckets: Buckets | None = None
    """A histogram's observations by size."""

    def __post_init__(self) -> None:
        if self.signal not in SIGNALS:
            raise UnknownSignalError(self.signal)
        if not math.isfinite(self.value):
            raise NoValueError(self.signal, self.value)
        if not 0 < self.at_ns <= LAST_NS or not 0 <= self.started_ns <= LAST_NS:
            raise InstantRangeError(self.signal, self.at_ns, self.started_ns)


LAST_NS = 2**63 - 1
"""The last instant that 64 bits of nanoseconds since 1970 UTC can name."""

ORIGIN_FIELDS: tuple[str, ...] = tuple(f.name for f in fields(Origin))

UP = "up"
LOAD = "load"
RUNNING = "requests_running"
WAITING = "requests_waiting"
SLOTS = "slots"
KV_USE = "kv_use"
KV_CAPACITY = "kv_capacity_tokens"
CAPACITY = "capacity"
POOL_LOAD = "pool_load"
POOL_LOAD_MAX = "pool_load_max"
POOL_LOAD_CV = "pool_load_cv"


def _gauge(name: str, unit: str, aggregate: Aggregate, text: str) -> Signal:
    return Signal(name, unit, Kind.GAUGE, aggregate, text)


def _counter(name: str, unit: str, text: str) -> Signal:
    return Signal(name, unit, Kind.COUNTER, Aggregate.SUM, text)


def _seconds(name: str, text: str) -> Signal:
    return Signal(name, "seconds", Kind.HISTOGRAM, Aggregate.SUM, text)


_SUM, _MAX, _MEAN = Aggregate.SUM, Aggregate.MAX, Aggregate.MEAN

_TABLE: tuple[Signal, ...] = (
    _gauge(UP, "1", _SUM, "1 where a target answered its scrape, 0 where it did not."),
    _gauge(LOAD, "1", _MAX, "Load rate 负载率 of an engine replica; above 1 where it is overrun."),
    _gauge(POOL_LOAD, "1", _MEAN, "Mean load rate of a pool's replicas, weighted by capacity."),
    _gauge(POOL_LOAD_MAX, "1", _MAX, "Load rate of a pool's busiest replica."),
    _gauge(POOL_LOAD_CV, "1", _MAX, "Spread of load rates in a pool: deviation over mean."),
    _gauge(CAPACITY, "1", _SUM, "Weight of a replica in its pool, as the operator declares it."),
    _gauge(RUNNING, "1", _SUM, "Requests being computed."),
    _gauge(WAITING, "1", _SUM, "Requests admitted by no engine yet."),
    _gauge("requests_transferring", "1", _SUM, "Requests between a prefill and a decode engine."),
    _gauge(SLOTS, "1", _SUM, "Requests that may run at once."),
    _gauge(KV_USE, "1", _MAX, "Share of the KV cache in use; what may be evicted counts as free."),
    _gauge(KV_CAPACITY, "tokens", _SUM, "Tokens that the KV cache holds."),
    _counter("prompt_tokens", "tokens", "Prompt tokens taken in, cached ones included."),
    _counter("cached_tokens", "tokens", "Prompt tokens found in a cache: part of prompt_tokens."),
    _counter("generation_tokens", "tokens", "Tokens generated."),
    _counter("prefix_queried_tokens", "tokens", "Tokens looked up in the prefix cache."),
    _counter("prefix_hit_tokens", "tokens", "Tokens found there: part of prefix_queried_tokens."),
    _counter("draft_tokens", "tokens", "Tokens proposed by speculative decoding."),
    _counter("accepted_tokens", "tokens", "Proposed tokens accepted: part of draft_tokens."),
    _counter("requests_received", "1", "Requests taken in."),
    _counter("requests_finished", "1", "Requests that ended as their engine counts them."),
    _counter("requests_aborted", "1", "Requests that their client gave up."),
    _counter("requests_failed", "1", "Requests that ended in an error."),
    _counter("requests_rejected", "1", "Requests refused for want of room."),
    _counter("preemptions", "1", "Times that a running request was put back for want of KV cache."),
    _seconds("ttft_seconds", "Time from arrival to the first token."),
    _seconds("tpot_seconds", "Mean time per output token after the first, by request."),
    _seconds("itl_seconds", "Time between successive tokens."),
    _seconds("queue_seconds", "Time waited before computing began."),
    _seconds("prefill_seconds", "Time spent on the prompt."),
    _seconds("decode_seconds", "Time spent on the output."),
    _seconds("e2e_seconds", "Time from arrival to the last token."),
    _gauge("gpu_busy", "1", _MEAN, "Share of time that any kernel ran: a duty cycle, not a load."),
    _gauge("gpu_engine_active", "1", _MEAN, "Share of time that the graphics engine was active."),
    _gauge("gpu_sm_active", "1", _MEAN, "Share of multiprocessors with a warp assigned."),
    _gauge("gpu_sm_occupancy", "1", _MEAN, "Share of the warps that would fit."),
    _gauge("gpu_tensor_active", "1", _MEAN, "Share of cycles that the tensor cores were active."),
    _gauge("gpu_dram_active", "1", _MEAN, "Share of cycles that device memory was transferring."),
    _gauge("gpu_memory_used_bytes", "bytes", _SUM, "Device memory in use."),
    _gauge(
        "gpu_memory_total_bytes", "bytes", _SUM, "Device memory, what the driver keeps included."
    ),
    _gauge("gpu_power_watts", "watts", _SUM, "Power drawn."),
    _counter("gpu_energy_joules", "joules", "Energy used since the driver was loaded."),
    _gauge("gpu_temperature_celsius", "celsius", _MAX, "Temperature of the chip."),
    _gauge("gpu_memory_temperature_celsius", "celsius", _MAX, "Temperature of the memory."),
    _gauge("gpu_xid", "1", _MAX, "Code of the last XID error; 0 for none."),
    _counter("gpu_errors", "1", "Hardware errors by kind."),
    _counter("client_input_tokens", "tokens", "Input tokens as clients count them; never billed."),
    _counter(
        "client_output_tokens", "tokens", "Output tokens as clients count them; never billed."
    ),
    _counter("client_cached_tokens", "tokens", "Part of client_input_tokens read from a cache."),
    _counter("client_written_tokens", "tokens", "Part of client_input_tokens written to a cache."),
    _counter(
        "client_reasoning_tokens", "tokens", "Part of client_output_tokens spent on reasoning."
    ),
    _seconds("client_e2e_seconds", "Time that a call took, seen by its client."),
    _seconds("client_ttft_seconds", "Time to the first chunk, seen by the client."),
    _seconds("client_tpot_seconds", "Time per chunk or token, seen by the client."),
)

SIGNALS: Mapping[str, Signal] = MappingProxyType({signal.name: signal for signal in _TABLE})
"""The whole vocabulary, by name."""


def labels_of(pairs: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return labels as a reading holds them: sorted, empty ones left out."""
    return tuple(sorted((name, value) for name, value in pairs.items() if value))


class UnknownSignalError(LookupError):
    """A name that stands for no signal."""

    def __init__(self, name: str) -> None:
        super().__init__(f"a signal must be one of {', '.join(SIGNALS)}, found {name!r}")


class NoValueError(ValueError):
    """A reading without a number."""

    def __init__(self, signal: str, value: float) -> None:
        super().__init__(f"a reading of {signal} must have a finite value, found {value}")


class InstantRangeError(ValueError):
    """A reading from no instant that could be stored."""

    def __init__(self, signal: str, at_ns: int, started_ns: int) -> None:
        super().__init__(
            f"a reading of {signal} must be from after 1970 and before 2262, "
            f"found {at_ns} ns, started {started_ns} ns"
        )
