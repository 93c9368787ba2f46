"""A private PostgreSQL server from the Debian package, that ends with its block."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.ports import free_ports


@dataclass(frozen=True)
class PostgresServer:
    """A server of one's own, which may be stopped and started again."""

    url: str
    data: Path
    binaries: Path
    options: str
    user: str | None

    def start(self) -> None:
        """Start it, and return when it answers."""
        words = ["-o", self.options, "-l", self.data.parent / "log", "-w", "start"]
        _run([self.binaries / "pg_ctl", "-D", self.data, *words], self.user)

    def stop(self) -> None:
        """Stop it as a crash would."""
        words = ["-m", "immediate", "-w", "stop"]
        _run([self.binaries / "pg_ctl", "-D", self.data, *words], self.user)


@contextmanager
def postgres_server(
    binaries: Path, home: Path, options: str, port: int = 0
) -> Iterator[PostgresServer]:
    """Yield an empty server, started, that ends with the block.

    ``home`` is a folder that there is not; its path must be short, since a socket is in it.
    Without a port it takes a free one.
    """
    user = "postgres" if os.geteuid() == 0 else None
    home.mkdir(mode=0o700)
    if user:
        owner = pwd.getpwnam(user)
        os.chown(home, owner.pw_uid, owner.pw_gid)
    data, port = home / "data", port or free_ports(1)[0]
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={home} {options}"
    url = f"postgresql://tallystick@127.0.0.1:{port}/postgres"
    server = PostgresServer(url, data, binaries, options, user)
    try:
        _run([binaries / "initdb", "-D", data, "-A", "trust", "-U", "tallystick"], user)
        server.start()
        yield server
    finally:
        if (data / "postmaster.pid").exists():
            server.stop()
        shutil.rmtree(home, ignore_errors=True)


def postgres_binaries() -> Path | None:
    """Return the newest folder that holds initdb, if PostgreSQL is installed."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
    found = [p for p in installed if (p / "initdb").exists()]
    if found:
        return found[-1]
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


def _run(command: list[object], user: str | None) -> None:
    done = subprocess.run(  # noqa: S603 - our own
        [str(c) for c in command], user=user, capture_output=True, text=True, check=False, cwd="/"
    )
    assert done.returncode == 0, done.stdout + done.stderr
