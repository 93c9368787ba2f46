"""Refreshes run one at a time, and a declaration waits for the one under way."""

import asyncio
import threading
from pathlib import Path

import httpx2

from tallystick.app import create_app
from tallystick.settings import Settings
from tallystick.wiring import Refreshing, assemble


def test_those_who_wait_share_one_run_that_began_after_they_came() -> None:
    refreshing = Refreshing()
    is_running, may_end = threading.Event(), threading.Event()
    runs: list[int] = []

    def slow() -> int:
        runs.append(1)
        is_running.set()
        may_end.wait(60)
        return 7

    first = threading.Thread(target=refreshing.run, args=(slow,))
    first.start()
    is_running.wait(60)
    others = [threading.Thread(target=refreshing.run, args=(slow,)) for _ in range(20)]
    for other in others:
        other.start()
    while sum(t.is_alive() for t in others) < 20:
        pass
    may_end.set()
    for thread in [first, *others]:
        thread.join(60)

    assert 2 <= len(runs) <= 3


def test_one_after_another_each_runs() -> None:
    refreshing = Refreshing()

    assert [refreshing.run(lambda: 3) for _ in range(3)] == [3, 3, 3]


def test_a_run_that_failed_is_not_shared() -> None:
    refreshing = Refreshing()

    def broken() -> int:
        raise OSError("disk full")

    for _ in range(2):
        try:
            refreshing.run(broken)
        except OSError:
            continue
        raise AssertionError("the failure must be heard")
    assert refreshing.run(lambda: 1) == 1


def test_a_declaration_waits_for_the_refresh_that_read_the_old_bindings(tmp_path: Path) -> None:
    parts = assemble(Settings(data=tmp_path))
    transport = httpx2.ASGITransport(app=create_app(parts))
    body = {"accounts": [{"id": "acme", "name": "Acme"}]}
    answers: list[int] = []

    async def declare() -> None:
        async with httpx2.AsyncClient(transport=transport, base_url="http://local") as client:
            answers.append((await client.post("/v1/setup", json=body)).status_code)

    declaring = threading.Thread(target=asyncio.run, args=(declare(),))
    with parts.refreshing.lock:
        declaring.start()
        declaring.join(1.0)
        is_waiting, stored = declaring.is_alive(), parts.meter.accounts()
    declaring.join(60)

    assert (is_waiting, stored) == (True, [])
    assert (answers, [a.id for a in parts.meter.accounts()]) == ([200], ["acme"])
    parts.close()
