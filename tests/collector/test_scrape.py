"""Scraping real servers: whatever a target does, it is a state and a reading."""

import asyncio
import gzip
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest

from collector.workers.engine_tables import KNOWN
from collector.workers.scrape import Plan, Scraper, TargetState
from collector.workers.target_list import TargetList
from collector.workers.targets import Target
from metering.signal import Reading

PAGE = (Path(__file__).parents[1] / "payloads/prometheus/vllm-0.33.0.prom").read_bytes()
SGLANG = b'sglang:token_usage{tp_rank="0"} NaN\nsglang:num_running_reqs{tp_rank="0"} 3\n'
LIMIT = 200_000


class Worker(BaseHTTPRequestHandler):
    """A worker that answers by path, well and badly."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    closing = threading.Event()

    def do_GET(self) -> None:
        """Answer as the path says."""
        answers: dict[str, Callable[[], None]] = {
            "/metrics": lambda: self.answer(PAGE),
            "/nan": lambda: self.answer(SGLANG),
            "/gzip": lambda: self.answer(gzip.compress(PAGE), encoding="gzip"),
            "/bomb": lambda: self.answer(gzip.compress(b"#" * LIMIT * 2), encoding="gzip"),
            "/torn": lambda: self.answer(gzip.compress(PAGE)[:-9], encoding="gzip"),
            "/odd": lambda: self.answer(PAGE, encoding="br"),
            "/huge": lambda: self.answer(b"#" * (LIMIT + 1)),
            "/html": lambda: self.answer(b"<html>\n<body>hello</body>"),
            "/empty": lambda: self.answer(b""),
            "/half": lambda: self.answer(b"vllm:num_requests_running 3\nvllm:num_requests_wai"),
            "/moved": lambda: self.answer(b"", status=302),
            "/sick": lambda: self.answer(PAGE, status=500),
            "/slow": self.drip,
        }
        answers[self.path]()

    def answer(self, body: bytes, *, status: int = 200, encoding: str = "") -> None:
        """Send a whole answer."""
        self.send_response(status)
        self.send_header("Location", "/metrics")
        if encoding:
            self.send_header("Content-Encoding", encoding)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def drip(self) -> None:
        """Send a byte at a time, so that no single wait is long."""
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        try:
            while not self.closing.wait(0.02):
                self.wfile.write(b"#")
        except OSError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def worker() -> Iterator[str]:
    """The address of a worker of this file's own."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Worker)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    Worker.closing.set()
    server.shutdown()
    server.server_close()
    thread.join()


class Kept:
    """A store that keeps readings in memory."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []

    def submit(self, readings: Sequence[Reading]) -> "Future[int]":
        """Keep them at once."""
        self.readings += readings
        done: Future[int] = Future()
        done.set_result(len(readings))
        return done


def scraper(kept: Kept, targets: str = "", interval: float = 0.3) -> Scraper:
    plan = Plan(targets, interval=interval, limit=LIMIT, reload=0.01)
    return Scraper(plan, KNOWN, kept.submit, time.time_ns)


def scraped(*targets: Target) -> tuple[TargetState, list[Reading]]:
    """Scrape targets one after the other; return the last state and all readings."""
    kept = Kept()
    one = scraper(kept)

    async def run() -> None:
        async with httpx2.AsyncClient(trust_env=False) as client:
            for target in targets:
                await one.scrape(client, target)

    asyncio.run(run())
    return one.states[-1], kept.readings


def at(worker: str, path: str, deadline: float = 5.0) -> Target:
    return Target(worker, f"http://{worker}{path}", {"pool": "p", "slots": "6"}, deadline=deadline)


def test_a_page_becomes_readings_with_a_load(worker: str) -> None:
    state, readings = scraped(at(worker, "/metrics"))
    told = {r.signal: r for r in readings if r.origin.engine in {"", "1"}}

    assert (state.ok, state.error, state.failures, state.broken_lines) == (True, "", 0, 0)
    assert (state.systems, state.readings) == (("vllm",), len(readings))
    assert state.unknown_series > 10
    assert state.ok_ns == state.scraped_ns > 0
    assert told["up"].value == 1.0
    assert told["load"].value == 1.0
    assert told["slots"].value == 6.0
    assert {(r.origin.target, r.origin.pool) for r in readings} == {(worker, "p")}
    assert {r.at_ns for r in readings} == {state.scraped_ns}


def test_a_compressed_page_is_the_same_page(worker: str) -> None:
    plain, packed = (scraped(at(worker, path))[1] for path in ("/metrics", "/gzip"))

    assert [(r.signal, r.value) for r in plain] == [(r.signal, r.value) for r in packed]


def test_what_is_no_number_is_no_reading(worker: str) -> None:
    _, readings = scraped(at(worker, "/nan"))

    assert {r.signal for r in readings} == {"requests_running", "slots", "load", "up"}


def test_a_torn_page_keeps_what_came(worker: str) -> None:
    state, readings = scraped(at(worker, "/half"))

    assert (state.ok, state.broken_lines) == (True, 1)
    assert "requests_running" in {r.signal for r in readings}


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/slow", "must answer within 0.2 s"),
        ("/moved", "must answer 200, found 302"),
        ("/sick", "must answer 200, found 500"),
        ("/huge", "at most 200000 bytes"),
        ("/bomb", "at most 200000 bytes"),
        ("/torn", "must be valid gzip"),
        ("/odd", "Content-Encoding must be"),
        ("/html", "must hold metrics, found line 1: a sample must be"),
        ("/empty", "must hold metrics, found an empty page"),
    ],
)
def test_a_bad_answer_is_a_target_that_is_down(worker: str, path: str, why: str) -> None:
    state, readings = scraped(at(worker, path, deadline=0.2 if path == "/slow" else 5.0))

    assert (state.ok, state.failures, state.ok_ns) == (False, 1, 0)
    assert why in state.error
    assert [(r.signal, r.value, r.origin.pool) for r in readings] == [("up", 0.0, "p")]
    assert state.seconds < 3


def test_a_dead_target_counts_its_failures_and_its_return_ends_them(worker: str) -> None:
    dead = Target(worker, "http://127.0.0.1:1/metrics")
    down, _ = scraped(dead, dead)
    up, readings = scraped(dead, at(worker, "/metrics"))

    assert (down.ok, down.failures) == (False, 2)
    assert down.error
    assert (up.ok, up.failures, up.error) == (True, 0, "")
    ups = [r for r in readings if r.signal == "up"]
    assert [r.value for r in ups] == [0.0, 1.0]
    assert (
        len({r.origin.system for r in ups}) == 1
    )  # one series, whatever the page turned out to be


def test_a_machine_without_gpus_says_so() -> None:
    state, readings = scraped(Target("nvml"))

    assert state.ok or "NVIDIA's driver" in state.error
    assert [r.value for r in readings if r.signal == "up"] == [float(bool(state.ok))]


def test_readings_that_cannot_be_stored_do_not_end_the_scraping(worker: str) -> None:
    def refuse(_readings: Sequence[Reading]) -> "Future[int]":
        raise RuntimeError("the disk is full")

    one = Scraper(Plan(""), KNOWN, refuse, time.time_ns)

    async def run() -> None:
        async with httpx2.AsyncClient(trust_env=False) as client:
            await one.scrape(client, at(worker, "/metrics"))

    asyncio.run(run())

    assert one.states[0].ok


def running(one: Scraper, until: Sequence[Callable[[], bool]], then: Callable[[], None]) -> None:
    """Run a scraper until each condition came true in turn, ``then`` in between; then stop it."""

    async def run() -> None:
        task = asyncio.create_task(one.run())
        async with asyncio.timeout(60):
            for condition in until:
                while not condition():  # noqa: ASYNC110 - what scraped threads do sets no event
                    await asyncio.sleep(0.005)
                then()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        left = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        assert left == []

    asyncio.run(run())


def test_every_target_is_scraped_again_and_again_and_stopping_ends_all(worker: str) -> None:
    kept = Kept()
    one = scraper(kept, f"{worker}, 127.0.0.1:1")

    def ups(value: float) -> int:
        return sum(r.signal == "up" and r.value == value for r in kept.readings)

    running(one, [lambda: ups(1.0) >= 3 and ups(0.0) >= 3], lambda: None)

    assert {s.target.address: s.ok for s in one.states} == {worker: True, "127.0.0.1:1": False}
    assert next(s for s in one.states if not s.ok).failures >= 3


def test_a_changed_file_is_followed_and_a_broken_one_is_not(worker: str, tmp_path: Path) -> None:
    file = tmp_path / "targets.yaml"
    first = f"[{{targets: ['{worker}'], labels: {{pool: a}}}}]"
    file.write_text(first)
    texts = iter(["[{targets", first, first.replace("pool: a", "pool: b"), "[]"])
    kept = Kept()
    one = scraper(kept, str(file))
    stages = [
        lambda: bool(one.states) and one.states[0].ok is True,
        lambda: "found" in one.targets.error and len(one.states) == 1,
        lambda: one.targets.error == "",
        lambda: any(r.signal == "pool_load" and r.origin.pool == "b" for r in kept.readings),
    ]

    running(one, [*stages, lambda: one.states == []], lambda: file.write_text(next(texts, "[]")))

    assert {r.origin.pool for r in kept.readings} == {"a", "b"}


def test_a_file_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    listed = TargetList(str(tmp_path / "none.json"), 15.0)

    assert [listed.changed(), listed.changed()] == [None, None]
    assert "No such file" in listed.error


def test_a_list_is_new_once(tmp_path: Path) -> None:
    file = tmp_path / "targets.json"
    file.write_text('[{"targets": ["a:1"]}]')
    listed = TargetList(str(file), 15.0)

    assert [t.address for t in listed.changed() or ()] == ["a:1"]
    assert listed.changed() is None
    assert TargetList("a:1,b:2", 15.0).changed() is not None
