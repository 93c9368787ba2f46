"""The OTLP receiver under attack, under keys and out of disk: it refuses, and stays up."""

import gzip
import json
import resource
import socket
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import calls
import httpx2
import pytest
import uvicorn
from builders import chat_span, traces
from conftest import ROOT, Service, start_service, stop_service
from fastapi import FastAPI
from google.rpc.status_pb2 import Status
from ports import free_port

from collector.batch.fast import FastDecoder
from collector.inflate import DEFAULT_LIMIT
from collector.receive import Limits, Receiver, Sinks
from collector.routes import routes
from metering.commit import GroupCommit
from metering.schema import Batch

MIB = 1024 * 1024
PROTOBUF = {"Content-Type": "application/x-protobuf"}
GZIP = {**PROTOBUF, "Content-Encoding": "gzip"}
LIMIT = 100_000


@pytest.fixture(scope="module")
def strict_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with an ingest key that takes small bodies only."""
    environment = {"TALLYSTICK_MAX_BODY_BYTES": str(LIMIT), "TALLYSTICK_INGEST_KEY": "right"}
    running = start_service(tmp_path_factory.mktemp("strict"), **environment)
    yield running
    stop_service(running)


def post(
    address: str, content: bytes | Iterator[bytes], headers: dict[str, str] | None = None
) -> httpx2.Response:
    return calls.post(
        f"{address}/v1/traces", content=content, headers={**PROTOBUF, **(headers or {})}, timeout=60
    )


def with_key(headers: dict[str, str] | None = None) -> dict[str, str]:
    return {"Authorization": "Bearer right", **(headers or {})}


def stored(service: Service) -> int:
    answer = calls.get(f"{service.address}/v1/usage", timeout=30)
    count: int = answer.json()["totals"]["requests"]
    return count


def bomb(mib: int) -> bytes:
    """Return one gzip member of so many MiB of zeros, about a thousandth as long."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    zeros = bytes(16 * MIB)
    first, again = (deflate.compress(zeros) + deflate.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return first + again * (mib // 16 - 1)


def resident_mib(service: Service) -> int:
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    [kib] = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")]
    return int(kib) // 1024


@contextmanager
def peak_of(service: Service) -> Iterator[Callable[[], int]]:
    """Watch the memory of a service, and tell the most it had, in MiB."""
    seen = [resident_mib(service)]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            seen.append(resident_mib(service))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield lambda: max(seen)
    finally:
        done.set()
        watcher.join()


def test_a_gzip_bomb_is_refused_fast_and_in_little_memory(shared_service: Service) -> None:
    body = bomb(1024)
    assert len(body) < 2 * MIB
    before = resident_mib(shared_service)
    with peak_of(shared_service) as peak:
        began = time.monotonic()
        answer = post(shared_service.address, body, GZIP)
        took = time.monotonic() - began

    assert answer.status_code == 413
    assert "at most 67108864 bytes when inflated" in Status.FromString(answer.content).message
    assert "retry-after" not in answer.headers
    assert took < 5
    assert peak() - before < 300
    assert post(shared_service.address, b"").status_code == 200


def test_a_body_of_many_empty_gzip_members_does_not_hold_the_service_up(
    shared_service: Service,
) -> None:
    body = gzip.compress(b"") * 150_000
    began = time.monotonic()
    answer = post(shared_service.address, body, GZIP)

    assert answer.status_code == 200
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("size", [LIMIT + 1, 20 * MIB])
def test_a_plain_body_over_the_limit_is_refused(strict_service: Service, size: int) -> None:
    answer = post(strict_service.address, bytes(size), with_key())

    assert answer.status_code == 413
    assert Status.FromString(answer.content).code == 8
    assert Status.FromString(answer.content).message == (
        f"the body must be at most {LIMIT} bytes when inflated, found more"
    )


def test_a_body_in_chunks_over_the_limit_is_refused_before_its_end(
    strict_service: Service,
) -> None:
    answer = post(strict_service.address, (bytes(10_000) for _ in range(5000)), with_key())

    assert answer.status_code == 413


def test_a_body_up_to_the_limit_is_taken_and_one_more_byte_is_not(strict_service: Service) -> None:
    fits = traces([chat_span(1)]).SerializeToString()
    padded = traces([chat_span(1)], padding="x" * (LIMIT - len(fits) - 20)).SerializeToString()
    padding = "x" * (LIMIT - len(padded) + LIMIT - len(fits) - 20)
    exact = traces([chat_span(1)], padding=padding).SerializeToString()

    assert len(exact) == LIMIT
    assert post(strict_service.address, exact, with_key()).status_code == 200
    assert post(strict_service.address, gzip.compress(exact), with_key(GZIP)).status_code == 200
    longer = traces([chat_span(1)], padding=f"{padding}x").SerializeToString()
    assert post(strict_service.address, longer, with_key()).status_code == 413
    assert post(strict_service.address, gzip.compress(longer), with_key(GZIP)).status_code == 413


@pytest.mark.parametrize(
    "sent", ["", "Bearer wrong", "Bearer", "Bearer right!", "Basic right", "right", "Bearer rïght"]
)
def test_a_request_without_the_right_key_is_refused_and_stores_nothing(
    strict_service: Service, sent: str
) -> None:
    before = stored(strict_service)
    body = traces([chat_span(1000 + zlib.crc32(sent.encode()))]).SerializeToString()
    key = {"Authorization": sent.encode("latin-1")} if sent else {}
    answer = calls.post(
        f"{strict_service.address}/v1/traces", content=body, headers={**PROTOBUF, **key}, timeout=60
    )

    assert answer.status_code == 401
    assert Status.FromString(answer.content).code == 16
    assert (
        "must carry the ingest key as a bearer token" in Status.FromString(answer.content).message
    )
    assert stored(strict_service) == before


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_a_request_with_the_right_key_is_taken(strict_service: Service, scheme: str) -> None:
    body = traces([chat_span(2)]).SerializeToString()
    answer = post(strict_service.address, body, {"Authorization": f"{scheme} right"})

    assert answer.status_code == 200


def test_a_full_disk_is_answered_503_and_the_resend_is_counted(shared_service: Service) -> None:
    """The kernel refuses every write of the service (RLIMIT_FSIZE 0), as on a full disk."""
    address, pid = shared_service.address, shared_service.process.pid
    body = traces([chat_span(3, gen_ai__response__model="late")]).SerializeToString()
    unlimited = resource.RLIM_INFINITY
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, unlimited))
    refused = [post(address, body) for _ in range(3)]
    malformed = post(address, b"\xff")
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (unlimited, unlimited))
    resent = post(address, body)

    assert {answer.status_code for answer in refused} == {503}
    assert {answer.headers["retry-after"] for answer in refused} <= {"0", "1"}
    assert malformed.status_code == 400
    assert resent.status_code == 200
    rows = calls.get(f"{address}/v1/usage", params={"by": "model"}, timeout=60).json()["rows"]
    assert [(r["requests"], r["input_tokens"]) for r in rows if r["model"] == "late"] == [(1, 10)]


@contextmanager
def receiver(commit: GroupCommit[Batch]) -> Iterator[str]:
    """Serve the collector's routes over a commit queue; yield the address."""
    app = FastAPI(telemetry={"tracing": False, "metrics": False, "logs": False})
    receiver = Receiver(
        Sinks(commit.submit, lambda _rejected: Future()),
        FastDecoder(seed=1),
        lambda _header: None,
        Limits(DEFAULT_LIMIT, time.time_ns),
    )
    app.include_router(routes(receiver))
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=30)
        commit.close()


def wait_until(is_so: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < give_up
        time.sleep(0.01)


@pytest.mark.parametrize("error", [OSError("disk full"), RuntimeError("boom"), KeyError("bug")])
def test_any_failure_of_the_store_is_a_503_that_clients_retry_soon(error: Exception) -> None:
    def fail(_batches: Sequence[Batch]) -> int:
        raise error

    with receiver(GroupCommit(fail)) as address:
        answer = post(address, traces([chat_span(1)]).SerializeToString())

    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) <= 1
    assert answer.headers["content-type"] == "application/x-protobuf"
    assert Status.FromString(answer.content).code == 14
    assert "send it again" in Status.FromString(answer.content).message
    assert str(error) not in Status.FromString(answer.content).message


def test_a_full_queue_is_a_503_and_nothing_is_acknowledged_before_it_is_stored() -> None:
    is_writing, may_write = threading.Event(), threading.Event()
    written: list[Batch] = []

    def slow(batches: Sequence[Batch]) -> int:
        is_writing.set()
        may_write.wait(timeout=30)
        written.extend(batches)
        return sum(map(len, batches))

    commit = GroupCommit(slow, max_rows=2)
    bodies = [traces([chat_span(number)]).SerializeToString() for number in range(1, 5)]
    with receiver(commit) as address, ThreadPoolExecutor() as pool:
        answers = [pool.submit(post, address, bodies[0])]
        wait_until(is_writing.is_set)
        answers += [pool.submit(post, address, body) for body in bodies[1:3]]
        wait_until(lambda: commit.rows_waiting == 2)
        early = [answer for answer in answers if answer.done()]
        refused = post(address, bodies[3])
        may_write.set()
        statuses = [answer.result().status_code for answer in answers]

    assert early == []
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) <= 1
    assert statuses == [200, 200, 200]
    assert sum(map(len, written)) == 3


SILENCE = """
import json, sys, httpx2
from fastapi import FastAPI
from fastapi.testclient import TestClient
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tallystick.server import BackgroundService
from tallystick.settings import Settings

exported = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exported))
trace.set_tracer_provider(provider)
settings = Settings(data=sys.argv[1], port=int(sys.argv[2]))
with BackgroundService(settings):
    answer = httpx2.post(settings.address + "/v1/traces", content=b"{}",
                         headers={"Content-Type": "application/json"}, timeout=60)
ours = len(exported.get_finished_spans())
TestClient(FastAPI()).get("/")
everybody = len(exported.get_finished_spans())
print(json.dumps([answer.status_code, ours, everybody]))
"""


def test_the_service_traces_no_request_that_it_receives(tmp_path: Path) -> None:
    """Another FastAPI in the same process does, so that the silence means something."""
    done = subprocess.run(
        [sys.executable, "-c", SILENCE, str(tmp_path / "data"), str(free_port())],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    status, ours, everybody = json.loads(done.stdout.splitlines()[-1])

    assert (status, ours) == (200, 0)
    assert everybody > 0


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/access-logs"])
def test_a_client_that_goes_away_is_no_failure_of_ours(strict_service: Service, path: str) -> None:
    host, port = strict_service.address.removeprefix("http://").split(":")
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer right\r\n"
    head += "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    with socket.create_connection((host, int(port))) as line:
        line.sendall(head.encode())
        time.sleep(0.1)
    assert calls.get(f"{strict_service.address}/healthz").json()["status"] == "ok"
    time.sleep(0.1)

    assert "ClientDisconnect" not in strict_service.log.read_text()
