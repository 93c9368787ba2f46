"""The service is killed with -9 in mid-ingest; what it acknowledged is there, once."""

import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from builders import chat_span, traces
from conftest import Service, start_service, stop_service

from metering.event import span_identity
from metering.event_store import EventStore

SPANS_PER_BODY = 40
SENDERS = 3


class Sender(threading.Thread):
    """Sends bodies of new spans until it is told to stop; resends what was not acknowledged."""

    def __init__(self, number: int) -> None:
        super().__init__(daemon=True)
        self.next_span = number * 1_000_000 + 1
        self.address = ""
        self.acknowledged: set[int] = set()
        self.unanswered: list[range] = []
        self.stopping = threading.Event()

    def run(self) -> None:
        while not self.stopping.is_set():
            address = self.address
            if address:
                self._send(address)

    def _send(self, address: str) -> None:
        again = bool(self.unanswered) and self.next_span % 2 == 1
        numbers = self.unanswered.pop() if again else self._fresh()
        spans = [chat_span(n, tokens=n % 97) for n in numbers]
        headers = {"Content-Type": "application/x-protobuf"}
        body = traces(spans).SerializeToString()
        try:
            answer = httpx2.post(f"{address}/v1/traces", content=body, headers=headers, timeout=10)
        except httpx2.HTTPError:
            self.unanswered.append(numbers)
            time.sleep(0.01)
            return
        assert answer.status_code == 200, answer.content
        self.acknowledged.update(numbers)

    def _fresh(self) -> range:
        start, self.next_span = self.next_span, self.next_span + SPANS_PER_BODY + 1
        return range(start, start + SPANS_PER_BODY)


def lives(data: Path, senders: list[Sender], kills: int) -> Iterator[Service]:
    """Start the service once more than it is killed, on the same stores."""
    for _ in range(kills + 1):
        service = start_service(data)
        for sender in senders:
            sender.address = service.address
        yield service


@pytest.mark.parametrize("kills", [10, pytest.param(100, marks=pytest.mark.slow)])
def test_every_acknowledged_event_survives_kills_exactly_once(tmp_path: Path, kills: int) -> None:
    rng = random.Random(7)
    senders = [Sender(n) for n in range(1, SENDERS + 1)]
    for sender in senders:
        sender.start()
    for killed, service in enumerate(lives(tmp_path / "data", senders, kills)):
        if killed == kills:
            break
        before = sum(len(s.acknowledged) for s in senders)
        while sum(len(s.acknowledged) for s in senders) == before:
            time.sleep(0.01)
        time.sleep(rng.uniform(0.05, 0.6))
        service.kill()
    for sender in senders:
        sender.stopping.set()
    for sender in senders:
        sender.join(20)
    usage = httpx2.get(f"{service.address}/v1/usage", timeout=60).json()
    stop_service(service)

    acknowledged = {n for s in senders for n in s.acknowledged}
    store = EventStore.open(f"chdb://{tmp_path / 'data' / 'events'}", time.time_ns)
    identities = {n: span_identity(n.to_bytes(16), n.to_bytes(8)) for n in acknowledged}
    stored = store.has(list(identities.values()))
    count = store.count()
    store.close()

    assert len(acknowledged) > kills * SPANS_PER_BODY
    assert stored == set(identities.values())
    assert usage["totals"]["requests"] == count
    assert usage["totals"]["requests"] >= len(acknowledged)
