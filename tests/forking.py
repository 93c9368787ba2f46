"""Start many services quickly: a process that has read the code forks for each of them.

What runs is `tallystick serve` itself; only reading the code, three of its four seconds, is shared.
"""

import atexit
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

_one_at_a_time = threading.Lock()
"""The process that forks answers in the order it is asked."""


class Forked:
    """A process that another one forked for us: enough of what Popen offers."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._file = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """Return 0 once it has ended; how, only its log tells."""
        return 0 if select.select([self._file], [], [], 0)[0] else None

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended."""
        if not select.select([self._file], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return 0

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def send_signal(self, number: int) -> None:
        """Send a signal to it, never to one that got its number since."""
        signal.pidfd_send_signal(self._file, number)

    def __del__(self) -> None:
        """Forget it; it goes on."""
        os.close(self._file)


class Command(NamedTuple):
    """What a forked process runs."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    log: str


def fork_command(arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Forked:
    """Run `tallystick ARGUMENTS`; what it says on standard error goes to the log."""
    command = Command(arguments, environment, str(log))
    with _one_at_a_time:
        server = _server()
        assert server.stdin
        assert server.stdout
        server.stdin.write(json.dumps(command._asdict()) + "\n")
        server.stdin.flush()
        return Forked(int(server.stdout.readline()))


@cache
def _server() -> "subprocess.Popen[str]":
    """Start the process that forks; it ends with this one, when nobody asks any more."""
    server = subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    atexit.register(server.communicate)
    return server


def _run(command: Command) -> Any:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(command.environment)
    null, log = os.open(os.devnull, os.O_RDWR), os.open(command.log, os.O_WRONLY | os.O_APPEND)
    for target, source in enumerate((null, null, log)):
        os.dup2(source, target)
    sys.argv = ["tallystick", *command.arguments]

    from tallystick.cli import main  # noqa: PLC0415 - as the command does

    main()


def _serve() -> None:
    import tallystick.app  # noqa: PLC0415, F401 - read once, for all that are forked

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # those that have ended are forgotten
    while line := sys.stdin.readline():
        pid = os.fork()
        if pid == 0:
            _run(Command(**json.loads(line)))
            return
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
