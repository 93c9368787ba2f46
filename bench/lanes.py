"""Connections of the load generator: each sends one body at a time and waits for its answer.

They do as little as they can, since they run on the cores of the service that they measure.
"""

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import NamedTuple, cast

import grpc

Lane = Callable[[bytes], Awaitable[None]]
"""Sends a body; returns when it was acknowledged."""

_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_CHANNELS = 4


class Transport(StrEnum):
    """How bodies travel."""

    HTTP = "http"
    GRPC = "grpc"


class Target(NamedTuple):
    """Where a lane leads; bodies for HTTP are already compressed where they are to be."""

    host: str
    port: int
    transport: Transport
    is_gzip: bool


async def lanes(target: Target, count: int) -> list[Lane]:
    """Connect so many lanes."""
    if target.transport is Transport.GRPC:
        return _grpc_lanes(target, count)
    return [await _http_lane(target) for _ in range(count)]


async def _http_lane(target: Target) -> Lane:
    connection = await _connected(target)
    encoding = "Content-Encoding: gzip\r\n" if target.is_gzip else ""
    head = (
        f"POST /v1/traces HTTP/1.1\r\nHost: {target.host}:{target.port}\r\n"
        f"Content-Type: application/x-protobuf\r\n{encoding}Content-Length: "
    ).encode()

    async def send(body: bytes) -> None:
        nonlocal connection
        try:
            await connection.exchange(head + b"%d\r\n\r\n" % len(body), body)
        except ConnectionError:
            connection = await _connected(target)
            await connection.exchange(head + b"%d\r\n\r\n" % len(body), body)

    return send


async def _connected(target: Target) -> "_Connection":
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(_Connection, target.host, target.port)
    return connection


class _Connection(asyncio.Protocol):
    """One keep-alive connection, which the service may close while nothing is under way.

    An answer is read no further than its status.
    """

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None
        self._answered: asyncio.Future[bytes] | None = None
        self._read = b""

    def exchange(self, head: bytes, body: bytes) -> "asyncio.Future[bytes]":
        """Send a request; the future holds its answer, once that is success.

        Raises:
            ConnectionResetError: the connection was closed; also from the future.
        """
        if not self._transport:
            raise ConnectionResetError
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.writelines([head, body])
        return self._answered

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Take an answer: where it is success, its body is empty."""
        self._read += data
        if not self._answered or self._answered.done():
            return
        if self._read.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5")):
            kind = BusyError if self._read.startswith(b"HTTP/1.1 503") else RefusedError
            self._answered.set_exception(kind(self._read.decode(errors="replace")))
            self._read = b""
        elif self._read.endswith(b"\r\n\r\n"):
            self._answered.set_result(self._read)
            self._read = b""

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._answered and not self._answered.done():
            self._answered.set_exception(exc or ConnectionResetError())


def _grpc_lanes(target: Target, count: int) -> list[Lane]:
    """Share few connections among many calls under way, as gRPC does."""
    compression = grpc.Compression.Gzip if target.is_gzip else grpc.Compression.NoCompression
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [
        grpc.aio.insecure_channel(f"{target.host}:{target.port}", options, compression=compression)
        for _ in range(min(count, _CHANNELS))
    ]

    def lane(channel: grpc.aio.Channel) -> Lane:
        call = channel.unary_unary(_EXPORT)

        async def send(body: bytes) -> None:
            try:
                await call(body)
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.UNAVAILABLE:
                    raise BusyError(error.details() or "") from error
                raise

        return send

    return [lane(channels[i % len(channels)]) for i in range(count)]


class RefusedError(RuntimeError):
    """The service did not acknowledge a body."""

    def __init__(self, answer: str) -> None:
        super().__init__(f"the service must answer 200, found {answer!r}")


class BusyError(RefusedError):
    """The service asked to send the body again a little later."""
