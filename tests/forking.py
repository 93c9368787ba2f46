"""Start many services and commands quickly: a process that has read the code forks for each.

What runs is `tallystick` itself; only reading the code, three seconds, is shared.
"""

import atexit
import gc
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

_one_at_a_time = threading.Lock()
"""The process that forks answers in the order it is asked."""


class Forked:
    """A process that another one forked for us: enough of what Popen offers."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._file = -1  # that of one that has ended at once
        with suppress(ProcessLookupError):
            self._file = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """Return 0 once it has ended; how, only its log tells."""
        return 0 if self._has_ended(0) else None

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended."""
        if not self._has_ended(timeout):
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return 0

    def _has_ended(self, timeout: float | None) -> bool:
        if self._file < 0:
            return True
        poll = select.poll()  # takes a file of any number, which select does not
        poll.register(self._file, select.POLLIN)
        return bool(poll.poll(None if timeout is None else timeout * 1000))

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def send_signal(self, number: int) -> None:
        """Send a signal to it, never to one that got its number since."""
        if self._file >= 0:
            signal.pidfd_send_signal(self._file, number)

    def __del__(self) -> None:
        """Forget it; it goes on."""
        if self._file >= 0:
            os.close(self._file)


class Command(NamedTuple):
    """What a forked process runs, and the files of what it says and how it ends."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    log: str
    output: str = os.devnull
    status: str = ""


def fork_command(arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Forked:
    """Start `tallystick ARGUMENTS`; what it says on standard error goes to the log."""
    return _forked(Command(arguments, environment, str(log)))


def run_command(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run `tallystick ARGUMENTS` to its end."""
    with tempfile.TemporaryDirectory() as folder:
        output, log, status = (Path(folder) / name for name in ("output", "log", "status"))
        for path in (output, log):
            path.touch()
        variables = {**os.environ, "NO_COLOR": "1", **environment}
        _forked(Command(arguments, variables, str(log), str(output), str(status))).wait()
        code = int(status.read_text())
        return subprocess.CompletedProcess(
            arguments, code, output.read_text("utf-8"), log.read_text("utf-8")
        )


def _forked(command: Command) -> Forked:
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
    if command.status and (pid := os.fork()):
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        Path(command.status).write_text(str(code))
        os._exit(0)
    os.environ.clear()
    os.environ.update(command.environment)
    says = [os.open(path, os.O_WRONLY | os.O_APPEND) for path in (command.output, command.log)]
    for target, source in enumerate((os.open(os.devnull, os.O_RDONLY), *says)):
        os.dup2(source, target)
    sys.argv = ["tallystick", *command.arguments]

    from tallystick.cli import main  # noqa: PLC0415 - as the command does

    main()


def _serve() -> None:
    import pydantic.v1.dataclasses  # noqa: PLC0415, F401 - FastAPI reads it with the first route

    import tallystick.app  # noqa: PLC0415 - read once, for all that are forked
    import tallystick.cli  # noqa: PLC0415
    import tallystick.server  # noqa: PLC0415, F401
    from collector.batch.fast import FastDecoder  # noqa: PLC0415
    from collector.batch.warm import warm  # noqa: PLC0415

    warm(FastDecoder(seed=0))
    gc.collect()
    gc.freeze()  # or each that is forked would look at all of this again
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
