"""The routes about resources, over a real ledger and a clock that stands still."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from builders import hour
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from ledgers import new_ledger

from metering.interval import Resource
from metering.period import NaiveTimeError, PeriodError
from metering.resources.asked import TooLongError, asked_period
from metering.resources.inventory_store import InventoryStore
from metering.resources.routes import Stores, routes
from metering.resources.schedule_store import ScheduleStore
from metering.resources.store import ResourceStore
from metering.store import Account, MeterStore

NOW = hour("2026-10-02T12")
N1 = "/v1/resources/n1"

Ask = Callable[..., Any]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Ask the routes; a refusal is its sentence."""
    engine = new_ledger(tmp_path / "ledger.db")
    meter = MeterStore(engine)
    meter.put_accounts([Account("acme", "Acme"), Account("borealis", "Borealis")])
    meter.put_resources(
        [
            Resource("n1", "acme", "cn-hangzhou", "gu20", heartbeat_seconds=60),
            Resource("n2", "borealis", "cn-hangzhou", "gu20"),
        ]
    )
    app = FastAPI()
    stores = Stores(
        ResourceStore(engine), ScheduleStore(engine), InventoryStore(engine, ["cn-hangzhou"])
    )
    app.include_router(routes(stores, lambda: NOW))
    for kind in (LookupError, ValueError, RequestValidationError):
        app.add_exception_handler(kind, refused)

    def answer(method: str, path: str, body: Any = None, **params: str) -> Any:
        return asyncio.run(answered(app, method, path, (body, params)))

    return answer


async def answered(app: FastAPI, method: str, path: str, said: tuple[Any, dict[str, str]]) -> Any:
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://here") as client:
        found = await client.request(method, path, json=said[0], params=said[1])
        return found.json()


async def refused(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse(str(error), 422)


def test_one_state_or_many_are_told_and_read_back(ask: Ask) -> None:
    first = {"state": "running", "at": "2026-10-02T10:30:00+00:00", "evidence": "console"}
    second = {"state": "stopped", "at": "2026-10-02T19:15:00.9+08:00", "actor": "ann"}

    assert ask("POST", f"{N1}/states", first) == {"stored": 1, "known": 0}
    assert ask("POST", f"{N1}/states", [first, second]) == {"stored": 1, "known": 1}
    told = ask("GET", f"{N1}/states")["rows"]
    did = ask("GET", f"{N1}/intervals")

    assert [(t["state"], t["source"], t["actor"]) for t in told] == [
        ("running", "api", "operator"),
        ("stopped", "api", "ann"),
    ]
    assert did["rows"] == [
        {
            "state": "running",
            "from": "2026-10-02T10:30:00+00:00",
            "to": "2026-10-02T11:15:00+00:00",
        },
        {"state": "stopped", "from": "2026-10-02T11:15:00+00:00", "to": NOW.isoformat()},
    ]
    assert did["hours"] == [
        {"hour": "2026-10-02T10:00:00+00:00", "running_seconds": 1800},
        {"hour": "2026-10-02T11:00:00+00:00", "running_seconds": 900},
    ]
    assert did["running_seconds"] == 2700


def test_a_state_that_cannot_be_is_refused_in_a_sentence(ask: Ask) -> None:
    def said(**changed: str) -> str:
        whole = {"state": "running", "at": "2026-10-02T10:00:00Z"} | changed
        return str(ask("POST", f"{N1}/states", whole))

    assert "must carry its zone" in said(at="2026-10-02T10:00:00")
    assert "at most 86400 s ahead" in said(at="2026-10-04T10:00:00Z")
    assert "must not be empty" in said(actor=" ")
    assert "must not hold a zero character" in said(evidence="\0")
    assert "Input should be 'creating'" in said(state="asleep")
    assert "found 'n9'" in ask("GET", "/v1/resources/n9/states")
    assert "found 'n9'" in ask("GET", "/v1/resources/n9/intervals")


def test_resources_are_listed_with_the_state_they_are_in(ask: Ask) -> None:
    ask("POST", f"{N1}/states", {"state": "running", "at": "2026-10-02T10:00:00Z"})

    (n1,) = ask("GET", "/v1/resources", account="acme")["rows"]
    assert (n1["id"], n1["kind"], n1["state"]) == ("n1", "node", "running")
    assert n1["since"] == "2026-10-02T10:00:00+00:00"
    assert [r["id"] for r in ask("GET", "/v1/resources")["rows"]] == ["n1", "n2"]
    assert ask("GET", "/v1/resources")["rows"][1]["state"] is None


def test_a_heartbeat_is_of_now_or_of_the_instants_given(ask: Ask) -> None:
    path = f"{N1}/heartbeats"

    assert ask("POST", path) == {"heard": 1}
    assert ask("POST", path, {"at": "2026-10-02T11:59:00Z"}) == {"heard": 1}
    assert ask("POST", path, {"at": ["2026-10-02T11:58:00Z", "2026-10-02T11:58:30Z"]}) == {
        "heard": 2
    }
    assert ask("GET", "/v1/resources")["rows"][0]["heard_at"] == NOW.isoformat()
    assert "must have heartbeat_seconds" in ask("POST", "/v1/resources/n2/heartbeats")


def test_an_inventory_says_what_it_changes_and_what_is_wrong(ask: Ask) -> None:
    rows = [{"line": 2, "cells": {"id": "n1", "name": "first"}}]
    wrong = [*rows, {"line": 3, "cells": {"id": "n3"}}]
    change = {"line": 2, "resource": "n1", "change": "name '' becomes 'first'"}

    refused = ask("POST", "/v1/inventory", {"rows": wrong})
    assert (refused["stored"], [p["line"] for p in refused["problems"]]) == (False, [3])
    dry = ask("POST", "/v1/inventory", {"rows": rows, "dry_run": True})
    assert dry == {"stored": False, "changes": [change], "problems": []}
    assert ask("POST", "/v1/inventory", {"rows": rows})["stored"] is True


OFFICE = {
    "resource": "n1",
    "name": "office",
    "windows": [{"start": "09:00", "end": 1260, "weekdays": ["thu", "fri"]}],
    "holidays": ["2026-10-01"],
}


def test_a_schedule_is_compared_with_what_was_observed(ask: Ask) -> None:
    ask("POST", f"{N1}/states", {"state": "running", "at": "2026-10-02T10:10:00+08:00"})

    assert ask("POST", "/v1/schedules", {"schedules": OFFICE}) == {"changed": 1}
    assert ask("POST", "/v1/schedules", {"schedules": [OFFICE]}) == {"changed": 0}
    (row,) = ask("GET", "/v1/schedules", resource="n1")["rows"]
    assert (row["windows"], row["zone"]) == (
        [{"start": "09:00", "end": "21:00", "weekdays": ["thu", "fri"]}],
        "Asia/Shanghai",
    )
    first, day = ask("GET", "/v1/schedule-report")["rows"]
    assert (first["day"], first["failed_starts"]) == ("2026-09-25", 1)
    assert (day["day"], day["expected_seconds"], day["missing_seconds"]) == (
        "2026-10-02",
        11 * 3600,
        70 * 60,
    )
    assert (day["late_starts"], day["failed_starts"], day["failed_stops"]) == (1, 0, 0)
    hours = ask("GET", "/v1/schedule-report", by="hour", resource="n1")["rows"]
    assert [h["missing_seconds"] for h in hours] == [3600, 3600, 600] + [0] * 9
    assert ask("GET", "/v1/schedule-report", resource="n2")["rows"] == []


def test_a_schedule_that_cannot_be_is_refused_in_a_sentence(ask: Ask) -> None:
    def said(**changed: Any) -> str:
        return str(ask("POST", "/v1/schedules", {"schedules": OFFICE | changed}))

    assert "must have a window" in said(windows=[])
    assert "must be HH:MM" in said(windows=[{"start": "9am", "end": "21:00"}])
    assert "must be HH:MM" in said(windows=[{"start": 2000, "end": "21:00"}])
    assert "must be an IANA name" in said(zone="Peking")
    assert "found 'n9'" in said(resource="n9")


def test_a_period_ends_by_now_and_is_at_most_a_year() -> None:
    day = timedelta(days=1)
    late = (NOW + day).isoformat()

    assert asked_period(None, None, NOW, day).start == NOW - day
    assert asked_period(None, late, NOW, day).end == NOW
    with pytest.raises(TooLongError, match="at most 366 days"):
        asked_period("2024-01-01T00:00:00Z", None, NOW, day)
    with pytest.raises(PeriodError):
        asked_period(late, None, NOW, day)
    with pytest.raises(NaiveTimeError):
        asked_period("2026-10-01T00:00:00", None, NOW, day)
