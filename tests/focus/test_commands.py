"""The commands that check and deliver files."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tallystick.cli import app

SAMPLES = Path(__file__).parent / "samples"


@pytest.mark.parametrize(
    ("path", "version", "code", "told"),
    [
        ("focus-1.2.csv", "1.2", 0, "no faults"),
        ("focus-1.2-fail.csv", "1.2", 1, "line 49: ServiceSubcategory Virtual Machines"),
        ("focus-1.4", "1.4", 0, "no faults"),
        ("focus-1.4-fail", "1.4", 1, "line 49: ServiceSubcategory Virtual Machines"),
        ("focus-1.4/cost_and_usage.csv", "1.4", 0, "no faults"),
    ],
)
def test_check_tells_each_fault_and_fails(path: str, version: str, code: int, told: str) -> None:
    done = CliRunner().invoke(app, ["export", "check", str(SAMPLES / path), "--version", version])

    assert done.exit_code == code
    assert told in done.output
