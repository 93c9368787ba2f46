"""A real OTLP receiver of logs, as small as can be, that answers what a test wants."""

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tallystick_otel.attempt import Attempt
from tallystick_otel.backlog import Line
from tallystick_otel.meter import Meter, Options, install
from tallystick_otel.otlp import Event, log_record, logs_request
from tallystick_otel.outbox import Producer

Record = dict[str, Any]


@dataclass
class Reply:
    """What the receiver answers to one request."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    closes: bool = False
    holds: "threading.Event | None" = None
    """Until this is set the body is held back, behind its headers."""


def accept(_: list[Record]) -> Reply:
    return Reply()


class Receiver:
    """What came in, and how it is answered."""

    def __init__(self) -> None:
        self.reply: Callable[[list[Record]], Reply] = accept
        self.requests: list[list[Record]] = []
        self.headers: list[dict[str, str]] = []
        self.accepted: list[Record] = []
        self.address = ""
        self.changed = threading.Condition()

    def take(self, body: bytes, headers: dict[str, str]) -> Reply:
        records = list(records_of(json.loads(body)))
        reply = self.reply(records)
        with self.changed:
            self.requests.append(records)
            self.headers.append(headers)
            if reply.status == 200:
                self.accepted.extend(records)
            self.changed.notify_all()
        return reply

    def wait_for(self, condition: Callable[["Receiver"], bool], seconds: float = 20) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: condition(self), seconds)

    @property
    def ids(self) -> set[str]:
        return {record["tallystick.event.id"] for record in self.accepted}

    @property
    def response_ids(self) -> set[str]:
        return {record["gen_ai.response.id"] for record in self.accepted}


def records_of(request: dict[str, Any]) -> Iterator[Record]:
    """Yield the attributes of each log record, with its scope, name and resource beside them."""
    for of_resource in request["resourceLogs"]:
        resource = attributes_of(of_resource["resource"])
        for of_scope in of_resource["scopeLogs"]:
            for record in of_scope["logRecords"]:
                yield {
                    **attributes_of(record),
                    "scope": of_scope["scope"]["name"],
                    "name": record["eventName"],
                    "time": int(record["timeUnixNano"]),
                    "trace": record.get("traceId"),
                    "resource": resource,
                }


def attributes_of(holder: dict[str, Any]) -> dict[str, Any]:
    return {pair["key"]: value_of(pair["value"]) for pair in holder["attributes"]}


def value_of(wrapped: dict[str, Any]) -> Any:
    for kind, value in wrapped.items():
        if kind == "arrayValue":
            return [value_of(item) for item in value["values"]]
        return int(value) if kind == "intValue" else value
    return None


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver on a free port of loopback."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            reply = receiver.take(body, {"path": self.path, **dict(self.headers)})
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            if reply.holds:
                reply.holds.wait(20)
            self.wfile.write(reply.body)
            self.close_connection = reply.closes

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # killed clients reset
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    receiver.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def metering(address: str, folder: Path, **options: Any) -> Iterator[Meter]:
    """Install a meter and close it."""
    meter = install(address, folder, resource={"service.name": "g"}, options=Options(**options))
    try:
        yield meter
    finally:
        meter.close(0)


def call(number: int) -> Attempt:
    """Build an attempt that can be told from others."""
    return Attempt(
        requested_model="qwen3",
        response_id=f"r{number}",
        input_tokens=number,
        output_tokens=1,
        status_code=200,
    )


def request_of(event: Event) -> bytes:
    """Return the request in which one event is sent, as the first of its producer."""
    scope, _, record = log_record(event).partition(b"\t")
    return logs_request([Line(1, 0, scope, record, 0)], Producer("p", {"service.name": "g"}))
