"""Run the HTTP service: in the foreground for `serve`, in a thread for the demo."""

import socket
import sys
import threading
import time
from types import TracebackType
from typing import Self

import uvicorn

from tallystick.app import create_app
from tallystick.collecting import collect_seldom
from tallystick.settings import Settings
from tallystick.wiring import assemble

_START_SECONDS = 60
_SWITCH_SECONDS = 0.001
"""How long a thread may keep the interpreter from others that wait: a fifth of the default.
A body's decoder gives it up a hundred times, and would wait as often while usage is summed."""


def serve(settings: Settings) -> None:
    """Serve until a signal asks to stop; what waits is written first.

    Raises:
        PortTakenError: something else listens there.
    """
    check_port_free(settings.host, settings.port)
    if settings.grpc_port and settings.role.collects:
        check_port_free(settings.host, settings.grpc_port)
    sys.setswitchinterval(_SWITCH_SECONDS)
    server = _server(settings)
    collect_seldom()
    server.run()


def check_port_free(host: str, port: int) -> None:
    """Refuse an address that something else listens on, before any store is opened."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortTakenError(host, port, error.strerror or str(error)) from error


def free_port(host: str, wanted: int) -> int:
    """Return the wanted port, or another free one where it is taken or 0."""
    if wanted:
        try:
            check_port_free(host, wanted)
        except PortTakenError:
            return free_port(host, 0)
        return wanted
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


class BackgroundService:
    """The service in a thread of this process, up when the block is entered."""

    def __init__(self, settings: Settings) -> None:
        self._server = _server(settings)
        self._thread = threading.Thread(target=self._server.run, name="service", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        give_up = time.monotonic() + _START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > give_up:
                raise ServiceNotUpError(_START_SECONDS)
            time.sleep(0.02)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        self._thread.join()

    def wait(self) -> None:
        """Wait until the service ends."""
        while self._thread.is_alive():
            self._thread.join(timeout=0.5)


def _server(settings: Settings) -> uvicorn.Server:
    config = uvicorn.Config(
        create_app(assemble(settings), listen=True),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=30,
    )
    return uvicorn.Server(config)


class PortTakenError(RuntimeError):
    """The address to listen on is in use."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"the address {host}:{port} must be free to listen on, found: {reason}")


class ServiceNotUpError(RuntimeError):
    """The service did not start."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"the service must start within {seconds} s, found it not listening")
