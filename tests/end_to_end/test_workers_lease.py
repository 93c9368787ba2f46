"""Four processes on two stores: one worker ticks at a time, and another takes over when it dies."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import calls
import httpx2
import pytest
from builders import chat_span, traces
from clickhouse import any_clickhouse, fresh_events
from conftest import Service, start_service, stop_service
from ledgers import fresh_database
from sqlalchemy import Engine, create_engine, text

LEASE_SECONDS, SETTLE_SECONDS, REFRESH_SECONDS = 3, 2, 1
ROLES = {"collector": "collector", "one": "worker", "other": "worker", "api": "api"}


class Installation:
    """Processes of all roles on one PostgreSQL and one ClickHouse."""

    def __init__(self, folder: Path, ledger_url: str, events_url: str) -> None:
        self._shared = {
            "TALLYSTICK_LEDGER_URL": ledger_url,
            "TALLYSTICK_EVENTS_URL": events_url,
            "TALLYSTICK_LEASE_SECONDS": str(LEASE_SECONDS),
            "TALLYSTICK_SETTLE_SECONDS": str(SETTLE_SECONDS),
            "TALLYSTICK_REFRESH_SECONDS": str(REFRESH_SECONDS),
        }
        self._folder = folder
        self.ledger: Engine = create_engine(ledger_url.replace("://", "+psycopg://", 1))
        with ThreadPoolExecutor(len(ROLES)) as pool:
            self.services = dict(zip(ROLES, pool.map(self._start, ROLES), strict=True))

    def _start(self, name: str) -> Service:
        role = {"TALLYSTICK_ROLE": ROLES[name]}
        return start_service(self._folder / name, **self._shared, **role)

    def send(self, numbers: range) -> None:
        spans = [chat_span(n, tokens=n) for n in numbers]
        body = traces(spans, tenant__id="t-acme").SerializeToString()
        headers = {"Content-Type": "application/x-protobuf"}
        address = self.services["collector"].address
        answer = calls.post(f"{address}/v1/traces", content=body, headers=headers, timeout=30)
        assert answer.status_code == 200, answer.content

    def usage(self, **asked: str) -> dict[str, int]:
        address = self.services["api"].address
        found = calls.get(f"{address}/v1/usage", params=asked, timeout=30).json()
        return {name: found["totals"][name] for name in totals(range(0))}

    def holders(self) -> list[str]:
        """Return the workers that say that they hold the lease."""
        return [name for name in ("one", "other") if self.health(name).get("holds_lease")]

    def health(self, name: str) -> dict[str, Any]:
        try:
            answer = calls.get(f"{self.services[name].address}/healthz", timeout=10)
        except httpx2.HTTPError:
            return {}
        found: dict[str, Any] = answer.json()
        return found

    def fence(self) -> int:
        with self.ledger.connect() as connection:
            return int(connection.execute(text("SELECT fence FROM lease")).scalar_one())

    def cutoffs(self) -> list[int]:
        """Return the cutoffs of all closes, as they were written."""
        with self.ledger.connect() as connection:
            query = text("SELECT stored_before FROM close_run ORDER BY id")
            return [row[0] for row in connection.execute(query)]

    def stop(self) -> None:
        for service in self.services.values():
            stop_service(service)
        self.ledger.dispose()


@pytest.fixture(scope="module")
def installation(
    postgres_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("installation")
    with any_clickhouse(folder) as server:
        running = Installation(folder, fresh_database(postgres_url), fresh_events(server))
        yield running
        running.stop()


def wait_for(what: Callable[[], bool], seconds: float) -> float:
    """Wait until something is so, and return how long that took."""
    start = time.monotonic()
    while not what():
        assert time.monotonic() - start < seconds, "it did not come about in time"
        time.sleep(0.1)
    return time.monotonic() - start


def totals(numbers: range) -> dict[str, int]:
    """What one worker would make of the events sent."""
    count = len(numbers)
    return {"requests": count, "input_tokens": sum(numbers), "output_tokens": count}


def test_when_the_worker_that_ticks_is_killed_the_other_takes_over(
    installation: Installation,
) -> None:
    installation.send(range(1, 41))
    wait_for(lambda: installation.usage() == totals(range(1, 41)), 60)
    [holder] = installation.holders()
    fence = installation.fence()
    assert fence == 1

    installation.services[holder].kill()
    installation.send(range(41, 101))
    took = wait_for(lambda: installation.holders() not in ([], [holder]), 30)
    wait_for(lambda: installation.usage() == totals(range(1, 101)), 30)

    assert took < LEASE_SECONDS + LEASE_SECONDS / 3 + 2
    assert installation.holders() == [{"one": "other", "other": "one"}[holder]]
    assert installation.fence() == fence + 1
    cutoffs = installation.cutoffs()
    assert cutoffs == sorted(set(cutoffs))


def test_a_declaration_at_the_api_is_heeded_by_the_worker(installation: Installation) -> None:
    installation.send(range(1, 41))
    wait_for(lambda: installation.usage()["requests"] >= 40, 60)
    api = installation.services["api"].address
    declared = {
        "accounts": [{"id": "acme", "name": "Acme"}],
        "identities": [{"kind": "tenant", "value": "t-acme", "account": "acme"}],
    }
    answer = calls.post(f"{api}/v1/setup", json=declared, timeout=30)

    assert answer.is_success, answer.text
    wait_for(lambda: installation.usage(account="acme") == installation.usage(), 30)


@pytest.mark.parametrize(
    ("name", "method", "path", "wanted"),
    [
        ("api", "POST", "/v1/traces", "collector"),
        ("collector", "GET", "/v1/usage", "api"),
        ("collector", "POST", "/v1/setup", "api"),
        ("other", "GET", "/", "api"),
    ],
)
def test_what_another_role_serves_is_refused_with_its_name(
    installation: Installation, name: str, method: str, path: str, wanted: str
) -> None:
    if not installation.health(name):
        name = "one"
    answer = calls.request(method, installation.services[name].address + path, timeout=30)

    assert answer.status_code == 404
    assert answer.json()["error"] == (
        f"404: {path} must be asked of a service of role {wanted} or all, found role {ROLES[name]}"
    )


def test_health_names_the_role(installation: Installation) -> None:
    assert installation.health("api")["role"] == "api"
    assert installation.health("collector")["role"] == "collector"
    assert "holds_lease" not in installation.health("api")
