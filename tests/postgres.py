"""Start a private PostgreSQL server from the Debian package, on a socket of its own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ports import free_port

from bench import postgres
from bench.postgres import PostgresServer


@contextmanager
def private_postgres(folder: Path) -> Iterator[str]:
    """Yield the address of an empty server that ends with the block."""
    with postgres_server(folder) as server:
        yield server.url


@contextmanager
def postgres_server(folder: Path) -> Iterator[PostgresServer]:
    """Yield an empty server, started, that ends with the block."""
    binaries = postgres.postgres_binaries()
    if binaries is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have PostgreSQL, found no initdb: see .ci/run")
        pytest.skip("no PostgreSQL on this machine")
    home = Path("/tmp") / f"tallystick-pg-{os.getpid()}-{folder.name}"  # a short socket path
    options = "-c fsync=off -c max_connections=50"
    with postgres.postgres_server(binaries, home, options, free_port()) as server:
        yield server
