"""A real `tallystick serve` in a process of its own, and what it takes of the machine."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.lanes import Target, Transport
from bench.ports import HOST, free_ports

_START_SECONDS = 300
_STOP_SECONDS = 120
_POLL_SECONDS = 0.005


class Running:
    """A service over a directory, up when the block is entered."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        """Choose free ports; settings are the service's defaults but for ``environment``."""
        self._folder = folder
        self._ports = dict(zip(Transport, free_ports(2), strict=True))
        self._environment = {
            **os.environ,
            "TALLYSTICK_GRPC_PORT": str(self._ports[Transport.GRPC]),
            **(environment or {}),
        }
        self.seconds_to_answer = 0.0

    def __enter__(self) -> Self:
        began = time.perf_counter()
        self._folder.mkdir(parents=True, exist_ok=True)
        where = ["--port", str(self._ports[Transport.HTTP]), "--data", str(self._folder)]
        with (self._folder / "service.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own service
                [sys.executable, "-m", "tallystick", "serve", *where],
                env=self._environment,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        while not self._answers():
            if self._process.poll() is not None or time.perf_counter() > began + _START_SECONDS:
                raise NotUpError(self._folder)
            time.sleep(_POLL_SECONDS)
        self.seconds_to_answer = time.perf_counter() - began
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait(_STOP_SECONDS)

    def target(self, transport: Transport, *, is_gzip: bool = False) -> Target:
        """Return where to send."""
        return Target(HOST, self._ports[transport], transport, is_gzip)

    def memory_mib(self, name: str) -> int:
        """Return what the kernel says of its memory: VmRSS now, VmHWM at most so far."""
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(name))

    def cpu_seconds(self) -> float:
        """Return the processor time it has taken since its start."""
        words = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def _answers(self) -> bool:
        try:
            with socket.create_connection((HOST, self._ports[Transport.HTTP]), 5) as connection:
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: bench\r\n\r\n")
                return connection.recv(1024).startswith(b"HTTP/1.1 200")
        except OSError:
            return False


class NotUpError(RuntimeError):
    """The service did not start."""

    def __init__(self, folder: Path) -> None:
        log = (folder / "service.log").read_text()
        super().__init__(f"the service must answer /healthz, found: {log[-1000:]}")
