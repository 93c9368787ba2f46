"""A full or read-only disk: nothing is taken, nothing is lost, and it ends by itself."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import calls
import httpx2
import pytest
from builders import chat_span, traces
from conftest import Service, start_service, stop_service
from disks import fail, failing_disk, fill, mounted, remount, small_disk

from metering.event_store import EventStore
from metering.keeping.parts_store import ReadOnlyError
from tallystick.database import LedgerUnavailableError
from tallystick.settings import Settings
from tallystick.wiring import assemble

MIB = 1024**2
DISK = 96
WARN_BELOW = 16
HEADERS = {"Content-Type": "application/x-protobuf"}


@pytest.fixture
def service_on_disk(tmp_path: Path) -> Iterator[Service]:
    """A service whose stores lie on a disk of their own."""
    with small_disk(tmp_path / "disk", DISK) as disk:
        running = start_service(
            disk,
            TALLYSTICK_MIN_FREE_BYTES=str(WARN_BELOW * MIB),
            TALLYSTICK_REFRESH_SECONDS="1",
        )
        yield running
        stop_service(running)


def send(service: Service, number: int, spans: int = 10) -> httpx2.Response:
    """Send spans that are numbered on from one of their own."""
    body = traces([chat_span(n + 1) for n in range(number, number + spans)]).SerializeToString()
    return calls.post(f"{service.address}/v1/traces", content=body, headers=HEADERS, timeout=30)


def health(service: Service) -> Any:
    return calls.get(f"{service.address}/healthz", timeout=30).json()


def requests(service: Service) -> int:
    found = calls.get(f"{service.address}/v1/usage", timeout=60).json()
    return int(found["totals"]["requests"])


def logged(service: Service, event: str) -> list[Any]:
    lines = [line for line in service.log.read_text().splitlines() if line.startswith("{")]
    return [said for line in lines if (said := json.loads(line)).get("event") == event]


def test_a_disk_that_fills_up_is_told_of_then_nothing_is_taken_then_all_goes_on(
    service_on_disk: Service,
) -> None:
    service, disk = service_on_disk, service_on_disk.data
    assert send(service, 0).status_code == 200
    assert health(service)["status"] == "ok"

    ballast = fill(disk, leave=10 * MIB)
    low = health(service)
    taken_while_low = send(service, 100)
    fill(disk, leave=3 * MIB)
    refused = [send(service, 200) for _ in range(20)]
    full = health(service)
    counted_while_full = requests(service)
    ballast.unlink()
    again = send(service, 200)

    assert low["status"] == "degraded"
    assert "nothing is taken below 4194304" in low["wrong"][0]
    assert taken_while_low.status_code == 200
    assert {(r.status_code, r.headers["Retry-After"]) for r in refused} == {(503, "1")}
    assert b"the disk of the stores must have 16777216 bytes free, found " in refused[0].content
    assert full["wrong"][0].endswith("nothing is taken until 8388608 are free")
    assert counted_while_full == 20
    assert again.status_code == 200
    assert health(service)["status"] == "ok"
    assert requests(service) == 30
    assert len(logged(service, "receive_failed")) == 1
    assert [said["refused"] for said in logged(service, "receiving_again")] == [20]
    assert [s["space"] for s in logged(service, "disk_room")] == ["low", "full", "plenty"]


@pytest.mark.slow
def test_a_disk_that_is_full_to_the_last_byte_loses_nothing_and_breaks_nothing(
    tmp_path: Path,
) -> None:
    bodies, spans = range(0, 32_000, 8_000), 8_000
    with small_disk(tmp_path / "disk", DISK) as disk:
        settings = {"TALLYSTICK_MIN_FREE_BYTES": str(MIB)}  # the smallest: bodies are larger
        service = start_service(disk, **settings)
        ballast = fill(disk, leave=int(0.7 * MIB))
        statuses = [send(service, body, spans).status_code for body in bodies]
        service.kill()
        ballast.unlink()
        service = start_service(disk, **settings)
        counted = requests(service)
        again = {send(service, body, spans).status_code for body in bodies}
        counted_again = requests(service)
        stop_service(service)

    assert set(statuses) <= {200, 503}
    assert statuses[-1] == 503
    assert counted == spans * statuses.count(200)
    assert again == {200}
    assert counted_again == spans * len(bodies)


@pytest.mark.slow
def test_a_disk_that_fails_and_turns_read_only_takes_nothing_and_loses_nothing(
    tmp_path: Path,
) -> None:
    image, mount = tmp_path / "disk.img", tmp_path / "disk"
    with failing_disk(mount, image, DISK) as disk:
        service = start_service(disk, TALLYSTICK_MIN_FREE_BYTES=str(MIB))
        assert send(service, 0).status_code == 200
        assert requests(service) == 10
        fail(disk)
        refused = [send(service, 100) for _ in range(5)]
        found = health(service)
        service.kill()
    with mounted(mount, image) as disk:
        service = start_service(disk, TALLYSTICK_MIN_FREE_BYTES=str(MIB))
        counted = requests(service)
        again = send(service, 100)
        counted_again = requests(service)
        well = health(service)
        stop_service(service)

    assert {(r.status_code, r.headers["Retry-After"]) for r in refused} == {(503, "1")}
    assert found["status"] in {"degraded", "failing"}
    assert any("must write what it is sent" in s or "read-only" in s for s in found["wrong"])
    assert (counted, again.status_code, counted_again) == (10, 200, 20)
    assert (well["status"], well["wrong"]) == ("ok", [])


def test_stores_on_a_read_only_disk_are_refused_at_the_start_in_one_sentence(
    tmp_path: Path,
) -> None:
    with small_disk(tmp_path / "disk", DISK) as disk:
        settings = Settings(data=disk, events_url="", ledger_url="")
        assemble(settings).close()
        remount(disk, "ro")
        with pytest.raises(ReadOnlyError, match="must be writable, found it read-only"):
            EventStore.open(settings.events, time.time_ns)
        with pytest.raises(LedgerUnavailableError, match="must be there, found: "):
            assemble(settings)
        remount(disk, "rw")
        assemble(settings).close()
