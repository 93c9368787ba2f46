"""What metering costs the thread that is metered: microseconds per event, recording included.

A receiver in a process of its own takes the events meanwhile, so that delivery runs as it would.
"""

import json
import multiprocessing
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path

RUNS = 5
EVENTS = 20_000
PACED_EVENTS = 2_000
PACE_SECONDS = 0.001
PLUGIN = Path(__file__).parents[1] / "collector" / "plugin"


def main() -> None:
    """Print one JSON object with the machine and the figures."""
    sys.path.insert(0, str(PLUGIN))
    from tallystick_otel.attempt import Attempt  # noqa: PLC0415 - the plugin is not installed here
    from tallystick_otel.meter import install  # noqa: PLC0415 - as above

    near, far = multiprocessing.get_context("spawn").Pipe()
    receiver = multiprocessing.get_context("spawn").Process(target=_receive, args=(far,))
    receiver.start()
    with tempfile.TemporaryDirectory() as folder:
        meter = install(f"http://127.0.0.1:{near.recv()}", folder)

        def record() -> None:
            meter.record(_attempt(Attempt))

        runs = []
        for _ in range(RUNS):
            runs.append(_burst(record))
            meter.flush(60)
        paced = _paced(record)
        meter.flush(60)
        counts = {n: getattr(meter, n) for n in ("recorded", "delivered", "dropped", "errors")}
        meter.close()
    receiver.terminate()
    receiver.join()
    report = {
        "machine": {"cpu": platform.processor() or platform.machine(), "python": sys.version},
        "events": EVENTS,
        "microseconds_per_event": _median(own for _, own in runs),
        "microseconds_by_the_clock": _median(clock for clock, _ in runs),
        "runs": [[round(clock, 2), round(own, 2)] for clock, own in runs],
        "paced_microseconds": {
            "p50": round(statistics.median(paced), 2),
            "p99": round(statistics.quantiles(paced, n=100)[98], 2),
        },
        "counts": counts,
    }
    sys.stdout.write(json.dumps(report, indent=1) + "\n")


def _median(costs: Iterable[float]) -> float:
    return round(statistics.median(costs), 2)


def _burst(record: Callable[[], None]) -> tuple[float, float]:
    """Return microseconds per event: of the clock, and of the thread's own processor time."""
    clock, own = time.perf_counter_ns(), time.thread_time_ns()
    for _ in range(EVENTS):
        record()
    passed = time.perf_counter_ns() - clock, time.thread_time_ns() - own
    return passed[0] / EVENTS / 1000, passed[1] / EVENTS / 1000


def _paced(record: Callable[[], None]) -> list[float]:
    """Return what single events cost where a thousand come in a second, with cold caches."""
    costs = []
    for _ in range(PACED_EVENTS):
        time.sleep(PACE_SECONDS)
        began = time.perf_counter_ns()
        record()
        costs.append((time.perf_counter_ns() - began) / 1000)
    return costs


def _attempt(attempt_type: Callable[..., object]) -> object:
    """Build what a gateway knows of a streamed chat; building it is part of the cost."""
    return attempt_type(
        provider="openai",
        requested_model="qwen3-32b",
        model="qwen3-32b",
        response_id="chatcmpl-0123456789abcdef",
        request_id="0b6ee2b5-9d0e-4cde-8ac8-0ca7ce0f4d8b",
        resends=0,
        stream=True,
        input_tokens=2048,
        output_tokens=120,
        cached_tokens=1536,
        reasoning_tokens=30,
        status_code=200,
        finish_reasons=["stop"],
        ttft_seconds=0.123,
        duration_ns=1_234_567_890,
        about={"tenant.id": "acme", "api_key.id": "k1", "tallystick.pool": "shared"},
    )


class _Handler(BaseHTTPRequestHandler):
    """Takes everything and keeps nothing."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def _receive(tell: Connection) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    tell.send(server.server_port)
    server.serve_forever()


if __name__ == "__main__":
    main()
