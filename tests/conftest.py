"""Fixtures shared by all tests: real stores, a real service, and the golden switch."""

import http.client
import os
import signal
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
from builders import arrivals_of
from clickhouse import events_url
from forking import Forked, fork_command
from ledgers import fresh_database as fresh_database  # noqa: PLC0414 - known from here too
from ledgers import migrated_database, new_ledger
from ports import free_ports
from postgres import private_postgres
from sqlalchemy import Engine

from metering.arrival import Arrival
from metering.event_store import EventStore
from tallystick.database import make_engine

ROOT = Path(__file__).parents[1]
START_SECONDS = 180
"""Far more than a start takes: on a machine whose disk is cold and busy it has taken sixty."""
WATCHED_EXAMPLES = 1
"""Of a property, the simplest: what only a lucky draw reaches needs a case of its own, or the
measured coverage is another one each time."""
LONG_FOLDERS = {"end_to_end", "faults", "simulation"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite files in tests/golden")


def pytest_configure() -> None:
    """Let commands and services that tests start keep their byte code, as installed ones do."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no process is left alone with it at the end."""
    items.sort(key=lambda item: item.path.parent.name not in LONG_FOLDERS)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Have coverage watch one process read the code: the others read the same."""
    if os.environ.get("PYTEST_XDIST_WORKER", "gw0") == "gw0":
        return (yield)
    with unwatched():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Have coverage watch the first examples of a property, not all, and not what draws them."""
    given = getattr(getattr(item, "obj", None), "hypothesis", None)
    if given is None:
        return (yield)
    inner = given.inner_test
    with unwatched() as tracer:
        given.inner_test = watched(inner, tracer)
        try:
            return (yield)
        finally:
            given.inner_test = inner


@contextmanager
def unwatched() -> Iterator[Any]:
    """Take what watches this thread away, and yield it."""
    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        yield tracer
    finally:
        sys.settrace(tracer)


def watched(function: Callable[..., Any], tracer: Any) -> Callable[..., Any]:
    """Return a function whose first calls are watched."""
    left = iter(range(WATCHED_EXAMPLES))

    @wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        if next(left, None) is None:
            return function(*arguments, **named)
        sys.settrace(tracer)
        try:
            return function(*arguments, **named)
        finally:
            sys.settrace(None)

    return call


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with tests/golden/NAME, or rewrite it under --update-golden."""

    def compare(name: str, text: str) -> None:
        path = ROOT / "tests" / "golden" / name
        if request.config.getoption("--update-golden"):
            path.write_bytes(text.encode())
        assert path.read_bytes().decode() == text

    return compare


@pytest.fixture
def arrivals(request: pytest.FixtureRequest) -> list[Arrival]:
    """The arrivals written down in the test's docstring (see builders.arrivals_of)."""
    return arrivals_of(request.function.__doc__ or "")


@pytest.fixture
def events(tmp_path: Path) -> Iterator[EventStore]:
    """An event store of this test's own. chdb admits one open store per process."""
    store = EventStore.open(events_url(tmp_path / "events"), time.time_ns)
    yield store
    store.close()


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server of this run's own; a laptop without one skips, CI fails."""
    with private_postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty, migrated ledger, on both databases."""
    if request.param == "sqlite":
        engine = new_ledger(tmp_path / "ledger.db")
    else:
        engine = make_engine(migrated_database(request.getfixturevalue("postgres_url")))
    yield engine
    engine.dispose()


@dataclass
class Service:
    """A real `tallystick serve` in a process of its own."""

    address: str
    grpc_address: str
    data: Path
    process: Forked
    log: Path

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def start_service(data: Path, **environment: str) -> Service:
    """Start `tallystick serve` on a free port of loopback and wait until it answers."""
    port, grpc_port = free_ports(2)
    data.mkdir(parents=True, exist_ok=True)
    log = data / "service.log"
    log.touch()
    process = fork_command(
        ["serve", "--port", str(port), "--data", str(data)],
        {**os.environ, "TALLYSTICK_GRPC_PORT": str(grpc_port), **environment},
        log,
    )
    service = Service(f"http://127.0.0.1:{port}", f"127.0.0.1:{grpc_port}", data, process, log)
    give_up = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up:
        if process.poll() is not None:
            raise AssertionError(f"the service ended: {log.read_text()}")
        if is_up(port):
            return service
        time.sleep(0.05)
    service.kill()  # left alone, it would fail another test with a warning
    raise AssertionError(f"the service did not answer: {log.read_text()}")


def is_up(port: int) -> bool:
    """Whether a service answers on a port of loopback; asked at little cost, and often."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):  # nobody there, or nobody who speaks HTTP
        return False
    finally:
        connection.close()


def stop_service(service: Service) -> None:
    """Ask it to stop, and wait."""
    if service.process.poll() is None:
        service.process.terminate()
    service.process.wait(timeout=120)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service of this test's own."""
    running = start_service(tmp_path / "data")
    yield running
    stop_service(running)


@pytest.fixture(scope="module")
def shared_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service shared by the tests of one file; they must not depend on what it holds."""
    running = start_service(tmp_path_factory.mktemp("service"))
    yield running
    stop_service(running)
