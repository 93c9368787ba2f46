"""OTLP over gRPC: the Export methods of its three services, over the same receiver as HTTP.

Messages stay bytes here, so that both transports share one decoder.
"""

from typing import Any

import grpc

from collector.otlp import Encoding, Signal
from collector.receive import Receiver

_SERVICES = {
    Signal.TRACES: "opentelemetry.proto.collector.trace.v1.TraceService",
    Signal.LOGS: "opentelemetry.proto.collector.logs.v1.LogsService",
    Signal.METRICS: "opentelemetry.proto.collector.metrics.v1.MetricsService",
}
_CODES = {code.value[0]: code for code in grpc.StatusCode}


async def serve_grpc(receiver: Receiver, address: str) -> grpc.aio.Server:
    """Listen on ``host:port`` and return the server, started. Stop it with a grace of seconds.

    gRPC itself undoes gzip, and refuses a message over the limit with RESOURCE_EXHAUSTED and no
    RetryInfo, which clients do not retry.

    Raises:
        GrpcPortError: the address is taken.
    """
    limit = receiver.limit
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", limit)])
    server.add_generic_rpc_handlers([_service(signal, receiver) for signal in Signal])
    try:
        server.add_insecure_port(address)
    except RuntimeError as error:
        raise GrpcPortError(address) from error
    await server.start()
    return server


def _service(signal: Signal, receiver: Receiver) -> Any:
    """Build one signal's service: a single method that takes and gives bytes."""

    async def export(body: bytes, context: Any) -> bytes:
        metadata = dict(context.invocation_metadata())
        try:
            receiver.allowed(metadata.get("authorization", ""))
            await receiver.take(body, "", signal, Encoding.PROTOBUF)
        except Exception as error:  # noqa: BLE001 - a request's edge
            refusal, sentence = receiver.refused(error)
            await context.abort(_CODES[refusal.code], sentence)
        return b""

    handler = grpc.unary_unary_rpc_method_handler(export)
    return grpc.method_handlers_generic_handler(_SERVICES[signal], {"Export": handler})


class GrpcPortError(RuntimeError):
    """The address for gRPC is in use."""

    def __init__(self, address: str) -> None:
        super().__init__(f"the gRPC address {address} must be free to listen on, found it taken")
