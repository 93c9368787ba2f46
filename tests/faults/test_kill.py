"""The service is killed with -9 while it receives and closes: what it acknowledged counts once."""

import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import calls
import httpx2
import pytest
from builders import chat_span, traces
from conftest import Service, start_service, stop_service

from metering.event import span_identity
from metering.event_store import EventStore
from metering.identity import FOR_EVER
from metering.period import Period, parse_instant
from metering.store import MeterStore
from tallystick.database import open_ledger

SPANS_PER_BODY = 40
SENDERS = 3
ALWAYS = Period(parse_instant("1970-01-01T00:00:00Z"), FOR_EVER)


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
            answer = calls.post(f"{address}/v1/traces", content=body, headers=headers, timeout=10)
        except httpx2.HTTPError:
            self.unanswered.append(numbers)
            time.sleep(0.01)
            return
        assert answer.status_code == 200, answer.content
        self.acknowledged.update(numbers)

    def _fresh(self) -> range:
        start, self.next_span = self.next_span, self.next_span + SPANS_PER_BODY + 1
        return range(start, start + SPANS_PER_BODY)


class Closer(threading.Thread):
    """Asks for usage without a pause, so that hours are being closed when the kill comes."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.address = ""
        self.closed = 0
        self.shrunk: list[tuple[int, int]] = []
        self.newest = 0
        self.stopping = threading.Event()

    def run(self) -> None:
        while not self.stopping.is_set():
            address = self.address
            try:
                requests = requests_at(address) if address else 0
            except httpx2.HTTPError:
                time.sleep(0.01)
                continue
            self.closed += 1
            if requests < self.newest and address == self.address:
                self.shrunk.append((self.newest, requests))
            self.newest = max(requests, self.newest)


def requests_at(address: str) -> int:
    usage = calls.get(f"{address}/v1/usage", timeout=60).json()
    return int(usage["totals"]["requests"])


def lives(data: Path, clients: list[Sender | Closer], kills: int) -> Iterator[Service]:
    """Start the service once more than it is killed, on the same stores."""
    for _ in range(kills + 1):
        service = start_service(data)
        for client in clients:
            client.address = service.address
        yield service


@pytest.mark.parametrize("kills", [2, pytest.param(100, marks=pytest.mark.slow)])
def test_every_acknowledged_event_survives_kills_and_counts_once(
    tmp_path: Path, kills: int
) -> None:
    rng = random.Random(7)
    senders, closer = [Sender(n) for n in range(1, SENDERS + 1)], Closer()
    clients: list[Sender | Closer] = [*senders, closer]
    for client in clients:
        client.start()
    for killed, service in enumerate(lives(tmp_path / "data", clients, kills)):
        if killed == kills:
            break
        before, closed = sum(len(s.acknowledged) for s in senders), closer.closed
        while sum(len(s.acknowledged) for s in senders) == before or closer.closed == closed:
            time.sleep(0.01)
        time.sleep(rng.uniform(0.05, 0.6))
        service.kill()
    for client in clients:
        client.stopping.set()
    for client in clients:
        client.join(60)
    requests = requests_at(service.address)
    stop_service(service)

    acknowledged = {n for s in senders for n in s.acknowledged}
    store = EventStore.open(f"chdb://{tmp_path / 'data' / 'events'}", time.time_ns)
    identities = {n: span_identity(n.to_bytes(16), n.to_bytes(8)) for n in acknowledged}
    stored = store.has(list(identities.values()))
    count = store.count()
    store.close()
    engine = open_ledger(f"sqlite:///{tmp_path / 'data' / 'ledger.db'}")
    rows = MeterStore(engine).usage(ALWAYS)
    engine.dispose()

    assert len(acknowledged) > kills * SPANS_PER_BODY
    assert stored == set(identities.values())
    assert requests == count >= len(acknowledged)
    assert sum(row.quantity for row in rows if row.key.meter == "requests") == count
    assert len({row.key for row in rows}) == len(rows)
    assert closer.closed >= kills
    assert closer.shrunk == []
