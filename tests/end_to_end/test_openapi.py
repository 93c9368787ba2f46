"""Whatever a client sends, by the OpenAPI document or against it, is never the service's fault."""

import json
import os
import subprocess
import sys
from pathlib import Path

import calls
import pytest
import yaml
from conftest import ROOT, start_service, stop_service
from ledgers import fresh_database

PLACES = """
[parameters]
account = "acme"
bill = "acme-202610"
bill_id = "acme-202610"
contract = "acme-node"
resource = "node-acme-1"
month = "2026-10"
name = "polardb-2026"
"""
"""What there is, so that requests come through to it."""


def fuzz(folder: Path, ledger_url: str, examples: int, *phases: str) -> None:
    service = start_service(
        folder / "data",
        TALLYSTICK_LEDGER_URL=ledger_url,
        TALLYSTICK_BACKUPS=str(folder / "backups"),
    )
    setup = yaml.safe_load((ROOT / "tallystick" / "demo" / "setup.yaml").read_text("utf-8"))
    headers = {"Content-Type": "application/json"}
    told = json.dumps(setup, default=str)
    calls.post(
        f"{service.address}/v1/setup", content=told, headers=headers, timeout=60
    ).raise_for_status()
    calls.get(f"{service.address}/v1/bills/acme/2026-10", timeout=60).raise_for_status()
    (folder / "places.toml").write_text(PLACES)
    done = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", "--config-file", str(folder / "places.toml"),
            "run", f"{service.address}/openapi.json", "--checks", "not_a_server_error",
            "--phases", ",".join(phases), "--max-examples", str(examples),
            "--generation-deterministic",
        ],
        capture_output=True, text=True, check=False, cwd=folder,
        env={**os.environ, "COLUMNS": "160"},
    )  # fmt: skip
    is_up = service.process.poll() is None
    stop_service(service)

    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert is_up


def test_no_request_made_by_the_document_is_answered_5xx(tmp_path: Path) -> None:
    fuzz(tmp_path, "", 2, "fuzzing")


@pytest.mark.slow
def test_no_request_at_all_is_answered_5xx(tmp_path: Path, postgres_url: str) -> None:
    fuzz(tmp_path, fresh_database(postgres_url), 200, "examples", "coverage", "fuzzing")
