"""A backup taken while telemetry arrives holds all that was acknowledged before it began."""

import subprocess
import threading
from pathlib import Path

import calls
import pytest
from builders import chat_span, traces
from conftest import Service, start_service, stop_service
from forking import run_command

HEADERS = {"Content-Type": "application/x-protobuf"}
SPANS = 20


class Traffic(threading.Thread):
    """Sends new spans until it is told to stop."""

    def __init__(self, service: Service) -> None:
        super().__init__(daemon=True)
        self.address = service.address
        self.acknowledged = 0
        self.stopping = threading.Event()

    def run(self) -> None:
        while not self.stopping.is_set():
            first = self.acknowledged + 1
            content = traces([chat_span(n) for n in range(first, first + SPANS)])
            body = content.SerializeToString()
            answer = calls.post(
                f"{self.address}/v1/traces", content=body, headers=HEADERS, timeout=60
            )
            assert answer.status_code == 200
            self.acknowledged += SPANS


def command(*words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return run_command(*words, TALLYSTICK_GRPC_PORT="0", **environment)


def requests(service: Service) -> int:
    usage = calls.get(f"{service.address}/v1/usage", timeout=60).json()
    return int(usage["totals"]["requests"])


@pytest.mark.slow
def test_a_backup_under_load_comes_back_with_all_that_was_acknowledged(tmp_path: Path) -> None:
    backups = tmp_path / "backups"
    service = start_service(tmp_path / "data", TALLYSTICK_BACKUPS=str(backups))
    traffic = Traffic(service)
    traffic.start()
    while traffic.acknowledged < 10 * SPANS:
        traffic.join(0.01)
    before = traffic.acknowledged
    made = command("backup", "monday", "--url", service.address)
    again = command("backup", "monday", "--url", service.address)
    outside = command("backup", "../monday", "--url", service.address)
    traffic.stopping.set()
    traffic.join(30)
    service.kill()
    restored = command("restore", str(backups / "monday"), "--data", str(tmp_path / "other"))
    other = start_service(tmp_path / "other")
    counted = requests(other)
    stop_service(other)

    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout.startswith(f"{backups / 'monday'}: ")
    assert "must be a new one, found" in again.stderr
    assert "must be below TALLYSTICK_BACKUPS" in outside.stderr
    assert (restored.returncode, restored.stderr) == (0, "")
    assert restored.stdout.endswith("ledger rows; start the service\n")
    assert before <= counted <= traffic.acknowledged
    assert counted % SPANS == 0
