"""Coverage-guided fuzzing of the decoders: `make fuzz`, or this file with libFuzzer's arguments.

Every input is read by the fast decoder and by the reference, as every signal and encoding that its
first byte may name. Whatever is not one of the receiver's refusals is a finding, and so is a body
that the two read differently.
"""

import sys
from pathlib import Path
from random import Random
from tempfile import mkdtemp

import atheris
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]
COMPILED = [
    f"collector.batch.{name}"
    for name in (
        "attributes", "crowd", "cut", "fill", "hashes", "links", "memory", "resolve", "rows",
        "walk", "walk_record", "wire",
    )
]  # fmt: skip
"""Machine code cannot be watched, and what watches the rest cannot be compiled."""
with atheris.instrument_imports(include=["collector", "metering"], exclude=COMPILED):
    from alike import assert_alike, decoder
    from fuzz.mutation import seeds
    from variations import varied

    from collector.otlp import Encoding, Signal, decode
    from collector.receive import REFUSALS

REQUESTS = {
    Signal.TRACES: ExportTraceServiceRequest.DESCRIPTOR,
    Signal.LOGS: ExportLogsServiceRequest.DESCRIPTOR,
    Signal.METRICS: ExportMetricsServiceRequest.DESCRIPTOR,
}
KINDS = [
    (Signal.TRACES, Encoding.PROTOBUF),
    (Signal.LOGS, Encoding.PROTOBUF),
    (Signal.TRACES, Encoding.JSON),
    (Signal.LOGS, Encoding.JSON),
    (Signal.METRICS, Encoding.PROTOBUF),
    (Signal.METRICS, Encoding.JSON),
]
FAST = decoder()


def fuzz(raw: bytes) -> None:
    """Read one input: its first byte says as what, the rest is the body."""
    signal, encoding = KINDS[(raw or b"\0")[0] % len(KINDS)]
    body = raw[1:]
    try:
        FAST.decode(body, signal, encoding)
    except tuple(kind for kind, _ in REFUSALS):
        pass
    if encoding is Encoding.PROTOBUF and signal is not Signal.METRICS:
        assert_alike(body, signal, FAST)
    elif signal is Signal.METRICS:
        try:
            decode(body, signal, encoding)
        except tuple(kind for kind, _ in REFUSALS):
            pass


def mutated(raw: bytes, most: int, seed: int) -> bytes:
    """Change an input: every other time as a protobuf message, so that it stays one."""
    chance = Random(seed)
    signal, encoding = KINDS[(raw or b"\0")[0] % len(KINDS)]
    if encoding is Encoding.PROTOBUF and chance.random() < 0.5:
        try:
            body = varied(raw[1:], REQUESTS[signal], chance, 0.01)
        except IndexError:
            return atheris.Mutate(raw, most)
        return (raw[:1] + body)[:most]
    return atheris.Mutate(raw, most)


def main() -> None:
    """Begin with what real clients sent, if no folder of inputs is named."""
    arguments = sys.argv
    if all(argument.startswith("-") for argument in arguments[1:]):
        folder = Path(mkdtemp(prefix="fuzz-"))
        for number, sent in enumerate(seeds()):
            kind = bytes([KINDS.index((sent.signal, sent.encoding))])
            (folder / f"{number}").write_bytes(kind + sent.raw)
        arguments = [*arguments, str(folder)]
    atheris.Setup(arguments, fuzz, custom_mutator=mutated)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
