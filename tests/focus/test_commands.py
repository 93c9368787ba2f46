"""The commands that check and deliver files."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pricing.bills.export import focus_csv
from pricing.focus.parquet import focus_parquet
from tallystick.cli import app
from tallystick.export import Shape, _counted
from tests.pricing.month_notation import bill_of, month_from

MONTH = """
sub   s1 n1 g4.xlarge.gu10 2026-10-01
token t1 shared small 2026-10-01
used  2026-10-06T10 shared requests=3 fresh=1234567
"""
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


def test_a_month_without_bills_is_delivered_once_and_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service opens inside the command: settings come from the environment there."""
    pytest.importorskip("obstore", reason="the extra `storage` is not installed")
    monkeypatch.setenv("TALLYSTICK_DATA", str(tmp_path / "stores"))
    monkeypatch.setenv("TALLYSTICK_PORT", "1")
    command = ["export", "deliver", str(tmp_path / "out"), "--month", "2026-10"]

    other = (["--closed"], ["--format", "parquet"])
    lines = (command, command, *([*command, *flags] for flags in other))

    done = [CliRunner().invoke(app, line) for line in lines]

    assert [d.exit_code for d in done] == [0, 0, 0, 0], [d.output for d in done]
    assert ["delivered" in d.output for d in done] == [True, False, True, True]
    [manifest] = (tmp_path / "out" / "focus/v1.2/CostAndUsage/csv").rglob("manifest.json")
    assert json.loads(manifest.read_bytes())["state"] == "closed"


def test_rows_and_sums_of_parquet_are_those_of_csv() -> None:
    rows = list(bill_of(month_from(MONTH)).lines)

    told = _counted(focus_parquet(rows), Shape.PARQUET)

    assert told == _counted(focus_csv(rows).encode(), Shape.CSV)


def test_rows_and_sums_of_a_file_are_counted() -> None:
    content = (SAMPLES / "focus-1.2.csv").read_bytes()

    assert _counted(content, Shape.CSV) == (63, (("CNY", "7441.36"),))
