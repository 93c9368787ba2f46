"""Resources from a file to a report, by command and by HTTP, over the real service."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import calls
import httpx2
from conftest import Service
from typer.testing import CliRunner

from tallystick.cli import app

MIDNIGHT = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
DAY = timedelta(days=1)
ACCOUNT = {"accounts": [{"id": "acme", "name": "Acme"}]}


def tallystick(service: Service, *words: str | Path) -> str:
    """Run a command against the service; what it prints, or its complaint."""
    line = ["resources", *map(str, words), "--url", service.address]
    run = CliRunner().invoke(app, line, env={"TALLYSTICK_DATA": str(service.data)})
    return run.output + (str(run.exception) if run.exit_code else "")


def post(service: Service, path: str, document: Any) -> httpx2.Response:
    return calls.post(f"{service.address}{path}", json=document, timeout=60)


def get(service: Service, path: str, **params: str) -> Any:
    answer = calls.get(f"{service.address}{path}", params=params, timeout=60)
    assert answer.is_success, answer.text
    return answer.json()


def test_an_inventory_a_schedule_and_what_came_of_them(
    shared_service: Service, tmp_path: Path
) -> None:
    post(shared_service, "/v1/setup", ACCOUNT)
    started = (MIDNIGHT - 2 * DAY + timedelta(hours=9, minutes=10)).isoformat()
    inventory = tmp_path / "nodes.csv"
    inventory.write_text(
        "id,account,region,spec,heartbeat_seconds,state,at\n"
        f"e2e-1,acme,cn-hangzhou,polar.pg.g4.xlarge.gu10,60,running,{started}\n"
    )
    dry = tallystick(shared_service, "import", inventory, "--dry-run")
    assert "new node of acme" in dry
    assert "this was a dry run" in dry
    assert get(shared_service, "/v1/resources")["rows"] == []
    assert "stored" in tallystick(shared_service, "import", inventory)

    inventory.write_text(inventory.read_text() + "e2e-2,nobody,cn-hangzhou,gu10,,,\n")
    complaint = tallystick(shared_service, "import", inventory)
    assert "nodes.csv:3: account must be one of acme, found 'nobody'" in complaint
    assert "found 1 that are not: nothing was stored" in complaint

    plan = tmp_path / "plan.yaml"
    plan.write_text(
        "- resource: e2e-1\n"
        "  name: office\n"
        "  zone: UTC\n"
        "  windows: [{start: 09:00, end: 21:00}]\n"
        "  holidays: [2026-01-01]\n"
    )
    assert "1 schedules changed" in tallystick(shared_service, "schedule", plan)
    assert "09:00-21:00 mon tue" in tallystick(shared_service, "schedules")
    stopped = (MIDNIGHT - 2 * DAY + timedelta(hours=22)).isoformat()
    told = tallystick(shared_service, "tell", "e2e-1", "stopped", "--at", stopped)
    assert told == "1 stored, 0 known before\n"

    asked = ("--from", (MIDNIGHT - 2 * DAY).isoformat(), "--to", MIDNIGHT.isoformat())
    rows = json.loads(tallystick(shared_service, "report", *asked, "--format", "json"))["rows"]
    assert [list(row.values())[2:] for row in rows] == [
        [43_200, 46_200, 600, 3600, 0, 1, 1],
        [43_200, 0, 43_200, 0, 1, 0, 0],
    ]
    by_hour = tallystick(shared_service, "report", *asked, "--by", "hour", "--format", "csv")
    assert by_hour.splitlines()[1].endswith("T09:00:00+00:00,3600,3000,600,0")
    hours = tallystick(shared_service, "states", "e2e-1", *asked, "--hours", "--format", "csv")
    assert hours.splitlines()[1].endswith("T09:00:00+00:00,3000")
    assert "inventory" in tallystick(shared_service, "states", "e2e-1", "--told")
    assert "stopped" in tallystick(shared_service, "list", "--account", "acme")


def test_heartbeats_are_taken_and_unknown_resources_are_not_found(shared_service: Service) -> None:
    post(shared_service, "/v1/setup", ACCOUNT)
    node = {"id": "hb-1", "account": "acme", "region": "cn-hangzhou", "spec": "gu10"}
    node |= {"kind": "endpoint", "heartbeat_seconds": 30}
    post(shared_service, "/v1/setup", {"resources": [node]})

    heard = post(shared_service, "/v1/resources/hb-1/heartbeats", None)
    unknown = post(shared_service, "/v1/resources/nobody/states", [])
    told = post(
        shared_service,
        "/v1/resources/nobody/states",
        {"state": "running", "at": MIDNIGHT.isoformat()},
    )

    assert (heard.status_code, heard.json()) == (200, {"heard": 1})
    assert (unknown.status_code, told.status_code) == (404, 404)
    assert "must be declared" in told.json()["error"]
