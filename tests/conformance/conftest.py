"""The receiver under test: ours, started here, or any other that the command line names.

pytest tests/conformance --address http://host:4318 --grpc-address host:4317 --token SECRET
"""

import socket
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

Endpoints = tuple[str, str, int]
"""Where it takes HTTP and gRPC, and its process: 0 for one that is not ours to disturb."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("the OTLP receiver under test; without --address our own is started")
    group.addoption("--address", help="where it takes OTLP over HTTP, as in http://host:4318")
    group.addoption("--grpc-address", help="where it takes OTLP over gRPC, as in host:4317")
    group.addoption("--token", help="what it wants as a bearer token")


@pytest.fixture(scope="session")
def endpoints(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Endpoints]:
    address = pytestconfig.getoption("--address", default=None)
    if address:
        yield address.rstrip("/"), pytestconfig.getoption("--grpc-address", default=None) or "", 0
        return
    from conftest import start_service, stop_service  # noqa: PLC0415 - only where it is needed

    service = start_service(tmp_path_factory.mktemp("conformance"))
    yield service.address, service.grpc_address, service.process.pid
    stop_service(service)


@pytest.fixture(scope="session")
def address(endpoints: Endpoints) -> str:
    return endpoints[0]


@pytest.fixture(scope="session")
def grpc_address(endpoints: Endpoints) -> str:
    if not endpoints[1]:
        pytest.skip("no --grpc-address is given")
    return endpoints[1]


@pytest.fixture(scope="session")
def our_process(endpoints: Endpoints) -> int:
    if not endpoints[2]:
        pytest.skip("this looks behind the receiver, so it must be our own")
    return endpoints[2]


@pytest.fixture(scope="session")
def token(pytestconfig: pytest.Config) -> dict[str, str]:
    """The headers, or gRPC metadata, that carry the token."""
    given = pytestconfig.getoption("--token", default=None)
    return {"authorization": f"Bearer {given}"} if given else {}


@pytest.fixture(scope="session")
def post(address: str, token: dict[str, str]) -> Iterator[Callable[..., httpx2.Response]]:
    """Send a body: ``post(signal.path, kind, body, Content_Encoding="gzip")``."""
    with httpx2.Client(timeout=60) as client:

        def send(path: str, kind: str, body: Any, **headers: str) -> httpx2.Response:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            sent = {"Content-Type": kind, **token, **named}
            return client.post(address + path, content=body, headers=sent)

        yield send


@pytest.fixture
def connect(address: str) -> Iterator[Callable[[], socket.socket]]:
    """Open connections on which bytes go out as they are written."""
    opened: list[socket.socket] = []

    def connection() -> socket.socket:
        found = urlsplit(address)
        one = socket.create_connection((found.hostname or "", found.port or 80), timeout=30)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened.append(one)
        return one

    yield connection
    for one in opened:
        one.close()
