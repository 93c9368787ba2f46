"""A ClickHouse server for tests: one that is named, or a private one, or the stand-in."""

import http.client
import os
import re
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import clickhouse_connect
import pytest
from ports import free_port

NAMED = "TALLYSTICK_TEST_CLICKHOUSE_URL"
OLDEST = (24, 3)
"""What knows ``fsync_after_insert``, ``DateTime64(9)``, codecs and every function we call."""

_CONFIG = """
<clickhouse>
    <listen_host>127.0.0.1</listen_host>
    <http_port>{port}</http_port>
    <path>{home}/data/</path><tmp_path>{home}/tmp/</tmp_path>
    <logger><level>warning</level><console>1</console></logger>
    <mark_cache_size>100000000</mark_cache_size>
    <user_directories><users_xml><path>{home}/users.xml</path></users_xml></user_directories>
</clickhouse>
"""
_USERS = """
<clickhouse>
    <profiles><default/></profiles>
    <users><default><password/><profile>default</profile><quota>default</quota>
        <networks><ip>127.0.0.1</ip></networks></default></users>
    <quotas><default/></quotas>
</clickhouse>
"""


@contextmanager
def clickhouse_server(folder: Path) -> Iterator[str]:
    """Yield the address of a real server, without a database, or skip and say why."""
    if named := os.environ.get(NAMED, ""):
        yield named.rstrip("/")
        return
    binary, version = _installed()
    if version < OLDEST:
        found = ".".join(map(str, version)) if binary else "none on this machine"
        wanted = ".".join(map(str, OLDEST))
        pytest.skip(f"a ClickHouse server must be {wanted} or later, found {found}; or set {NAMED}")
    port = free_port()
    (folder / "config.xml").write_text(_CONFIG.format(port=port, home=folder))
    (folder / "users.xml").write_text(_USERS)
    server = [] if binary.endswith("-server") else ["server"]
    with _running([binary, *server, f"--config-file={folder / 'config.xml'}"], folder, port):
        yield f"clickhouse://127.0.0.1:{port}"


@contextmanager
def stand_in(folder: Path) -> Iterator[str]:
    """Yield the address of ClickHouse's engine behind its HTTP, in a process of its own."""
    port = free_port()
    script = Path(__file__).with_name("clickhouse_stand_in.py")
    command = [sys.executable, str(script), str(folder / "engine"), str(port)]
    with _running(command, folder, port):
        yield f"clickhouse://127.0.0.1:{port}"


@contextmanager
def any_clickhouse(folder: Path) -> Iterator[str]:
    """Yield a server where there is one, else the stand-in; both empty but for other tests."""
    has_server = os.environ.get(NAMED) or _installed()[1] >= OLDEST
    with clickhouse_server(folder) if has_server else stand_in(folder) as url:
        yield url


def events_url(folder: Path) -> str:
    """Return where a test's event store is: a directory, or a database on the server named."""
    named = os.environ.get(NAMED, "").rstrip("/")
    return fresh_events(named) if named else f"chdb://{folder}"


def fresh_events(server_url: str) -> str:
    """Make an empty database on a server and return its address."""
    name = f"test_{uuid.uuid4().hex}"
    client = clickhouse_connect.get_client(dsn=server_url.replace("clickhouse", "http", 1))
    client.command(f"CREATE DATABASE {name}")
    client.close()
    return f"{server_url}/{name}"


def _installed() -> tuple[str, tuple[int, int]]:
    """Return a server on this machine and its version; what does not tell it is older than any."""
    binary = shutil.which("clickhouse") or shutil.which("clickhouse-server") or ""
    if not binary:
        return "", (0, 0)
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"(\d+)\.(\d+)", said.stdout)
    return binary, (int(found[1]), int(found[2])) if found else (0, 0)


@contextmanager
def _running(command: list[str], folder: Path, port: int) -> Iterator[None]:
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder)
    try:
        give_up = time.monotonic() + 60
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > give_up:
                raise AssertionError(f"the server did not start: {log.read_text()}")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(timeout=60)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
